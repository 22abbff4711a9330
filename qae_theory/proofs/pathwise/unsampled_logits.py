"""Prove claim ``unsampled-logits``: a sampled group moves an unsampled response's logit by -eta (sum A) pi_y / G.

So QAE pushes it down on hard groups and up on easy ones, and GRPO leaves it. The step is the gradient of the clipped
objective on policy. SymPy and z3 decide the steps for any number of responses; ties differentiate and run the shipped
functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.arrays import Array, sqrt
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.formulas import expressions, formulas
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.objective.clipping import clip_domain, clip_symbols, clip_term
from qae_theory.proofs.tools.checking import all_zero, valid, valid_on_every_path
from qae_theory.proofs.tools.groups import LEVELS, binary_group, close, exact, floats, mixed_groups, same
from qae_theory.proofs.tools.rational_policies import logs
from qae_theory.softmax import log_softmax
from qae_theory.updates import counted_group, update_direction

# Options, and by how much the standard deviation's divisor is less than G.
_SETTINGS: tuple[tuple[dict[str, Any], int], ...] = (
    ({"eps": 0}, 0),
    ({}, 0),
    ({"std": "bessel", "eps": Fraction(1, 100)}, 1),
)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    # First what the step is, then what it does to one logit, then that the shipped code does it.
    steps = (*_gradient_steps(), *_push_steps(), *_tie_steps())
    ledger.add(Evidence("unsampled-logits", "from-the-gradient", Kind.PROOF, Role.FOR, steps))


def _gradient_steps() -> tuple[Step, ...]:
    return (
        Step(
            says="Score of a tabular softmax with any number of responses. Write the normaliser as $e^{z_k} + "
            r"T$, $T$ free of $z_k$. Then $\partial\log\pi_y/\partial z_k = 1 - \pi_k$ for $y = k$ and "
            r"$-\pi_k$ for $y \ne k$.",
            check=partial(_score, own=1),
            planted="no 1 at the response's own logit",
            control=partial(_score, own=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says="On-policy every ratio is 1, and the shipped `clipped_surrogate` is $f(x, A) = xA$ for all $x$ "
            r"in $[1-\varepsilon_{low}, 1+\varepsilon_{high}]$, symbolic $A$ and ranges. With both ranges "
            "above 0 this is a neighbourhood of 1, so $f$ has slope $A$ there.",
            check=partial(_unclipped_near_one, reach=1),
            planted="up to 1 + 2 e_high",
            control=partial(_unclipped_near_one, reach=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So the gradient of $\frac1G\sum_i A_i\,\pi'(y_i)/\pi(y_i)$ at $\pi' = \pi$ is $\frac1G\sum_i "
            r"A_i(e_{y_i} - \pi)$: a ratio is $e^u$ with $u = \log\pi' - \log\pi$, which is 0 there, so that its "
            r"derivative is the score's, and derivatives of a sum add up. One response in symbols, any number of "
            r"them.",
            check=partial(_ratio_has_score, power=1),
            planted="the derivative of the squared ratio",
            control=partial(_ratio_has_score, power=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Tie: the shipped direction `sampled_group` is that gradient, found by differentiating the shipped "
            "`log_softmax` on symbols, for symbolic policies and advantages of small groups.",
            check=partial(_direction_is_gradient, advantage_power=1),
            planted="squared advantages",
            control=partial(_direction_is_gradient, advantage_power=2),
            tie=True,
        ),
    )


def _push_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Coordinate $y$ of the direction, times $G$, is $o - t\pi_y$ with $o$ the sum of the advantages of "
            r"the responses that are $y$ and $t$ the sum of all: one more response adds $A(1\{y_i = y\} - \pi_y)$ to "
            r"it, $A$ to $t$ and $A$ or 0 to $o$ (induction, starting from the empty sums). If no response is $y$, "
            r"then $o = 0$ and $-\frac1G(\sum_i A_i)\pi_y$ is left, for any $n$, $G$ and advantages.",
            check=partial(_one_more_response, sign=-1),
            planted="a plus sign",
            control=partial(_one_more_response, sign=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says="Tie: the shipped direction on symbols, for every assignment of the responses of small groups.",
            check=partial(_unsampled_push, sign=-1),
            planted="a plus sign",
            control=partial(_unsampled_push, sign=1),
            tie=True,
        ),
        Step(
            says=r"The sum of advantages, $m$ correct and $n = G - m$ wrong, $t = \sigma + \varepsilon > 0$: QAE "
            "on hard groups $m/t > 0$, on easy ones $-n/t < 0$ (baselines 0 and 1 by `eq4-threshold`); "
            r"GRPO $(m(1-\hat p) - n\hat p)/t = 0$ with $\hat p = m/(m+n)$. With $\pi_y > 0$ and $\eta > 0$ "
            "the push is down, up and zero.",
            check=partial(_sum_signs, hard_baseline=0),
            planted="baseline 1 on hard groups",
            control=partial(_sum_signs, hard_baseline=1),
            generality=Generality.GENERAL,
        ),
    )


def _tie_steps() -> tuple[Step, ...]:
    return (
        Step(
            says="The shipped `advantages` have these sums on every mixed group: both standard deviations, with "
            "and without eps, four levels, thresholds included.",
            check=partial(_shipped_sums, level_of=lambda k: k),
            planted="1 - K for K in the gate",
            control=partial(_shipped_sums, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says="Shipped advantages and shipped direction together, exact policy, every group of the stated "
            "size: unsampled logits move by exactly that, sampled ones by it plus their own advantages.",
            check=partial(_shipped_push, weigh=True),
            planted="the push without pi_y",
            control=partial(_shipped_push, weigh=False),
            tie=True,
        ),
        Step(
            says="Batches in float64, of one and two leading axes, policies, responses and advantages each "
            "shared or not, some policies peaked by a logit gap of 800. `counted_group`, the form by "
            "counts, gives the same.",
            check=partial(_shipped_batches, group_size_of=lambda size: size),
            planted="division by G - 1",
            control=partial(_shipped_batches, group_size_of=lambda size: size - 1),
            tie=True,
        ),
    )


def _score(*, own: int) -> Finding:
    """Find whether d log pi_y / d z_k is 1{y = k} - pi_k."""
    z_k, z_y = sympy.symbols("z_k z_y", real=True)
    rest = sympy.symbols("T", positive=True)
    # All other responses in one symbol: any number of them.
    normaliser = sympy.exp(z_k) + rest
    prob = sympy.exp(z_k) / normaliser
    sampled, other = z_k - sympy.log(normaliser), z_y - sympy.log(normaliser)
    return all_zero([sympy.diff(sampled, z_k) - (own - prob), sympy.diff(other, z_k) + prob])


def _unclipped_near_one(*, reach: int) -> Finding:
    """Find whether the shipped clipped term is x A for ratios in the clip range."""
    x, a, low, high = clip_symbols()

    def goal(path: Path) -> Any:
        # Inside the range neither bound acts, whatever the sign of A.
        inside = z3.And(x >= 1 - low, x <= 1 + reach * high)
        return z3.Implies(inside, clip_term(x, a, low, high, path) == x * a)

    return valid_on_every_path(goal, *clip_domain(x))


def _ratio_has_score(*, power: int) -> Finding:
    """Find whether a ratio e^u has the derivative of u where u = 0."""
    z = sympy.Symbol("z_k", real=True)
    log_ratio = sympy.Function("u")(z)
    slope = sympy.Derivative(log_ratio, z)
    # On policy the log-ratio is 0, and the ratio 1.
    ratio = sympy.exp(log_ratio) ** power
    return all_zero([(sympy.diff(ratio, z) - slope).subs(slope, sympy.Symbol("score")).subs(log_ratio, 0)])


def _direction_is_gradient(effort: Effort, *, advantage_power: int) -> Finding:
    """Find whether the shipped direction is SymPy's gradient of the objective through the shipped log-softmax."""
    arms, size = effort.pick((4, 3), (3, 2))
    weights = _weights(arms)
    variables, a = sympy.symbols(f"z_0:{arms}", real=True), sympy.symbols(f"A_0:{size}", real=True)
    log_probs = expressions(log_softmax(formulas(variables)))
    at_policy = {z: sympy.log(w) for z, w in zip(variables, weights, strict=True)}
    residuals = []
    for responses in _assignments(arms, size):
        # (1/G) sum_i A_i pi'(y_i)/pi(y_i), as a trainer maximises it.
        objective = sympy.Integer(0)
        for a_i, y in zip(a, responses, strict=True):
            # The old policy is a constant: its logits are set before differentiating.
            ratio = sympy.exp(log_probs[y] - log_probs[y].subs(at_policy))
            objective += a_i**advantage_power * ratio / size
        for variable, entry in zip(variables, _direction(weights, responses, a), strict=True):
            residuals.append(sympy.diff(objective, variable).subs(at_policy) - entry)
    return all_zero(residuals, sympy.simplify)


def _one_more_response(*, sign: int) -> Finding:
    """Check the induction step: one more response keeps the form o - t pi_y of a logit's push."""
    own, total, prob, advantage, is_y = z3.Reals("o t pi_y A is_y")
    # The hypothesis of the induction: the form of the push so far.
    before = own - total * prob
    grown = before + advantage * (is_y - prob)
    after = (own + advantage * is_y) + sign * (total + advantage) * prob
    unsampled = z3.Implies(own == 0, before == sign * total * prob)
    return valid(z3.And(grown == after, unsampled), z3.Or(is_y == 0, is_y == 1))


def _unsampled_push(effort: Effort, *, sign: int) -> Finding:
    """Find whether the shipped direction on symbols is (o - t pi_y)/G in every coordinate."""
    arms, size = effort.pick((4, 3), (3, 2))
    weights, a = _weights(arms), sympy.symbols(f"A_0:{size}", real=True)
    residuals = []
    for responses in _assignments(arms, size):
        direction = _direction(weights, responses, a)
        for y in range(arms):
            # The responses that are y; an unsampled response has none.
            own = sum(a_i for a_i, y_i in zip(a, responses, strict=True) if y_i == y)
            # Coordinate by coordinate, sampled or not.
            residuals.append(direction[y] - (own + sign * sum(a) * weights[y] / sum(weights)) / size)
    return all_zero(residuals)


def _sum_signs(*, hard_baseline: int) -> Finding:
    """Find whether the advantages sum to m/t under QAE on hard groups, -n/t on easy ones, and 0 under GRPO."""
    m, n, t, p = z3.Reals("m n t p")
    # m correct responses get 1 - b, n wrong ones 0 - b.
    qae_hard = (m * (1 - hard_baseline) + n * (0 - hard_baseline)) / t
    qae_easy = (m * (1 - 1) + n * (0 - 1)) / t
    grpo = (m * (1 - p) + n * (0 - p)) / t
    signs = z3.And(qae_hard == m / t, qae_hard > 0, qae_easy == -n / t, qae_easy < 0, grpo == 0)
    return valid(signs, m >= 1, n >= 1, t > 0, p * (m + n) == m)


def _shipped_sums(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped advantages of every mixed group have these sums."""
    largest = effort.pick(16, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), (settings, lost) in product(mixed_groups(largest), _SETTINGS):
            rewards = binary_group(m, size)
            eps = Fraction(str(settings.get("eps", "1e-6")))
            # std + eps, by which the shipped sum is multiplied back.
            scale = (sqrt(exact([Fraction(m * (size - m), size * (size - lost))])) + eps).item()
            yield f"grpo, m={m}, G={size}, {settings}", advantages(rewards, "grpo", **settings).sum(), 0
            for k in LEVELS:
                total = m if is_hard_group(m, size, level_of(k)) else m - size
                shipped = advantages(rewards, "qae", k=k, **settings).sum()
                yield f"qae, K={k}, m={m}, G={size}, {settings}", sympy.cancel(shipped * scale), total

    return same(cases(), f"all mixed groups of at most {largest}, four levels")


def _shipped_push(effort: Effort, *, weigh: bool) -> Finding:
    """Find whether shipped advantages and direction together move every logit as claimed, in every group."""
    probs, rewards = (Fraction(1, 10), Fraction(3, 10), Fraction(2, 10), Fraction(4, 10)), exact([1, 0, 0, 1])
    # QAE in both regimes, GRPO, and RLOO, which is divided by no standard deviation.
    rules: tuple[tuple[str, dict[str, Any]], ...] = (
        ("qae", {"k": "0.4"}),
        ("qae", {"k": "0.7"}),
        ("grpo", {}),
        ("rloo", {}),
    )
    z, size = logs(probs), effort.pick(4, 3)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for responses, (rule, settings) in product(product(range(4), repeat=size), rules):
            a = advantages(rewards[list(responses)], rule, **settings)
            expected = []
            for y, p in enumerate(probs):
                own = sum((a_i for a_i, y_i in zip(a, responses, strict=True) if y_i == y), Fraction(0))
                expected.append((own - sum(a) * (p if weigh else 1)) / size)
            direction = update_direction(z, rewards, "sampled_group", responses=list(responses), advantages=a)
            yield f"{rule} {settings}, responses {responses}", direction, exact(expected)

    return same(cases(), f"every group of {size} from four responses")


# Leading axes of logits, responses and advantages: each may be shared by the others.
_BATCHES: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((3,), (3,), (3,)),
    ((3,), (), ()),
    ((), (3,), ()),
    ((), (), (3,)),
    ((2, 3), (2, 3), (2, 3)),
    ((2, 1), (3,), (2, 3)),
    ((), (2, 3), (3,)),
    ((), (3,), (2, 1)),
)


def _shipped_batches(effort: Effort, *, group_size_of: Callable[[int], int]) -> Finding:
    """Find whether batches of the shipped direction are the formula, however their axes are shared."""
    rng = np.random.default_rng(effort.seed)
    by_hand = partial(_by_hand, group_size_of=group_size_of)
    cases = []
    for logit_axes, response_axes, advantage_axes in _BATCHES:
        z = rng.normal(size=(*logit_axes, 4))
        z[..., 0] += 800 * rng.integers(0, 2, size=logit_axes)  # some policies are peaked
        y, a = rng.integers(0, 4, size=(*response_axes, 5)), rng.normal(size=(*advantage_axes, 5))
        shipped = update_direction(z, np.zeros(4), "sampled_group", responses=y, advantages=a)
        cases.append((f"{z.shape}, {y.shape}, {a.shape}", shipped, by_hand(z, y, a)))
    z, y, own = rng.normal(size=(3, 4)), rng.integers(0, 4, size=(3, 5)), rng.normal(size=(3, 4))
    counts = np.stack([np.bincount(row, minlength=4) for row in y])
    expected = by_hand(z, y, np.take_along_axis(own, y, axis=-1))
    cases.append(("by counts", counted_group(np.exp(log_softmax(z)), counts, own), expected))
    step = partial(update_direction, [0.0, 1.0], [1, 0], "sampled_group")
    cases += [
        ("integers", step(responses=[0, 1, 1], advantages=[1, 0, 2]), by_hand([0, 1], [0, 1, 1], [1, 0, 2])),
    ]
    exact_counts, tenths = exact([int(count) for count in counts[0]]), exact([Fraction(i, 10) for i in range(-1, 3)])
    by_counts = counted_group(exact([Fraction(1, 4)] * 4), exact_counts, tenths)
    cases.append(("exact counts", floats(by_counts), by_hand(np.zeros(4), y[0], floats(tenths)[y[0]])))
    return close(cases, "float64 batches, one and two leading axes")


def _by_hand(z: Any, responses: Any, a: Any, *, group_size_of: Callable[[int], int]) -> Array:
    """Return the direction, batch entry by batch entry and response by response."""
    z, responses, a = np.asarray(z, dtype=float), np.asarray(responses), np.asarray(a)
    batch = np.broadcast_shapes(z.shape[:-1], responses.shape[:-1], a.shape[:-1])
    z, responses, a = (np.broadcast_to(x, (*batch, x.shape[-1])) for x in (z, responses, a))
    total = np.zeros((*batch, z.shape[-1]))
    for index in np.ndindex(batch):
        weights = np.exp(z[index] - z[index].max())
        for a_i, y_i in zip(a[index], responses[index], strict=True):
            total[index] += a_i * (np.eye(len(weights))[y_i] - weights / weights.sum())
    return total / group_size_of(responses.shape[-1])


def _weights(arms: int) -> tuple[Any, ...]:
    """Return positive symbols w; the policy is w over its sum and the logits are log w."""
    weights: tuple[Any, ...] = sympy.symbols(f"w_0:{arms}", positive=True)
    return weights


def _assignments(arms: int, size: int) -> list[tuple[int, ...]]:
    """Return the responses of a group up to order: other orders only rename the advantages."""
    return [y for y in product(range(arms), repeat=size) if list(y) == sorted(y)]


def _direction(weights: tuple[Any, ...], responses: tuple[int, ...], a: tuple[Any, ...]) -> list[Any]:
    """Return the shipped direction of a group of symbolic advantages."""
    logits = formulas(sympy.log(w) for w in weights)
    step = partial(update_direction, logits, [0] * len(weights), "sampled_group")
    return expressions(step(responses=list(responses), advantages=formulas(a)))
