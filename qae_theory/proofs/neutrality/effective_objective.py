"""Prove claim ``effective-objective``: in the limit of large groups QAE and GRPO ascend E_q[2 arcsin sqrt(p_q)].

Both gains tend to 1/sqrt(p (1 - p)), its derivative, and a finite mean over queries keeps the limit. SymPy and z3
decide the two steps that are added to ``neutrality`` and ``neutrality_limit``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.group_expectation import expected_gain
from qae_theory.proofs.neutrality.neutrality import expected_update_steps
from qae_theory.proofs.neutrality.neutrality_limit import group_form_steps, limit_steps
from qae_theory.proofs.tools.checking import for_all, valid, zero


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    # The expected update, the gains as means over groups, their limit, and what the limit ascends.
    steps = (*expected_update_steps(), *group_form_steps(), *limit_steps(), *_objective(), _tie())
    ledger.add(Evidence("effective-objective", "limit-of-the-gain", Kind.PROOF, Role.FOR, steps))


def _objective() -> tuple[Step, ...]:
    return (
        Step(
            says=r"The limit $1/\sqrt{p(1-p)}$ of both gains is the derivative of $2\arcsin\sqrt p$ on $(0, 1)$. So "
            r"for one query $w\,\nabla p \to \nabla\,2\arcsin\sqrt p$ (chain rule).",
            check=partial(_derivative, factor=2),
            planted="arcsin sqrt p",
            control=partial(_derivative, factor=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Over a finite set of queries with weights $\lambda_q \ge 0$, $|\sum_q\lambda_q(w_q - "
            r"1/s_q)\partial p_q| \le \sum_q\lambda_q\frac{C_q}{\sqrt G}|\partial p_q|$ in every parameter, which "
            r"goes to 0: the expected update tends to the gradient of $E_q[2\arcsin\sqrt{p_q}]$. (One query is added "
            r"at a time.)",
            check=partial(_one_more_query, larger=True),
            planted="a gap that exceeds its bound",
            control=partial(_one_more_query, larger=False),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the shipped `expected_gain` of QAE (three $K$) and of GRPO at $G = 4096$ is within 10% of the "
        r"numerical derivative of $2\arcsin\sqrt p$, for $p$ from .1 to .9.",
        check=partial(_shipped_gain, factor=2.0),
        planted="arcsin sqrt p",
        control=partial(_shipped_gain, factor=1.0),
        tie=True,
    )


def _derivative(*, factor: int) -> Finding:
    """Find whether ``factor`` times arcsin sqrt(p) has the derivative 1/sqrt(p (1 - p))."""
    p = sympy.Symbol("p", positive=True)
    slope = sympy.diff(factor * sympy.asin(sympy.sqrt(p)), p)
    return zero(slope - 1 / sympy.sqrt(p * (1 - p)), sympy.simplify)


def _one_more_query(*, larger: bool) -> Finding:
    """Check the induction step: one more query adds at most its weight times its own bound to the gap."""
    before, bound, weight, gap, most, slope, size = z3.Reals("before bound weight gap most slope size")
    # |gap| <= most, without an absolute value.
    within = z3.And(gap <= most, -gap <= most) if larger else z3.And(gap >= most, most >= 0)
    added = weight * gap * slope
    allowed = bound + weight * most * size
    # The hypothesis: the queries so far are within their bound.
    known = (before <= bound, -before <= bound, weight >= 0, within, most >= 0, size >= slope, size >= -slope)
    return valid(z3.And(before + added <= allowed, -(before + added) <= allowed), *known)


def _shipped_gain(effort: Effort, *, factor: float) -> Finding:
    """Find whether the shipped gains at G = 4096 are within 10% of the numerical derivative."""
    p = np.linspace(0.1, 0.9, effort.pick(17, 5))
    step = 1e-6  # a central difference is then right to 1e-9
    slope = factor * (np.arcsin(np.sqrt(p + step)) - np.arcsin(np.sqrt(p - step))) / (2 * step)

    def cases() -> Iterator[tuple[str, bool]]:
        for rule, k in product(("grpo", "qae"), ("0.2", "0.4", "0.8")):
            options: dict[str, Any] = {"k": k} if rule == "qae" else {}
            gains = expected_gain(p, 4096, rule, eps=0, **options)
            # 10%: the largest constant of the limit, 1/(K p) over sqrt(4096), relative to 1/s.
            yield f"{rule}, K={k}", bool(np.all(np.abs(gains / slope - 1) < 0.1))

    return for_all(cases(), "p from .1 to .9, G = 4096")
