"""Laws for one group: QAE against GRPO on it, and what its correct and wrong responses contribute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.arrays import Array, sqrt
from qae_theory.baselines import is_hard_group, quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import count_vectors, exact_counts, multinomial_weights
from qae_theory.proofs.tools.checking import (
    all_zero,
    both,
    certainly_positive,
    for_all,
    rational,
    valid,
    with_witness,
)
from qae_theory.proofs.tools.groups import LEVELS, binary_group, exact, mixed_groups, number, same
from qae_theory.softmax import covariance, entropy, log_softmax
from qae_theory.updates import counted_group, update_direction

# Two wrong responses of different probability: which of them a group holds decides the sign of S.
POLICY = (Fraction(1, 2), Fraction(3, 8), Fraction(1, 8))
ARM_REWARDS = (1, 0, 0)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("paired-ordering-law", "from-the-advantages", Kind.PROOF, Role.FOR, _ordering_steps()))
    ledger.add(Evidence("sign-share-law", "from-the-mixture", Kind.PROOF, Role.FOR, _share_steps()))


def _ordering_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The two rules divide by the same $\sigma + \varepsilon$, so their advantages differ by one "
            r"number for the whole group: $A_i^{QAE} - A_i^{GRPO} = c$ with $c = (\hat p - b_K)/(\sigma + "
            r"\varepsilon)$. The shipped `advantages` and `quantile_baseline` say so on every mixed group, "
            "exactly.",
            check=partial(_constant_gap, method="inverted_cdf"),
            planted="the interpolated quantile for b_K",
            control=partial(_constant_gap, method="linear"),
        ),
        Step(
            says=r"The direction is linear in the advantages and a constant advantage $c$ gives $\frac "
            r"cG\sum_i(e_{y_i} - \pi) = c(\hat p_y - \pi_y)_y$. Read off the shipped direction on symbolic "
            "policies and advantages.",
            check=partial(_shift_of_direction, centre=1),
            planted="without - pi_y",
            control=partial(_shift_of_direction, centre=0),
        ),
        Step(
            says=r"The first-order change (`identity`) is $-\mathrm{Cov}_\pi(x, d)$ with $x = \log\pi$, $E[x] = "
            r"-H$. For any $n$, with the sums $P = \sum\pi$, $X = \sum\pi x$, $D = \sum\pi d$, $Y = \sum\pi "
            r"x d$: $\sum\pi(x - X)(d - D) = Y - XD - DX + XDP$ and $\sum\pi(x - X)d = Y - XD$. They are "
            r"equal as $P = 1$, so the change is $-\sum_y\pi_y(\log\pi_y + H)d_y$.",
            check=partial(_covariance_is_linear, total=1),
            planted="a policy that sums to 2",
            control=partial(_covariance_is_linear, total=2),
        ),
        Step(
            says=r"So $dH(QAE) - dH(GRPO) = -\eta c S$, $S = \sum_y(\hat p_y - \pi_y)\pi_y(\log\pi_y + H)$. On a "
            r"mixed hard group $b_K = 0$ and $c > 0$: QAE's change is the smaller or equal one iff $S \ge "
            r"0$. On a mixed easy group $b_K = 1$ and $c < 0$: it is the larger or equal one iff $S \ge 0$.",
            check=partial(_ordering_is_sign, easy_baseline=1),
            planted="baseline 0 on easy groups",
            control=partial(_ordering_is_sign, easy_baseline=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$E[\hat p_y] = \pi_y$: each of the $G$ responses is $y$ with probability $\pi_y$ and "
            r"expectation is linear, so $E[S] = \sum_y(E[\hat p_y] - \pi_y)\,\pi_y(\log\pi_y + H) = 0$, "
            "over all groups of any size.",
            check=partial(_mean_frequency, divisor=lambda size: size),
            planted="counts over G - 1",
            control=partial(_mean_frequency, divisor=lambda size: size - 1),
            citation="Mean of a multinomial vector; Casella and Berger, Statistical Inference, Sec. 4.6",
        ),
        Step(
            says="The shipped chain, advantages to direction to first-order change, obeys the law exactly on "
            "every mixed group of a three-response query, hard and easy.",
            check=partial(_shipped_law, sign=-1),
            planted="the opposite sign",
            control=partial(_shipped_law, sign=1),
            tie=True,
        ),
        Step(
            says=r"Both signs occur at the same $\hat p$ and the same K: $\pi = (1/2, 3/8, 1/8)$, $r = (1, 0, "
            "0)$, $G = 2$. The group of responses 1 and 2 has $S > 0$, that of 1 and 3 has $S < 0$, and "
            "both are hard at $K = 2/5$ and easy at $K = 3/5$. Sampling noise decides, not K.",
            check=partial(_both_signs, first=1, second=2),
            planted="the two groups exchanged",
            control=partial(_both_signs, first=2, second=1),
            generality=Generality.GENERAL,
        ),
    )


def _share_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Given which responses are correct, the correct ones are independent draws from $\pi^+ = \pi "
            r"r/V$ and the wrong ones from $\pi^- = \pi(1-r)/(1-V)$.",
            check=partial(_conditional_is_product, divide=True),
            planted="pi itself for pi+ and pi-",
            control=partial(_conditional_is_product, divide=False),
            citation="Independent variables, each conditioned on an event of its own; Durrett, Probability, Ch. 2",
        ),
        Step(
            says=r"Coordinate by coordinate, $r_y \in \{0, 1\}$: $\pi^+ - \pi = (1-V)(\pi^+ - \pi^-)$ and $\pi - "
            r"\pi^- = V(\pi^+ - \pi^-)$, because $\pi = V\pi^+ + (1-V)\pi^-$.",
            check=partial(_mixture, swap=False),
            planted="V and 1 - V exchanged",
            control=partial(_mixture, swap=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So given $m$ the correct responses' part of the expected direction is $\frac mG A_+(\pi^+ - "
            r"\pi)$ and the wrong ones' $\frac nG A_-(\pi^- - \pi)$, $n = G - m$. GRPO has $mA_+ = -nA_-$. "
            r"The parts are $(1-V)$ and $V$ times the whole, $\frac mG A_+(\pi^+ - \pi^-)$, in every "
            "coordinate.",
            check=partial(_parts, grpo=True),
            planted="advantages 1 and -1, which do not balance",
            control=partial(_parts, grpo=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says="The first-order change of entropy, or of any differentiable functional, is linear in the "
            "direction (`identity`), so the wrong responses' part of it is $V$ times the whole too. The "
            "shipped functions, summed over all groups with $m$ correct responses, exactly: direction and "
            "entropy.",
            check=partial(_shipped_share, share=lambda v: v),
            planted="1 - V for V",
            control=partial(_shipped_share, share=lambda v: 1 - v),
            tie=True,
        ),
        Step(
            says="The shipped `update_direction` agrees, response by response: every ordered group, its "
            "advantages set to 0 at the correct responses for the wrong ones' part.",
            check=partial(_shipped_ordered, keep=0),
            planted="the correct responses' part",
            control=partial(_shipped_ordered, keep=1),
            tie=True,
        ),
        Step(
            says="QAE for comparison: on hard groups the wrong responses' part is 0, on easy ones the correct ones'.",
            check=partial(_one_side, rule="qae"),
            planted="GRPO",
            control=partial(_one_side, rule="grpo"),
            tie=True,
        ),
    )


def _constant_gap(effort: Effort, *, method: str) -> Finding:
    largest = effort.pick(14, 8)
    cases = []
    for m, size in mixed_groups(largest):
        rewards = binary_group(m, size)
        for settings, lost in (({"eps": 0}, 0), ({"std": "bessel", "eps": 0}, 1)):
            root = sqrt(exact([Fraction(m * (size - m), size * (size - lost))]))
            for k in LEVELS:
                gap = advantages(rewards, "qae", k=k, **settings) - advantages(rewards, "grpo", **settings)
                c = (Fraction(m, size) - quantile_baseline(rewards, k, method=method)) / root
                cases.append((f"K={k}, m={m}, G={size}, {settings}", gap, np.broadcast_to(c, gap.shape)))
    for m, size in (
        (1, 2),
        (1, 5),
        (4, 5),
    ):  # standard deviations that are rational, so that eps > 0 stays simple
        rewards = binary_group(m, size)
        gap = advantages(rewards, "qae", eps=Fraction(1, 10**6)) - advantages(rewards, "grpo")
        sigma = sqrt(exact([Fraction(m * (size - m), size**2)])) + Fraction(1, 10**6)
        c = (Fraction(m, size) - quantile_baseline(rewards, "0.4", method=method)) / sigma
        cases.append((f"m={m}, G={size}, default options", gap, np.broadcast_to(c, gap.shape)))
    return same(cases, f"all mixed groups of at most {largest}, four levels")


def _shift_of_direction(effort: Effort, *, centre: int) -> Finding:
    arms, size = effort.pick((4, 3), (3, 2))
    weights, a, c = (
        sympy.symbols(f"w_0:{arms}", positive=True),
        sympy.symbols(f"A_0:{size}"),
        sympy.symbols("c"),
    )
    z = exact([sympy.log(w) for w in weights])
    step = partial(update_direction, z, [0] * arms, "sampled_group")
    residuals = []
    for y in product(range(arms), repeat=size):
        shifted = step(responses=list(y), advantages=exact([a_i + c for a_i in a])) - step(
            responses=list(y), advantages=exact(list(a))
        )
        frequencies = [sympy.Rational(y.count(arm), size) for arm in range(arms)]
        residuals += [
            d - c * (p - centre * w / sum(weights)) for d, p, w in zip(shifted, frequencies, weights, strict=True)
        ]
    return all_zero(residuals)


def _covariance_is_linear(*, total: int) -> Finding:
    """The sums for any n, and the shipped covariance on symbols for n = 3."""
    x_mean, d_mean, xd_mean = sympy.symbols("X D Y")
    spread = xd_mean - x_mean * d_mean - d_mean * x_mean + x_mean * d_mean * total
    sums = all_zero([spread - (xd_mean - x_mean * d_mean)])
    p, q = sympy.symbols("p q", positive=True)
    probs, x, d = (
        exact([p, q, total - p - q]),
        exact(list(sympy.symbols("x_0:3"))),
        exact(list(sympy.symbols("d_0:3"))),
    )
    mean = sum(probs * x)
    shipped = all_zero([number(covariance(probs, x, d)) - sum(probs * (x - mean) * d)])
    return both(sums, shipped)


def _ordering_is_sign(*, easy_baseline: int) -> Finding:
    p, t, eta, s, qae, grpo = z3.Reals("p t eta S dH_QAE dH_GRPO")
    known = (p > 0, p < 1, t > 0, eta > 0)
    hard = valid((qae <= grpo) == (s >= 0), *known, qae - grpo == -eta * ((p - 0) / t) * s)
    easy = valid((qae >= grpo) == (s >= 0), *known, qae - grpo == -eta * ((p - easy_baseline) / t) * s)
    return both(hard, easy)


def _mean_frequency(effort: Effort, *, divisor: Callable[[int], int]) -> Finding:
    """The lemma on the shipped enumeration, for a symbolic policy."""
    p, q = sympy.symbols("p q", positive=True)
    probs = exact([p, q, 1 - p - q])
    log_probs = exact([sympy.log(value) for value in probs])
    residuals = []
    for size in range(2, effort.pick(5, 3) + 1):
        counts = count_vectors(3, size)
        weights = multinomial_weights(log_probs, counts)
        means = (weights[:, None] * exact_counts(counts, probs)).sum(axis=0)
        residuals += [sympy.expand(mean / divisor(size)) - pi for mean, pi in zip(means, probs, strict=True)]
    return all_zero(residuals)


def _logits(probs: tuple[Fraction, ...]) -> Array:
    return exact([sympy.log(rational(p)) for p in probs])


def noise(responses: tuple[int, ...], probs: tuple[Fraction, ...] = POLICY) -> Any:
    """S of a group: sum_y (p^_y - pi_y) pi_y (log pi_y + H), as an exact number."""
    z = _logits(probs)
    surprise = log_softmax(z) + entropy(z)
    frequencies = [Fraction(responses.count(y), len(responses)) for y in range(len(probs))]
    return sum(rational((f - p) * p) * x for f, p, x in zip(frequencies, probs, surprise, strict=True))


def _shipped_law(effort: Effort, *, sign: int) -> Finding:
    z, rewards = _logits(POLICY), exact(list(ARM_REWARDS))
    size = effort.pick(4, 3)
    cases = []
    for y in product(range(3), repeat=size):
        if list(y) != sorted(y):
            continue  # the order of responses plays no part
        group = rewards[list(y)]
        for k in ("0.4", "0.7"):
            changes = []
            for rule, settings in (("qae", {"k": k}), ("grpo", {})):
                a = advantages(group, rule, eps=0, **settings)
                d = update_direction(z, rewards, "sampled_group", responses=list(y), advantages=a)
                changes.append(number(first_order_entropy_change(z, d)))
            m = int(sum(group))
            # A degenerate group has no advantages and no standard deviation: both changes are 0.
            root = number(sqrt(exact([Fraction(m * (size - m), size**2) or 1])))
            c = (sympy.Rational(m, size) - number(quantile_baseline(group, k))) / root
            cases.append((f"K={k}, responses {y}", changes[0] - changes[1], sign * c * noise(y)))
    return same(cases, f"groups of {size}, two levels")


def _both_signs(*, first: int, second: int) -> Finding:
    regimes = [is_hard_group(1, 2, Fraction(2, 5)), not is_hard_group(1, 2, Fraction(3, 5))]
    upper, lower = noise((0, first)), noise((0, second))
    findings = (
        certainly_positive(upper, "S of the first group"),
        certainly_positive(-lower, "-S of the second group"),
        certainly_positive(int(all(regimes)), "hard at K = 2/5, easy at K = 3/5"),
    )
    return with_witness(
        both(*findings),
        {
            "pi": str(tuple(map(str, POLICY))),
            "r": str(ARM_REWARDS),
            "G": "2",
            f"S of responses 1 and {first + 1}": f"{float(upper):.6f}",
            f"S of responses 1 and {second + 1}": f"{float(lower):.6f}",
        },
    )


def _parts_of_policy(probs: tuple[Fraction, ...], rewards: tuple[int, ...]) -> tuple[Fraction, Array, Array]:
    """V, pi+ and pi-."""
    pi, r = exact(list(probs)), exact(list(rewards))
    v = sum(pi * r)
    return v, pi * r / v, pi * (1 - r) / (1 - v)


def _conditional_is_product(effort: Effort, *, divide: bool) -> Finding:
    probs, rewards = (Fraction(1, 2), Fraction(1, 8), Fraction(3, 8)), (1, 1, 0)
    _, right, wrong = _parts_of_policy(probs, rewards)
    sides = {1: right, 0: wrong} if divide else {1: exact(list(probs)), 0: exact(list(probs))}
    size = effort.pick(4, 3)
    groups = list(product(range(3), repeat=size))
    weight = {y: prod(probs[y_i] for y_i in y) for y in groups}
    cases = []
    for outcome in product((0, 1), repeat=size):
        chosen = [y for y in groups if tuple(rewards[y_i] for y_i in y) == outcome]
        total = sum(weight[y] for y in chosen)
        for y in chosen:
            expected = prod(sides[r][y_i] for r, y_i in zip(outcome, y, strict=True))
            cases.append((f"R={outcome}, responses {y}", weight[y] / total == expected))
    return for_all(cases, f"all groups of {size} from three responses")


def _mixture(*, swap: bool) -> Finding:
    pi, v = sympy.symbols("pi V", positive=True)
    share = 1 - v if swap else v
    residuals = []
    for r in (0, 1):
        right, wrong = pi * r / v, pi * (1 - r) / (1 - v)
        residuals += [right - pi - (1 - share) * (right - wrong), pi - wrong - share * (right - wrong)]
        residuals.append(pi - v * right - (1 - v) * wrong)
    return all_zero(residuals)


def _parts(*, grpo: bool) -> Finding:
    m, n, t, v = sympy.symbols("m n t V", positive=True)
    right, wrong = sympy.symbols("pi_right pi_wrong")
    size, pi = m + n, v * right + (1 - v) * wrong
    a_right, a_wrong = ((1 - m / size) / t, -m / size / t) if grpo else (1 / t, -1 / t)
    correct_part, wrong_part = m / size * a_right * (right - pi), n / size * a_wrong * (wrong - pi)
    whole = m / size * a_right * (right - wrong)
    return all_zero([correct_part - (1 - v) * whole, wrong_part - v * whole, correct_part + wrong_part - whole])


def _by_side(
    size: int, num_correct: int, rule: str, k: Fraction | None = None, **settings: Any
) -> Iterator[tuple[Fraction, Array, Array]]:
    """Probability, correct part and wrong part of the direction, for every count vector with m correct."""
    probs, r = exact(list(_SHARE_POLICY)), exact(list(_SHARE_REWARDS))
    options = {} if k is None else {"k": k}
    values = advantages(binary_group(num_correct, size), rule, **options, **settings)
    per_arm = exact([values[-1] if reward == 1 else values[0] for reward in r])
    counts = count_vectors(len(probs), size)
    weights = multinomial_weights(_logits(_SHARE_POLICY), counts)
    for row, weight in zip(exact_counts(counts, probs), weights, strict=True):
        if sum(row * r) == num_correct:
            yield weight, counted_group(probs, row, per_arm * r), counted_group(probs, row, per_arm * (1 - r))


_SHARE_POLICY = (Fraction(1, 2), Fraction(1, 8), Fraction(1, 4), Fraction(1, 8))
_SHARE_REWARDS = (1, 1, 0, 0)


def _shipped_share(effort: Effort, *, share: Callable[[Any], Any]) -> Finding:
    v = _parts_of_policy(_SHARE_POLICY, _SHARE_REWARDS)[0]
    z = _logits(_SHARE_POLICY)
    cases = []
    for m, size in mixed_groups(effort.pick(5, 3)):
        for settings in ({"eps": 0}, {"std": "bessel", "eps": 0}):
            right: Any = sum((weight * part for weight, part, _ in _by_side(size, m, "grpo", **settings)), Fraction(0))
            wrong: Any = sum((weight * part for weight, _, part in _by_side(size, m, "grpo", **settings)), Fraction(0))
            label = f"m={m}, G={size}, {settings}"
            cases.append((label + ", direction", wrong, share(v) * (right + wrong)))
            changes = [number(first_order_entropy_change(z, d)) for d in (wrong, right + wrong)]
            cases.append((label + ", entropy", changes[0], share(v) * changes[1]))
    return same(cases, "every count vector of a four-response query")


def _shipped_ordered(effort: Effort, *, keep: int) -> Finding:
    v = _parts_of_policy(_SHARE_POLICY, _SHARE_REWARDS)[0]
    z, r, size = _logits(_SHARE_POLICY), exact(list(_SHARE_REWARDS)), effort.pick(3, 2)
    cases = []
    for m in range(1, size):
        whole = part = exact([0] * 4)
        for y in product(range(4), repeat=size):
            group = r[list(y)]
            if sum(group) != m:
                continue
            a = advantages(group, "grpo", eps=0)
            weight = prod(_SHARE_POLICY[y_i] for y_i in y)
            step = partial(update_direction, z, r, "sampled_group", responses=list(y))
            whole = whole + weight * step(advantages=a)
            part = part + weight * step(advantages=np.where(np.asarray(group == keep), a, exact([0] * size)))
        cases.append((f"m={m}, G={size}", part, v * whole))
    return same(cases, f"every ordered group of {size}")


def _one_side(*, rule: str) -> Finding:
    cases = []
    for m, size in mixed_groups(4):
        for k in LEVELS:
            hard = is_hard_group(m, size, k)
            for _, right, wrong in _by_side(size, m, rule, k if rule == "qae" else None):
                cases.append((f"{rule}, K={k}, m={m}, G={size}", wrong if hard else right, exact([0] * 4)))
    return same(cases, "every count vector, four levels")
