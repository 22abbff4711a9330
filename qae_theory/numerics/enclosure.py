r"""A narrow enclosure of the exact entropy change: its definition in double-double arithmetic, with an error bound.

Three ways, by the size of the step. A step that moves no log-probability by more than a few hundred nats is taken by
:math:`\Delta H = -\sum_i\pi_it_iS_i - \sum_i\pi_if(y_i)` with :math:`y = \log(\pi'/\pi)`, :math:`t = e^y - 1`,
:math:`S = \log\pi + H` and :math:`f(y) = e^y(y - 1) + 1 \ge 0`, in which nothing cancels but what must. A longer one is
:math:`H' - H`. One below 2^-120 is its Taylor polynomial of second order. Where double-double is not enough the bounds
of ``bounds`` are left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.numerics import bounds
from qae_theory.numerics import double_double as dd
from qae_theory.numerics.arithmetic import Array
from qae_theory.numerics.double_double import PRECISION, Pair
from qae_theory.numerics.stepped import DEEPEST_GAP, cut, stepped_gaps

Sides = tuple[Array, Array]

# Weights below e^-1000, which are taken for 0, and what double-double loses below 2^-1022, add less than this to a sum,
# times the largest factor e^y that multiplies a weight.
LOST = 2.0**-1000
# What a gap of the long way may be off by.
LARGEST_ERROR = 2.0**-60
SHORTEST_STEP = -120
# Steps from here on, in units of the direction's size, are never moderate.
_LONGEST_STEP = 100
# In nats, as in the bounds: e^300 and its square are still float64s.
LARGEST_SHIFT = 300.0
# The square of a shorter step, which is less than the smallest float, is that of this one.
_FLOAT_STEP = -1000
# Below this, f(y) is summed as a series.
_SERIES = 2.0**-20
# Error bounds add up a handful of terms, each of which stands for a few roundings; they are made in float64.
_HANDFUL = 16.0
_ELEMENTS = 2**16  # floats of a block of rows, of which a few dozen arrays are in use at a time


class Start(NamedTuple):
    """A policy and a direction in double-double; arrays ``[r, n]``, and ``[r]`` where it says so."""

    logits: Array
    direction: Array
    step: Array  # [r]
    weights: Pair
    others: Pair  # [r], the mass without that of the top arm, which is 1
    gaps: Pair
    mean_gap: Pair  # [r]
    surprise: Pair  # S = gap - mean gap
    move: Pair  # x, E x = 0 up to rounding; eta d = mantissa 2^exponent x + const
    offset: Array  # [r], how far E d was from the top arm's, in units of x: x has been rounded at that size
    mantissa: Array  # [r]
    exponent: Array  # [r]

    def mean(self, x: Pair) -> Pair:
        """Return E x, ``[r, n] -> [r]``."""
        return dd.over(dd.total(dd.times(self.weights, x)), dd.add_float(self.others, np.ones_like(self.offset)))

    def size(self, x: Array) -> Array:
        """Return E x in float64, of a size: for error bounds."""
        return np.asarray(np.vecdot(self.weights.high, x) / (1 + self.others.high))


def enclosure(z: Array, d: Array, eta: Array, *, curvature: tuple[float, float]) -> Sides:
    """Return the lower and upper end for rows ``[r, n]`` and finite steps ``[r]``; NaN for a row that is not finite."""
    lower, upper = bounds.bounds(z, d, eta, method="best", curvature=curvature)
    height = max(1, _ELEMENTS // z.shape[1])
    with np.errstate(all="ignore"):  # what over- or underflows is seen in the end, as a NaN or in the error's size
        for first in range(0, len(z), height):
            block = slice(first, first + height)
            low, high = _block(z[block], d[block], eta[block])
            # fmax and fmin pass over NaN, where double-double has found nothing; of the bounds it is an answer.
            unknown = np.isnan(lower[block])
            lower[block] = np.where(unknown, np.nan, np.fmax(lower[block], low))
            upper[block] = np.where(unknown, np.nan, np.fmin(upper[block], high))
    return lower, upper


def _block(z: Array, d: Array, eta: Array) -> Sides:
    """Return the ends by double-double; NaN where it is not enough."""
    start = _start(z, d, eta)
    reach = np.ldexp(start.mantissa, np.minimum(start.exponent, _LONGEST_STEP)) * np.abs(start.move.high).max(axis=1)
    short = start.exponent < SHORTEST_STEP
    moderate = ~short & (reach <= LARGEST_SHIFT) & (start.exponent < _LONGEST_STEP)
    low, high = np.empty((2, len(z)))
    for way, chosen in ((_short, short), (_moderate, moderate), (_long, ~short & ~moderate)):
        if chosen.any():
            low[chosen], high[chosen] = way(_part(start, chosen))
    return low, high


def _part(start: Start, chosen: Array) -> Start:
    """Return the start of some rows."""
    return Start._make(field.at(chosen) if isinstance(field, Pair) else field[chosen] for field in start)


def _start(z: Array, d: Array, eta: Array) -> Start:
    row = np.arange(len(z))
    top = z.argmax(axis=1)
    gaps = cut(dd.difference(z, z[row, top][:, None]))
    weights = _weights(gaps)
    mean_gap = dd.over(dd.total(dd.times(weights, gaps)), dd.total(weights))
    unit, size = _unit(d)
    unit *= np.where(eta < 0, -1.0, 1.0)[:, None]
    move = dd.difference(unit, unit[row, top][:, None])
    mean_move = dd.over(dd.total(dd.times(weights, move)), dd.total(weights))
    mantissa, exponent = np.frexp(eta)
    return Start(
        logits=z,
        direction=d,
        step=eta,
        weights=weights,
        others=_without(weights, top),
        gaps=gaps,
        mean_gap=mean_gap,
        surprise=dd.add(gaps, dd.negative(_column(mean_gap))),
        move=dd.add(move, dd.negative(_column(mean_move))),
        offset=np.abs(mean_move.high),
        mantissa=np.abs(mantissa),
        exponent=exponent.astype(np.int64) + size,
    )


def _short(start: Start) -> Sides:
    r"""Return :math:`\tau(h_1 + \tau\varphi''(0)/2)`.

    What it lacks is at most :math:`\tau^2/6` times the third derivative, as it stands in claim `third-order`: a few
    hundred times :math:`E(1 + |S|)x^2`, so 2^-110 of the second order's terms, and far below their rounding.
    """
    s, x = start.surprise, start.move
    squares = dd.times(x, x)
    tau = np.ldexp(start.mantissa, np.maximum(start.exponent, _FLOAT_STEP))
    first = dd.negative(start.mean(dd.times(s, x)))
    second = dd.negative(dd.add(start.mean(squares), start.mean(dd.times(s, squares))))
    value = dd.add(first, dd.times_float(second, 0.5 * tau))
    # S and x have been rounded at the size of the gaps and of the offset.
    gap, moved = np.abs(s.high) + np.abs(start.mean_gap.high)[:, None], np.abs(x.high) + start.offset[:, None]
    rounded = start.size(moved * (gap + tau[:, None] * moved))
    error = _HANDFUL * (PRECISION * rounded + LOST)
    low, high = _ends(dd.times_float(value, start.mantissa), start.mantissa * error)
    # The exponent may lead below 2^-1022, where it rounds once more.
    return _down(np.ldexp(low, start.exponent)), _up(np.ldexp(high, start.exponent))


def _moderate(start: Start) -> Sides:
    r"""Return :math:`-E[tS] - E[f(y)]` with its error.

    Here :math:`y = \tau x - K`, :math:`K = \log E e^{\tau x}` and :math:`t = e^y - 1`.
    """
    s = start.surprise
    shift = dd.by_power(dd.times_float(start.move, start.mantissa[:, None]), start.exponent)
    grown = dd.exp_minus_1(shift)
    excess = start.mean(grown)  # E e^(tau x) - 1 >= 0
    log_mean = dd.log1p(excess)
    partition = dd.add_float(excess, np.ones_like(start.offset))
    y = dd.add(shift, dd.negative(_column(log_mean)))
    t = dd.over(dd.add(grown, dd.negative(_column(excess))), _column(partition))
    divergence = start.mean(_divergence_terms(y, t))
    value = dd.negative(dd.add(start.mean(dd.times(t, s)), divergence))

    # What they are off by, in units of PRECISION. The shift is rounded at its own size and that of the offset, the
    # exponential by that and relative to itself; E e^(tau x) by the mean of that, which moves all y and t.
    size_s, size_y, size_t, ratio = np.abs(s.high), np.abs(y.high), np.abs(t.high), 1 + t.high
    off_shift = np.abs(shift.high) + 2 * np.ldexp(start.offset * start.mantissa, start.exponent)[:, None]
    off_grown = (np.abs(grown.high) + (1 + grown.high) * off_shift) / partition.high[:, None]
    off_mean = start.size(off_grown)[:, None]
    off_t = off_grown + ratio * off_mean + size_t
    off_y = off_shift + off_mean  # which is at least the logarithm's own size, by Jensen's inequality
    by_cross = off_t * size_s + size_t * (size_s + 2 * np.abs(start.mean_gap.high)[:, None])
    by_direct = off_t * (1 + size_y) + ratio * (off_y + size_y)
    by_series = size_y * off_y
    by_divergence = np.where(size_y >= _SERIES, by_direct, by_series)
    error = PRECISION * start.size(by_cross + by_divergence)
    lost = LOST * (1 + np.exp(shift.high.max(axis=1)))
    return _ends(value, _HANDFUL * (error + lost))


def _divergence_terms(y: Pair, t: Pair) -> Pair:
    """Return f(y) = e^y (y - 1) + 1 = (1 + t) y - t; where y is small, y^2 (1/2 + y/3 + y^2/8 + y^3/30 + y^4/144)."""
    direct = dd.add(dd.times(dd.add_float(t, np.ones_like(t.high)), y), dd.negative(t))
    squares = dd.times(y, y)
    third = dd.over(y, dd.exactly(np.full_like(y.high, 3.0)))
    rest = squares.high * y.high * (1 / 30 + y.high / 144)
    inner = dd.add_float(dd.add_float(dd.add(third, dd.scaled(squares, 0.125)), rest), np.full_like(y.high, 0.5))
    series = dd.times(squares, inner)
    small = np.abs(y.high) < _SERIES
    return Pair(*(np.where(small, a, b) for a, b in zip(series, direct, strict=True)))


def _long(start: Start) -> Sides:
    """Return H' - H where the new gaps are known, and NaN where they are not."""
    before = _entropy(start.others, start.mean_gap)
    gaps, off, top = stepped_gaps(start.logits, start.direction, start.step)
    weights = _weights(gaps)
    others = _without(weights, top)
    mean_gap = dd.over(dd.total(dd.times(weights, gaps)), dd.add_float(others, np.ones_like(off)))
    after = _entropy(others, mean_gap)
    known = (off <= LARGEST_ERROR) & (gaps.high.max(axis=1) <= 0)  # no comparison holds for a NaN
    error = PRECISION * (before.high + after.high) + off * after.high + LOST
    low, high = _ends(dd.add(after, dd.negative(before)), _HANDFUL * error)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _unit(d: Array) -> tuple[Array, Array]:
    """Return directions divided by a power of two, so that they have size 1, and its exponent.

    Nothing is rounded but what lies 2^1022 below that size.
    """
    _, size = np.frexp(np.maximum(np.abs(d.max(axis=1)), np.abs(d.min(axis=1))))
    half = size // 2
    return d * np.ldexp(1.0, -half)[:, None] * np.ldexp(1.0, half - size)[:, None], size.astype(np.int64)


def _entropy(others: Pair, mean_gap: Pair) -> Pair:
    """Return log(1 + others) - E[gap]."""
    return dd.add(dd.log1p(others), dd.negative(mean_gap))


def _weights(gaps: Pair) -> Pair:
    weights = dd.exp(gaps)
    deep = gaps.high <= DEEPEST_GAP
    return Pair(np.where(deep, 0.0, weights.high), np.where(deep, 0.0, weights.low))


def _without(weights: Pair, top: Array) -> Pair:
    """Return the mass of all arms but the top one."""
    high, low = weights.high.copy(), weights.low.copy()
    row = np.arange(len(top))
    high[row, top] = low[row, top] = 0.0
    return dd.total(Pair(high, low))


def _column(x: Pair) -> Pair:
    return Pair(x.high[:, None], x.low[:, None])


def _ends(value: Pair, error: Array) -> Sides:
    """Return the floats below and above value - error and value + error."""
    error = error * 1.01  # it is a float's sum itself
    return _down(value.high + _down(value.low - error)), _up(value.high + _up(value.low + error))


def _down(x: Array) -> Array:
    return np.nextafter(x, -np.inf)


def _up(x: Array) -> Array:
    return np.nextafter(x, np.inf)
