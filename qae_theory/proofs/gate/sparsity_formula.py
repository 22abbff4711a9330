"""Prove claim ``sparsity-formula``: a mixed group has the share 1 - m/G of zero advantages if hard, and m/G if easy.

The zeros under QAE are the wrong responses of a hard group and the correct ones of an easy group. z3 counts them for
every group and level; a tie counts the shipped ones. The other claims on sparsity average the shares of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import z3

from qae_theory import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.carriers.integers import group_symbols
from qae_theory.proofs.gate.eq4 import rank_selects_zero_step
from qae_theory.proofs.tools.checking import all_equal, valid
from qae_theory.proofs.tools.estimator_ties import levels


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("sparsity-formula", "counting-proof", Kind.PROOF, Role.FOR, _formula_steps()))


def zero_share(k: Any, group_size: int, num_correct: int) -> Fraction:
    """Return the share of zero advantages that the formula gives; a degenerate group has zeros only.

    Args:
        k: quantile level K.
        group_size: G.
        num_correct: m.
    """
    p = Fraction(num_correct, group_size)
    if p in (0, 1):
        return Fraction(1)
    return 1 - p if p <= 1 - k else p


def shipped_zero_share(k: Fraction, group_size: int) -> list[Fraction]:
    """Return the share of zeros among the shipped advantages of binary groups, for each m = 0..G.

    Args:
        k: quantile level K.
        group_size: G.

    Returns:
        G + 1 Fractions; the first and the last are those of the degenerate groups.
    """
    batch = np.tri(group_size + 1, group_size, -1)  # row m has m ones
    zeros = (advantages(batch, "qae", k=k) == 0).sum(axis=-1)
    return [Fraction(int(count), group_size) for count in zeros]


def _formula_steps() -> tuple[Step, ...]:
    return (
        rank_selects_zero_step(),
        Step(
            says=r"So a mixed group has baseline $b = 0$ if hard and $b = 1$ if easy, and $A = "
            r"(R-b)/(\mathrm{std}+\varepsilon) = 0$ exactly for the responses with $R = b$: the $G-m$ wrong "
            r"ones or the $m$ correct ones. Their share is $1-\hat p$ or $\hat p$.",
            check=partial(_zeros_counted, swapped=False),
            planted="p^ in hard groups",
            control=partial(_zeros_counted, swapped=True),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Tie: the zeros of the shipped `advantages(..., 'qae')`, counted on every binary group up to a "
            r"size, for every class of $K$.",
            check=partial(_shipped_formula, level_of=lambda k: k),
            planted="1 - K for K",
            control=partial(_shipped_formula, level_of=lambda k: 1 - k),
            tie=True,
        ),
    )


def _zeros_counted(*, swapped: bool) -> Finding:
    """Find whether the zeros among (R - b)/scale are those that the formula counts, in every mixed group."""
    s = group_symbols()
    size, m = z3.ToReal(s.group_size), z3.ToReal(s.num_correct)
    scale, success, failure, share = z3.Reals("scale A_correct A_wrong share")
    baseline = z3.If(s.is_hard, z3.RealVal(0), z3.RealVal(1))
    zeros = z3.If(success == 0, m, 0) + z3.If(failure == 0, size - m, 0)
    claimed = z3.If(z3.Not(s.is_hard) if swapped else s.is_hard, size - m, m)
    definition = (
        scale > 0,
        success * scale == 1 - baseline,
        failure * scale == -baseline,
        share * size == zeros,
    )
    # A degenerate group has zeros only, and the formula speaks of mixed ones.
    mixed = (s.num_correct >= 1, s.num_correct <= s.group_size - 1)
    return valid(share * size == claimed, *s.domain, *mixed, *definition)


def _shipped_formula(effort: Effort, *, level_of: Callable[[Fraction], Fraction]) -> Finding:
    """Find whether the shipped advantages of every small binary group have as many zeros as the formula gives."""
    largest = effort.pick(24, 9)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, largest + 1):
            for k in levels(size):
                expected = [zero_share(level_of(k), size, m) for m in range(size + 1)]
                yield f"G={size}, K={k}", shipped_zero_share(k, size), expected

    return all_equal(cases(), f"G <= {largest}, all m at once, every class of K")
