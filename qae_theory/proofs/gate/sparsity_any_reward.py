"""Prove claim ``sparsity-any-reward``: for any real rewards at most ceil(K G) - 1 advantages are negative.

At most G - ceil(K G) are positive, and with distinct rewards exactly one is zero: zeros come from ties. z3 shows it by
ranks for every group; ties count the signs of the shipped advantages.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import z3
from hypothesis import strategies as st

from qae_theory import advantages
from qae_theory.baselines import quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools.checking import for_all, survives, valid_on_every_path
from qae_theory.proofs.tools.estimator_ties import binary_groups, graded_groups, levels


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("sparsity-any-reward", "ranks", Kind.PROOF, Role.FOR, (*_proof(), *_ties())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Sort the rewards, $r_{(1)} \le \dots \le r_{(G)}$. By claim `eq4-left-inverse` the baseline is "
            r"$r_{(c)}$ with $c = \lceil KG\rceil$, the shipped `quantile_rank` on symbolic integers, and $A_j$ has "
            r"the sign of $r_{(j)} - r_{(c)}$ (or all $A$ are 0, in a degenerate group). So $A_j < 0$ only for $j "
            r"\le c-1$ and $A_j > 0$ only for $j \ge c+1$: at most $c-1$ and at most $G-c$ responses, where $1 \le c "
            r"\le G$.",
            check=partial(_signs_by_rank, strict=True),
            planted="A_j < 0 only for j < c - 1",
            control=partial(_signs_by_rank, strict=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"If the rewards are distinct, $r_{(j)} = r_{(c)}$ only for $j = c$: exactly one advantage is 0. (A "
            r"group of one response is degenerate and has its one advantage 0 too.)",
            check=partial(_one_zero, distinct=True),
            planted="ties allowed",
            control=partial(_one_zero, distinct=False),
            generality=Generality.GENERAL,
        ),
    )


def _ties() -> tuple[Step, ...]:
    return (
        Step(
            says="Tie: the shipped `advantages(..., 'qae')` of the ties' list of groups, for every class of $K$, "
            "have no more negative and positive entries than that.",
            check=partial(_shipped_counts, shift=0),
            planted="one fewer negative",
            control=partial(_shipped_counts, shift=1),
            tie=True,
        ),
        Step(
            says="Tie: random groups of distinct rationals have exactly one zero.",
            check=partial(_shipped_distinct, zeros=1),
            planted="two zeros",
            control=partial(_shipped_distinct, zeros=2),
            tie=True,
        ),
    )


def _signs_by_rank(*, strict: bool) -> Finding:
    """Find whether a response's sign bounds its rank on the right side of the baseline's rank c."""
    s, j = group_symbols(), z3.Int("j")
    reward, baseline = z3.Reals("r_j r_c")

    def goal(path: Path) -> Any:
        rank: Any = quantile_rank(s.size_on(path), s.level_on(path))
        c = rank.term
        # In sorted order a later reward is at least as large; that is all that is used of the group.
        sorted_rewards = z3.And(z3.Implies(j >= c, reward >= baseline), z3.Implies(j <= c, reward <= baseline))
        negative = z3.Implies(reward < baseline, j <= c - 1 if strict else j < c - 1)
        positive = z3.Implies(reward > baseline, j >= c + 1)
        return z3.Implies(sorted_rewards, z3.And(negative, positive, c >= 1, c <= s.group_size))

    return valid_on_every_path(goal, *s.domain, j >= 1, j <= s.group_size)


def _one_zero(*, distinct: bool) -> Finding:
    """Find whether only the baseline's own response has A = 0 if the rewards are distinct."""
    s, j = group_symbols(), z3.Int("j")
    reward, baseline = z3.Reals("r_j r_c")

    def goal(path: Path) -> Any:
        rank: Any = quantile_rank(s.size_on(path), s.level_on(path))
        same_place = z3.Implies(j == rank.term, reward == baseline)
        # Distinct rewards: no other one equals the baseline.
        apart = z3.Implies(j != rank.term, reward != baseline) if distinct else z3.BoolVal(True)
        return z3.Implies(z3.And(same_place, apart), (reward - baseline == 0) == (j == rank.term))

    return valid_on_every_path(goal, *s.domain, j >= 1, j <= s.group_size)


def _shipped_counts(effort: Effort, *, shift: int) -> Finding:
    """Find whether the shipped advantages have no more negative and positive entries than the ranks allow."""
    largest = effort.pick(9, 5)

    def cases() -> Iterator[tuple[str, bool]]:
        for size in range(2, largest + 1):
            batch = np.array(binary_groups(size) + graded_groups(size), dtype=np.float64)
            for k in levels(size):
                a = advantages(batch, "qae", k=k)
                # c - 1 ranks lie below the baseline's and G - c above it.
                rank = quantile_rank(size, k)
                negative, positive = (a < 0).sum(axis=-1), (a > 0).sum(axis=-1)
                yield f"G={size}, K={k}", bool(np.all(negative <= rank - 1 - shift) and np.all(positive <= size - rank))

    return for_all(cases(), f"(G, K), G <= {largest}, binary and graded groups")


def _shipped_distinct(effort: Effort, *, zeros: int) -> Finding:
    """Find whether the shipped advantages of drawn groups of distinct rewards have this number of zeros."""
    # Quarters are exact in float64, so that distinct rationals stay distinct floats.
    reward = st.builds(Fraction, st.integers(-40, 40), st.sampled_from([1, 2, 4]))
    level = st.integers(2, 40).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q)))
    draw = st.tuples(st.lists(reward, min_size=2, max_size=12, unique=True), level)

    def holds(case: tuple[list[Fraction], Fraction]) -> bool:
        group, k = case
        return int((advantages(np.array(group, dtype=np.float64), "qae", k=k) == 0).sum()) == zeros

    return survives(draw, holds, examples=effort.pick(800, 60), says="groups of up to 12 distinct rationals")
