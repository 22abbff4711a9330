"""Tie claim ``third-order`` to numbers: its bound in ball arithmetic contains exact changes, and is the shipped bound.

The proof is in ``third_order``; the third derivative and the bound are written here once more, from their formulas.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise, product
from typing import Any

import flint
import numpy as np

from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.entropy_change import entropy_change_bounds
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import Case, policies
from qae_theory.proofs.tools.checking import for_all

# From steps at which the bound is tight to one at which it is wider than the entropy's range.
STEPS = (1e-6, -1e-3, 0.1, -0.7, 2.0)


def taylor_step() -> Step:
    """Return the named lemma from which the bound on the third derivative becomes one on the remainder."""
    return Step(
        says=r"Taylor's theorem with Lagrange's remainder, a named lemma: $\Delta H = \eta h_1 + "
        r"\frac{\eta^2}{2}\phi''(0) + \frac{\eta^3}{6}\phi^{(3)}(t)$ for some $t$ between 0 and $\eta$. (Replayed in "
        r"ball arithmetic: six times the rest over $\eta^3$ lies between values of $\phi^{(3)}$ on the segment, "
        r"widened by their variation over a tenth of it.)",
        check=partial(_lagrange, factor=6),
        planted="twice the rest over eta^3",
        control=partial(_lagrange, factor=2),
        citation="Rudin, Principles of Mathematical Analysis (1976), Theorem 5.15",
    )


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `third-order` to exact changes and to the shipped bounds."""
    return (
        Step(
            says="Tie: the exact change lies within the bound of the second-order prediction, in ball arithmetic, "
            "for policies from uniform to peaked and steps of every size.",
            check=partial(_contains, scale=1.0),
            planted="the bound 1e-4 times as large",
            control=partial(_contains, scale=1e-4),
            tie=True,
        ),
        Step(
            says="Tie: the shipped `entropy_change_bounds` with `method='third-order'` contain the exact change and "
            "are the exact bound, intersected with the entropy's range, to a part in $10^6$.",
            check=partial(_shipped_bounds, three=3),
            planted="2 a_2 in the last term of B_3",
            control=partial(_shipped_bounds, three=2),
            tie=True,
        ),
    )


def third_derivative(z: exact.Balls, d: exact.Balls) -> Any:
    """Return -2 E delta^3 - E[S delta^3] + 3 E[S delta] E delta^2 at a policy, as a ball.

    Args:
        z: logits, one ball per response.
        d: direction, one ball per response.
    """
    probs, logs = exact.policy(z)
    excess, surprise = exact.centred(probs, d), exact.centred(probs, logs)
    cubes = exact.product(excess, excess, excess)
    covariance, variance = (
        exact.mean(probs, exact.product(surprise, excess)),
        exact.mean(probs, exact.product(excess, excess)),
    )
    return -2 * exact.mean(probs, cubes) - exact.mean(probs, exact.product(surprise, cubes)) + 3 * covariance * variance


def bound(z: exact.Balls, d: exact.Balls, eta: Any, *, three: int = 3) -> Any:
    """Return B_3 of claim ``third-order`` in its sharper form, as a ball.

    Args:
        z: logits, one ball per response.
        d: direction, one ball per response.
        eta: step size, a ball.
        three: the factor of the last term, 3; another one makes a control.
    """
    probs, logs = exact.policy(z)
    # The bound is for tau >= 0 along sign(eta) (d - E d).
    sign = 1 if eta >= 0 else -1
    tau = abs(eta)
    centred = [sign * x for x in exact.centred(probs, d)]
    surprise = [abs(x) for x in exact.centred(probs, logs)]
    # pi exp(tau d_+), which lies above the policy at every point of the path.
    weights = [p * (tau * x.max(flint.arb(0))).exp() for p, x in zip(probs, centred, strict=True)]
    sizes = [abs(x) for x in centred]

    def moment(k: int, beside: exact.Balls | None = None) -> Any:
        terms = [w * exact.power(size, k) for w, size in zip(weights, sizes, strict=True)]
        return sum(terms if beside is None else exact.product(terms, beside), flint.arb(0))

    a = [moment(k) for k in range(5)]
    s = [moment(k, surprise) for k in range(4)]
    m = (tau * a[2]).min(a[1])
    cubes = a[3] + 3 * m * a[2] + 3 * exact.power(m, 2) * a[1] + exact.power(m, 3)
    fourths = a[4] + 4 * m * a[3] + 6 * exact.power(m, 2) * a[2] + 4 * exact.power(m, 3) * a[1] + exact.power(m, 4)
    beside = s[3] + 3 * m * s[2] + 3 * exact.power(m, 2) * s[1] + exact.power(m, 3) * s[0]
    surprise_drift = s[0].min(tau * (s[1] + m * s[0]))
    last = three * a[2] * (s[1] + m * s[0] + tau * a[2])
    return 2 * cubes + beside + surprise_drift * cubes + tau * fourths + last


def _lagrange(effort: Effort, *, factor: int) -> Finding:
    """Find whether ``factor`` times the rest over eta^3 lies between values of the third derivative along the step."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case in policies(effort):
            # Eleven third derivatives per policy: few arms, and gaps that leave something to move.
            if len(case.logits) > 10 or np.ptp(case.logits) > 100 or len(case.logits) == 1:
                continue
            with flint.ctx.workdps(exact.DIGITS):
                z, d, eta = exact.balls(case.logits), exact.balls(case.direction), flint.arb(1) / 2
                rest = _rest(z, d, eta)
                along = []
                for tenth in range(11):
                    moved = [a + eta * tenth / 10 * b for a, b in zip(z, d, strict=True)]
                    along.append(third_derivative(moved, d))
                # Between two of the eleven points the derivative may leave their range by about as much as it varies
                # from one to the next.
                slack = max(abs(x - y) for x, y in pairwise(along))
                taylor = factor * rest / eta**3
                yield case.label, bool(min(along) - slack <= taylor) and bool(taylor <= max(along) + slack)

    return for_all(cases(), "policies of few arms, eta = 1/2")


def _rest(z: exact.Balls, d: exact.Balls, eta: Any) -> Any:
    """Return Delta H - eta h_1 - eta^2 phi''(0)/2 as a ball."""
    return exact.entropy_change(z, d, eta) - eta * exact.slope(z, d) - eta**2 / 2 * exact.curvature(z, d)


def _moving(effort: Effort) -> list[Case]:
    """Return the policies that more than rounding moves."""
    return [case for case in policies(effort) if len(case.logits) > 1 and np.ptp(case.logits) < 100]


def _contains(effort: Effort, *, scale: float) -> Finding:
    """Find whether the exact change lies within ``scale`` times the bound of the second-order prediction."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, step in product(_moving(effort), STEPS):
            with flint.ctx.workdps(exact.DIGITS):
                z, d, eta = exact.balls(case.logits), exact.balls(case.direction), flint.arb(step)
                allowed = flint.arb(scale) * abs(eta) ** 3 / 6 * bound(z, d, eta)
                yield f"{case.label}, eta={step}", bool(abs(_rest(z, d, eta)) <= allowed)

    return for_all(cases(), "policies with gaps below 100, steps of either sign")


def _shipped_bounds(effort: Effort, *, three: int) -> Finding:
    """Find whether the shipped bounds contain the exact change and are the exact bound, cut to the entropy's range."""

    def cases() -> Iterator[tuple[str, bool]]:
        for case, step in product(_moving(effort), STEPS):
            lower, upper = entropy_change_bounds(case.logits, case.direction, step, method="third-order")
            with flint.ctx.workdps(exact.DIGITS):
                z, d, eta = exact.balls(case.logits), exact.balls(case.direction), flint.arb(step)
                # The exact prediction is the change less its rest.
                change, reach = exact.entropy_change(z, d, eta), abs(eta) ** 3 / 6 * bound(z, d, eta, three=three)
                prediction = change - _rest(z, d, eta)
                current, largest_entropy = exact.entropy(z), flint.arb(len(z)).log()
                low, high = (prediction - reach).max(-current), (prediction + reach).min(largest_entropy - current)
                below, above = flint.arb(float(lower)), flint.arb(float(upper))
                inside = bool(below <= change) and bool(change <= above)
                # 1e-6 of the reach: far above the rounding that the shipped bounds allow for, far below a wrong term;
                # 1e-12: what they allow for the prediction itself.
                slack = flint.arb(1e-6) * reach + flint.arb(1e-12) * (abs(eta) + abs(prediction))
                yield (
                    f"{case.label}, eta={step}",
                    inside and bool(abs(below - low) <= slack) and bool(abs(above - high) <= slack),
                )

    return for_all(cases(), "policies with gaps below 100, steps of either sign")
