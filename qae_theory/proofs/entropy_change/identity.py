"""Claim `identity`: the derivative of entropy along any direction, for any number of arms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import numpy as np
import sympy

from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import entropy_change, first_order_entropy_change, second_order_entropy_change
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools import generic_arm as arm
from qae_theory.proofs.tools.cases import Case, policies, row_by_row, steps_of
from qae_theory.proofs.tools.checking import all_zero, for_all, zero
from qae_theory.proofs.tools.series import moving_logits
from qae_theory.softmax import (
    covariance,
    entropy,
    entropy_gradient,
    log_softmax,
    probabilities,
)


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    ledger.add(Evidence("identity", "any-number-of-arms", Kind.PROOF, Role.FOR, (*_proof(), *_three_derivatives())))
    ledger.add(Evidence("identity", "shipped-floats", Kind.CERTIFICATE, Role.FOR, _shipped_floats()))


def _proof() -> tuple[Step, ...]:
    return (
        Step(
            says=r"Single out one arm: $\pi = w/(w+R)$ with $w = e^{z+\eta d}$ and $R(\eta)$ the sum of the "
            r"other arms' weights. As $(w + R)' = \sum_j w_j d_j = (w + R)\,E d$ (the derivative of a sum "
            r"is the sum of the derivatives), $\pi' = \pi\,(d - E d)$ and $(\log\pi)' = d - E d$.",
            check=partial(_arm_moves, sign=1),
            planted="d + E d",
            control=partial(_arm_moves, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"So for any quantity $f_i(\eta)$ of the arms, $(E f)' = E[f'] + E[f\,(d - E d)]$: the product "
            r"rule in each term of the finite sum $E f = \sum_i \pi_i f_i$. Moments of $\log\pi$, $d$ and "
            r"$\pi$ thus have derivatives that are moments again; the rule is replayed on policies with 2 "
            r"and 3 arms against SymPy's derivative.",
            check=partial(_moments_move, order=1),
            planted="the second derivative for the first",
            control=partial(_moments_move, order=2),
        ),
        Step(
            says=r"The shipped `entropy`, run on one arm of a policy with any number of arms (an expectation is "
            r"linear, $E[1] = 1$, nothing else is used), is $-E[\log\pi]$. Its derivative by that rule is "
            r"$-E[d - E d] - E[\log\pi\,(d - E d)] = -\mathrm{Cov}_\pi(\log\pi, d)$, which is what the "
            r"shipped `first_order_entropy_change` returns on the same arm.",
            check=partial(_shipped_derivative, sign=1),
            planted="+Cov(log pi, d)",
            control=partial(_shipped_derivative, sign=-1),
            generality=Generality.GENERAL,
        ),
        Step(
            says=r"Pairwise form, for two independent arms $i, j$ drawn from $\pi$: $\mathrm{Cov}_\pi(x,y) = "
            r"\frac12\sum_{i,j}\pi_i\pi_j(x_i-x_j)(y_i-y_j)$. Expanded, each double sum is a product of two "
            r"moments; the left side is the shipped `covariance`.",
            check=partial(_pairwise, factor=sympy.Rational(1, 2)),
            planted="factor 1 for 1/2",
            control=partial(_pairwise, factor=sympy.Integer(1)),
            generality=Generality.GENERAL,
        ),
    )


def _three_derivatives() -> tuple[Step, ...]:
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


def _shipped_floats() -> tuple[Step, ...]:
    functions: tuple[tuple[str, Callable[..., Finding], str, float], ...] = (
        (
            r"The shipped `log_softmax`, `probabilities`, `entropy` and `entropy_gradient` on floats are "
            r"the ball-arithmetic values to a few roundings of the widest logit gap, for gaps from "
            r"$10^{-9}$ to beyond the range of float64.",
            _float_policies, "probabilities 1 + 1e-12 times as large", 1e-12,
        ),
        (
            r"The shipped first- and second-order entropy change on floats are the ball-arithmetic values.",
            _float_derivatives, "values 1 + 1e-9 times as large", 1e-9,
        ),
        (
            r"The shipped `entropy_change` on floats is the ball-arithmetic difference of entropies for "
            r"steps from $10^{-12}$ to $10^3$, of either sign.",
            _float_changes, "values 1 + 1e-9 times as large", 1e-9,
        ),
    )  # fmt: skip
    return (
        *(
            Step(says=says, check=partial(check, off=0.0), planted=planted, control=partial(check, off=off), tie=True)
            for says, check, planted, off in functions
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


def _arm_moves(*, sign: int) -> Finding:
    eta, z, d, average = sympy.symbols("eta z d m", real=True)
    rest = sympy.Function("R", positive=True)(eta)
    weight = sympy.exp(z + eta * d)
    prob = weight / (weight + rest)
    rest_moves = average * (weight + rest) - weight * d  # R' = sum over the other arms of w_j d_j
    moves = [
        sympy.diff(prob, eta) - prob * (d - sign * average),
        sympy.diff(sympy.log(weight) - sympy.log(weight + rest), eta) - (d - sign * average),
    ]
    return all_zero(x.subs(sympy.Derivative(rest, eta), rest_moves) for x in moves)


def _moments_move(effort: Effort, *, order: int) -> Finding:
    eta = sympy.Symbol("eta")
    rational = [sympy.Rational(1, 2), sympy.Integer(3), sympy.Rational(-2, 5)]
    residuals = []
    for n in effort.pick((2, 3), (2,)):
        weights = [sympy.exp(eta * d) * (i + 1) for i, d in enumerate(rational[:n])]
        probs = [w / sum(weights) for w in weights]
        arms = {"L": [sympy.log(p) for p in probs], "d": rational[:n], "pi": probs}
        for powers in ((1, 0, 0, 0, 0), (0, 1, 1, 0, 0), (2, 1, 1, 0, 0), (1, 2, 0, 0, 0)):
            f = arm.moment(*powers)
            direct = sympy.diff(arm.on_policy(f, probs, **arms), eta, order)
            residuals.append((direct - arm.on_policy(arm.along_step(f), probs, **arms)).subs(eta, 0))
    return all_zero(residuals, lambda x: sympy.cancel(sympy.expand_log(x, force=True)))


def _shipped_derivative(*, sign: int) -> Finding:
    logits, direction = arm.logits(), arm.entry(arm.DIRECTION)
    moved = arm.along_step(_item(entropy(logits)))
    expected = arm.mean(arm.LOG_PROB * arm.DIRECTION) - arm.mean(arm.LOG_PROB) * arm.mean(arm.DIRECTION)
    shipped = _item(first_order_entropy_change(logits, direction))
    start = _item(entropy(logits)) + arm.mean(arm.LOG_PROB)
    return all_zero([start, moved - sign * shipped, shipped + expected], sympy.expand)


def _pairwise(*, factor: Any) -> Finding:
    x, y, other_x, other_y = arm.X, arm.Y, arm.OTHER_ARM[3], arm.OTHER_ARM[4]
    shipped = _item(covariance(arm.entry(arm.WEIGHT), arm.entry(x), arm.entry(y)))
    return zero(shipped - factor * arm.pair_mean((x - other_x) * (y - other_y)), sympy.expand)


def _symbolic(effort: Effort, *, scale: int) -> Finding:
    eta = sympy.Symbol("eta", real=True)
    residuals = []
    for n in effort.pick((2, 3, 4), (2, 3)):
        weights = sympy.symbols(f"w:{n}", positive=True)
        direction = sympy.symbols(f"d:{n}", real=True)
        logits = [sympy.log(w) for w in weights]
        moving = [z + eta * d for z, d in zip(logits, direction, strict=True)]
        derivative = sympy.diff(_item(entropy(moving)), eta).subs(eta, 0)
        residuals.append(derivative - scale * _item(first_order_entropy_change(logits, direction)))
        along = sum(d * g for d, g in zip(direction, entropy_gradient(logits), strict=True))
        residuals.append(derivative - scale * along)
    return all_zero(residuals, lambda x: sympy.cancel(sympy.expand_log(x)))


def _automatic(effort: Effort, *, coefficient: int) -> Finding:
    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            with flint.ctx.workdps(400):  # log sum exp of a gap of 700 needs 300 digits to see the small arm
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                series = _item(entropy(moving_logits(z, d, 3))).coefficients
                shipped = first_order_entropy_change(case.logits, case.direction)
                yield case.label, _near(shipped, series[coefficient], case)

    return for_all(cases(), "policies from uniform to peaked")


def _finite_differences(effort: Effort, *, scale: float) -> Finding:
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
    """To 1e-13 relative; where the value is made of cancellation, to 1e-15 of the direction's size."""
    cancelled = flint.arb(1e-2) * exact.spread(exact.balls(case.direction)) if case.flat else 0
    # 1e-80: the radius of a ball around 0; 1e-295: subnormal results have no relative accuracy.
    size = abs(truth) + cancelled + flint.arb(1e-80 if case.flat else 1e-295) + flint.arb(floor)
    return exact.close(value, truth, relative=1e-13, scale=size)


def _float_policies(effort: Effort, *, off: float) -> Finding:
    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort, extreme=True):
            with flint.ctx.workdps(exact.DIGITS):
                probs, logs = exact.policy(exact.balls(case.logits))
                pairs: list[tuple[str, Any, list[Any]]] = [
                    ("probabilities", probabilities(case.logits) * (1 + off), probs),
                    (
                        "log_softmax",
                        np.maximum(log_softmax(case.logits), -1e308),
                        [max(x, flint.arb(-1e308)) for x in logs],
                    ),
                    ("entropy", [entropy(case.logits)], [exact.entropy(exact.balls(case.logits))]),
                    (
                        "entropy_gradient",
                        entropy_gradient(case.logits),
                        exact.entropy_gradient(exact.balls(case.logits)),
                    ),
                ]
                for name, values, truths in pairs:
                    yield (
                        f"{name}, {case.label}",
                        all(
                            exact.close(v, t, relative=1.0, scale=_relative(name, case) * abs(t) + _floor(name, p))
                            for v, t, p in zip(values, truths, probs, strict=False)
                        ),
                    )

    return for_all(cases(), "policies from uniform to gaps beyond float64")


def _relative(name: str, case: Case) -> Any:
    # exp turns an absolute error of its argument, half an ulp of a gap, into a relative one.
    widest = min(float(np.ptp(case.logits / 2)), 1000.0)
    return flint.arb(1e-15 * (4 + widest) if name != "log_softmax" else 1e-15)


def _floor(name: str, prob: Any) -> Any:
    # 1e-300: subnormal numbers. A gradient is pi times a difference of logarithms: a few ulp of those remain.
    return flint.arb(1e-300) + (flint.arb(4e-15) * prob if name == "entropy_gradient" else 0)


def _float_derivatives(effort: Effort, *, off: float) -> Finding:
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
    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            for eta in steps_of(effort):
                with flint.ctx.workdps(exact.DIGITS):
                    z, d = exact.balls(case.logits), exact.balls(case.direction)
                    truth = exact.entropy_change(z, d, flint.arb(eta))
                    shipped = entropy_change(case.logits, case.direction, eta) * (1 + off)
                    moved = abs(flint.arb(eta)) * exact.spread(d)
                    # Rounding of a gap eta d moves the entropy by as much; small steps keep their relative accuracy
                    # unless the first-order term itself cancels.
                    floor = moved * flint.arb(2e-15) if case.flat or abs(eta) > 1 else flint.arb(0)
                    floor += flint.arb(
                        1e-80 if case.flat or eta == 0 else 1e-295
                    )  # a ball's radius around 0; subnormals
                    size = flint.arb(1e-13) * abs(truth) + floor
                    yield f"{case.label}, eta={eta}", exact.close(shipped, truth, relative=1.0, scale=size)

    return for_all(cases(), "policies from uniform to peaked, every step size")


def _ends(*, sign: int) -> Finding:
    z, d = np.array([0.0, 2.0, -1.0]), np.array([1.0, 0.0, -1.0])
    weights = [[1, 2, 3], [5, 1, 1]]
    exact_logits = np.array([[sympy.log(w) for w in row] for row in weights], dtype=object)
    floats = np.log(np.array(weights, dtype=float))
    fractions = np.array([Fraction(x) for x in (1, 0, -1)], dtype=object)

    def same(name: str, left: Any, right: Any) -> tuple[str, bool]:
        # 1e-12: a few roundings on the side of the floats.
        return name, bool(np.allclose(np.asarray(left, dtype=float), right, rtol=1e-12, atol=0.0))

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
    functions: list[tuple[str, Callable[..., Any], int]] = [
        ("log_softmax", log_softmax, 1), ("probabilities", probabilities, 1), ("entropy", entropy, 1),
        ("entropy_gradient", entropy_gradient, 1),
        ("first_order_entropy_change", first_order_entropy_change, 2),
        ("second_order_entropy_change", second_order_entropy_change, 2),
        ("entropy_change", entropy_change, 3),
    ]  # fmt: skip
    return for_all(
        (case for name, function, arity in functions for case in row_by_row(effort, name, function, arity, shift)),
        "every combination of batched and single arguments",
    )


def _item(array: Any) -> Any:
    """The entry of a result of rank 0."""
    return np.asarray(array, dtype=object)[()]
