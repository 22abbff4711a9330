"""Prove claim ``advantage-second-moment``: QAE's advantages are sparser than GRPO's, but larger.

The mean square advantage of a mixed group is 1/(1 - m/G) for QAE on hard groups, G/m on easy ones, and 1 for GRPO (eps
= 0, population std). SymPy decides the formula for symbolic m and G; a tie compares the shipped advantages.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy

from qae_theory.advantages import advantages
from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.gate.eq4 import rank_selects_zero_step
from qae_theory.proofs.objective.clipping import numerators
from qae_theory.proofs.tools.checking import all_zero
from qae_theory.proofs.tools.groups import LEVELS, binary_group, mixed_groups, same


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (rank_selects_zero_step(), _moment_step(), _tie())
    ledger.add(Evidence("advantage-second-moment", "three-sums", Kind.PROOF, Role.FOR, steps))


def _moment_step() -> Step:
    return Step(
        says=r"With $m$ correct responses among $G = m + n$, $\hat p = m/G$, $\sigma^2 = \hat p(1-\hat p)$: "
        r"$\frac1G\sum_iA_i^2 = (mA_+^2 + nA_-^2)/G$. QAE on a hard group has $\sigma A = 1$ and 0, which gives "
        r"$\hat p/\sigma^2 = 1/(1-\hat p)$; on an easy one 0 and $-1$, which gives $1/\hat p$; GRPO has $1-\hat p$ "
        r"and $-\hat p$, which gives 1. (SymPy, symbolic $m$ and $n$.)",
        check=partial(_moments, extra=0),
        planted="Bessel's variance",
        control=partial(_moments, extra=1),
        generality=Generality.GENERAL,
    )


def _tie() -> Step:
    return Step(
        says="Tie: so it is, exactly, for the shipped advantages of every mixed group up to a size, four levels, "
        "thresholds included.",
        check=partial(_shipped_moments, std="population"),
        planted="Bessel for population",
        control=partial(_shipped_moments, std="bessel"),
        tie=True,
    )


def _moments(*, extra: int) -> Finding:
    """Find whether the three mean squares are those of the claim, with the variance divided by G - ``extra``."""
    m, n = sympy.symbols("m n", positive=True)
    size = m + n
    p = m / size
    # Times G/(G - 1) with Bessel's divisor, which is the control.
    variance = p * (1 - p) * size / (size - extra)
    residuals = []
    # Each regime of QAE, and GRPO, which has no regime.
    for rule, hard, expected in (("qae", True, 1 / (1 - p)), ("qae", False, 1 / p), ("grpo", True, 1)):
        right, wrong = numerators(rule, hard, p)
        residuals.append((m * right**2 + n * wrong**2) / size / variance - expected)
    return all_zero(residuals)


def _shipped_moments(effort: Effort, *, std: str) -> Finding:
    """Find whether the shipped advantages of every mixed group up to a size have these mean squares, exactly."""
    largest = effort.pick(20, 10)

    def cases() -> Iterator[tuple[str, Any, Any]]:
        # The levels meet the thresholds of groups of 5, 10 and 20 exactly.
        for (m, size), k in product(mixed_groups(largest), LEVELS):
            rewards, p = binary_group(m, size), Fraction(m, size)
            qae = advantages(rewards, "qae", k=k, std=std, eps=0)
            grpo = advantages(rewards, "grpo", std=std, eps=0)
            expected = 1 / (1 - p) if is_hard_group(m, size, k) else 1 / p
            yield f"qae, K={k}, m={m}, G={size}", (qae * qae).sum() / size, expected
            yield f"grpo, m={m}, G={size}", (grpo * grpo).sum() / size, Fraction(1)

    return same(cases(), f"all mixed groups of at most {largest}, four levels")
