"""Prove claim ``figure-4``: the weights that the middle and right panels draw are those that Prop. 4.1 gives.

Their shapes at K = .4 (where each curve jumps, rises, falls and peaks) are decided by z3; a tie compares the points of
the shipped ``query_weights``, from which the panels are drawn. The left panel is empirical and not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import z3

from qae_theory.baselines import is_hard_group
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.objective import query_weights
from qae_theory.proofs.objective.clipping import weights
from qae_theory.proofs.objective.prop41_identity import proof_steps
from qae_theory.proofs.tools.checking import both, for_all, valid
from qae_theory.proofs.tools.groups import binary_group, exact, same

LEVEL = Fraction(2, 5)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    steps = (*proof_steps(), *_curves(), *_drawn())
    ledger.add(Evidence("figure-4", "prop41-weights", Kind.PROOF, Role.FOR, steps))


def _curves() -> tuple[Step, ...]:
    return (
        Step(
            says=r"So at $K = .4$ the middle panel's curves are $u(p) = \sqrt{p/(1-p)}$ up to $p = .6$ and 0 beyond "
            r"for QAE, and $s(p) = \sqrt{p(1-p)}$ for GRPO; the right panel's are 0 up to .6 and $v(p) = "
            r"\sqrt{(1-p)/p}$ beyond, and $s(p)$. For all real $0 < p < q < 1$: $u$ increases and $v$ decreases, $u$ "
            r"and $v$ lie above $s$, and $s$ is at most $1/2$, at $p = 1/2$ only.",
            check=partial(_shapes, top=Fraction(1, 4)),
            planted="s is at most 0.49",
            control=partial(_shapes, top=Fraction(2401, 10_000)),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"The two QAE curves change at $p = .6$: there a group is still hard, with $u = \sqrt{3/2}$, and "
            r"above it easy, with $v$ close to $\sqrt{2/3}$ (squares, exactly).",
            check=partial(_jump, threshold=Fraction(3, 5)),
            planted="at p = .4",
            control=partial(_jump, threshold=Fraction(2, 5)),
            generality=Generality.GENERAL,
        ),
    )


def _drawn() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Tie: the points that are drawn, the shipped `query_weights` of groups with $\hat p = m/G$, are "
            r"those weights exactly, for every $m$ and $G$ up to a size, and in float64 for $G = 1000$.",
            check=partial(_shipped_points, k=LEVEL),
            planted="K = .6",
            control=partial(_shipped_points, k=Fraction(3, 5)),
            tie=True,
        ),
    )


def _shapes(*, top: Fraction) -> Finding:
    """Find whether u rises, v falls, both lie above s = sqrt(p (1 - p)), and s is largest at p = 1/2 only."""
    p, q = z3.Reals("p q")
    domain = (p > 0, p < q, q < 1)
    # All weights are positive, so that their squares are ordered as they are.
    monotone = valid(z3.And(p / (1 - p) < q / (1 - q), (1 - p) / p > (1 - q) / q), *domain)
    above = valid(z3.And(p / (1 - p) > p * (1 - p), (1 - p) / p > p * (1 - p)), p > 0, p < 1)
    # s^2 = p (1 - p), so that the peak of s is the root of this number.
    peak = z3.Q(top.numerator, top.denominator)
    largest = valid(z3.And(p * (1 - p) <= peak, (p * (1 - p) == peak) == (p == z3.Q(1, 2))), p > 0, p < 1)
    return both(largest, monotone, above)


def _jump(*, threshold: Fraction) -> Finding:
    """Find whether the gate changes at this success rate, with u^2 = 3/2 and v^2 = 2/3 there."""
    size = 1000
    at = int(threshold * size)
    # The threshold itself is hard; one success more is easy.
    gates = is_hard_group(at, size, LEVEL) and not is_hard_group(at + 1, size, LEVEL)
    cases = [
        ("the gate changes there", bool(gates)),
        ("u^2 = 3/2", threshold / (1 - threshold) == Fraction(3, 2)),
        ("v^2 = 2/3", (1 - threshold) / threshold == Fraction(2, 3)),
    ]
    return for_all(cases, "K = .4")


def _shipped_points(effort: Effort, *, k: Fraction) -> Finding:
    """Find whether the shipped weights are the proposition's, exactly on small groups and in float64 at G = 1000."""

    def cases() -> Iterator[tuple[str, Any, Any]]:
        for size in range(2, effort.pick(24, 10) + 1):
            for m in range(1, size):
                for rule in ("qae", "grpo"):
                    expected = exact(weights(rule, bool(is_hard_group(m, size, LEVEL)), Fraction(m, size)))
                    yield (
                        f"{rule}, m={m}, G={size}",
                        np.array(query_weights(binary_group(m, size), rule, k=k)),
                        expected,
                    )

    # The figure draws groups of 1000; exact square roots of that many are slow, so these are compared in float64.
    exactly = same(cases(), "every mixed group up to a size, QAE and GRPO")
    p = np.arange(1, 1000) / 1000
    drawn = np.array([query_weights(np.repeat([1.0, 0.0], [m, 1000 - m]), "qae", k=k) for m in range(1, 1000)])
    # 1 - K = .6 of a thousand.
    hard = np.arange(1, 1000) <= 600
    expected = np.stack([np.where(hard, np.sqrt(p / (1 - p)), 0), np.where(hard, 0, np.sqrt((1 - p) / p))], axis=-1)
    # 1e-12: a dozen roundings of numbers up to 32.
    return both(exactly, for_all([("G = 1000, float64", np.allclose(drawn, expected, rtol=1e-12, atol=0))], "QAE"))
