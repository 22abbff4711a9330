"""Tie claim ``remainder`` to the shipped bounds: they contain the exact change, and are as tight as was proved.

The exact change and the exact bounds come from ball arithmetic; the proof is in ``remainder``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import flint
import numpy as np

from qae_theory.claims.model import Effort, Finding, Step
from qae_theory.entropy_change import entropy_change_bounds
from qae_theory.proofs.tools import ball_entropy as exact
from qae_theory.proofs.tools.cases import Case, policies, row_by_row
from qae_theory.proofs.tools.checking import for_all


def steps() -> tuple[Step, ...]:
    """Return the ties of claim `remainder` to `entropy_change_bounds`."""
    return (
        Step(
            says=r"The shipped `entropy_change_bounds` contain the exact change, in ball arithmetic: one arm to "
            r"1000, uniform to gaps beyond 700, $|\eta|$ from $10^{-12}$ to $10^3$.",
            check=partial(_contain, factor=1),
            planted="the change of twice the step",
            control=partial(_contain, factor=2),
            tie=True,
        ),
        Step(
            says=r"They are rounded outward: below the exact lower bound of the claim and above the exact upper "
            r"one, never inside them.",
            check=partial(_outward, inward=0.0),
            planted="bounds drawn inward by 1e-9 of their width",
            control=partial(_outward, inward=1e-9),
            tie=True,
        ),
        Step(
            says=r"And they are tight: rounding widens them by at most $10^{-9}$ of the terms involved, and the "
            r"ends $-H$ and $\log n - H$ by $2 \cdot 10^{-11}$, so that a wrong constant or a looser bound "
            r"shows.",
            check=partial(_tight, factor=1.0),
            planted="quadratic term 1e-6 smaller",
            control=partial(_tight, factor=1 - 1e-6),
            tie=True,
        ),
        Step(
            says=r"A step too large for float64 leaves $[-H, \log n - H]$, and an empty batch gives empty bounds.",
            check=partial(_limits, kept=1.0),
            planted="[-H/2, (log n - H)/2]",
            control=partial(_limits, kept=0.5),
            tie=True,
        ),
        Step(
            says=r"Batches, in blocks or not, are treated row by row, whichever of the arguments carry the batch.",
            check=partial(_batches, shift=0),
            planted="the rows shifted by one",
            control=partial(_batches, shift=1),
            tie=True,
        ),
    )


def instances(effort: Effort) -> Iterator[tuple[str, Case, float]]:
    """Yield a label, a policy with a direction, and a step size.

    The directions have several sizes and offsets, and one policy has many arms.
    """
    # Offsets drop out of the exact bound, and take digits from the shipped one.
    sizes = ((1.0, 0.0), (1e-3, 1e3), (50.0, -3.0))
    etas = effort.pick((1e-12, -1e-6, 1e-3, 0.1, -0.3, 1.0, 5.0, 1e3), (1e-12, -1e-3, 0.3, 1e3))
    for case in policies(effort):
        for size, offset in sizes[: effort.pick(3, 2)]:
            moved = Case(case.label, case.logits, size * case.direction + offset, case.flat)
            yield from ((f"{case.label}, d of size {size} about {offset}, eta={eta}", moved, eta) for eta in etas)
    rng = np.random.default_rng(effort.seed)
    arms = effort.pick(1000, 300)
    many = Case("many", rng.normal(scale=3.0, size=arms), rng.uniform(size=arms))
    yield from ((f"{arms} arms, eta={eta}", many, eta) for eta in (1e-6, 0.5, -20.0))


def _contain(effort: Effort, *, factor: int) -> Finding:
    """Find whether the shipped bounds contain the exact change of ``factor`` times the step."""

    def cases() -> Iterator[tuple[str, bool]]:
        for label, case, eta in instances(effort):
            with flint.ctx.workdps(exact.DIGITS):
                z, d = exact.balls(case.logits), exact.balls(case.direction)
                change = exact.entropy_change(z, d, factor * flint.arb(eta))
                lower, upper = _brackets(case, eta)
                yield label, bool(flint.arb(float(lower)) <= change) and bool(change <= flint.arb(float(upper)))

    return for_all(cases(), "policies, directions and steps of all sizes")


def _outward(effort: Effort, *, inward: float) -> Finding:
    """Find whether the shipped bounds, drawn inward by a share of their width, are never inside the exact bounds."""

    def cases() -> Iterator[tuple[str, bool]]:
        for label, case, eta in instances(effort):
            lower, upper = _brackets(case, eta)
            # The control draws the bounds inward, and must then be caught inside.
            width = inward * (upper - lower)
            with flint.ctx.workdps(exact.DIGITS):
                low, high = _exact_bounds(case, eta)
                below = flint.arb(float(lower + width)) <= low or _is_end(low, lower)
                above = flint.arb(float(upper - width)) >= high or _is_end(high, upper)
                yield label, bool(below) and bool(above)

    return for_all(cases(), "policies, directions and steps of all sizes")


def _brackets(case: Case, eta: float) -> tuple[Any, Any]:
    """Return the shipped bounds that come from this claim alone."""
    return entropy_change_bounds(case.logits, case.direction, eta, method="brackets")


def _is_end(bound: Any, shipped: Any) -> bool:
    """Return whether both are zero: the exact bound of a policy that cannot move is a ball around 0."""
    return bool(abs(bound) < flint.arb(1e-80)) and abs(float(shipped)) < 1e-280


def _tight(effort: Effort, *, factor: float) -> Finding:
    """Find whether rounding widens the shipped bounds by little more than the terms' last digits."""

    def cases() -> Iterator[tuple[str, bool]]:
        for label, case, eta in instances(effort):
            lower, upper = _brackets(case, eta)
            with flint.ctx.workdps(exact.DIGITS):
                low, high = _exact_bounds(case, eta, factor=factor)
                # The ends -H and log n - H have an allowance of their own, which is absolute.
                loose_low, loose_high = _exact_bounds(case, eta, factor=factor, ends=2e-11)
                # The widening is 4 (n + 800) u < 1e-12 of terms of the size of eta's step times |log pi|, which stays
                # below 1e3 where it counts; a direction's offset enters with the square of that.
                size = abs(low) + abs(high) + abs(flint.arb(eta)) * exact.spread(exact.balls(case.direction))
                offset = flint.arb(1e-20 * abs(eta) * float(np.abs(case.direction).max()))
                slack = flint.arb(1e-9) * size + offset + flint.arb(1e-285)
                below, above = flint.arb(float(lower)), flint.arb(float(upper))
                yield label, bool(below >= loose_low - slack) and bool(above <= loose_high + slack)

    return for_all(cases(), "policies, directions and steps of all sizes")


def _exact_bounds(case: Case, eta: float, *, factor: float = 1.0, ends: float = 0.0) -> tuple[Any, Any]:
    """Return the claim's bounds, with the quadratic term times a factor and the ends [-H, log n - H] wider."""
    z, d, step = exact.balls(case.logits), exact.balls(case.direction), flint.arb(eta)
    below, above = exact.brackets(len(z))
    first_order = step * exact.slope(z, d)
    half_square = exact.power(step * exact.spread(d), 2) / 2 * flint.arb(factor)
    current, largest_entropy = exact.entropy(z), flint.arb(len(z)).log()
    wider = flint.arb(ends)
    lower = (first_order - half_square * below).max(-current - wider)
    upper = (first_order + half_square * above).min(largest_entropy - current + wider)
    return lower, upper


def _limits(*, kept: float) -> Finding:
    """Find whether a step beyond float64 leaves [-H, log n - H], and an empty batch gives empty bounds."""

    def cases() -> Iterator[tuple[str, bool]]:
        z = np.array([0.0, 1.0, -2.0])
        current = float(exact.entropy(exact.balls(z)).mid())
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it is an answer, not an accident
            lower, upper = entropy_change_bounds(z, [1e200, 0.0, -1e200], 1e200)
        trivial = (-current * kept, (np.log(3.0) - current) * kept)
        yield "eta d beyond float64", bool(np.allclose((lower, upper), trivial, rtol=1e-11, atol=0))
        empty = entropy_change_bounds(np.zeros((0, 3)), [1.0, 0.0, 0.0], 0.5)
        yield "empty batch", all(side.shape == (0,) for side in empty)

    return for_all(cases(), "the ends of the domain")


def _batches(effort: Effort, *, shift: int) -> Finding:
    """Find whether the rows of a batch are treated apart, also where a batch is worked on in blocks."""

    def cases() -> Iterator[tuple[str, bool]]:
        yield from row_by_row(effort, entropy_change_bounds, arity=3, shift=shift)
        rng = np.random.default_rng(effort.seed)
        # More rows than a block holds, of more arms than half a block.
        z, d = rng.normal(size=(5, 40_000)), rng.normal(size=(5, 40_000))
        whole = entropy_change_bounds(z, d, 0.1)
        for row in range(5):
            own = entropy_change_bounds(z[row], d[row], 0.1)
            yield (
                f"block of row {row}",
                all(np.isclose(a[row], b, rtol=1e-13) for a, b in zip(whole, own, strict=True)),
            )
        z, d = rng.normal(size=(150, 1000)), rng.normal(size=(150, 1000))
        whole = entropy_change_bounds(z, d, 0.1)
        for row in (0, 64, 65, 66, 149):
            own = entropy_change_bounds(z[row], d[row], 0.1)
            yield f"row {row} of 150", all(np.isclose(a[row], b, rtol=1e-13) for a, b in zip(whole, own, strict=True))

    return for_all(cases(), "batches of shape [2, 3], [5], [150]")
