"""Refute claim ``prop41-rarer-is-larger``, that the rarer a hard group's success, the larger its amplification.

Both the amplification 1/(1 - p) and the weight u(p) = sqrt(p/(1 - p)) increase in the success rate p. Two groups of
four show it with the shipped functions; z3 decides it for all p.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import sympy
import z3

from qae_theory.advantages import advantages
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.objective import query_weights
from qae_theory.proofs.tools.checking import all_zero, for_all, valid, with_witness
from qae_theory.proofs.tools.groups import binary_group


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("prop41-rarer-is-larger", "two-hard-groups", Kind.WITNESS, Role.AGAINST, _rarer_steps()))


def _rarer_steps() -> tuple[Step, ...]:
    return (
        Step(
            says="Groups of four at $K = 2/5$, both hard: one success is amplified 4/3 times with weight $u = "
            r"1/\sqrt3$, each of two successes twice with weight 1. The rarer success is amplified less.",
            check=partial(_rarer_is_smaller, rare=1, common=2),
            planted="the two groups exchanged",
            control=partial(_rarer_is_smaller, rare=2, common=1),
            generality=Generality.GENERAL,
        ),
        Step(
            says="For all $0 < p_1 < p_2 < 1$: $1/(1-p_1) < 1/(1-p_2)$ and $u(p_1)^2 < u(p_2)^2$. So the "
            "statement fails for every pair of hard groups, and both peak at the threshold.",
            check=partial(_increasing, weight=lambda p: p / (1 - p)),
            planted="v for u",
            control=partial(_increasing, weight=lambda p: (1 - p) / p),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"As $p \to 0$ the factor $1/(1-p)$ tends to 1 and $u(p)$ to 0.",
            check=partial(_limits, factor_limit=1),
            planted="the factor tends to 2",
            control=partial(_limits, factor_limit=2),
            generality=Generality.GENERAL,
        ),
    )


def _rarer_is_smaller(*, rare: int, common: int) -> Finding:
    """Find whether the group with ``rare`` successes has the smaller amplification and weight; show both."""
    factors, weights = [], []
    for m in (rare, common):
        rewards = binary_group(m, 4)
        # The last response of the group is a correct one.
        factors.append(sympy.S(advantages(rewards, "qae", eps=0)[-1]) / sympy.S(advantages(rewards, "grpo", eps=0)[-1]))
        weights.append(sympy.S(query_weights(rewards, "qae").positive.item()))
    smaller = bool(factors[0] < factors[1]) and bool(weights[0] < weights[1])
    finding = for_all([(f"amplifications {factors}, weights {weights}", smaller)], "two hard groups")
    shown = {"K": "2/5", "G": "4"}
    for m, factor, weight in zip((rare, common), factors, weights, strict=True):
        shown |= {f"amplification at m = {m}": str(factor), f"u at m = {m}": str(weight)}
    return with_witness(finding, shown)


def _increasing(*, weight: Callable[[Any], Any]) -> Finding:
    """Find whether 1/(1 - p) and the squared weight increase in p."""
    p, q = z3.Reals("p_1 p_2")
    return valid(z3.And(1 / (1 - p) < 1 / (1 - q), weight(p) < weight(q)), p > 0, p < q, q < 1)


def _limits(*, factor_limit: int) -> Finding:
    """Find whether the amplification and the weight have these limits for p to 0."""
    p = sympy.symbols("p", positive=True)
    factor, weight = sympy.limit(1 / (1 - p), p, 0, "+"), sympy.limit(sympy.sqrt(p / (1 - p)), p, 0, "+")
    return all_zero([factor - factor_limit, weight])
