"""Prove claim ``prop42-natural-gradient`` and refute its strict form: the baseline shifts all logits alike.

Softmax does not see a shift, so that the weak inequality of Prop. 4.2 holds as an equality at every step size, and the
strict one fails. The shipped update runs on any number of responses; SymPy decides the steps.
"""

from __future__ import annotations

from functools import partial

import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.proofs.prop42.prop42_policy_gradient import (
    depends_on_arm,
    direction,
    equal_change_step,
    every_order_step,
    no_effect_step,
)
from qae_theory.proofs.tools.checking import all_zero, zero

RULE = "natural_gradient"


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    weak, strict = "prop42-natural-gradient", "prop42-natural-gradient-strict"
    # The shift decides; the other two say what follows for entropy, at first order and beyond.
    steps = (*_shift_steps(), no_effect_step(RULE), every_order_step(RULE))
    ledger.add(Evidence(weak, "a-shift-of-all-logits", Kind.PROOF, Role.FOR, steps))
    ledger.add(Evidence(strict, "equal-changes", Kind.WITNESS, Role.AGAINST, (equal_change_step(RULE),)))


def _shift_steps() -> tuple[Step, ...]:
    return (
        Step(
            says=r"For every number of responses the shipped `update_direction` of the natural gradient at $b$ "
            r"differs from that at 0 by the same number, $-b$, at every response.",
            check=partial(_differs_by_a_number, rule=RULE),
            planted="the uncentred update, where it differs by -b pi",
            control=partial(_differs_by_a_number, rule="uncentred"),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Softmax does not see a number that is added to all logits: with $w$ the weight of one response "
            r"and $R$ the sum of the others', $we^c/(we^c + Re^c) = w/(w+R)$, for any number of responses. With $c = "
            r"-\eta b$ the policy after the step is the same for all $b$, and so is its entropy, at every step size: "
            r"both inequalities hold as equalities.",
            check=partial(_softmax_ignores_shift, own=1),
            planted="only one response is shifted",
            control=partial(_softmax_ignores_shift, own=0),
            generality=Generality.GENERAL,
        ),
    )


def _differs_by_a_number(*, rule: str) -> Finding:
    """Find whether the directions at b and at 0 differ by -b at every response."""
    b = sympy.Symbol("b", real=True)
    # Against b = 0, so that the rewards drop out.
    difference = direction(rule, b) - direction(rule, 0)
    return all_zero([*depends_on_arm(difference), difference + b], sympy.expand)


def _softmax_ignores_shift(*, own: int) -> Finding:
    """Find whether adding a number to all logits leaves the probability of a response as it is."""
    c = sympy.Symbol("c", real=True)
    weight, others = sympy.symbols("w R", positive=True)
    # One response in full and the others in one sum: this is any number of responses.
    moved = weight * sympy.exp(c) / (weight * sympy.exp(c) + others * sympy.exp(own * c))
    return zero(moved - weight / (weight + others), sympy.simplify)
