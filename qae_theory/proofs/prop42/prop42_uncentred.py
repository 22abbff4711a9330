"""Prove claim ``prop42-uncentred``: Prop. 4.2 at first order, for the update that Sec. 4.3 plugs into the identity.

With d = pi (r - b) the first-order change is h(b) = h(0) + b C, with the self-covariance C >= 0. So b_K = 0 on hard
queries makes it least and b_K = 1 on easy ones largest. The shipped functions run on any number of responses; SymPy and
z3 decide the steps, ties replay them on small policies.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.baselines import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.carriers import moments
from qae_theory.proofs.carriers.formulas import scalar
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import ARM, LOG_PROB, OTHER_ARM, PROB, X
from qae_theory.proofs.tools.checking import all_equal, certainly_positive, for_all, rational, valid, zero
from qae_theory.proofs.tools.rational_policies import log_form, logs, number, small_policies
from qae_theory.softmax import self_covariance
from qae_theory.updates import update_direction

# A direction is a few products of numbers of size one: each entry is good to a few units of 2e-16.
FLOAT_TOLERANCE = 1e-14


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    # h is linear in b; its slope is not negative; so b_K at an end of [0, 1] is extreme.
    steps = (*_slope(), *_sign_of_slope(), *_order(), *_ties())
    ledger.add(Evidence("prop42-uncentred", "slope-is-self-covariance", Kind.PROOF, Role.FOR, steps))


def first_order_change(rule: str, baseline: Any) -> Any:
    """Return the shipped first-order change of a shipped update of any policy; the reward of an arm is ``X``.

    Args:
        rule: a name of a rule of ``update_direction``.
        baseline: b, a SymPy number or symbol.
    """
    return for_any_policy(
        lambda arms: first_order_entropy_change(
            arms.logits(), update_direction(arms.logits(), arms.entries(X), rule, baseline=scalar(baseline))
        )
    )


def _slope() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For every number of responses, real rewards $r$ and real $b$, the shipped "
            r"`first_order_entropy_change(z, update_direction(z, r, 'uncentred', baseline=b))` is $h(b) = h(0) + "
            r"b\,C(\pi)$, with $C(\pi)$ from the shipped `self_covariance`: both are run on any number of arms, "
            r"where expectations are moments.",
            check=partial(_linear_in_baseline, rule="uncentred"),
            planted="the policy gradient for the uncentred update",
            control=partial(_linear_in_baseline, rule="policy_gradient"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"In the same way, with $j$ an independent second response: the shipped `self_covariance` is "
            r"$C(\pi)=\frac12\sum_{ij}\pi_i\pi_j(\log\pi_i-\log\pi_j)(\pi_i-\pi_j)$.",
            check=partial(_pairwise_form, factor=sympy.Rational(1, 2)),
            planted="the factor 1 for 1/2",
            control=partial(_pairwise_form, factor=sympy.Integer(1)),
            generality=Generality.GENERAL,
        ),
    )


def _sign_of_slope() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Lemma: the logarithm is strictly increasing. Replayed in ball arithmetic on neighbouring fractions.",
            check=partial(_log_increases, sign=1),
            planted="decreasing",
            control=partial(_log_increases, sign=-1),
            citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., Chapter 8 (logarithm)",
        ),
        Step(
            says=r"Hence each term of the pairwise form is $\ge 0$, and 0 only where $\pi_i=\pi_j$ (z3, for any "
            r"order-preserving $\ell$ in the place of $\log$ and $\pi_i,\pi_j>0$). So $C(\pi)\ge0$, and "
            r"$C(\pi)=0$ exactly when all $\pi_i$ are equal.",
            check=partial(_terms_nonnegative, increasing=True),
            planted="an order-reversing function",
            control=partial(_terms_nonnegative, increasing=False),
            generality=Generality.GENERAL,
        ),
    )


def _order() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The K-quantile of a query's rewards, $\inf\{x : F(x) \ge K\}$ with $F(x) = 0$ below 0, $1-V$ on "
            r"$[0, 1)$ and 1 from 1 on, is 0 when $V \le 1-K$ and 1 otherwise: $F$ reaches $K$ there, and at no "
            r"smaller $x$ (z3, all real $V$, $K$, $x$).",
            check=partial(_query_quantile, complement=True),
            planted="0 when V <= K",
            control=partial(_query_quantile, complement=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Conclusion (z3): from $h(b)=h_0+bC$, $C\ge0$ and $0\le b\le1$: with $b_K=0$, $h(b_K)\le "
            r"h(b)$; with $b_K=1$, $h(b_K)\ge h(b)$; and strictly exactly when $C>0$ and $b\ne b_K$.",
            check=partial(_order_follows, hard=0),
            planted="b_K = 1 on the hard query",
            control=partial(_order_follows, hard=1),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tie: the shipped `quantile_baseline` of populations of up to 12 (quick 8) equally likely "
            r"responses has this value, every $V$, every $K=a/12$.",
            check=partial(_population_quantile, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_population_quantile, level_of=lambda k: 1 - k),
            tie=True,
        ),
        Step(
            says=r"Tie: on exact numbers, for every policy with denominators up to 7 (quick 5) on 2 and 3 responses, "
            r"every binary $r$ and $b\in\{0,\frac14,\frac12,1\}$, the difference $h(b)-h(0)$ is $b$ times "
            r"$\sum_i\pi_i\log\pi_i\,(\pi_i-\sum_j\pi_j^2)$, zero exactly for the uniform policy.",
            check=partial(_exact_instances, power=2),
            planted=r"$\sum_j\pi_j$ for $\sum_j\pi_j^2$",
            control=partial(_exact_instances, power=1),
            tie=True,
        ),
        Step(
            says=r"Tie: the shipped `update_direction` in floating point, on batches whose logits, rewards and "
            r"baselines broadcast, is the table of the three rules entry by entry, to $10^{-14}$.",
            check=partial(_table_of_rules, mean_weight=1),
            planted="the policy gradient centred by half the mean",
            control=partial(_table_of_rules, mean_weight=0.5),
            tie=True,
        ),
    )


def _linear_in_baseline(*, rule: str) -> Finding:
    """Find whether h(b) - h(0) is b times the shipped self-covariance."""
    b = sympy.Symbol("b", real=True)
    slope = for_any_policy(lambda arms: self_covariance(arms.logits()))
    return zero(first_order_change(rule, b) - first_order_change(rule, 0) - b * slope, sympy.expand)


def _pairwise_form(*, factor: Any) -> Finding:
    """Find whether the shipped self-covariance is ``factor`` times a mean over two independent responses."""
    # The same quantities at an independent second response.
    other_log, other_prob = (OTHER_ARM[ARM.index(symbol)] for symbol in (LOG_PROB, PROB))
    shipped = for_any_policy(lambda arms: self_covariance(arms.logits()))
    return zero(shipped - factor * moments.pair_mean((LOG_PROB - other_log) * (PROB - other_prob)), sympy.expand)


def _log_increases(effort: Effort, *, sign: int) -> Finding:
    """Find whether log grows from each fraction i/n to the next."""
    size = effort.pick(200, 40)
    finding = Finding(False, "ball sign", "no fractions")
    for i in range(1, size):
        # Balls decide each gap: a float's logarithm could round two neighbours alike.
        gap = sympy.log(sympy.Rational(i + 1, size)) - sympy.log(sympy.Rational(i, size))
        finding = certainly_positive(sign * gap, "log gap")
        if not finding.passed:
            return finding
    return Finding(True, finding.criterion, f"{size - 1} neighbouring fractions in (0, 1]")


def _terms_nonnegative(*, increasing: bool) -> Finding:
    """Find whether p q (p - q)(log p - log q) >= 0, with equality at p = q only, for any increasing function."""
    p, q, log_p, log_q = z3.Reals("p q log_p log_q")
    # z3 has no logarithm; all that is used of it is that it keeps the order.
    monotone = z3.And(
        z3.Implies(p < q, log_p < log_q if increasing else log_p > log_q),
        z3.Implies(p > q, log_p > log_q if increasing else log_p < log_q),
        z3.Implies(p == q, log_p == log_q),
    )
    term = p * q * (p - q) * (log_p - log_q)
    return valid(z3.And(term >= 0, (term == 0) == (p == q)), p > 0, q > 0, monotone)


def _query_quantile(*, complement: bool) -> Finding:
    """Find whether the K-quantile of a query's rewards is 0 for V <= 1 - K, else 1."""
    success, k, x = z3.Reals("V K x")
    quantile = z3.If(success <= (1 - k if complement else k), z3.RealVal(0), z3.RealVal(1))

    def distribution(at: Any) -> Any:
        return z3.If(at < 0, z3.RealVal(0), z3.If(at < 1, 1 - success, z3.RealVal(1)))

    reached = distribution(quantile) >= k
    # An infimum: F reaches K at the quantile and at no smaller x.
    not_before = z3.Implies(x < quantile, distribution(x) < k)
    return valid(z3.And(reached, not_before), success >= 0, success <= 1, k > 0, k < 1)


def _order_follows(*, hard: int) -> Finding:
    """Find whether a slope C >= 0 gives the order of both regimes, strictly where C > 0 and b differs."""
    h_0, c, b = z3.Reals("h_0 C b")

    def h(baseline: Any) -> Any:
        return h_0 + baseline * c

    # Strictness too: where C = 0, at the uniform policy, the baseline does nothing.
    strict_low = (h(hard) < h(b)) == z3.And(c > 0, b != hard)
    strict_high = (h(1) > h(b)) == z3.And(c > 0, b != 1)
    goal = z3.And(h(hard) <= h(b), h(1) >= h(b), strict_low, strict_high)
    return valid(goal, c >= 0, b >= 0, b <= 1)


def _population_quantile(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped quantile of equally likely responses is 0 for V <= 1 - K, else 1."""
    largest = effort.pick(12, 8)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, largest + 1):
            # Twelfths meet the thresholds of populations of 2, 3, 4, 6 and 12 exactly.
            for right, a in itertools.product(range(size + 1), range(1, 12)):
                k = Fraction(a, 12)
                shipped = quantile_baseline([1] * right + [0] * (size - right), k)
                yield f"V={right}/{size}, K={k}", shipped, 0 if Fraction(right, size) <= 1 - level_of(k) else 1

    return all_equal(cases(), f"up to {largest} equally likely responses")


def _exact_instances(effort: Effort, *, power: int) -> Finding:
    """Find whether h(b) - h(0) of small policies is b times the self-covariance, by exact logarithms."""
    baselines = (Fraction(1, 4), Fraction(1, 2), Fraction(1))

    def cases() -> Iterator[tuple[str, bool]]:
        for probs in small_policies(effort.pick(7, 5)):
            z, p = logs(probs), [rational(x) for x in probs]
            # E pi = sum pi^2, which centres the covariance.
            square = sum(y**power for y in p)
            slope = sum(x * sympy.log(x) * (x - square) for x in p)
            yield f"pi={probs}: zero only if uniform", (log_form(slope) == 0) == (len(set(probs)) == 1)
            for r in itertools.product((0, 1), repeat=len(p)):
                start = number(first_order_entropy_change(z, update_direction(z, r, "uncentred")))
                for b in baselines:
                    h = number(first_order_entropy_change(z, update_direction(z, r, "uncentred", baseline=b)))
                    yield f"pi={probs}, r={r}, b={b}", log_form(h - start - rational(b) * slope) == 0

    return for_all(cases(), "exact policies")


def _table_of_rules(effort: Effort, *, mean_weight: float) -> Finding:
    """Find whether the shipped directions in floats are the table of the three rules, however arguments broadcast."""
    policies = effort.pick(6, 3)
    rng = np.random.default_rng(effort.seed)
    z = 3 * rng.standard_normal((policies, 1, 4))
    r = rng.integers(0, 2, (2, 4)).astype(float)
    # Three shapes that broadcast to one: [n, 1, 4], [2, 4] and [n, 2].
    b = rng.uniform(0, 1, (policies, 2))

    def cases() -> Iterator[tuple[str, bool]]:
        for rule in ("uncentred", "policy_gradient", "natural_gradient"):
            direction = update_direction(z, r, rule, baseline=b)
            shared = update_direction(z, r[0], rule, baseline=0.25)
            yield f"{rule}: shapes", (direction.shape, shared.shape) == ((policies, 2, 4), (policies, 1, 4))
            for i, j in itertools.product(range(policies), range(2)):
                expected = _rule_by_hand(rule, z[i, 0], r[j], b[i, j], mean_weight)
                yield f"{rule}, row {i}, {j}", bool(np.abs(direction[i, j] - expected).max() < FLOAT_TOLERANCE)
            for i in range(policies):
                expected = _rule_by_hand(rule, z[i, 0], r[0], 0.25, mean_weight)
                yield f"{rule}, scalar b", bool(np.abs(shared[i, 0] - expected).max() < FLOAT_TOLERANCE)

    return for_all(cases(), f"{policies} policies, 2 reward vectors, a baseline each; a scalar baseline for all")


def _rule_by_hand(rule: str, z: Any, r: Any, b: float, mean_weight: float) -> Any:
    """Return one direction by the table of docs/theory.md, in plain Python floats."""
    weights = [math.exp(x) for x in z]
    p = [w / math.fsum(weights) for w in weights]
    # The three rules of docs/theory.md: pi a, pi (a - E a), and a itself.
    a = [x - b for x in r]
    # fsum rounds once, so that the tolerance covers the shipped sum alone.
    mean = mean_weight * math.fsum(x * y for x, y in zip(p, a, strict=True))
    table = {
        "uncentred": [x * y for x, y in zip(p, a, strict=True)],
        "policy_gradient": [x * (y - mean) for x, y in zip(p, a, strict=True)],
        "natural_gradient": a,
    }
    return np.array(table[rule])
