"""Prove claim ``paired-ordering-law``: on one group, QAE's change less GRPO's is -eta c S, and noise decides S's sign.

S = sum_y (p^_y - pi_y) pi_y (log pi_y + H), with p^_y the response's share of the group, and c = (m/G - b_K)/(std +
eps). S has mean 0 over groups, so that the order of the two rules is sampling noise. SymPy and z3 decide the steps;
ties run the shipped chain from advantages to entropy change.
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
from qae_theory.arrays import sqrt
from qae_theory.baselines import is_hard_group, quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import count_vectors, exact_counts, multinomial_weights
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import expressions, formulas
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import DIRECTION, LOG_PROB
from qae_theory.proofs.tools.checking import all_zero, both, certainly_positive, rational, valid, with_witness, zero
from qae_theory.proofs.tools.groups import LEVELS, binary_group, exact, mixed_groups, number, same
from qae_theory.proofs.tools.rational_policies import Probs, logs
from qae_theory.softmax import entropy, log_softmax
from qae_theory.updates import update_direction

# Two wrong responses of different probability: which of them a group holds decides the sign of S.
POLICY = (Fraction(1, 2), Fraction(3, 8), Fraction(1, 8))
ARM_REWARDS = (1, 0, 0)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    # What differs between the rules, what sign that has, and that the shipped chain obeys it.
    steps = (*_law(), *_sign(), *_ties())
    ledger.add(Evidence("paired-ordering-law", "from-the-advantages", Kind.PROOF, Role.FOR, steps))


def _law() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The two rules divide by the same $t = \sigma + \varepsilon$, so their advantages differ by one "
            r"number for the whole group: $\frac{R - b_K}{t} - \frac{R - \hat p}{t} = c$ with $c = (\hat p - b_K)/t$.",
            check=partial(_gap_of_rules, sign=1),
            planted="c = (b_K - p^)/t",
            control=partial(_gap_of_rules, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Coordinate $y$ of the direction is $(o - t\pi_y)/G$ with $o$ the sum of the advantages of the "
            r"responses that are $y$ and $t$ the sum of all (claim `unsampled-logits`). Adding $c$ to each of the "
            r"$G$ advantages adds $cG\hat p_y$ to $o$ and $cG$ to $t$, and so $c(\hat p_y - \pi_y)$ to the direction.",
            check=partial(_shift_of_direction, centre=1),
            planted="without - pi_y",
            control=partial(_shift_of_direction, centre=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped first-order change, on any number of arms, is $-\sum_y\pi_y(\log\pi_y + H)d_y$: a "
            r"covariance needs only one of its two factors centred, as the probabilities sum to 1.",
            check=partial(_linear_in_direction, centred=True),
            planted="without H",
            control=partial(_linear_in_direction, centred=False),
            generality=Generality.GENERAL,
        ),
    )


def _sign() -> tuple[Step, ...]:
    return (
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
            says=r"Both signs occur at the same $\hat p$ and the same K: $\pi = (1/2, 3/8, 1/8)$, $r = (1, 0, "
            "0)$, $G = 2$. The group of responses 1 and 2 has $S > 0$, that of 1 and 3 has $S < 0$, and "
            "both are hard at $K = 2/5$ and easy at $K = 3/5$. Sampling noise decides, not K.",
            check=partial(_both_signs, first=1, second=2),
            planted="the two groups exchanged",
            control=partial(_both_signs, first=2, second=1),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="Tie: the shipped `advantages` and `quantile_baseline` have this gap on every mixed group up to a "
            "size, exactly.",
            check=partial(_shipped_gap, method="inverted_cdf"),
            planted="the interpolated quantile for b_K",
            control=partial(_shipped_gap, method="linear"),
            tie=True,
        ),
        Step(
            says="Tie: the shipped direction shifts by this much on symbolic policies and advantages of small groups.",
            check=partial(_shipped_shift, centre=1),
            planted="without - pi_y",
            control=partial(_shipped_shift, centre=0),
            tie=True,
        ),
        Step(
            says="Tie: the shipped chain, advantages to direction to first-order change, obeys the law exactly on "
            "every mixed group of a three-response query, hard and easy.",
            check=partial(_shipped_law, sign=-1),
            planted="the opposite sign",
            control=partial(_shipped_law, sign=1),
            tie=True,
        ),
    )


def noise(responses: tuple[int, ...], probs: Probs = POLICY) -> Any:
    """Return S of a group, the sum over y of (p^_y - pi_y) pi_y (log pi_y + H), as an exact number.

    Args:
        responses: the sampled responses, as indices.
        probs: the policy.
    """
    z = logs(probs)
    # log pi + H has mean 0 under the policy.
    surprise = log_softmax(z) + entropy(z)
    total: Any = 0
    for y, (p, x) in enumerate(zip(probs, surprise, strict=True)):
        frequency = Fraction(responses.count(y), len(responses))
        total += rational((frequency - p) * p) * x
    return total


def _gap_of_rules(*, sign: int) -> Finding:
    """Find whether QAE's advantage less GRPO's is (m/G - b_K)/t for every response."""
    reward, baseline, p, t = sympy.symbols("R b p t", real=True)
    return zero((reward - baseline) / t - (reward - p) / t - sign * (p - baseline) / t)


def _shift_of_direction(*, centre: int) -> Finding:
    """Find whether adding c to all advantages adds c (p^_y - pi_y) to the direction."""
    own, total, c, size, frequency, prob = sympy.symbols("o t c G frequency pi", real=True)
    # The form of a logit's push from claim `unsampled-logits`.
    before = (own - total * prob) / size
    after = (own + c * size * frequency - (total + c * size) * prob) / size
    return zero(after - before - c * (frequency - centre * prob))


def _linear_in_direction(*, centred: bool) -> Finding:
    """Find whether the shipped first-order change is -E[(log pi + H) d]."""
    shipped = for_any_policy(lambda arms: first_order_entropy_change(arms.logits(), arms.entries(DIRECTION)))
    entropy_of_policy = -moments.mean(LOG_PROB) if centred else sympy.Integer(0)
    return zero(shipped + moments.mean((LOG_PROB + entropy_of_policy) * DIRECTION), sympy.expand)


def _ordering_is_sign(*, easy_baseline: int) -> Finding:
    """Find whether the paper's order holds exactly where S >= 0, in both regimes."""
    p, t, eta, s, qae, grpo = z3.Reals("p t eta S dH_QAE dH_GRPO")
    known = (p > 0, p < 1, t > 0, eta > 0)
    # p - b_K is p > 0 on hard groups and p - 1 < 0 on easy ones.
    hard = valid((qae <= grpo) == (s >= 0), *known, qae - grpo == -eta * ((p - 0) / t) * s)
    easy = valid((qae >= grpo) == (s >= 0), *known, qae - grpo == -eta * ((p - easy_baseline) / t) * s)
    return both(easy, hard)


def _mean_frequency(effort: Effort, *, divisor: Callable[[int], int]) -> Finding:
    """Find whether the mean share of each response over the shipped enumeration is its probability."""
    p, q = sympy.symbols("p q", positive=True)
    probs = (p, q, 1 - p - q)
    log_probs = formulas(sympy.log(value) for value in probs)
    residuals = []
    for size in range(2, effort.pick(5, 3) + 1):
        counts = count_vectors(3, size)
        weights = multinomial_weights(log_probs, counts)
        # E[p^] = sum over count vectors of their probability times counts / G.
        means = expressions((weights[:, None] * exact_counts(counts, log_probs)).sum(axis=0))
        residuals += [sympy.expand(mean / divisor(size)) - pi for mean, pi in zip(means, probs, strict=True)]
    return all_zero(residuals)


def _both_signs(*, first: int, second: int) -> Finding:
    """Find whether two groups with one success have S of opposite signs, in both regimes; show them."""
    # One success in a group of two: its rate 1/2 lies between the two thresholds.
    both_regimes = is_hard_group(1, 2, Fraction(2, 5)) and not is_hard_group(1, 2, Fraction(3, 5))
    upper, lower = noise((0, first)), noise((0, second))
    findings = (
        certainly_positive(upper, "S of the first group"),
        certainly_positive(-lower, "-S of the second group"),
        certainly_positive(int(both_regimes), "hard at K = 2/5, easy at K = 3/5"),
    )
    shown = {
        "pi": str(tuple(map(str, POLICY))),
        "r": str(ARM_REWARDS),
        "G": "2",
        f"S of responses 1 and {first + 1}": f"{float(upper):.6f}",
        f"S of responses 1 and {second + 1}": f"{float(lower):.6f}",
    }
    return with_witness(both(*findings), shown)


def _shipped_gap(effort: Effort, *, method: str) -> Finding:
    """Find whether the shipped advantages of QAE and GRPO differ by c in every response of every mixed group."""
    largest = effort.pick(14, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for (m, size), k, (std, lost) in product(mixed_groups(largest), LEVELS, (("population", 0), ("bessel", 1))):
            rewards = binary_group(m, size)
            # The standard deviation, by which c is divided: over G, or over G - 1.
            root = sqrt(exact([Fraction(m * (size - m), size * (size - lost))]))
            gap = advantages(rewards, "qae", k=k, std=std, eps=0) - advantages(rewards, "grpo", std=std, eps=0)
            c = (Fraction(m, size) - quantile_baseline(rewards, k, method=method)) / root
            yield f"K={k}, m={m}, G={size}, {std}", gap, np.broadcast_to(c, gap.shape)
        # Standard deviations that are rational, so that eps > 0 stays simple.
        for m, size in ((1, 2), (1, 5), (4, 5)):
            rewards, eps = binary_group(m, size), Fraction(1, 10**6)
            gap = advantages(rewards, "qae", eps=eps) - advantages(rewards, "grpo")
            sigma = sqrt(exact([Fraction(m * (size - m), size**2)])) + eps
            c = (Fraction(m, size) - quantile_baseline(rewards, "0.4", method=method)) / sigma
            yield f"m={m}, G={size}, default options", gap, np.broadcast_to(c, gap.shape)

    return same(cases(), f"all mixed groups of at most {largest}, four levels")


def _shipped_shift(effort: Effort, *, centre: int) -> Finding:
    """Find whether the shipped direction shifts by c (p^_y - pi_y) on symbolic policies and advantages."""
    arms, size = effort.pick((4, 3), (3, 2))
    # Any positive weights make a policy, and any numbers may be advantages.
    weights, a = sympy.symbols(f"w_0:{arms}", positive=True), sympy.symbols(f"A_0:{size}", real=True)
    c = sympy.Symbol("c", real=True)
    step = partial(update_direction, formulas(sympy.log(w) for w in weights), [0] * arms, "sampled_group")
    residuals = []
    for y in product(range(arms), repeat=size):
        shifted = expressions(step(responses=list(y), advantages=formulas(a_i + c for a_i in a)))
        plain = expressions(step(responses=list(y), advantages=formulas(a)))
        for arm in range(arms):
            frequency = sympy.Rational(y.count(arm), size)
            expected = c * (frequency - centre * weights[arm] / sum(weights))
            residuals.append(shifted[arm] - plain[arm] - expected)
    return all_zero(residuals)


def _shipped_law(effort: Effort, *, sign: int) -> Finding:
    """Find whether the shipped first-order changes of both rules differ by ``sign`` c S in every group."""
    z, rewards = logs(POLICY), exact(list(ARM_REWARDS))
    size = effort.pick(4, 3)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for y, k in product(product(range(3), repeat=size), ("0.4", "0.7")):
            if list(y) != sorted(y):
                continue  # the order of responses plays no part
            group = rewards[list(y)]
            changes = []
            for a in (advantages(group, "qae", k=k, eps=0), advantages(group, "grpo", eps=0)):
                d = update_direction(z, rewards, "sampled_group", responses=list(y), advantages=a)
                changes.append(number(first_order_entropy_change(z, d)))
            m = int(sum(group))
            # A degenerate group has no advantages and no standard deviation: both changes are 0.
            root = number(sqrt(exact([Fraction(m * (size - m), size**2) or 1])))
            c = (sympy.Rational(m, size) - number(quantile_baseline(group, k))) / root
            yield f"K={k}, responses {y}", changes[0] - changes[1], sign * c * noise(y)

    return same(cases(), f"groups of {size}, two levels")
