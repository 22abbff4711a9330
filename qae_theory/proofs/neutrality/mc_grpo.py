"""Prove claim ``mc-grpo``: on binary rewards and odd groups MC-GRPO is QAE's gate at K = 1/2 with a constant scale.

MC-GRPO subtracts the median and divides by the median absolute deviation plus eps. The median is b_{1/2} and that
deviation is 0. z3 decides it for all groups, the rank being the shipped one on symbolic integers; a tie uses NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import z3

from qae_theory.baselines import quantile_baseline, quantile_rank
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import SymbolicRatio, group_symbols
from qae_theory.proofs.carriers.paths import Path
from qae_theory.proofs.tools.checking import for_all, valid, valid_on_every_path


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("mc-grpo", "no-deviation", Kind.PROOF, Role.FOR, (*_proof(), _tie())))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The median of an odd group, $G = 2h - 1$, is the reward of rank $h$, and $h = \lceil G/2\rceil$ "
            r"is the shipped `quantile_rank` at $K = 1/2$ (symbolic integers): the median is $b_{1/2}$.",
            check=partial(_median_rank, odd=True),
            planted="even groups, G = 2 h",
            control=partial(_median_rank, odd=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"With 0/1 rewards the distance $|R_i - b_{1/2}|$ is 0 or 1. At least $h$ responses have $R_i = "
            r"b_{1/2}$: the $G-m$ wrong ones if the median is 0 ($h \le G-m$), the $m$ correct ones if it is 1 ($h > "
            r"G-m$, so $m \ge G-h+1 = h$). So the distance of rank $h$, which is the median absolute deviation, is 0.",
            check=partial(_deviation_is_zero, odd=True),
            planted="even groups, G = 2 h",
            control=partial(_deviation_is_zero, odd=False),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Hence the scale is $0 + \varepsilon$ and $A_i = (R_i - b_{1/2})/\varepsilon$, for every "
            r"$\varepsilon > 0$.",
            check=partial(_scale_is_eps, deviation=0),
            planted="a deviation of 1",
            control=partial(_scale_is_eps, deviation=1),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says="Tie: for every binary group of an odd size up to a bound, NumPy's median is the shipped "
        "`quantile_baseline` at $K = 1/2$ and the median of the distances from it is 0; for groups of even size it "
        "is not always.",
        check=partial(_replayed, first=1),
        planted="groups of even size",
        control=partial(_replayed, first=2),
        tie=True,
    )


def _median_rank(*, odd: bool) -> Finding:
    """Find whether the shipped rank at K = 1/2 is the middle one of an odd group."""
    s, h = group_symbols(), z3.Int("h")

    def goal(path: Path) -> Any:
        half: Any = SymbolicRatio(z3.IntVal(1), z3.IntVal(2), path, given=True)
        rank: Any = quantile_rank(s.size_on(path), half)
        # The median has as many rewards on either side of it in the order.
        return z3.And(rank.term == h, s.group_size - rank.term == rank.term - 1)

    return valid_on_every_path(goal, *s.domain, h >= 1, s.group_size == (2 * h - 1 if odd else 2 * h))


def _deviation_is_zero(*, odd: bool) -> Finding:
    """Find whether more than half of the rewards equal the median, so that the median distance from it is 0."""
    size, m, h = z3.Ints("G m h")
    # The reward of rank h is 0 as long as the G - m zeros last.
    zero_median = h <= size - m
    at_median = z3.If(zero_median, size - m, m)
    # In even groups the median is the mean of the ranks h and h + 1, and both distances have to be 0.
    needed = h if odd else h + 1
    return valid(at_median >= needed, h >= 1, size == (2 * h - 1 if odd else 2 * h), m >= 0, m <= size)


def _scale_is_eps(*, deviation: int) -> Finding:
    """Find whether A eps = R - b, given the deviation."""
    a, reward, baseline, eps = z3.Reals("A R b eps")
    # A is defined by A (deviation + eps) = R - b.
    return valid(a * eps == reward - baseline, a * (deviation + eps) == reward - baseline, eps > 0)


def _replayed(effort: Effort, *, first: int) -> Finding:
    """Find whether NumPy's median is the shipped quantile, with a median absolute deviation of 0."""

    def cases() -> Iterator[tuple[str, bool]]:
        for size in range(first, effort.pick(33, 16), 2):
            for m in range(size + 1):
                group = np.repeat([1.0, 0.0], [m, size - m])
                median = float(np.median(group))
                # NumPy's median is the independent side: it averages two rewards in even groups.
                same = median == float(quantile_baseline(group, "1/2"))
                yield f"G={size}, m={m}", same and float(np.median(np.abs(group - median))) == 0

    return for_all(cases(), "every m")
