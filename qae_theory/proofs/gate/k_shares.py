"""Prove claim ``k-shares``: a larger K gives no more positive and no fewer negative advantages, whatever the rewards.

The rank ceil(K G) does not fall in K, so neither does the baseline, and the sets of signs are nested. z3 decides the
steps for all integers and reals; ties compare the shipped advantages on drawn and listed groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from qae_theory.proofs.carriers.integers import SymbolicRatio, group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools import oracle
from qae_theory.proofs.tools.checking import all_equal, survives, valid, valid_on_every_path
from qae_theory.proofs.tools.estimator_ties import binary_groups, graded_groups, levels


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("k-shares", "monotonicity-proof", Kind.PROOF, Role.FOR, _share_steps()))


def _share_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The rank $\lceil KG\rceil$, the shipped `quantile_rank` on symbolic integers, is "
            r"non-decreasing in $K$.",
            check=partial(_rank_monotone, strict=False),
            planted="strictly increasing",
            control=partial(_rank_monotone, strict=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Order statistics are non-decreasing in their rank, so $K \le K'$ gives $b_K \le b_{K'}$ "
            r"(claim `eq4-left-inverse`). The std does not depend on $K$, so $A_i$ has the sign of $R_i - "
            r"b_K$ (or all $A_i = 0$, at every $K$, in a degenerate group). For every response $R > b_{K'}$ "
            r"implies $R > b_K$, and $R < b_K$ implies $R < b_{K'}$: the set of positive advantages can "
            r"only shrink and the set of negative ones only grow. Counting them gives the statement.",
            check=partial(_sets_nested, reverse=False),
            planted="b_K >= b_K'",
            control=partial(_sets_nested, reverse=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: on random groups of rationals with ties the shipped `advantages(..., 'qae')` have nested "
            r"sets at random $K \le K'$, and so have those of `qae_linear`.",
            check=partial(_shipped_sets_nested, reverse=False),
            planted="K >= K'",
            control=partial(_shipped_sets_nested, reverse=True),
            tie=True,
        ),
        Step(
            says=r"Tie: on every group of the ties' list and along all classes of $K$, the shares of the shipped "
            r"advantages are those of the signs of $R_i - b_K$, with $b_K$ from its definition.",
            check=partial(_shipped_shares, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_shares, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _rank_monotone(*, strict: bool) -> Finding:
    """Find whether the shipped rank at K' = p2/q2 is at least that at K <= K'."""
    s, (p, q) = group_symbols(), z3.Ints("p2 q2")

    def goal(path: Path) -> Any:
        low: Any = quantile_rank(s.size_on(path), s.level_on(path))
        high: Any = quantile_rank(s.size_on(path), SymbolicRatio(p, q, path, given=True))  # type: ignore[arg-type]
        return low.term < high.term if strict else low.term <= high.term

    # K <= K', multiplied by both denominators.
    return valid_on_every_path(goal, *s.domain, p > 0, p < q, s.numerator * q <= p * s.denominator)


def _sets_nested(*, reverse: bool) -> Finding:
    """Find whether a higher baseline makes no advantage newly positive, and leaves every negative one negative."""
    low, high, reward, scale = z3.Reals("b_K b_K2 R scale")
    before, after = z3.Reals("A_K A_K2")
    domain = (
        # The std does not depend on K, so both advantages have the same scale.
        scale > 0,
        low >= high if reverse else low <= high,
        before * scale == reward - low,
        after * scale == reward - high,
    )
    return valid(z3.And(z3.Implies(after > 0, before > 0), z3.Implies(before < 0, after < 0)), *domain)


def _shipped_sets_nested(effort: Effort, *, reverse: bool) -> Finding:
    """Find whether the shipped sets of positive and negative advantages are nested on drawn groups."""
    reward = st.builds(Fraction, st.integers(-4, 4), st.sampled_from([1, 2, 4]))
    level = st.integers(2, 40).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q)))

    def holds(case: tuple[list[Fraction], Fraction, Fraction]) -> bool:
        group, first, second = case
        # Two levels are drawn and put in order, so that no draw is wasted.
        low, high = sorted((first, second), reverse=reverse)
        values = np.array(group, dtype=np.float64)
        for rule in ("qae", "qae_linear"):
            before, after = advantages(values, rule, k=low), advantages(values, rule, k=high)
            positive_shrinks = (after <= 0) | (before > 0)
            negative_grows = (before >= 0) | (after < 0)
            if not np.all(positive_shrinks & negative_grows):
                return False
        return True

    draw = st.tuples(st.lists(reward, min_size=2, max_size=10), level, level)
    return survives(draw, holds, examples=effort.pick(1500, 60), says="groups of up to 10 rationals, two levels")


def _shipped_shares(effort: Effort, *, level_of: Any) -> Finding:
    """Find whether the shipped signs are those of R - b_K, with b_K from its definition."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, effort.pick(9, 6) + 1):
            groups = binary_groups(size) + graded_groups(size)
            batch = np.array(groups, dtype=np.float64)
            for k in levels(size):
                shipped = np.sign(advantages(batch, "qae", k=k)).tolist()
                expected = [_signs(group, oracle.quantile(group, level_of(k))) for group in groups]
                yield f"G={size}, K={k}", shipped, expected

    return all_equal(cases(), "(G, K), signs on batches of binary and graded groups")


def _signs(group: Sequence[Fraction], baseline: Fraction) -> list[int]:
    """Return the sign of each R - b, or zeros for a degenerate group."""
    # All advantages of a degenerate group are 0, whatever the baseline is.
    degenerate = len(set(group)) == 1
    return [0 if degenerate else (r > baseline) - (r < baseline) for r in group]
