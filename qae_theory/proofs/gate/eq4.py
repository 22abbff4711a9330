"""Prove claims ``eq4-threshold`` and ``eq4-left-inverse``: the K-quantile as an order statistic and as a gate.

The first: on binary rewards b_K = 0 if m/G <= 1 - K, else 1. The second: inf {x : F(x) >= K} is the ceil(K G)-th
smallest reward. The shipped integer code runs on symbolic G, m and K = p/q; z3 looks for a group that breaks the claim.
How the released interpolation differs is in ``eq4_released_code``, the gate in floating point in ``eq4_float``, and
what the gate does to advantages in ``gate``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import z3
from hypothesis import strategies as st

from qae_theory.baselines import is_hard_group, quantile_baseline, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import SymbolicRatio, group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import all_equal, survives, valid, valid_on_every_path
from qae_theory.proofs.tools.estimator_ties import exact_array, levels, quantiles_match, same


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("eq4-threshold", "integer-proof", Kind.PROOF, Role.FOR, _threshold_steps()))
    ledger.add(Evidence("eq4-left-inverse", "induction-proof", Kind.PROOF, Role.FOR, _left_inverse_steps()))
    ledger.add(Evidence("eq4-left-inverse", "random-groups", Kind.PROPERTY, Role.FOR, (_random_groups_step(),)))


def rank_selects_zero_step() -> Step:
    """Return the lemma that decides the regime, for the proofs that build on it."""
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
    """Find whether the gate's b is the least x with F(x) >= K."""
    # x is any real below b, not only a reward: the infimum is over all of them.
    s, x = group_symbols(), z3.Real("x")
    # F(x) >= K, multiplied by q G > 0.
    needed = s.numerator * s.group_size
    hard = s.zeros * s.denominator > needed if strict else s.is_hard
    b = z3.If(hard, z3.RealVal(0), z3.RealVal(1))

    def reached(at: Any) -> Any:
        """Return F(at) >= K, with F of G - m zeros and m ones."""
        count = z3.If(at >= 0, s.zeros, 0) + z3.If(at >= 1, s.num_correct, 0)
        return count * s.denominator >= needed

    return valid(z3.And(reached(b), z3.Implies(x < b, z3.Not(reached(x)))), *s.domain)


def _gate_is_threshold(*, strict: bool) -> Finding:
    """Find whether the shipped gate on symbolic integers is the threshold m/G <= 1 - K."""
    s = group_symbols()
    # Both the gate and its formula are in integers, so that nothing is rounded at the threshold.
    threshold = s.zeros * s.denominator > s.numerator * s.group_size if strict else s.is_hard

    def goal(path: Path) -> Any:
        gate = is_hard_group(s.correct_on(path), s.size_on(path), s.level_on(path))
        return threshold == bool(gate)

    return valid_on_every_path(goal, *s.domain)


def _rank_selects_zero(*, shift: int) -> Finding:
    """Find whether the shipped rank lies in 1..G and selects a zero exactly in a hard group."""
    s = group_symbols()

    def goal(path: Path) -> Any:
        rank = _rank(s, path) + shift
        # The rank must be one that the group has, or the order statistic would not exist.
        return z3.And(rank >= 1, rank <= s.group_size, (rank <= s.zeros) == s.is_hard)

    return valid_on_every_path(goal, *s.domain)


def _rank(s: Any, path: Path) -> Any:
    """Return the shipped rank of the K-quantile as a z3 term."""
    rank: Any = quantile_rank(s.size_on(path), s.level_on(path))
    return rank.term


def _baseline_is_gate(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped quantile and gate have the claimed value on every binary group up to a size."""
    # Groups of up to 20 have exact ties m = G (1 - K) of many kinds among their classes of K.
    largest = effort.pick(20, 10)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(1, largest + 1):
            groups = [[1] * m + [0] * (size - m) for m in range(size + 1)]
            exact = exact_array([[Fraction(r) for r in group] for group in groups])
            for k in levels(size):
                expected = [0 if Fraction(m, size) <= 1 - level_of(k) else 1 for m in range(size + 1)]
                label = f"K={k}, G={size}"
                yield label, quantile_baseline(exact, k).tolist(), expected
                yield f"{label}, floats", quantile_baseline(groups, k).tolist(), expected
                gate = [1 - int(is_hard_group(m, size, k)) for m in range(size + 1)]
                yield f"{label}, gate", gate, expected

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
    """Check the induction step: if r_(j+1) <= x then all of the first j + 1 rewards are at most x."""
    # Only the last two rewards enter the step: the hypothesis says all that is needed of the earlier ones.
    here, following, x = z3.Reals("r_j r_j1 x")
    j, count = z3.Ints("j s_j")
    added = z3.If(following < x if strict else following <= x, 1, 0)
    before = z3.Implies(here <= x, count == j)
    return valid(
        z3.Implies(following <= x, count + added == j + 1),
        j >= 0,
        count >= 0,
        z3.Or(j == 0, here <= following),
        # The hypothesis of the induction; before the first reward it is that nothing has been counted.
        z3.If(j == 0, count == 0, before),
    )


def _nothing_added(*, strict: bool) -> Finding:
    """Check the induction step: above x nothing is counted, so that the count stays at most c - 1."""
    chosen, following, x = z3.Reals("r_c r_j1 x")
    c, j, count = z3.Ints("c j s_j")
    # Sorted rewards from rank c on are at least r_(c), and so above x.
    below = x < chosen if strict else x <= chosen
    added = z3.If(following <= x, 1, 0)
    return valid(count + added <= c - 1, below, following >= chosen, j + 1 >= c, c >= 1, count <= c - 1)


def _upper_ray(*, floor: bool) -> Finding:
    """Find whether F(x) >= K exactly for x >= r_(c), given what the two inductions show of the count."""
    s, x, chosen, count = group_symbols(), z3.Real("x"), z3.Real("r_c"), z3.Int("s_G")
    # F(x) = s_G / G; both denominators are positive.
    reached = count * s.denominator >= s.numerator * s.group_size

    def goal(path: Path) -> Any:
        # z3's division of integers is the floor here, p, q and G being positive.
        rank = s.numerator * s.group_size / s.denominator if floor else _rank(s, path)
        counted = z3.And(z3.Implies(x >= chosen, count >= rank), z3.Implies(x < chosen, count <= rank - 1))
        return z3.Implies(counted, z3.And(rank >= 1, rank <= s.group_size, reached == (x >= chosen)))

    return valid_on_every_path(goal, *s.domain)


def _left_continuous(*, right: bool) -> Finding:
    """Find whether a slightly smaller K' has the same rank, and no larger one has at K = c/G."""
    s, (p, q) = group_symbols(), z3.Ints("p2 q2")
    order = p * s.denominator - s.numerator * q  # K' - K, times a positive number

    def goal(path: Path) -> Any:
        rank = _rank(s, path)
        other: Any = quantile_rank(s.size_on(path), SymbolicRatio(p, q, path, given=True))  # type: ignore[arg-type]
        moved = other.term
        if right:
            return z3.Implies(z3.And(order >= 0, p * s.group_size < (rank + 1) * q), moved == rank)
        # K' G > c - 1 says that K' is above the last jump of the rank, which is at (c - 1)/G.
        same_below = z3.Implies(z3.And(order <= 0, p * s.group_size > (rank - 1) * q), moved == rank)
        at_an_edge = s.numerator * s.group_size == rank * s.denominator
        return z3.And(same_below, z3.Implies(z3.And(order > 0, at_an_edge), moved > rank))

    return valid_on_every_path(goal, *s.domain, q > p, p > 0)


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
    """Find whether the shipped quantile equals its definition on drawn groups of rationals at drawn rational levels."""
    # A few small numerators and denominators make ties frequent.
    reward = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 6))
    level = st.integers(2, 60).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q)))
    # Denominators up to 60 meet every way in which K G can lie for groups of 12.
    draw = st.tuples(st.lists(reward, min_size=1, max_size=12).map(tuple), level)

    def holds(case: tuple[tuple[Fraction, ...], Fraction]) -> bool:
        group, k = case
        return same(quantile_baseline(exact_array([group]), k)[0], definition(group, k))

    return survives(draw, holds, examples=effort.pick(1500, 120), says="groups of up to 12 rationals")
