"""The logits after a step, told apart where float64 alone cannot: sums of parts that may be huge and nearly cancel."""

from __future__ import annotations

import numpy as np

from qae_theory.numerics import double_double as dd
from qae_theory.numerics.arithmetic import Array
from qae_theory.numerics.double_double import Pair

# A weight e^-1000 is 0 in float64, and far below what any sum of weights can show.
DEEPEST_GAP = -1000.0


def stepped_gaps(z: Array, d: Array, eta: Array) -> tuple[Pair, Array, Array]:
    r"""Return logits after the step less the largest of them, :math:`(z_i - z_j) + \eta(d_i - d_j)`, of finite rows.

    Args:
        z: logits ``[r, n]``.
        d: directions ``[r, n]``.
        eta: steps ``[r]``.

    Returns:
        ``(gaps, off, top)``: the gaps ``[r, n]``, cut at DEEPEST_GAP; what the worst of those that are not cut may be
        off by, ``[r]``; the largest arm j, ``[r]``. A gap above 0, or NaN, could not be found.
    """
    row = np.arange(len(z))
    mantissa, exponent = np.frexp(eta)
    # A direction at the end of float64 would leave it when halves are taken. What its small entries lose by this power
    # of two is nothing beside a step that could make up for a gap between logits.
    large = np.abs(d).max(axis=1) > 2.0**960
    d, exponent = np.where(large[:, None], d * 2.0**-64, d), np.where(large, exponent + 64, exponent)
    half = exponent // 2
    # From the arm that the direction favours most, of equal ones the likeliest, a step leads downward, however long.
    favoured = d * np.where(eta < 0, -1.0, 1.0)[:, None]
    favoured = np.where(favoured == favoured.max(axis=1, keepdims=True), z, -np.inf)
    top = favoured.argmax(axis=1)
    for _ in range(3):
        old = dd.difference(z, z[row, top][:, None])
        way = dd.by_power(dd.difference(d, d[row, top][:, None]), half)
        moved = dd.times_float(way, mantissa[:, None])
        # A factor whose halves leave float64 is above 2^995, and 2^33 or more of the step is still to come: the product
        # is infinite, and no pair.
        beyond = np.isnan(moved.high + moved.low)
        moved = Pair(np.where(beyond, way.high * mantissa[:, None], moved.high), np.where(beyond, 0.0, moved.low))
        moved = dd.by_power(moved, exponent - half)
        gaps = dd.add(old, moved)
        high = np.where(np.isnan(gaps.high + gaps.low), old.high + moved.high, gaps.high)
        highest = high.argmax(axis=1)
        if np.all(high[row, highest] <= 0):
            break
        top = highest
    gaps = Pair(high, np.where(np.isfinite(gaps.low), gaps.low, 0.0))
    # Differences of floats are pairs without rounding, and so is the product of two floats. What is rounded is the
    # product with the second half of a difference, and the sum, relative to itself.
    part = np.where(way.low != 0, 2.0**-100, 0.0) * np.abs(moved.high)
    off = np.where(high > DEEPEST_GAP, part + 2.0**-100 * np.abs(high), 0.0).max(axis=1)
    return cut(gaps), off, top


def cut(gaps: Pair) -> Pair:
    """Return gaps with those below DEEPEST_GAP raised to it."""
    deep = gaps.high < DEEPEST_GAP
    return Pair(np.where(deep, DEEPEST_GAP, gaps.high), np.where(deep, 0.0, gaps.low))
