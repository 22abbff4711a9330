"""Refute claim ``ebpo``, that a baseline shrunk to other groups' mean makes entropy move more slowly: it moves faster.

With A = R - (1 - S) m/G - S mu the gain is 1 - (1 - S)/G, above (G - 1)/G with the group's mean. Two groups of two are
enumerated with shipped functions; SymPy and z3 decide the law for all G and S.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import sympy
import z3

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.group_expectation import OutcomeAdvantages, gain
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.tools.checking import all_zero, both, certainly_positive, rational, valid, with_witness, zero
from qae_theory.proofs.tools.enumeration import all_groups, exact, group_weights, query
from qae_theory.proofs.tools.rational_policies import log_form, number
from qae_theory.updates import update_direction

QUERY = query("1/3 2/3", "1 0")
SHRINKAGE = Fraction(1, 2)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("ebpo", "two-groups-of-two", Kind.WITNESS, Role.AGAINST, (_witness(), *_law(), _tie())))


def _witness() -> Step:
    return Step(
        says=r"$\pi = (1/3, 2/3)$, $r = (1, 0)$, $G = 2$, $S = 1/2$, one other group of two from the same query: "
        r"over all groups of both, the expected first-order entropy change (shipped direction and change, exactly) "
        r"is $\frac34h$ with the shrinkage baseline and $\frac12h$ with the group's mean, $h > 0$. Entropy moves "
        r"faster.",
        check=partial(_faster, shrinkage=SHRINKAGE),
        planted="S = 0, the group's mean itself",
        control=partial(_faster, shrinkage=Fraction(0)),
        generality=Generality.GENERAL,
    )


def _law() -> tuple[Step, ...]:
    return (
        Step(
            says=r"In general, with $m = j + R_i$ correct responses and the others' mean $\mu$, independent of the "
            r"group: $A = R - (1-S)m/G - S\mu$, whose difference between a correct and a wrong response is $1 - "
            r"(1-S)/G$ for every $j$ and $\mu$ (symbolic $G$, $j$, $S$). So $w = 1 - (1-S)/G$.",
            check=partial(_contrast, own=1),
            planted="the group's mean without the own reward",
            control=partial(_contrast, own=0),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"For $0 < S \le 1$ this exceeds $(G-1)/G$, the gain of the group's mean: the size of the "
            r"first-order change, $w|h|$, is larger on every query that moves at all.",
            check=partial(_larger_gain, positive=True),
            planted="S < 0",
            control=partial(_larger_gain, positive=False),
            generality=Generality.GENERAL,
        ),
    )


def _tie() -> Step:
    return Step(
        says=r"Tie: the shipped `gain` of that table, on symbolic $p$, $S$ and $\mu$, is $1 - (1-S)/G$ for $G$ up to "
        r"a size.",
        check=partial(_shipped_gain, kept=1),
        planted="1 - S/G",
        control=partial(_shipped_gain, kept=0),
        tie=True,
    )


def _expected_change(shrinkage: Fraction) -> Any:
    """Return the expected first-order change with the shrinkage baseline, over all pairs of groups of two."""
    groups = all_groups(2, 2)
    weights = group_weights(QUERY.exact_probs, groups)
    rewards = exact(QUERY.arm_rewards)[groups]
    total = sympy.Integer(0)
    # Both groups are listed: the other one moves the baseline only.
    for (group, weight, r), (other_weight, other) in product(
        zip(groups, weights, rewards, strict=True), zip(weights, rewards, strict=True)
    ):
        baseline = (1 - shrinkage) * sum(r) / 2 + shrinkage * sum(other) / 2
        d = update_direction(QUERY.logits, QUERY.arm_rewards, "sampled_group", responses=group, advantages=r - baseline)
        total += rational(weight * other_weight) * number(first_order_entropy_change(QUERY.logits, d))
    return total


def _faster(*, shrinkage: Fraction) -> Finding:
    """Find whether the expected first-order change is 3/4 h with shrinkage and 1/2 h without; show both."""
    gradient = update_direction(QUERY.logits, QUERY.arm_rewards, "policy_gradient")
    slope = number(first_order_entropy_change(QUERY.logits, gradient))
    shrunk, mean = _expected_change(shrinkage), _expected_change(Fraction(0))
    faster = certainly_positive(log_form(shrunk - mean), "with shrinkage less with the mean")
    gains = all_zero([shrunk - sympy.Rational(3, 4) * slope, mean - slope / 2], log_form)
    shown = {
        "pi": "(1/3, 2/3)",
        "r": "(1, 0)",
        "G": "2",
        "S": str(shrinkage),
        "first-order change with the shrinkage baseline": str(sympy.N(shrunk, 8)),
        "first-order change with the group's mean": str(sympy.N(mean, 8)),
        "result": "entropy moves faster, by the factor 3/2",
    }
    return with_witness(both(faster, certainly_positive(slope, "h"), gains), shown)


def _contrast(*, own: int) -> Finding:
    """Find whether a correct response's advantage exceeds a wrong one's by 1 - (1 - S)/G, whatever the others are."""
    size, j, shrinkage, mean = sympy.symbols("G j S mu", real=True)
    # m = j + 1 of a correct response, m = j of a wrong one, with j correct others.
    right = 1 - (1 - shrinkage) * (j + own) / size - shrinkage * mean
    wrong = 0 - (1 - shrinkage) * j / size - shrinkage * mean
    return zero(right - wrong - (1 - (1 - shrinkage) / size))


def _larger_gain(*, positive: bool) -> Finding:
    """Find whether 1 - (1 - S)/G exceeds (G - 1)/G for 0 < S <= 1."""
    size, shrinkage = z3.Reals("G S")
    sign = shrinkage > 0 if positive else shrinkage < 0
    return valid(1 - (1 - shrinkage) / size > (size - 1) / size, size >= 2, shrinkage <= 1, sign)


def _shipped_gain(effort: Effort, *, kept: int) -> Finding:
    """Find whether the shipped gain of the shrinkage baseline's table is 1 - (1 - S)/G."""
    p, shrinkage, mean = sympy.symbols("p S mu", positive=True)
    residuals = []
    for size in range(2, effort.pick(9, 6)):
        # The shrunk baseline of a group with m correct responses.
        shift = [(1 - shrinkage) * sympy.Rational(m, size) + shrinkage * mean for m in range(size + 1)]
        table = OutcomeAdvantages(formulas([0, *(1 - b for b in shift[1:])]), formulas([*(-b for b in shift[:-1]), 0]))
        part = 1 - shrinkage if kept else shrinkage
        residuals.append(expression(gain(scalar(p), table)) - (1 - part / size))
    return all_zero(residuals, sympy.expand)
