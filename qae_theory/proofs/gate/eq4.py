"""Eqs. 3 and 4: the K-quantile as an order statistic and as a two-regime gate, and in binary floating point.

How the released interpolation differs is in ``released_code``, what the gate does to advantages in ``gate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from math import ceil, sqrt
from typing import Any

import numpy as np
import z3
from hypothesis import strategies as st

from qae_theory.baselines import is_hard_group, quantile_baseline, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import all_equal, for_all, survives, valid, with_witness
from qae_theory.proofs.tools.estimator_ties import exact_array, levels, quantiles_match, same
from qae_theory.proofs.tools.integers import SymbolicInt, group_symbols


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("eq4-threshold", "integer-proof", Kind.PROOF, Role.FOR, _threshold_steps()))
    ledger.add(Evidence("eq4-left-inverse", "induction-proof", Kind.PROOF, Role.FOR, _left_inverse_steps()))
    ledger.add(Evidence("eq4-left-inverse", "random-groups", Kind.PROPERTY, Role.FOR, (_random_groups_step(),)))
    ledger.add(Evidence("eq4-float", "minimal-witnesses", Kind.WITNESS, Role.AGAINST, _float_steps()))
    ledger.add(Evidence("eq4-float", "numpy-quantile", Kind.WITNESS, Role.AGAINST, _numpy_steps()))


def rank_selects_zero_step() -> Step:
    """The lemma that decides the regime, for the proofs that build on it."""
    return Step(
        says=r"The shipped rank $c = \lceil KG\rceil$ (`quantile_rank` on symbolic integers) lies in $1..G$, and "
        r"the order statistic of rank $c$ among $G-m$ zeros and $m$ ones is 0, that is $c \le G-m$, exactly "
        r"when $m/G \le 1-K$.",
        check=partial(_rank_selects_zero, shift=0),
        planted="rank + 1",
        control=partial(_rank_selects_zero, shift=1),
        generality=Generality.GENERAL,
    )


def _threshold_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Definition. Let $N(x)$ be the number of rewards $\le x$ of $G-m$ zeros and $m$ ones, $F = "
            r"N/G$ and $K = p/q$. With $b = 0$ if $(G-m)q \ge pG$ (that is $\hat p \le 1-K$) and $b = 1$ "
            r"otherwise, $F(b) \ge K$, and $F(x) < K$ for every real $x < b$. So $b = \min\{x : F(x) \ge "
            r"K\}$, which is $b_K$ of Eq. 3.",
            check=partial(_gate_is_infimum, strict=False),
            planted="b = 0 only if (G - m) q > p G",
            control=partial(_gate_is_infimum, strict=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The shipped gate `is_hard_group`, run on symbolic integers, is $m/G \le 1-K$, that is "
            r"$(G-m)\,q \ge p\,G$.",
            check=partial(_gate_is_threshold, strict=False),
            planted="strict inequality: p^ < 1 - K",
            control=partial(_gate_is_threshold, strict=True),
            generality=Generality.GENERAL,
        ),
        rank_selects_zero_step(),
        Step(
            says=r"Tie: the shipped `quantile_baseline` and `is_hard_group` give that value on every binary "
            r"group up to a size, for one $K$ of every class that $\lceil KG\rceil$ can tell apart and for "
            r"every exact tie $\hat p = 1-K$.",
            check=partial(_baseline_is_gate, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_baseline_is_gate, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _gate_is_infimum(*, strict: bool) -> Finding:
    s, x = group_symbols(), z3.Real("x")
    zeros, needed = s.group_size - s.num_correct, s.numerator * s.group_size
    hard = zeros * s.denominator > needed if strict else zeros * s.denominator >= needed
    b = z3.If(hard, z3.RealVal(0), z3.RealVal(1))

    def reached(at: Any) -> Any:
        count = z3.If(at >= 0, zeros, 0) + z3.If(at >= 1, s.num_correct, 0)
        return count * s.denominator >= needed

    return valid(z3.And(reached(b), z3.Implies(x < b, z3.Not(reached(x)))), *s.domain)


def _gate_is_threshold(*, strict: bool) -> Finding:
    s = group_symbols()
    gate = is_hard_group(SymbolicInt(s.num_correct), SymbolicInt(s.group_size), s.level)  # type: ignore[arg-type]
    left, right = (s.group_size - s.num_correct) * s.denominator, s.numerator * s.group_size
    return valid(gate == (left > right if strict else left >= right), *s.domain)


def _rank_selects_zero(*, shift: int) -> Finding:
    s = group_symbols()
    rank = quantile_rank(SymbolicInt(s.group_size), s.level).term + shift  # type: ignore[arg-type, attr-defined]
    zero_chosen = rank <= s.group_size - s.num_correct
    hard = (s.group_size - s.num_correct) * s.denominator >= s.numerator * s.group_size
    return valid(z3.And(rank >= 1, rank <= s.group_size, zero_chosen == hard), *s.domain)


def _baseline_is_gate(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    largest = effort.pick(20, 10)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(1, largest + 1):
            groups = [[1] * m + [0] * (size - m) for m in range(size + 1)]
            exact = exact_array([[Fraction(r) for r in group] for group in groups])
            for k in levels(size) or (Fraction(1, 3),):
                expected = [0 if Fraction(m, size) <= 1 - level_of(k) else 1 for m in range(size + 1)]
                label = f"K={k}, G={size}"
                yield label, quantile_baseline(exact, k).tolist(), expected
                yield f"{label}, floats", quantile_baseline(groups, k).tolist(), expected
                yield (
                    f"{label}, gate",
                    [1 - int(is_hard_group(m, size, k)) for m in range(size + 1)],
                    expected,
                )

    return all_equal(cases(), f"G <= {largest}, all m at once, every class of K")


def _left_inverse_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Sort the rewards, $r_{(1)} \le \dots \le r_{(G)}$; $F$ does not depend on their order. Fix "
            r"$x$ and let $s_j$ be the number of $i \le j$ with $r_{(i)} \le x$, so that $F(x) = s_G/G$. "
            r"Claim: $r_{(j)} \le x$ implies $s_j = j$. By induction on $j$: nothing to show at $j=0$, and "
            r"if it holds at $j$ it holds at $j+1$, because $r_{(j)} \le r_{(j+1)}$ and $s_{j+1} = s_j + "
            r"[r_{(j+1)} \le x]$.",
            check=partial(_initial_segment, strict=False),
            planted="s counts the rewards < x",
            control=partial(_initial_segment, strict=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Claim: if $x < r_{(c)}$ then $s_j \le c-1$ for every $j \ge c-1$. By induction on $j$: "
            r"$s_{c-1} \le c-1$, being a count of $c-1$ things, and for $j+1 \ge c$ the reward $r_{(j+1)} "
            r"\ge r_{(c)} > x$ adds nothing.",
            check=partial(_nothing_added, strict=True),
            planted="x <= r_(c)",
            control=partial(_nothing_added, strict=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With $c = \lceil KG\rceil$, the shipped `quantile_rank` on symbolic integers: $1 \le c \le "
            r"G$; $x \ge r_{(c)}$ gives $s_G \ge s_c = c$ by the first step ($s$ never decreases), and $x < "
            r"r_{(c)}$ gives $s_G \le c-1$ by the second. Hence $F(x) \ge K$ if and only if $x \ge "
            r"r_{(c)}$: the set $\{x : F(x) \ge K\}$ is $[r_{(c)}, \infty)$ and its infimum is $r_{(c)}$.",
            check=partial(_upper_ray, floor=False),
            planted="floor(K G) for ceil(K G)",
            control=partial(_upper_ray, floor=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Remark: as a function of $K$ this is left-continuous ($K' \le K$ and $K'G > c-1$ give the "
            r"same rank $c$) and, at $K = c/G$, not right-continuous (every $K' > K$ gives a larger rank). "
            r"$F$ is the right-continuous one.",
            check=partial(_left_continuous, right=False),
            planted="right-continuous: K' >= K and K' G < c + 1 give the same rank",
            control=partial(_left_continuous, right=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: the shipped `quantile_baseline`, exact and in float64, is $\min\{r_i : F(r_i) \ge K\}$ "
            r"on binary and graded groups with ties, for every class of $K$.",
            check=partial(quantiles_match, level_of=lambda k: k, method="inverted_cdf"),
            planted="1 - K for K",
            control=partial(quantiles_match, level_of=lambda k: 1 - k, method="inverted_cdf"),
            tie=True,
        ),
    )


def _initial_segment(*, strict: bool) -> Finding:
    here, following, x = z3.Reals("r_j r_j1 x")
    j, count = z3.Ints("j s_j")
    added = z3.If(following < x if strict else following <= x, 1, 0)
    before = z3.Implies(here <= x, count == j)
    return valid(
        z3.Implies(following <= x, count + added == j + 1),
        j >= 0,
        count >= 0,
        z3.Or(j == 0, here <= following),
        z3.If(j == 0, count == 0, before),
    )


def _nothing_added(*, strict: bool) -> Finding:
    chosen, following, x = z3.Reals("r_c r_j1 x")
    c, j, count = z3.Ints("c j s_j")
    below = x < chosen if strict else x <= chosen
    added = z3.If(following <= x, 1, 0)
    return valid(count + added <= c - 1, below, following >= chosen, j + 1 >= c, c >= 1, count <= c - 1)


def _upper_ray(*, floor: bool) -> Finding:
    s, x, chosen, count = group_symbols(), z3.Real("x"), z3.Real("r_c"), z3.Int("s_G")
    rank = quantile_rank(SymbolicInt(s.group_size), s.level).term  # type: ignore[arg-type, attr-defined]
    if floor:
        rank = s.numerator * s.group_size / s.denominator
    reached = count * s.denominator >= s.numerator * s.group_size
    return valid(
        z3.And(rank >= 1, rank <= s.group_size, reached == (x >= chosen)),
        *s.domain,
        z3.Implies(x >= chosen, count >= rank),
        z3.Implies(x < chosen, count <= rank - 1),
    )


def _left_continuous(*, right: bool) -> Finding:
    s, other = group_symbols(), group_symbols()
    p, q = z3.Ints("p2 q2")
    rank = quantile_rank(SymbolicInt(s.group_size), s.level).term  # type: ignore[arg-type, attr-defined]
    level = type(s.level)(SymbolicInt(p), SymbolicInt(q))
    moved = quantile_rank(SymbolicInt(other.group_size), level).term  # type: ignore[arg-type, attr-defined]
    order = p * s.denominator - s.numerator * q
    if right:
        return valid(moved == rank, *s.domain, q > p, p > 0, order >= 0, p * s.group_size < (rank + 1) * q)
    same_below = z3.Implies(z3.And(order <= 0, p * s.group_size > (rank - 1) * q), moved == rank)
    at_an_edge = s.numerator * s.group_size == rank * s.denominator
    jumps = z3.Implies(z3.And(order > 0, at_an_edge), moved > rank)
    return valid(z3.And(same_below, jumps), *s.domain, q > p, p > 0)


def _random_groups_step() -> Step:
    return Step(
        says=r"On arbitrary rational rewards with ties and arbitrary rational $K$, the shipped "
        r"`quantile_baseline` is $\inf\{x : F(x) \ge K\}$, computed from its definition.",
        check=partial(_random_groups, definition=oracle.quantile),
        planted="the interpolated quantile for the infimum",
        control=partial(_random_groups, definition=oracle.linear_quantile),
        tie=True,
    )


def _random_groups(effort: Effort, *, definition: Callable[[Any, Fraction], Fraction]) -> Finding:
    reward = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 6))
    level = st.integers(2, 60).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q)))
    draw = st.tuples(st.lists(reward, min_size=1, max_size=12).map(tuple), level)

    def holds(case: tuple[tuple[Fraction, ...], Fraction]) -> bool:
        group, k = case
        return same(quantile_baseline(exact_array([group]), k)[0], definition(group, k))

    return survives(draw, holds, examples=effort.pick(1500, 120), says="groups of up to 12 rationals")


TWO_DECIMALS = tuple(Fraction(d, 100) for d in range(1, 100))


def _float_gate(k: Fraction, group_size: int, num_correct: int) -> bool:
    """The gate as one would type it: m / G <= 1 - K in float64."""
    return bool(num_correct / group_size <= 1 - float(k))


def _float_rank(k: Fraction, group_size: int, num_correct: int) -> bool:
    """The gate through the order statistic of rank ceil(K * G) in float64."""
    return group_size - num_correct >= ceil(float(k) * group_size)


def _numpy_gate(k: Fraction, group_size: int, num_correct: int) -> bool:
    """The gate through NumPy's own ``inverted_cdf``."""
    group = np.repeat([1.0, 0.0], [num_correct, group_size - num_correct])
    return float(np.quantile(group, float(k), method="inverted_cdf")) == 0.0


def _float_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"$K=0.8$, $G=5$, $m=1$: $\hat p = 1-K$, so the group is hard; `m / G <= 1 - K` in float64 is "
            r"`0.2 <= 0.19999999999999996` and says easy. The success loses its advantage and the failures "
            r"are pushed down instead.",
            check=partial(_gate_fails, gate=_float_gate, k="0.8", group_size=5, num_correct=1),
            planted="m = 2",
            control=partial(_gate_fails, gate=_float_gate, k="0.8", group_size=5, num_correct=2),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"It is minimal: for $K$ of at most two decimals no group of fewer than five responses goes "
            r"wrong.",
            check=partial(_none_smaller, gate=_float_gate, largest=4),
            planted="no group of at most five",
            control=partial(_none_smaller, gate=_float_gate, largest=5),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The same at $K=0.9$, $G=10$, $m=1$.",
            check=partial(_gate_fails, gate=_float_gate, k="0.9", group_size=10, num_correct=1),
            planted="m = 0, where floats agree",
            control=partial(_gate_fails, gate=_float_gate, k="0.9", group_size=10, num_correct=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The rank `ceil(K * G)` is no better: $K=0.28$, $G=25$, $m=18$, where $KG = 7$ and float64 has "
            r"7.000000000000001.",
            check=partial(_gate_fails, gate=_float_rank, k="0.28", group_size=25, num_correct=18),
            planted="m = 17",
            control=partial(_gate_fails, gate=_float_rank, k="0.28", group_size=25, num_correct=17),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"At $K=0.55$, $G=100$, $m=45$ both forms are wrong.",
            check=partial(_both_fail, k="0.55", group_size=100, num_correct=45),
            planted="m = 44",
            control=partial(_both_fail, k="0.55", group_size=100, num_correct=44),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"What is safe: away from exact ties $m = G(1-K)$ both forms agree with the integers (for every "
            r"$K$ of two decimals and every group up to a size). So one-decimal $K \ne 1/2$ with $G$ a "
            r"power of two is safe, where no tie exists.",
            check=partial(_only_ties_fail, ties=False),
            planted="at ties too",
            control=partial(_only_ties_fail, ties=True),
        ),
    )


def _numpy_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"NumPy's `quantile(..., method='inverted_cdf')` forms $KG$ in float64 too: at $K=0.28$, "
            r"$G=25$, $m=18$ it returns 1, and Eq. 3 is 0.",
            check=partial(_gate_fails, gate=_numpy_gate, k="0.28", group_size=25, num_correct=18),
            planted="m = 17",
            control=partial(_gate_fails, gate=_numpy_gate, k="0.28", group_size=25, num_correct=17),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"That is the smallest group for $K$ of at most two decimals.",
            check=partial(_none_smaller, gate=_numpy_gate, largest=24),
            planted="no group of at most 25",
            control=partial(_none_smaller, gate=_numpy_gate, largest=25),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The same at $K=0.55$, $G=100$, $m=45$. NumPy is no exact oracle.",
            check=partial(_gate_fails, gate=_numpy_gate, k="0.55", group_size=100, num_correct=45),
            planted="m = 44",
            control=partial(_gate_fails, gate=_numpy_gate, k="0.55", group_size=100, num_correct=44),
            generality=Generality.GENERAL,
        ),
    )


FloatGate = Callable[[Fraction, int, int], bool]


def _gate_fails(*, gate: FloatGate, k: str, group_size: int, num_correct: int) -> Finding:
    """The float gate and the shipped one part; with the advantages (eps = 0) that either regime gives."""
    exact, floating = (
        bool(is_hard_group(num_correct, group_size, Fraction(k))),
        gate(Fraction(k), group_size, num_correct),
    )
    finding = for_all([(f"K={k}, G={group_size}, m={num_correct}", exact != floating)], "one group")
    deviation = sqrt(num_correct * (group_size - num_correct)) / group_size
    unit = 1 / deviation if deviation else 0.0
    worked = {
        True: f"hard: A = {unit:.4g} for a correct response, 0 for a wrong one",
        False: f"easy: A = 0 for a correct response, {-unit:.4g} for a wrong one",
    }
    return with_witness(
        finding,
        {
            "K": k,
            "G": str(group_size),
            "m": str(num_correct),
            "m/G in float64": repr(num_correct / group_size),
            "1 - K in float64": repr(1 - float(k)),
            "K * G in float64": repr(float(k) * group_size),
            "exact gate": worked[exact],
            "float gate": worked[floating],
        },
    )


def _both_fail(effort: Effort, *, k: str, group_size: int, num_correct: int) -> Finding:
    parts = [
        _gate_fails(gate=gate, k=k, group_size=group_size, num_correct=num_correct)
        for gate in (_float_gate, _float_rank)
    ]
    return next((part for part in parts if not part.passed), parts[0])


def _disagreements(gate: FloatGate, sizes: range) -> Iterator[tuple[Fraction, int, int]]:
    for size in sizes:
        for k in TWO_DECIMALS:
            for m in _tie_and_neighbours(k, size):
                if gate(k, size, m) != is_hard_group(m, size, k):
                    yield k, size, m


def _tie_and_neighbours(k: Fraction, size: int) -> Iterator[int]:
    """Numbers of correct responses around the threshold G (1 - K); every gate here is monotone in m."""
    threshold = size * (1 - k)
    return (m for m in range(int(threshold) - 1, int(threshold) + 3) if 0 <= m <= size)


def _none_smaller(*, gate: FloatGate, largest: int) -> Finding:
    wrong = next(_disagreements(gate, range(1, largest + 1)), None)
    return for_all([(f"K, G, m = {wrong}", wrong is None)], f"K of two decimals, G <= {largest}")


def _only_ties_fail(effort: Effort, *, ties: bool) -> Finding:
    sizes = range(1, effort.pick(100, 30) + 1)
    cases = (
        (f"K={k}, G={size}, m={m}", gate(k, size, m) == is_hard_group(m, size, k))
        for size in sizes
        for k in TWO_DECIMALS
        for m in _tie_and_neighbours(k, size)
        if ties or m != size * (1 - k)
        for gate in (_float_gate, _float_rank)
    )
    return for_all(cases, f"G <= {sizes[-1]}, K of two decimals, the responses counts next to the threshold")
