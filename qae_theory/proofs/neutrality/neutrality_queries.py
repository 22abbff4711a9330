"""Prove claim ``neutrality-queries``: summed over queries, the first-order entropy change can differ in sign.

The gains of QAE and GRPO weigh queries differently. Two queries of two responses at G = 2 and K = 2/5 are enough; the
sums come from the shipped expectations on exact numbers, and ball arithmetic tells their signs.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import expected_first_order_change, gain, outcome_advantages
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.tools.checking import all_zero, ball, both, certainly_positive, close_to, rational, with_witness
from qae_theory.proofs.tools.rule_formulas import number
from qae_theory.updates import update_direction

# One query whose entropy rises and one whose entropy falls, nearly cancelling under GRPO.
LARGE = (Fraction(1, 10), Fraction(63, 100))
SMALL = (Fraction(1, 5), Fraction(3, 4))


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    evidence = Evidence(
        "neutrality-queries", "two-queries", Kind.CERTIFICATE, Role.FOR, _steps(), covers_statement=True
    )
    ledger.add(evidence)


def _steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For a two-arm query with success probability $p$, the shipped first-order change along $\pi(r - "
            r"V)$ is $h = -2p^2(1-p)^2\log\frac{p}{1-p}$, and the shipped gain at $G = 2$ and eps = 0 is 1 for GRPO "
            r"and, for $K < 1/2$, $2(1-p)$ for QAE (symbolic $p$).",
            check=partial(_two_arm_form, level="2/5"),
            planted="K = 3/5, where QAE's w is 2p",
            control=partial(_two_arm_form, level="3/5"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**Smallest witness.** $G = 2$, $K = 2/5$, $p = 1/5$ and $3/4$: the sum over the two "
            r"queries is negative under GRPO and positive under QAE. (GRPO weighs both alike; QAE "
            r"weighs by $2(1-p)$, so the rare success counts more.)",
            check=partial(_opposite_signs, probs=SMALL, size=2, level="2/5"),
            planted="K = 3/5",
            control=partial(_opposite_signs, probs=SMALL, size=2, level="3/5"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"**At a usual group size.** $G = 16$, $K = 2/5$, $p = 0.1$ and $0.63$: -.0141 under "
            r"GRPO, +.0080 under QAE.",
            check=partial(_quoted_sums, probs=LARGE),
            planted="p = 0.64 for 0.63",
            control=partial(_quoted_sums, probs=(LARGE[0], Fraction(64, 100))),
            generality=Generality.GENERAL,
        ),
    )


def _two_arm_form(*, level: str) -> Finding:
    """Find whether the shipped first-order change and gains of two responses have their closed forms."""
    p = sympy.Symbol("p", positive=True)
    z = formulas([sympy.log(p), sympy.log(1 - p)])
    # -Cov(log pi, pi (r - V)) of two responses.
    slope = -2 * p**2 * (1 - p) ** 2 * (sympy.log(p) - sympy.log(1 - p))
    shipped_slope = expression(first_order_entropy_change(z, update_direction(z, [1, 0], "policy_gradient")))
    grpo = expression(gain(scalar(p), outcome_advantages(2, "grpo", exact=True, eps=0)))
    qae = expression(gain(scalar(p), outcome_advantages(2, "qae", exact=True, k=level, eps=0)))
    return all_zero([qae - 2 * (1 - p), grpo - 1, shipped_slope - slope], sympy.expand)


def _opposite_signs(*, probs: tuple[Fraction, ...], size: int, level: str) -> Finding:
    """Find whether the sum over queries is negative under GRPO and positive under QAE; show both."""
    grpo, qae = _sums(probs, size, level)
    finding = both(certainly_positive(-grpo, "minus GRPO's sum"), certainly_positive(qae, "QAE's sum"))
    return with_witness(
        finding,
        {
            "queries": " and ".join(f"pi = ({p}, {1 - p})" for p in probs),
            "r": "(1, 0)",
            "G": str(size),
            "K": level,
            "sum under GRPO": ball(grpo).str(6, radius=False),
            "sum under QAE": ball(qae).str(6, radius=False),
        },
    )


def _quoted_sums(*, probs: tuple[Fraction, ...]) -> Finding:
    """Find whether the sums at G = 16 are the quoted ones."""
    grpo, qae = _sums(probs, 16, "2/5")
    # Half a unit of the last quoted digit.
    return both(
        close_to(grpo, "-0.0141", "GRPO", half_width="0.00005"), close_to(qae, "0.0080", "QAE", half_width="0.00005")
    )


def _sums(probs: tuple[Fraction, ...], size: int, level: str) -> tuple[Any, Any]:
    """Return the sums over queries of the expected first-order changes under GRPO and under QAE."""
    grpo = sum(_change(p, size, "grpo", eps=0) for p in probs)
    return grpo, sum(_change(p, size, "qae", k=level, eps=0) for p in probs)


def _change(p: Fraction, size: int, rule: str, **options: Any) -> Any:
    """Return the shipped expected first-order change of a query of two responses."""
    logits = np.array([sympy.log(rational(p)), sympy.log(rational(1 - p))], dtype=object)
    return number(expected_first_order_change(logits, [1, 0], size, rule, **options))
