"""Proposition 4.2 at first order, for the three updates that do not sample.

Also its reading as a sign of the entropy change. Sampled groups are in ``sampled_group``, ``sampled_sign``.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.baselines import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, first_order_entropy_change
from qae_theory.proofs.tools import generic_arm as arm
from qae_theory.proofs.tools.checking import (
    all_equal,
    all_zero,
    both,
    certainly_positive,
    for_all,
    rational,
    valid,
    with_witness,
)
from qae_theory.proofs.tools.rational_policies import log_form, logs, number
from qae_theory.softmax import self_covariance
from qae_theory.updates import update_direction

THIRDS = (Fraction(1, 3), Fraction(2, 3))
TENTHS = (Fraction(1, 10), Fraction(9, 10))
HARD_LEVEL = Fraction(2, 5)  # one right response in three is hard, V = 1/3 <= 3/5
EASY_LEVEL = Fraction(3, 5)
BASELINE = sympy.Symbol("b", real=True)
# A direction is a few products of numbers of size one: each entry is good to a few units of 2e-16.
FLOAT_TOLERANCE = 1e-14


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("prop42-uncentred", "slope-is-self-covariance", Kind.PROOF, Role.FOR, _uncentred_steps()))
    for claim, rule in (
        ("prop42-policy-gradient", "policy_gradient"),
        ("prop42-natural-gradient", "natural_gradient"),
    ):
        ledger.add(Evidence(claim, "baseline-drops-out", Kind.WITNESS, Role.AGAINST, _no_effect_steps(rule)))
    for name, arms_of, sign in (
        ("hard-query-rises", lambda p: p, 1),
        ("easy-query-falls", lambda p: p[::-1], -1),
    ):
        ledger.add(Evidence("prop42-sign", name, Kind.WITNESS, Role.AGAINST, _sign_steps(arms_of, sign)))


def _uncentred_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The shipped code, for 2, 3 and 4 responses with symbolic $\pi$, real symbolic rewards $r$ and "
            r"symbolic $b$: `first_order_entropy_change(z, update_direction(z, r, 'uncentred', "
            r"baseline=b))` is $h(0) + b\,C(\pi)$, with $C(\pi)$ from the shipped `self_covariance`.",
            check=partial(_code_is_linear, rule="uncentred"),
            planted="the policy gradient for the uncentred update",
            control=partial(_code_is_linear, rule="policy_gradient"),
            tie=True,
        ),
        Step(
            says=r"The same for every $n$. An expectation over responses is linear and $E_\pi[1]=1$; the shipped "
            r"`first_order_entropy_change` and `self_covariance`, run on one generic response of a policy "
            r"of any size with $d=\pi(r-b)$, return expectations of monomials in $\pi_i$, $\log\pi_i$, "
            r"$r_i$, and in these $h(b)=h(0)+b\,C(\pi)$ is an identity.",
            check=partial(_linear_for_all_sizes, slope=1),
            planted="slope -C for +C",
            control=partial(_linear_for_all_sizes, slope=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"In the same way for every $n$, with $j$ an independent second response: the shipped "
            r"`self_covariance` is $C(\pi)=\frac12\sum_{ij}\pi_i\pi_j(\log\pi_i-\log\pi_j)(\pi_i-\pi_j)$.",
            check=partial(_pairwise_form, factor=sympy.Rational(1, 2)),
            planted="the factor 1 for 1/2",
            control=partial(_pairwise_form, factor=sympy.Integer(1)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Lemma: the logarithm is strictly increasing. Replayed in ball arithmetic on neighbouring "
            r"fractions.",
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
        Step(
            says=r"The K-quantile of a query's rewards is 0 when $V\le1-K$ and 1 otherwise: the shipped "
            r"`quantile_baseline` on populations of up to 12 (quick 8) equally likely responses, every $V$, "
            r"every $K=a/12$.",
            check=partial(_population_quantile, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_population_quantile, level_of=lambda k: 1 - k),
        ),
        Step(
            says=r"Conclusion (z3): from $h(b)=h_0+bC$, $C\ge0$ and $0\le b\le1$: with $b_K=0$, $h(b_K)\le "
            r"h(b)$; with $b_K=1$, $h(b_K)\ge h(b)$; and strictly exactly when $C>0$ and $b\ne b_K$.",
            check=partial(_order_follows, hard=0),
            planted="b_K = 1 on the hard query",
            control=partial(_order_follows, hard=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped functions on exact numbers: for every policy with denominators up to 7 (quick 5) "
            r"on 2 and 3 responses, every binary $r$ and $b\in\{0,\frac14,\frac12,1\}$ the difference "
            r"$h(b)-h(0)$ is $b$ times $\sum_i\pi_i\log\pi_i\,(\pi_i-\sum_j\pi_j^2)$, zero exactly for the "
            r"uniform policy.",
            check=partial(_exact_instances, power=2),
            planted=r"$\sum_j\pi_j$ for $\sum_j\pi_j^2$",
            control=partial(_exact_instances, power=1),
            tie=True,
        ),
        Step(
            says=r"The shipped `update_direction` in floating point, on batches whose logits, rewards and "
            r"baselines broadcast, is the table of the three rules entry by entry, to $10^{-14}$.",
            check=partial(_table_of_rules, mean_weight=1),
            planted="the policy gradient centred by half the mean",
            control=partial(_table_of_rules, mean_weight=0.5),
            tie=True,
        ),
    )


def _no_effect_steps(rule: str) -> tuple[Step, ...]:
    witness = Step(
        says=r"$\pi=(1/3,2/3)$, $r=(1,0)$, $K=2/5$: the query is hard, $b_K=0$, and $b=1$ gives exactly the same "
        r"first-order change; in the mirror image, $\pi=(2/3,1/3)$, $K=3/5$, $b_K=1$, so does $b=0$. "
        r"Nothing is strict.",
        check=partial(_equal_change, rule=rule),
        planted="the uncentred update, where b acts",
        control=partial(_equal_change, rule="uncentred"),
        generality=Generality.GENERAL,
    )
    every_size = Step(
        says=r"For every $n$ (on one generic response, as in `prop42-uncentred`) the direction at $b$ differs "
        r"from that at 0 by the same number at every response, which softmax does not see (for the policy "
        r"gradient, as $r-b-E_\pi[r-b]=r-V$, by nothing), and the shipped first-order changes are equal: "
        r"the weak form holds, as an equality.",
        check=partial(_drops_out_for_all_sizes, rule=rule),
        planted="the uncentred update, where b acts",
        control=partial(_drops_out_for_all_sizes, rule="uncentred"),
        generality=Generality.GENERAL,
    )
    all_orders = Step(
        says=r"At every order: the shipped `entropy_change` at a symbolic step size $\eta$ is identically the "
        r"same with symbolic $b$ as with 0, for 2 and 3 responses with symbolic rewards.",
        check=partial(_same_at_every_order, rule=rule),
        planted="the uncentred update, where b acts",
        control=partial(_same_at_every_order, rule="uncentred"),
        tie=True,
    )
    return witness, every_size, all_orders


def _sign_steps(arms_of: Any, sign: int) -> tuple[Step, ...]:
    verb, query, b = ("rises", "hard", 0) if sign > 0 else ("falls", "easy", 1)
    level = HARD_LEVEL if sign > 0 else EASY_LEVEL
    thirds, tenths = (", ".join(map(str, arms_of(probs))) for probs in (THIRDS, TENTHS))

    def exchanged(probs: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
        swapped: tuple[Fraction, ...] = arms_of(probs)[::-1]
        return swapped

    return (
        Step(
            says=rf"On this {query} query with $b_K={b}$ entropy {verb}: $\pi=({thirds})$ and $({tenths})$, "
            rf"$r=(1,0)$, at first order and at $\eta=1/10$ and $1$ (shipped functions on exact numbers, "
            rf"sign by ball arithmetic).",
            check=partial(_moves_entropy, sign=sign, arms_of=arms_of, query=query, baseline=b),
            planted="the two responses' probabilities exchanged",
            control=partial(_moves_entropy, sign=sign, arms_of=exchanged, query=query, baseline=b),
            generality=Generality.GENERAL,
        ),
        Step(
            says=rf"At $K={level}$ both queries are {query}: the shipped `quantile_baseline` of a population "
            rf"with that $V$ is {b}.",
            check=partial(_regime_is, arms_of=arms_of, level=level, baseline=b),
            planted="1 - V for V",
            control=partial(_regime_is, arms_of=exchanged, level=level, baseline=b),
            generality=Generality.GENERAL,
        ),
    )


def _code_is_linear(*, rule: str) -> Finding:
    residuals = []
    for arms in (2, 3, 4):
        z, r, b = _symbolic_query(arms)

        def change(baseline: Any, z: Any = z, r: Any = r) -> Any:
            return number(first_order_entropy_change(z, update_direction(z, r, rule, baseline=baseline)))

        residuals.append(change(b) - change(0) - b * number(self_covariance(z)))
    return all_zero(residuals, sympy.expand)


def _linear_for_all_sizes(*, slope: int) -> Finding:
    start, moved = (number(first_order_entropy_change(arm.logits(), _generic("uncentred", b))) for b in (0, BASELINE))
    return all_zero([moved - start - slope * BASELINE * number(self_covariance(arm.logits()))], sympy.expand)


def _pairwise_form(*, factor: Any) -> Finding:
    other_log_prob, _, other_prob, _, _ = arm.OTHER_ARM
    pairs = arm.pair_mean((arm.LOG_PROB - other_log_prob) * (arm.PROB - other_prob))
    return all_zero([number(self_covariance(arm.logits())) - factor * pairs], sympy.expand)


def _log_increases(effort: Effort, *, sign: int) -> Finding:
    size = effort.pick(200, 40)
    gaps = (sympy.log(sympy.Rational(i + 1, size)) - sympy.log(sympy.Rational(i, size)) for i in range(1, size))
    findings = [certainly_positive(sign * gap, "log gap") for gap in gaps]
    failed = next((finding for finding in findings if not finding.passed), None)
    return failed or Finding(True, findings[0].criterion, f"{size - 1} neighbouring fractions in (0, 1]")


def _terms_nonnegative(*, increasing: bool) -> Finding:
    p, q, log_p, log_q = z3.Reals("p q log_p log_q")
    monotone = z3.And(
        z3.Implies(p < q, log_p < log_q if increasing else log_p > log_q),
        z3.Implies(p > q, log_p > log_q if increasing else log_p < log_q),
        z3.Implies(p == q, log_p == log_q),
    )
    term = p * q * (p - q) * (log_p - log_q)
    return valid(z3.And(term >= 0, (term == 0) == (p == q)), p > 0, q > 0, monotone)


def _population_quantile(effort: Effort, *, level_of: Any) -> Finding:
    largest = effort.pick(12, 8)
    cases = (
        (
            f"V={right}/{size}, K={k}",
            quantile_baseline([1] * right + [0] * (size - right), k),
            0 if hard else 1,
        )
        for size in range(2, largest + 1)
        for right in range(size + 1)
        for k in (Fraction(a, 12) for a in range(1, 12))
        for hard in [Fraction(right, size) <= 1 - level_of(k)]
    )
    return all_equal(cases, f"up to {largest} equally likely responses")


def _order_follows(*, hard: int) -> Finding:
    h_0, c, b = z3.Reals("h_0 C b")

    def h(baseline: Any) -> Any:
        return h_0 + baseline * c

    strict_low = (h(hard) < h(b)) == z3.And(c > 0, b != hard)
    strict_high = (h(1) > h(b)) == z3.And(c > 0, b != 1)
    goal = z3.And(h(hard) <= h(b), h(1) >= h(b), strict_low, strict_high)
    return valid(goal, c >= 0, b >= 0, b <= 1)


def _exact_instances(effort: Effort, *, power: int) -> Finding:
    cases = []
    for probs in _policies(effort.pick(7, 5)):
        z, p = logs(probs), [rational(x) for x in probs]
        slope = sum(x * sympy.log(x) * (x - sum(y**power for y in p)) for x in p)
        uniform = len(set(probs)) == 1
        cases.append((f"pi={probs}: zero only if uniform", log_form(slope) == 0, uniform))
        for r in itertools.product((0, 1), repeat=len(p)):
            h_0 = number(first_order_entropy_change(z, update_direction(z, r, "uncentred")))
            for b in (Fraction(1, 4), Fraction(1, 2), Fraction(1)):
                h = number(first_order_entropy_change(z, update_direction(z, r, "uncentred", baseline=b)))
                cases.append((f"pi={probs}, r={r}, b={b}", log_form(h - h_0 - rational(b) * slope), sympy.S(0)))
    return for_all(((label, bool(left == right)) for label, left, right in cases), "exact policies")


def _table_of_rules(effort: Effort, *, mean_weight: float) -> Finding:
    rows = effort.pick(6, 3)
    rng = np.random.default_rng(effort.seed)
    z = 3 * rng.standard_normal((rows, 1, 4))
    r = rng.integers(0, 2, (2, 4)).astype(float)
    b = rng.uniform(0, 1, (rows, 2))
    cases = []
    for rule in ("uncentred", "policy_gradient", "natural_gradient"):
        direction = update_direction(z, r, rule, baseline=b)
        one_for_all = update_direction(z, r[0], rule, baseline=0.25)
        cases.append((f"{rule}: shapes", (direction.shape, one_for_all.shape) == ((rows, 2, 4), (rows, 1, 4))))
        for i, j in itertools.product(range(rows), range(2)):
            expected = _rule_by_hand(rule, z[i, 0], r[j], b[i, j], mean_weight)
            cases.append((f"{rule}, row {i}, {j}", bool(np.abs(direction[i, j] - expected).max() < FLOAT_TOLERANCE)))
        for i in range(rows):
            expected = _rule_by_hand(rule, z[i, 0], r[0], 0.25, mean_weight)
            cases.append((f"{rule}, scalar b", bool(np.abs(one_for_all[i, 0] - expected).max() < FLOAT_TOLERANCE)))
    return for_all(cases, f"{rows} policies, 2 reward vectors, a baseline each; a scalar baseline for all")


def _rule_by_hand(rule: str, z: Any, r: Any, b: float, mean_weight: float) -> Any:
    """The table of theory section 3 in plain Python floats."""
    weights = [math.exp(x) for x in z]
    p = [w / math.fsum(weights) for w in weights]
    a = [x - b for x in r]
    mean = mean_weight * math.fsum(x * y for x, y in zip(p, a, strict=True))
    rows = {
        "uncentred": [x * y for x, y in zip(p, a, strict=True)],
        "policy_gradient": [x * (y - mean) for x, y in zip(p, a, strict=True)],
        "natural_gradient": a,
    }
    return np.array(rows[rule])


def _equal_change(*, rule: str) -> Finding:
    shown, residuals = {}, []
    for probs, k in ((THIRDS, HARD_LEVEL), (THIRDS[::-1], EASY_LEVEL)):
        z = logs(probs)
        own = Fraction(int(quantile_baseline(_population(probs), k)))
        changes = [
            number(first_order_entropy_change(z, update_direction(z, [1, 0], rule, baseline=b))) for b in (own, 1 - own)
        ]
        residuals.append(changes[0] - changes[1])
        shown[own] = [str(log_form(change)) for change in changes]
    witness = {
        "pi": "(1/3, 2/3)",
        "r": "(1, 0)",
        "K": str(HARD_LEVEL),
        "V": str(THIRDS[0]),
        "result": f"first-order change {shown[Fraction(0)][0]} at b_K = 0, {shown[Fraction(0)][1]} at b = 1",
    }
    return with_witness(all_zero(residuals, log_form), witness)


def _drops_out_for_all_sizes(*, rule: str) -> Finding:
    start, moved = (number(first_order_entropy_change(arm.logits(), _generic(rule, b))) for b in (0, BASELINE))
    difference = _generic(rule, BASELINE)[0] - _generic(rule, 0)[0]
    # The same multiple of 1 for every response: no power of the response's own quantities is left.
    varies = [sympy.diff(sympy.expand(difference), quantity) for quantity in arm.ARM]
    return all_zero([moved - start, *varies], sympy.expand)


def _generic(rule: str, b: Any) -> Any:
    """The direction of a rule at one response of a policy of any size; its reward is ``arm.X``."""
    centred = arm.X - b
    table = {
        "uncentred": arm.PROB * centred,
        "policy_gradient": arm.PROB * (centred - arm.mean(centred)),
        "natural_gradient": centred,
    }
    return arm.entry(table[rule])


def _same_at_every_order(*, rule: str) -> Finding:
    residuals = []
    eta = sympy.Symbol("eta", positive=True)
    for arms in (2, 3):
        z, r, b = _symbolic_query(arms)
        with_b, without = (
            number(entropy_change(z, _expanded(update_direction(z, r, rule, baseline=c)), eta)) for c in (b, 0)
        )
        residuals.append(with_b - without)
    # Expanding inside the exponentials brings equal exponents to one form; the rest then cancels.
    return all_zero(residuals, lambda e: sympy.expand(e, power_exp=False))


def _moves_entropy(*, sign: int, arms_of: Any, query: str, baseline: int) -> Finding:
    findings, shown = [], []
    for probs in (arms_of(THIRDS), arms_of(TENTHS)):
        z = logs(probs)
        d = update_direction(z, [1, 0], "uncentred", baseline=baseline)
        finite = (entropy_change(z, d, step) for step in (Fraction(1, 10), Fraction(1)))
        changes = [number(first_order_entropy_change(z, d)), *map(number, finite)]
        findings += [certainly_positive(sign * change, f"pi={probs[0]}, {probs[1]}") for change in changes]
        shown.append(sympy.N(changes[0], 8))
    probs = arms_of(THIRDS)
    witness = {
        "pi": f"({probs[0]}, {probs[1]})",
        "r": "(1, 0)",
        "query": query,
        "b_K": str(baseline),
        "result": f"first-order change {shown[0]} nats per unit step",
    }
    return with_witness(both(*findings), witness)


def _regime_is(*, arms_of: Any, level: Fraction, baseline: int) -> Finding:
    cases = (
        (f"V={arms_of(p)[0]}", quantile_baseline(_population(arms_of(p)), level), baseline) for p in (THIRDS, TENTHS)
    )
    return all_equal(cases, f"K = {level}")


def _symbolic_query(arms: int) -> tuple[Any, Any, Any]:
    """Logits of symbolic probabilities that sum to 1, symbolic rewards, a symbolic baseline."""
    free = sympy.symbols(f"p1:{arms}", positive=True)
    z = np.array([sympy.log(x) for x in (*free, 1 - sum(free))], dtype=object)
    return z, np.array(sympy.symbols(f"r1:{arms + 1}", real=True), dtype=object), sympy.Symbol("b", real=True)


def _expanded(array: Any) -> Any:
    return np.array([sympy.expand(x) for x in array], dtype=object)


def _population(probs: tuple[Fraction, ...]) -> list[int]:
    """Equally likely rewards, as many of them 1 as the probability of the first of two responses says."""
    size = probs[0].denominator
    return [1] * probs[0].numerator + [0] * (size - probs[0].numerator)


def _policies(largest: int) -> list[tuple[Fraction, ...]]:
    """Every policy on 2 and 3 responses with a common denominator up to ``largest``, each once."""
    return sorted(
        {
            tuple(Fraction(x, size) for x in parts)
            for size in range(2, largest + 1)
            for arms in (2, 3)
            for parts in itertools.product(range(1, size), repeat=arms)
            if sum(parts) == size
        },
        key=str,
    )
