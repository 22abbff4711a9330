"""Proposition 4.2 at first order, for the three updates that do not sample: where it holds and where it is empty.

Also its reading as a sign of the entropy change. Sampled groups are in ``sampled_group`` and ``sampled_sign``.
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
from qae_theory.claims.model import Effort, Evidence, Finding, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, first_order_entropy_change
from qae_theory.proofs.checking import (
    all_equal,
    all_zero,
    both,
    certainly_positive,
    for_all,
    rational,
    valid,
    with_witness,
)
from qae_theory.softmax import self_covariance
from qae_theory.updates import update_direction

THIRDS = (Fraction(1, 3), Fraction(2, 3))
TENTHS = (Fraction(1, 10), Fraction(9, 10))
HARD_LEVEL = Fraction(2, 5)  # one right response in three is hard, V = 1/3 <= 3/5
EASY_LEVEL = Fraction(3, 5)
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
    for name, arms_of, sign in (("hard-query-rises", lambda p: p, 1), ("easy-query-falls", lambda p: p[::-1], -1)):
        ledger.add(Evidence("prop42-sign", name, Kind.WITNESS, Role.AGAINST, _sign_steps(arms_of, sign)))


def _uncentred_steps() -> tuple[Step, ...]:
    return (
        Step(
            r"The shipped code, for 2, 3 and 4 responses with symbolic $\pi$, real symbolic rewards $r$ and symbolic $b$: "
            r"`first_order_entropy_change(z, update_direction(z, r, 'uncentred', baseline=b))` is $h(0) + b\,C(\pi)$, "
            r"with $C(\pi)$ from the shipped `self_covariance`.",
            partial(_code_is_linear, rule="uncentred"),
            "the policy gradient for the uncentred update",
            partial(_code_is_linear, rule="policy_gradient"),
        ),
        Step(
            r"The same for every $n$. Sums over responses are linear, so that $\sum_i$ of a polynomial in $\pi_i$, "
            r"$x_i=\log\pi_i$, $r_i$ is the same combination of the sums $S$ of its monomials, with $\sum_i\pi_i=1$. "
            r"In these: $-\mathrm{Cov}_\pi(x,\pi(r-b)) = -\mathrm{Cov}_\pi(x,\pi r) + b\,\mathrm{Cov}_\pi(x,\pi)$, "
            r"that is $h(b) = h(0) + b\,C(\pi)$.",
            partial(_linear_for_all_sizes, slope=1),
            "slope -C for +C",
            partial(_linear_for_all_sizes, slope=-1),
        ),
        Step(
            r"For every $n$, by the same sums and $\sum_{ij}f_ig_j=\sum_if_i\sum_jg_j$: "
            r"$\mathrm{Cov}_\pi(x,y)=\frac12\sum_{ij}\pi_i\pi_j(x_i-x_j)(y_i-y_j)$. With $x=\log\pi$, $y=\pi$: "
            r"$C(\pi)=\frac12\sum_{ij}\pi_i\pi_j(\log\pi_i-\log\pi_j)(\pi_i-\pi_j)$.",
            partial(_pairwise_form, factor=sympy.Rational(1, 2)),
            "the factor 1 for 1/2",
            partial(_pairwise_form, factor=sympy.Integer(1)),
        ),
        Step(
            r"Lemma: the logarithm is strictly increasing. Replayed in ball arithmetic on neighbouring fractions.",
            partial(_log_increases, sign=1),
            "decreasing",
            partial(_log_increases, sign=-1),
            citation="W. Rudin, Principles of Mathematical Analysis, 3rd ed., pp. 180 to 182: L is strictly increasing",
        ),
        Step(
            r"Hence each term of the pairwise form is $\ge 0$, and 0 only where $\pi_i=\pi_j$ (z3, for any order-preserving "
            r"$\ell$ in the place of $\log$ and $\pi_i,\pi_j>0$). So $C(\pi)\ge0$, and $C(\pi)=0$ exactly when all $\pi_i$ are equal.",
            partial(_terms_nonnegative, increasing=True),
            "an order-reversing function",
            partial(_terms_nonnegative, increasing=False),
        ),
        Step(
            r"The K-quantile of a query's rewards is 0 when $V\le1-K$ and 1 otherwise: the shipped `quantile_baseline` on "
            r"populations of up to 12 (quick 8) equally likely responses, every $V$, every $K=a/12$.",
            partial(_population_quantile, level_of=lambda k: k),
            "1 - K for K",
            partial(_population_quantile, level_of=lambda k: 1 - k),
        ),
        Step(
            r"Conclusion (z3): from $h(b)=h_0+bC$, $C\ge0$ and $0\le b\le1$: with $b_K=0$, $h(b_K)\le h(b)$; with $b_K=1$, "
            r"$h(b_K)\ge h(b)$; and strictly exactly when $C>0$ and $b\ne b_K$.",
            partial(_order_follows, hard=0),
            "b_K = 1 on the hard query",
            partial(_order_follows, hard=1),
        ),
        Step(
            r"The shipped functions on exact numbers: for every policy with denominators up to 7 (quick 5) on 2 and 3 "
            r"responses, every binary $r$ and $b\in\{0,\frac14,\frac12,1\}$ the difference $h(b)-h(0)$ is $b$ times "
            r"$\sum_i\pi_i\log\pi_i\,(\pi_i-\sum_j\pi_j^2)$, zero exactly for the uniform policy.",
            partial(_exact_instances, power=2),
            r"$\sum_j\pi_j$ for $\sum_j\pi_j^2$",
            partial(_exact_instances, power=1),
        ),
        Step(
            r"The shipped `update_direction` in floating point, on batches whose logits, rewards and baselines broadcast, is the "
            r"table of the three rules entry by entry, to $10^{-14}$.",
            partial(_table_of_rules, mean_weight=1),
            "the policy gradient centred by half the mean",
            partial(_table_of_rules, mean_weight=0.5),
        ),
    )


def _no_effect_steps(rule: str) -> tuple[Step, ...]:
    witness = Step(
        r"$\pi=(1/3,2/3)$, $r=(1,0)$, $K=2/5$: the query is hard, $b_K=0$, and $b=1$ gives exactly the same first-order "
        r"change; in the mirror image, $\pi=(2/3,1/3)$, $K=3/5$, $b_K=1$, so does $b=0$. Nothing is strict.",
        partial(_equal_change, rule=rule),
        "the uncentred update, where b acts",
        partial(_equal_change, rule="uncentred"),
    )
    every_size = Step(
        r"For every $n$ the step differs between baselines by a multiple of 1, which softmax does not see, and by nothing at "
        r"all for the policy gradient: in the sums of `prop42-uncentred`, $\pi_i(r_i-b-E_\pi[r-b])=\pi_i(r_i-V)$, and "
        r"$\mathrm{Cov}_\pi(\log\pi,r-b)=\mathrm{Cov}_\pi(\log\pi,r)$. So the weak form is an equality.",
        partial(_drops_out_for_all_sizes, total=1),
        "probabilities that sum to 2",
        partial(_drops_out_for_all_sizes, total=2),
    )
    all_orders = Step(
        r"At every order: the shipped `entropy_change` at a symbolic step size $\eta$ is identically the same with symbolic $b$ "
        r"as with 0, for 2 and 3 responses with symbolic rewards.",
        partial(_same_at_every_order, rule=rule),
        "the uncentred update, where b acts",
        partial(_same_at_every_order, rule="uncentred"),
    )
    return witness, every_size, all_orders


def _sign_steps(arms_of: Any, sign: int) -> tuple[Step, ...]:
    verb, query, b = ("rises", "hard", 0) if sign > 0 else ("falls", "easy", 1)
    mirrored = partial(_moves_entropy, sign=sign, arms_of=lambda p: arms_of(p)[::-1], query=query, baseline=b)
    return (
        Step(
            rf"On a {query} query with $b_K={b}$ entropy {verb}: $\pi=({', '.join(map(str, arms_of(THIRDS)))})$ and "
            rf"$({', '.join(map(str, arms_of(TENTHS)))})$, $r=(1,0)$, at first order and at $\eta=1/10$ and $1$, exactly "
            r"(shipped functions on SymPy numbers, sign by ball arithmetic).",
            partial(_moves_entropy, sign=sign, arms_of=arms_of, query=query, baseline=b),
            "the two responses' probabilities exchanged",
            mirrored,
        ),
        Step(
            rf"The query is {query}: the shipped `quantile_baseline` of a population with that $V$ is {b}.",
            partial(_regime_is, arms_of=arms_of, level=HARD_LEVEL if sign > 0 else EASY_LEVEL, baseline=b),
            "1 - V for V",
            partial(
                _regime_is,
                arms_of=lambda p: arms_of(p)[::-1],
                level=HARD_LEVEL if sign > 0 else EASY_LEVEL,
                baseline=b,
            ),
        ),
    )


def _code_is_linear(effort: Effort, *, rule: str) -> Finding:
    del effort
    residuals = []
    for arms in (2, 3, 4):
        z, r, b = _symbolic_query(arms)

        def change(baseline: Any, z: Any = z, r: Any = r) -> Any:
            return _number(first_order_entropy_change(z, update_direction(z, r, rule, baseline=baseline)))

        residuals.append(change(b) - change(0) - b * _number(self_covariance(z)))
    return all_zero(residuals, sympy.expand)


def _linear_for_all_sizes(effort: Effort, *, slope: int) -> Finding:
    del effort
    p, x, r, b = sympy.symbols("p x r b")

    def cov(y: Any) -> Any:
        mean_x, mean_y = _arm_sum(p * x, (p, x, r)), _arm_sum(p * y, (p, x, r))
        return _arm_sum(p * (x - mean_x) * (y - mean_y), (p, x, r))

    return all_zero([-cov(p * (r - b)) + cov(p * r) - slope * b * cov(p)], sympy.expand)


def _pairwise_form(effort: Effort, *, factor: Any) -> Finding:
    del effort
    p, x, y, q, u, v = sympy.symbols("p x y q u v")
    pairs = sum(
        weight * _moment(powers[:3]) * _moment(powers[3:])
        for powers, weight in sympy.Poly(p * q * (x - u) * (y - v), p, x, y, q, u, v).terms()
    )
    mean_x, mean_y = _arm_sum(p * x, (p, x, y)), _arm_sum(p * y, (p, x, y))
    return all_zero([_arm_sum(p * (x - mean_x) * (y - mean_y), (p, x, y)) - factor * pairs], sympy.expand)


def _log_increases(effort: Effort, *, sign: int) -> Finding:
    size = effort.pick(200, 40)
    gaps = (sympy.log(sympy.Rational(i + 1, size)) - sympy.log(sympy.Rational(i, size)) for i in range(1, size))
    findings = [certainly_positive(sign * gap, "log gap") for gap in gaps]
    failed = next((finding for finding in findings if not finding.passed), None)
    return failed or Finding(True, findings[0].criterion, f"{size - 1} neighbouring fractions in (0, 1]")


def _terms_nonnegative(effort: Effort, *, increasing: bool) -> Finding:
    del effort
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
        (f"V={right}/{size}, K={k}", quantile_baseline([1] * right + [0] * (size - right), k), 0 if hard else 1)
        for size in range(2, largest + 1)
        for right in range(size + 1)
        for k in (Fraction(a, 12) for a in range(1, 12))
        for hard in [Fraction(right, size) <= 1 - level_of(k)]
    )
    return all_equal(cases, f"up to {largest} equally likely responses")


def _order_follows(effort: Effort, *, hard: int) -> Finding:
    del effort
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
        z, p = _logs(probs), [rational(x) for x in probs]
        slope = sum(x * sympy.log(x) * (x - sum(y**power for y in p)) for x in p)
        uniform = len(set(probs)) == 1
        cases.append((f"pi={probs}: zero only if uniform", _log_form(slope) == 0, uniform))
        for r in itertools.product((0, 1), repeat=len(p)):
            h_0 = _number(first_order_entropy_change(z, update_direction(z, r, "uncentred")))
            for b in (Fraction(1, 4), Fraction(1, 2), Fraction(1)):
                h = _number(first_order_entropy_change(z, update_direction(z, r, "uncentred", baseline=b)))
                cases.append((f"pi={probs}, r={r}, b={b}", _log_form(h - h_0 - rational(b) * slope), sympy.S(0)))
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


def _equal_change(effort: Effort, *, rule: str) -> Finding:
    del effort
    shown, residuals = {}, []
    for probs, k in ((THIRDS, HARD_LEVEL), (THIRDS[::-1], EASY_LEVEL)):
        z = _logs(probs)
        own = Fraction(int(quantile_baseline(_population(probs), k)))
        changes = [
            _number(first_order_entropy_change(z, update_direction(z, [1, 0], rule, baseline=b)))
            for b in (own, 1 - own)
        ]
        residuals.append(changes[0] - changes[1])
        shown[own] = [str(_log_form(change)) for change in changes]
    witness = {
        "pi": "(1/3, 2/3)",
        "r": "(1, 0)",
        "K": str(HARD_LEVEL),
        "V": str(THIRDS[0]),
        "result": f"first-order change {shown[0][0]} with b_K = 0 and {shown[0][1]} with b = 1",
    }
    return with_witness(all_zero(residuals, _log_form), witness)


def _drops_out_for_all_sizes(effort: Effort, *, total: int) -> Finding:
    del effort
    p, x, r, b = sympy.symbols("p x r b")
    symbols = (p, x, r)

    def mean(y: Any) -> Any:
        return _arm_sum(p * y, symbols, total=total)

    policy = p * (r - b - mean(r - b)) - p * (r - mean(r))
    natural = _arm_sum(p * (x - mean(x)) * ((r - b) - mean(r - b) - (r - mean(r))), symbols, total=total)
    return all_zero([policy, natural], sympy.expand)


def _same_at_every_order(effort: Effort, *, rule: str) -> Finding:
    del effort
    residuals = []
    eta = sympy.Symbol("eta", positive=True)
    for arms in (2, 3):
        z, r, b = _symbolic_query(arms)
        with_b, without = (
            _number(entropy_change(z, _expanded(update_direction(z, r, rule, baseline=c)), eta)) for c in (b, 0)
        )
        residuals.append(with_b - without)
    # Expanding inside the exponentials brings equal exponents to one form; the rest then cancels term by term.
    return all_zero(residuals, lambda e: sympy.expand(e, power_exp=False))


def _moves_entropy(effort: Effort, *, sign: int, arms_of: Any, query: str, baseline: int) -> Finding:
    del effort
    findings, shown = [], []
    for probs in (arms_of(THIRDS), arms_of(TENTHS)):
        z = _logs(probs)
        d = update_direction(z, [1, 0], "uncentred", baseline=baseline)
        finite = (entropy_change(z, d, step) for step in (Fraction(1, 10), Fraction(1)))
        changes = [_number(first_order_entropy_change(z, d)), *map(_number, finite)]
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


def _regime_is(effort: Effort, *, arms_of: Any, level: Fraction, baseline: int) -> Finding:
    del effort
    cases = (
        (f"V={arms_of(p)[0]}", quantile_baseline(_population(arms_of(p)), level), baseline) for p in (THIRDS, TENTHS)
    )
    return all_equal(cases, f"K = {level}")


def _arm_sum(term: Any, symbols: tuple[Any, ...], *, total: int = 1) -> Any:
    """Sum over responses, of any number, of a polynomial in one response's symbols (the probability first)."""
    return sum(weight * _moment(powers, total=total) for powers, weight in sympy.Poly(term, *symbols).terms())


def _moment(powers: tuple[int, ...], *, total: int = 1) -> Any:
    """The symbol for the sum over responses of one monomial; that of the probabilities is 1."""
    if powers == (1,) + (0,) * (len(powers) - 1):
        return sympy.Integer(total)
    return sympy.Symbol("S_" + "_".join(map(str, powers)))


def _symbolic_query(arms: int) -> tuple[Any, Any, Any]:
    """Logits of a policy with symbolic probabilities that sum to 1, real symbolic rewards, a symbolic baseline."""
    free = sympy.symbols(f"p1:{arms}", positive=True)
    z = np.array([sympy.log(x) for x in (*free, 1 - sum(free))], dtype=object)
    return z, np.array(sympy.symbols(f"r1:{arms + 1}", real=True), dtype=object), sympy.Symbol("b", real=True)


def _expanded(array: Any) -> Any:
    return np.array([sympy.expand(x) for x in array], dtype=object)


def _number(scalar: Any) -> Any:
    """The exact number in a 0-d result."""
    return np.asarray(scalar, dtype=object).item()


def _log_form(value: Any) -> Any:
    """A combination of logarithms of rationals in its normal form, over the logarithms of primes."""
    return sympy.expand(sympy.expand_log(sympy.expand(value), force=True))


def _logs(probs: tuple[Fraction, ...]) -> Any:
    return np.array([sympy.log(rational(x)) for x in probs], dtype=object)


def _population(probs: tuple[Fraction, ...]) -> list[int]:
    """Equally likely rewards with the success probability of a two-response policy whose first response is right."""
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
