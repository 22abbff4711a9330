"""Refute claim ``sparsity-monotone``, that the share of non-zero advantages is non-increasing in K.

It jumps up where a group turns from hard to easy. On average, under difficulty symmetric about 1/2, it is the same at K
and 1 - K. Shares are counted among the shipped advantages; SymPy and z3 do the averages.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.gate.sparsity_80 import K, limit_share
from qae_theory.proofs.gate.sparsity_formula import shipped_zero_share
from qae_theory.proofs.tools.checking import all_equal, all_zero, for_all, rational, valid, with_witness
from qae_theory.proofs.tools.estimator_ties import levels


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("sparsity-monotone", "jumps-up", Kind.WITNESS, Role.AGAINST, _monotone_steps()))


def _monotone_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The smallest group, $G=3$, $m=1$: at $K=3/5$ it is hard and 1/3 of the advantages are "
            r"non-zero, at $K=7/10$ it is easy and 2/3 are. (At $G=2$ the share is 1/2 at every $K$.)",
            check=partial(_non_zero_jump, group_size=3, num_correct=1, low="3/5", high="7/10"),
            planted="m = 2 at K = 3/10 and 2/5",
            control=partial(_non_zero_jump, group_size=3, num_correct=2, low="3/10", high="2/5"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"$\hat p = .3$: the non-zero share jumps from .3 to .7 as $K$ passes .7.",
            check=partial(_non_zero_jump, group_size=10, num_correct=3, low="7/10", high="71/100"),
            planted="p^ = .7, as K passes .3",
            control=partial(_non_zero_jump, group_size=10, num_correct=7, low="3/10", high="31/100"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"On average too: under uniform difficulty the limit share of non-zero advantages, $1/4 + "
            r"(K-1/2)^2$, falls up to $K=1/2$ and rises beyond; it is the same at $K$ and $1-K$.",
            check=partial(_average_turns, centre=Fraction(1, 2)),
            planted="the turn is at K = 2/5",
            control=partial(_average_turns, centre=Fraction(2, 5)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"In general, if difficulty is symmetric about 1/2 then the share is the same at $K$ and $1-K$: "
            r"a group with $m$ correct is hard at $K$ exactly when the one with $G-m$ is easy at $1-K$, and "
            r"both have the same zeros, unless $m = G(1-K)$.",
            check=partial(_mirror, at_ties=False),
            planted="at ties too",
            control=partial(_mirror, at_ties=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: shares of the shipped advantages, $m$ uniform on the mixed groups, are equal at $K$ and "
            r"$1-K$ for every class of $K$ with $KG$ not an integer; at $G=4$, $K=1/4$ and $3/4$ they are "
            r"1/2 and 2/3.",
            check=partial(_shipped_mirror, at_ties=False),
            planted="at integer K G too",
            control=partial(_shipped_mirror, at_ties=True),
            tie=True,
        ),
    )


def _non_zero_jump(*, group_size: int, num_correct: int, low: str, high: str) -> Finding:
    """Find whether the non-zero share of a group is larger at the larger of two levels."""
    before, after = (1 - shipped_zero_share(Fraction(k), group_size)[num_correct] for k in (low, high))
    jumps = Fraction(low) < Fraction(high) and before < after
    finding = for_all([(f"K={low}: {before}, K={high}: {after}", jumps)], "one group")
    worked = {"G": str(group_size), "m": str(num_correct)}
    return with_witness(finding, {**worked, f"non-zero at K={low}": str(before), f"non-zero at K={high}": str(after)})


def _average_turns(*, centre: Fraction) -> Finding:
    """Find whether the mean share under uniform difficulty is 1/4 + (K - c)^2 and the same at K and 1 - K."""
    c = rational(centre)
    share = 1 - limit_share(sympy.Integer(1), K)
    # A parabola turns where its derivative vanishes, at K = c.
    parabola = (K - c) ** 2 + sympy.Rational(1, 4)
    return all_zero([sympy.diff(share, K) - 2 * (K - c), share - share.subs(K, 1 - K), share - parabola])


def _mirror(*, at_ties: bool) -> Finding:
    """Find whether a group at K has as many zeros as its mirror image, G - m correct, at 1 - K."""
    size, m, k = z3.Reals("G m K")

    def zeros(correct: Any, level: Any) -> Any:
        return z3.If(correct <= size * (1 - level), size - correct, correct)

    # At m = G (1 - K) both a group and its mirror image count as hard.
    apart = () if at_ties else (m != size * (1 - k),)
    return valid(zeros(m, k) == zeros(size - m, 1 - k), size >= 2, m >= 1, m <= size - 1, k > 0, k < 1, *apart)


def _shipped_mirror(effort: Effort, *, at_ties: bool) -> Finding:
    """Find whether mean shares of the shipped zeros are equal at K and 1 - K."""

    def mean(k: Fraction, size: int) -> Fraction:
        return sum(shipped_zero_share(k, size)[1:-1], Fraction(0)) / (size - 1)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        yield "G=4, K=1/4", mean(Fraction(1, 4), 4), Fraction(1, 2)
        yield "G=4, K=3/4", mean(Fraction(3, 4), 4), Fraction(2, 3)
        for size in range(2, effort.pick(16, 7) + 1):
            for k in levels(size):
                # Where K G is an integer some m meets the threshold exactly, and the mirror image fails there.
                if at_ties or (k * size).denominator > 1:
                    yield f"G={size}, K={k}", mean(k, size), mean(1 - k, size)

    return all_equal(cases(), "(G, K), m uniform on 1..G-1")
