"""Prove claim ``prop42-policy-gradient`` and refute its strict form: for the exact gradient the baseline drops out.

The direction is pi (r - V) for every b, so that the weak inequality of Prop. 4.2 holds as an equality at every step
size, and the strict one fails. The shipped update runs on any number of responses; SymPy decides. The natural gradient,
of which the same is true for another reason, is in ``prop42_natural_gradient``.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

import sympy

from qae_theory.baselines import quantile_baseline
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, first_order_entropy_change
from qae_theory.proofs.carriers.formulas import expression, formulas, scalar
from qae_theory.proofs.carriers.generic_arm import for_any_policy
from qae_theory.proofs.carriers.moments import ARM, X
from qae_theory.proofs.prop42.prop42_uncentred import first_order_change
from qae_theory.proofs.tools.checking import all_zero, with_witness
from qae_theory.proofs.tools.rational_policies import THIRDS, log_form, logs, number, population
from qae_theory.updates import update_direction

RULE = "policy_gradient"
# The smallest policies: one right response in three is hard at K = 2/5, two in three are easy at K = 3/5.
HARD_LEVEL, EASY_LEVEL = Fraction(2, 5), Fraction(3, 5)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    weak, strict = "prop42-policy-gradient", "prop42-policy-gradient-strict"
    # The direction decides; the other two say what follows for entropy, at first order and beyond.
    steps = (_same_direction_step(), no_effect_step(RULE), every_order_step(RULE))
    ledger.add(Evidence(weak, "baseline-drops-out", Kind.PROOF, Role.FOR, steps))
    ledger.add(Evidence(strict, "equal-changes", Kind.WITNESS, Role.AGAINST, (equal_change_step(RULE),)))


def _same_direction_step() -> Step:
    return Step(
        says=r"For every number of responses the shipped `update_direction` of the policy gradient is $\pi(r - V)$, "
        r"whatever $b$ is: $r - b - E_\pi[r - b] = r - E_\pi r$. The direction is the same for all baselines, so the "
        r"policy after the step and its entropy are too, at every step size, and both inequalities hold as "
        r"equalities.",
        check=partial(_direction_without_baseline, rule=RULE),
        planted="the uncentred update, where b acts",
        control=partial(_direction_without_baseline, rule="uncentred"),
        generality=Generality.GENERAL,
    )


def no_effect_step(rule: str) -> Step:
    """Return the step that the shipped first-order change of this rule does not depend on the baseline.

    Args:
        rule: a name of a rule of ``update_direction``.
    """
    return Step(
        says=r"In particular the shipped first-order change, on any number of arms, does not depend on $b$.",
        check=partial(_change_without_baseline, rule=rule),
        planted="the uncentred update, where b acts",
        control=partial(_change_without_baseline, rule="uncentred"),
        generality=Generality.GENERAL,
    )


def every_order_step(rule: str) -> Step:
    """Return the tie of the shipped finite change: it is the same for every baseline, for two and three responses.

    Args:
        rule: a name of a rule of ``update_direction``.
    """
    return Step(
        says=r"Tie: the shipped `entropy_change` at a symbolic step size $\eta$ is identically the same with "
        r"symbolic $b$ as with 0, for 2 and 3 responses with symbolic policy and rewards.",
        check=partial(_same_at_every_order, rule=rule),
        planted="the uncentred update, where b acts",
        control=partial(_same_at_every_order, rule="uncentred"),
        tie=True,
    )


def equal_change_step(rule: str) -> Step:
    """Return the witness against the strict inequality: two queries at which both baselines give the same change.

    Args:
        rule: a name of a rule of ``update_direction``.
    """
    return Step(
        says=r"$\pi=(1/3,2/3)$, $r=(1,0)$, $K=2/5$: the query is hard, $b_K=0$, and $b=1$ gives exactly the same "
        r"first-order change; in the mirror image, $\pi=(2/3,1/3)$, $K=3/5$, $b_K=1$, so does $b=0$. "
        r"Nothing is strict.",
        check=partial(_equal_change, rule=rule),
        planted="the uncentred update, where b acts",
        control=partial(_equal_change, rule="uncentred"),
        generality=Generality.GENERAL,
    )


def direction(rule: str, baseline: Any) -> Any:
    """Return the shipped direction at one arm of any policy; the reward of an arm is ``X``.

    Args:
        rule: a name of a rule of ``update_direction``.
        baseline: b, a SymPy number or symbol.
    """
    return for_any_policy(
        lambda arms: update_direction(arms.logits(), arms.entries(X), rule, baseline=scalar(baseline))
    )


def _direction_without_baseline(*, rule: str) -> Finding:
    """Find whether the shipped direction has the derivative 0 in b."""
    b = sympy.Symbol("b", real=True)
    return all_zero([sympy.diff(direction(rule, b), b)], sympy.expand)


def depends_on_arm(expression_at_arm: Any) -> list[Any]:
    """Return the derivatives in the arm's own quantities, which are 0 where all arms share one number."""
    # A number that all arms share has no derivative in any quantity of one arm.
    return [sympy.diff(sympy.expand(expression_at_arm), quantity) for quantity in ARM]


def _change_without_baseline(*, rule: str) -> Finding:
    """Find whether the shipped first-order change at b is that at 0."""
    b = sympy.Symbol("b", real=True)
    return all_zero([first_order_change(rule, b) - first_order_change(rule, 0)], sympy.expand)


def _same_at_every_order(*, rule: str) -> Finding:
    """Find whether the shipped finite change with symbolic b is that at 0, for symbolic policies and steps."""
    eta, b = sympy.Symbol("eta", positive=True), sympy.Symbol("b", real=True)
    residuals = []
    for arms in (2, 3):
        # The last probability is what is left, so that the symbols need no side condition.
        free = sympy.symbols(f"p1:{arms}", positive=True)
        z = formulas(sympy.log(p) for p in (*free, 1 - sum(free)))
        rewards = formulas(sympy.symbols(f"r1:{arms + 1}", real=True))

        def change(baseline: Any, z: Any = z, rewards: Any = rewards) -> Any:
            pushed = update_direction(z, rewards, rule, baseline=scalar(baseline))
            # A baseline that cancels must be gone before it enters an exponent, where SymPy would keep it.
            expanded = formulas(sympy.expand(entry.expression) for entry in pushed)
            return expression(entropy_change(z, expanded, scalar(eta)))

        # The policies before the step are the same, so that only the policies after it matter.
        residuals.append(change(b) - change(0))
    # Expanding inside the exponentials brings equal exponents to one form; the rest then cancels.
    return all_zero(residuals, lambda e: sympy.expand(e, power_exp=False))


def _equal_change(*, rule: str) -> Finding:
    """Find whether the changes at b_K and at the other end are equal, on a hard query and on its mirror image."""
    shown, residuals = {}, []
    for probs, k in ((THIRDS, HARD_LEVEL), (THIRDS[::-1], EASY_LEVEL)):
        z = logs(probs)
        # b_K by the shipped quantile, and the other end of [0, 1].
        own = Fraction(int(quantile_baseline(population(probs), k)))
        changes = []
        for b in (own, 1 - own):
            changes.append(number(first_order_entropy_change(z, update_direction(z, [1, 0], rule, baseline=b))))
        residuals.append(changes[0] - changes[1])
        shown[own] = [str(log_form(change)) for change in changes]
    witness = {
        "pi": "(1/3, 2/3)",
        "r": "(1, 0)",
        "K": str(HARD_LEVEL),
        "V": str(THIRDS[0]),
        "result": f"first-order change {shown[Fraction(0)][0]} at b_K = 0, {shown[Fraction(0)][1]} at b = 1",
    }
    return with_witness(all_zero(residuals, log_form), witness)
