"""Tie claim ``identity`` to the shipped functions: SymPy, power series, ball arithmetic and finite differences.

Three kinds of derivative of the shipped entropy are compared with the shipped closed form, and the functions on floats
with their exact values. The proof is in ``identity``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import flint
import numpy as np
import sympy

from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.entropy_change import entropy_change, first_order_entropy_change, second_order_entropy_change
from qae_theory.proofs.carriers.formulas import expression, expressions, formulas
from qae_theory.proofs.carriers.series import first_coefficients, moving_logits
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import Case, policies, row_by_row, steps_of
from qae_theory.proofs.tools.checking import all_zero, for_all
from qae_theory.softmax import entropy, entropy_gradient, log_softmax, probabilities


def three_derivatives() -> tuple[Step, ...]:
    """Return the ties of the closed form to SymPy's, automatic and numerical derivatives of the shipped entropy."""
    return (
        Step(
            says=r"Closed form against SymPy: for $n = 2, 3, 4$ with symbols for weights and directions, the "
            r"derivative of the shipped `entropy` at $z + \eta d$ is the shipped "
            r"`first_order_entropy_change`, and its gradient the shipped `entropy_gradient`.",
            check=partial(_symbolic, scale=1),
            planted="twice the closed form",
            control=partial(_symbolic, scale=2),
            tie=True,
        ),
        Step(
            says=r"Closed form against automatic differentiation: the shipped `entropy` run on power series in "
            r"$\eta$ has the shipped first-order change as its first coefficient.",
            check=partial(_automatic, coefficient=1),
            planted="the second coefficient",
            control=partial(_automatic, coefficient=2),
            tie=True,
        ),
        Step(
            says=r"Closed form against finite differences: $|\Delta H/\eta - h_1|$ shrinks at least in "
            r"proportion to $\eta$ (fitted slope of the shipped functions), on peaked policies too.",
            check=partial(_finite_differences, scale=1.0),
            planted="1.01 times the closed form",
            control=partial(_finite_differences, scale=1.01),
            tie=True,
        ),
    )


def shipped_floats() -> tuple[Step, ...]:
    """Return the ties of the shipped functions on floats to ball arithmetic."""
    return (
        Step(
            says=r"The shipped `log_softmax`, `probabilities`, `entropy` and `entropy_gradient` on floats are "
            r"the ball-arithmetic values to a few roundings of the widest logit gap, for gaps from "
            r"$10^{-9}$ to beyond the range of float64.",
            check=partial(_float_policies, off=0.0),
            planted="probabilities 1 + 1e-12 times as large",
            control=partial(_float_policies, off=1e-12),
            tie=True,
        ),
        Step(
            says=r"The shipped first- and second-order entropy change on floats are the ball-arithmetic values.",
            check=partial(_float_derivatives, off=0.0),
            planted="values 1 + 1e-9 times as large",
            control=partial(_float_derivatives, off=1e-9),
            tie=True,
        ),
        Step(
            says=r"The shipped `entropy_change` on floats is the ball-arithmetic difference of entropies for "
            r"steps from $10^{-12}$ to $10^3$, of either sign.",
            check=partial(_float_changes, off=0.0),
            planted="values 1 + 1e-9 times as large",
            control=partial(_float_changes, off=1e-9),
            tie=True,
        ),
        Step(
            says=r"Steps up to the end of float64, which leave one arm and so change the entropy by $-H$, and "
            r"small ones beside them in one batch; exact arrays, in batches and beside floats, give the "
            r"same numbers as floats.",
            check=partial(_ends, sign=-1),
            planted="+H",
            control=partial(_ends, sign=1),
            tie=True,
        ),
        Step(
            says=r"Batches: every shipped function treats rows apart, whichever of its arguments carry the batch.",
            check=partial(_batches, shift=0),
            planted="the rows shifted by one",
            control=partial(_batches, shift=1),
            tie=True,
        ),
    )


def _symbolic(effort: Effort, *, scale: int) -> Finding:
    """Find whether SymPy's derivative of the shipped entropy is the shipped first-order change and gradient."""
    eta = sympy.Symbol("eta", real=True)
    residuals = []
    for n in effort.pick((2, 3, 4), (2, 3)):
        weights = sympy.symbols(f"w:{n}", positive=True)
        direction = sympy.symbols(f"d:{n}", real=True)
        logits = formulas(sympy.log(w) for w in weights)
        moving = formulas(sympy.log(w) + eta * d for w, d in zip(weights, direction, strict=True))
        derivative = sympy.diff(expression(entropy(moving)), eta).subs(eta, 0)
        first = expression(first_order_entropy_change(logits, formulas(direction)))
        gradient = expressions(entropy_gradient(logits))
        # The gradient times the direction is the derivative along it.
        along = sum(d * g for d, g in zip(direction, gradient, strict=True))
        residuals += [derivative - scale * first, derivative - scale * along]
    return all_zero(residuals, lambda x: sympy.cancel(sympy.expand_log(x)))


def _automatic(effort: Effort, *, coefficient: int) -> Finding:
    """Find whether the shipped entropy on power series has the shipped first-order change as its first coefficient."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            with flint.ctx.workdps(400):  # log sum exp of a gap of 700 needs 300 digits to see the small arm
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                # Three coefficients: the value, h_1, and one more for the control.
                series = first_coefficients(entropy(moving_logits(z, d, 3)))
                shipped = first_order_entropy_change(case.logits, case.direction)
                yield case.label, _near(shipped, series[coefficient], case)

    return for_all(cases(), "policies from uniform to peaked")


def _finite_differences(effort: Effort, *, scale: float) -> Finding:
    """Find whether the difference quotient of the shipped change tends to the shipped closed form at first order."""

    def cases() -> Iterator[tuple[str, bool]]:
        # From 1e-1 to 1e-3 the difference stays well above the round-off of the shipped change (1e-15 relative).
        steps = np.logspace(-1, -3, 5)
        for case in policies(effort):
            if case.flat or len(case.logits) == 1:
                continue  # h_1 is 0 or made of rounding: nothing to converge to
            changes = entropy_change(case.logits, case.direction, steps)
            errors = np.abs(changes / steps - scale * first_order_entropy_change(case.logits, case.direction))
            slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
            yield f"{case.label}: slope {slope:.3f}", bool(slope > 0.9)  # first order; above 1 is welcome

    return for_all(cases(), "fitted slopes at least 0.9")


def _near(value: Any, truth: Any, case: Case, *, floor: float = 0.0) -> bool:
    """Return whether a float is right to 1e-13 relative, or to 1e-15 of the direction's size where terms cancel."""
    cancelled = flint.arb(1e-2) * exact.spread(exact.balls(case.direction)) if case.flat else 0
    # 1e-80: the radius of a ball around 0; 1e-295: subnormal results have no relative accuracy.
    size = abs(truth) + cancelled + flint.arb(1e-80 if case.flat else 1e-295) + flint.arb(floor)
    return exact.close(value, truth, relative=1e-13, scale=size)


def _float_policies(effort: Effort, *, off: float) -> Finding:
    """Find whether the shipped functions of one policy on floats are the ball-arithmetic values, to a few roundings."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort, extreme=True):
            with flint.ctx.workdps(exact.DIGITS):
                probs, _ = exact.policy(exact.balls(case.logits))
                for name, values, truths in _policy_functions(case, off):
                    close = []
                    # The entropy is one number, whose tolerance asks for no probability.
                    for value, truth, prob in zip(values, truths, probs[: len(truths)], strict=True):
                        tolerance = _relative(name, case) * abs(truth) + _floor(name, prob)
                        close.append(exact.close(value, truth, relative=1.0, scale=tolerance))
                    yield f"{name}, {case.label}", all(close)

    return for_all(cases(), "policies from uniform to gaps beyond float64")


def _policy_functions(case: Case, off: float) -> Iterator[tuple[str, Any, list[Any]]]:
    """Yield a function's name, its floats (the probabilities 1 + off times as large) and their exact values."""
    z = exact.balls(case.logits)
    probs, logs = exact.policy(z)
    floor = flint.arb(-1e308)  # beyond it a log-probability is no float
    yield "probabilities", probabilities(case.logits) * (1 + off), probs
    yield "log_softmax", np.maximum(log_softmax(case.logits), -1e308), [max(x, floor) for x in logs]
    yield "entropy", [entropy(case.logits)], [exact.entropy(z)]
    yield "entropy_gradient", entropy_gradient(case.logits), exact.entropy_gradient(z)


def _relative(name: str, case: Case) -> Any:
    """Return the relative error that a function's floats may have, as a ball."""
    # exp turns an absolute error of its argument, half an ulp of a gap, into a relative one.
    widest = min(float(np.ptp(case.logits / 2)), 1000.0)
    return flint.arb(1e-15 * (4 + widest) if name != "log_softmax" else 1e-15)


def _floor(name: str, prob: Any) -> Any:
    """Return the absolute error that a function's floats may have, as a ball."""
    # 1e-300: subnormal numbers. A gradient is pi times a difference of logarithms: a few ulp of those remain.
    return flint.arb(1e-300) + (flint.arb(4e-15) * prob if name == "entropy_gradient" else 0)


def _float_derivatives(effort: Effort, *, off: float) -> Finding:
    """Find whether the shipped first- and second-order changes on floats are the ball-arithmetic values."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            with flint.ctx.workdps(exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                first = first_order_entropy_change(case.logits, case.direction) * (1 + off)
                second = second_order_entropy_change(case.logits, case.direction) * (1 + off)
                yield f"first, {case.label}", _near(first, exact.slope(z, d), case)
                # d - E d is off by an ulp, and its square, 1e-31, is all that a peaked policy leaves of it.
                yield f"second, {case.label}", _near(second, exact.curvature(z, d), case, floor=1e-18)

    return for_all(cases(), "policies from uniform to peaked")


def _float_changes(effort: Effort, *, off: float) -> Finding:
    """Find whether the shipped entropy change on floats is the ball-arithmetic one, for steps of every size."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, eta in product(policies(effort), steps_of(effort)):
            with flint.ctx.workdps(exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                truth = exact.entropy_change(z, d, flint.arb(eta))
                shipped = entropy_change(case.logits, case.direction, eta) * (1 + off)
                moved = abs(flint.arb(eta)) * exact.spread(d)
                # Rounding of a gap eta d moves the entropy by as much; small steps keep their relative accuracy
                # unless the first-order term itself cancels.
                floor = moved * flint.arb(2e-15) if case.flat or abs(eta) > 1 else flint.arb(0)
                # 1e-80: the radius of a ball around 0; 1e-295: subnormal results have no relative accuracy.
                floor += flint.arb(1e-80 if case.flat or eta == 0 else 1e-295)
                size = flint.arb(1e-13) * abs(truth) + floor
                yield f"{case.label}, eta={eta}", exact.close(shipped, truth, relative=1.0, scale=size)

    return for_all(cases(), "policies from uniform to peaked, every step size")


def _ends(*, sign: int) -> Finding:
    """Find whether the largest steps of float64, and exact and mixed arrays, give what they should."""
    z, d = np.array([0.0, 2.0, -1.0]), np.array([1.0, 0.0, -1.0])
    weights = [[1, 2, 3], [5, 1, 1]]
    exact_logits = np.array([[sympy.log(w) for w in row] for row in weights], dtype=object)
    floats = np.log(np.array(weights, dtype=float))
    fractions = np.array([Fraction(x) for x in (1, 0, -1)], dtype=object)

    def same(name: str, left: Any, right: Any) -> tuple[str, bool]:
        # 1e-12: a few roundings on the side of the floats.
        return name, bool(np.allclose(np.asarray(left, dtype=float), right, rtol=1e-12, atol=0.0))

    # 1.5e308 times a direction of 1 is still a float; a difference of two such logits is not.
    steps = np.array([1.5e308, 1e-9, -1e300])
    with np.errstate(over="ignore"):
        changes = entropy_change(z, d, steps)
    return for_all(
        [
            same("largest steps", changes[[0, 2]], sign * entropy(z)),
            same("a small step beside them", changes[1], entropy_change(z, d, 1e-9)),
            same("exact batch: log_softmax", log_softmax(exact_logits), log_softmax(floats)),
            same("exact batch: entropy", entropy(exact_logits), entropy(floats)),
            same("exact batch: change", entropy_change(exact_logits, fractions, 0.5), entropy_change(floats, d, 0.5)),
            same("exact direction", entropy_change(floats, fractions, 0.5), entropy_change(floats, d, 0.5)),
            same("exact logits", entropy_change(exact_logits, d, 0.5), entropy_change(floats, d, 0.5)),
        ],
        "the ends of float64, exact and mixed arrays",
    )


def _batches(effort: Effort, *, shift: int) -> Finding:
    """Find whether every shipped function treats the rows of a batch apart."""
    # Each function with the number of its arguments that can carry a batch.
    functions: tuple[tuple[Callable[..., Any], int], ...] = (
        (log_softmax, 1),
        (probabilities, 1),
        (entropy, 1),
        (entropy_gradient, 1),
        (first_order_entropy_change, 2),
        (second_order_entropy_change, 2),
        (entropy_change, 3),
    )

    def cases() -> Iterator[tuple[str, bool]]:
        for function, arity in functions:
            yield from row_by_row(effort, function, arity=arity, shift=shift)

    return for_all(cases(), "every combination of batched and single arguments")
