r"""Guaranteed bounds on the entropy change of a step, four kinds, each rounded outward.

Every quantity carries a bound on its own rounding error, made of sizes of the terms that it is a sum of. The formulas
are those of the claims `remainder`, `ratio-box`, `cross-entropy-upper` and `third-order`; how an error bound is made
is in ``docs/numerics.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.certified import rows
from qae_theory.certified.rows import (
    FUNCTION_ERROR,
    LARGEST_SHIFT,
    SHIFTED_UNDERFLOW,
    UNDERFLOW,
    UNIT,
    Direction,
    Moments,
    Policy,
    Shifted,
)

METHODS = ("best", "brackets", "ratio-box", "cross-entropy", "third-order")
_ELEMENTS = 2**15  # floats of a block of rows that are worked on together
# Steps outside [2^LOWEST, 2^HIGHEST], in units of the direction's size, are treated as limits.
LOWEST_STEP, HIGHEST_STEP = -900, 60
# Second-order parts of error bounds, and the roundings of the bounds themselves, are covered by this factor.
_GENEROUS = 1.01
# Of a step below 2**LOWEST_STEP, tau rho^2 L / 2 is less than this: rho is at most 2**9, L at most log n + 2.
_TINY_STEP_CURVATURE = 2.0 ** (LOWEST_STEP + 30)

Sides = tuple[Array, Array]


class Slope(NamedTuple):
    """First and second derivative of the entropy along x, with bounds on their errors, ``[r]`` each."""

    first: Array
    first_error: Array
    second: Array
    second_error: Array
    off_centre: Array  # bounds |E x|, the rest that centring has left
    off_mean: Array  # bounds |E S|


class Entropy(NamedTuple):
    """Bounds on the policy's entropy, ``[r]`` each."""

    low: Array
    high: Array


def bounds(z: Array, d: Array, eta: Array, *, method: str, curvature: tuple[float, float]) -> Sides:
    """Lower and upper bound for rows ``[r, n]`` and finite steps ``[r]``, ``[r]`` each.

    A row that is not finite gets NaN.

    Args:
        z: logits.
        d: directions.
        eta: step sizes.
        method: one of ``METHODS``.
        curvature: the two brackets of claim `remainder` for n arms.
    """
    height = max(1, _ELEMENTS // max(1, min(z.shape[1], rows.COLUMNS)))
    room = rows.Room(min(height, len(z)), z.shape[1])
    lower, upper = np.empty(len(z)), np.empty(len(z))
    # A step too large for float64 leaves the trivial bounds; NaN is what it leaves of the others.
    with np.errstate(all="ignore"):
        for start in range(0, len(z), height):
            block = slice(start, start + height)
            lower[block], upper[block] = _block(z[block], d[block], eta[block], method, curvature, room)
    return lower, upper


def _block(z: Array, d: Array, eta: Array, method: str, curvature: tuple[float, float], room: rows.Room) -> Sides:
    arms = z.shape[1]
    policy, direction = rows.read(z, d, eta, room)
    tau = np.ldexp(direction.mantissa, np.clip(direction.exponent, LOWEST_STEP, HIGHEST_STEP))
    entropy = _entropy(policy, arms)
    found = {"ends": (-entropy.high, np.log(arms) * (1 + 16 * UNIT) - entropy.low)}
    if method == "brackets":
        slope = _slope(rows.moments(z, d, policy, direction, room), policy, arms)
        found["brackets"] = _stepped(_brackets(slope, direction, tau, curvature), slope, direction)
    else:
        shift = tau * np.maximum(direction.highest, -direction.lowest)
        near = (shift <= LARGEST_SHIFT) & (direction.exponent <= HIGHEST_STEP)
        plain, shifted = rows.all_moments(z, d, policy, direction, np.where(near, tau, 0.0), room)
        slope = _slope(plain, policy, arms)
        moments = _upper_moments(shifted, slope, policy, tau, arms)
        kinds = {
            "brackets": lambda: _stepped(_brackets(slope, direction, tau, curvature), slope, direction),
            "third-order": lambda: _where(near, _stepped(_third_order(slope, moments, tau), slope, direction)),
            "cross-entropy": lambda: _where(near, _cross_entropy(plain, shifted, moments, slope, policy, tau, arms)),
            "ratio-box": lambda: _ratio_box(direction, shifted, moments, slope, entropy, tau, near, arms),
        }
        found |= {name: kind() for name, kind in kinds.items() if method in ("best", name)}
    return _intersection(found, policy, direction)


def _intersection(found: Mapping[str, Sides], policy: Policy, direction: Direction) -> Sides:
    """The best of both sides; 0 exactly where nothing moves; NaN where the numbers are not finite."""
    lower = np.fmax.reduce([low for low, _ in found.values()])
    upper = np.fmin.reduce([high for _, high in found.values()])
    lower, upper = np.where(direction.still, 0.0, _down(lower)), np.where(direction.still, 0.0, _up(upper))
    return np.where(policy.finite, lower, np.nan), np.where(policy.finite, upper, np.nan)


def _plain_error(arms: int) -> float:
    """Relative error of an expectation, in units of the expectation of its terms' sizes.

    A weight is e^(gap (1 + u)), off by 745 + 8 units at most, a term by 4 more, a sum by its length; twice, as the
    mass that divides is off by as much.
    """
    return _GENEROUS * 2 * (760 + rows.summation_error(arms) + 32) * UNIT


def _shifted_error(arms: int) -> float:
    """As :func:`_plain_error`, with weights e^(tau x): an exponent of up to 300, off by two units of itself."""
    return _plain_error(arms) + _GENEROUS * 2 * (2 * LARGEST_SHIFT + FUNCTION_ERROR + 8) * UNIT


def _entropy(policy: Policy, arms: int) -> Entropy:
    """H = log(1 + others) - E[gap]: two terms of one sign, so the error is relative to H, however peaked it is."""
    h = np.log1p(policy.others) - policy.mean_gap
    error = _plain_error(arms) * h + UNDERFLOW
    return Entropy(np.maximum(h - error, 0.0), h + error)


def _slope(m: Moments, policy: Policy, arms: int) -> Slope:
    """Derivatives at the start, with what their centring leaves."""
    relative = _plain_error(arms)
    lost = np.where(policy.uniform, 0.0, UNDERFLOW)  # equal logits: S is exactly 0, and so is all that it multiplies
    # S = (z - top) - mean gap is off by a unit of itself and of the gap, which is at most |S| + |mean gap|.
    gap_error = 4 * UNIT * np.abs(policy.mean_gap)
    off_mean = np.abs(m.s) + relative * m.abs_s + gap_error + lost
    off_centre = np.abs(m.x) + relative * m.abs_x + UNDERFLOW
    first_error = relative * m.abs_sx + gap_error * m.abs_x + off_mean * off_centre + lost
    second_error = (
        (relative + gap_error) * m.xx
        + relative * m.abs_sxx
        + off_centre * (off_centre * (1 + 2 * off_mean) + 2 * m.abs_sx)
        + off_mean * m.xx
        + UNDERFLOW
    )
    return Slope(-m.sx, _GENEROUS * first_error, -(m.xx + m.sxx), _GENEROUS * second_error, off_centre, off_mean)


class UpperMoments(NamedTuple):
    """Upper bounds on the P-weighted moments, and on a few numbers along the path, ``[r]`` each."""

    a: tuple[Array, ...]
    s: tuple[Array, ...]
    drift: Array  # |E_t x| up to t = tau
    surprise: Array  # |E_t S|


def _upper_moments(shifted: Shifted, slope: Slope, policy: Policy, tau: Array, arms: int) -> UpperMoments:
    # E e^(tau x) >= e^(tau E x): centring that is off by e lets pi_t / pi exceed e^(tau x) by a factor of e^(tau e).
    wider = (1 + 4 * _shifted_error(arms)) * np.exp(np.minimum(tau * slope.off_centre, LARGEST_SHIFT))
    a = tuple(wider * moment + SHIFTED_UNDERFLOW for moment in shifted.a)
    gap_error = 4 * UNIT * np.abs(policy.mean_gap)
    s = tuple(wider * moment + gap_error * a[k] + SHIFTED_UNDERFLOW for k, moment in enumerate(shifted.s))
    drift = np.minimum(tau * a[2], a[1]) + slope.off_centre
    surprise = np.minimum(s[0], slope.off_mean + tau * (s[1] + drift * s[0]))
    return UpperMoments(a, s, drift, surprise)


def _brackets(slope: Slope, direction: Direction, tau: Array, curvature: tuple[float, float]) -> Sides:
    r"""Per unit step: :math:`h_1 \mp \frac\tau2\rho^2L_\mp`."""
    below, above = curvature
    quadratic = 0.5 * tau * direction.spread**2 * (1 + 1e-14)  # the brackets themselves are right to 1e-14
    room = slope.first_error + 16 * UNIT * (np.abs(slope.first) + quadratic * max(below, above))
    return slope.first - quadratic * below - room, slope.first + quadratic * above + room


def _third_order(slope: Slope, m: UpperMoments, tau: Array) -> Sides:
    r"""Per unit step: :math:`h_1 + \frac\tau2\varphi''(0) \mp \frac{\tau^2}6B_3`, with B_3 of claim `third-order`.

    Along the path :math:`\pi_t \le \pi e^{\tau x_+}`, so that :math:`E_t|x|^k \le a_k`, :math:`E_t|S||x|^k \le s_k`;
    with :math:`m \ge |E_tx|`, :math:`|x - E_tx|^3` has the mean :math:`T` at most, its fourth power D.
    """
    _, a1, a2, a3, a4 = m.a
    s0, s1, s2, s3 = m.s
    shift = m.drift
    third = a3 + 3 * shift * a2 + 3 * shift**2 * a1 + shift**3
    fourth = a4 + 4 * shift * a3 + 6 * shift**2 * a2 + 4 * shift**3 * a1 + shift**4
    tied = s3 + 3 * shift * s2 + 3 * shift**2 * s1 + shift**3 * s0
    b3 = 2 * third + tied + m.surprise * third + tau * fourth + 3 * a2 * (s1 + shift * s0 + tau * a2)
    middle = slope.first + 0.5 * tau * slope.second
    room = slope.first_error + 0.5 * tau * slope.second_error + tau * tau * b3 * ((1 + 1e-12) / 6)
    room = room + 16 * UNIT * (np.abs(slope.first) + tau * np.abs(slope.second) + room)
    return middle - room, middle + room


def _stepped(per_step: Sides, slope: Slope, direction: Direction) -> Sides:
    """Bounds per unit step, times the step. Of a step below all others, only the first order is left."""
    tiny, huge = direction.exponent < LOWEST_STEP, direction.exponent > HIGHEST_STEP
    room = slope.first_error + 16 * UNIT * np.abs(slope.first) + _TINY_STEP_CURVATURE
    low = np.where(tiny, slope.first - room, per_step[0])
    high = np.where(tiny, slope.first + room, per_step[1])
    # The product is rounded before its exponent is added, which rounds again below 2**-1022: two steps outward.
    exponent = np.minimum(direction.exponent, HIGHEST_STEP)
    low = np.ldexp(_down(direction.mantissa * low), exponent)
    high = np.ldexp(_up(direction.mantissa * high), exponent)
    return np.where(huge, -np.inf, _down(low)), np.where(huge, np.inf, _up(high))


def _cross_entropy(
    plain: Moments, shifted: Shifted, m: UpperMoments, slope: Slope, policy: Policy, tau: Array, arms: int
) -> Sides:
    r"""Bounds from the cross-entropy of each policy in the other.

    :math:`A = -\sum_i(\pi'_i - \pi_i)\log\pi_i` from above; with the roles exchanged, from below,
    :math:`-\sum_i(\pi'_i-\pi_i)\log\pi'_i = A - \tau(E_{\pi'}x - E_\pi x)`.
    """
    relative, shifted_relative = _plain_error(arms), 2 * _shifted_error(arms)
    lost = np.where(policy.uniform, 0.0, SHIFTED_UNDERFLOW)
    cross = plain.s - shifted.moved_s / shifted.moved
    cross_error = shifted_relative * m.s[0] / shifted.moved + relative * plain.abs_s + lost
    cross_error = cross_error + 8 * UNIT * np.abs(policy.mean_gap)
    both = tau * (shifted.moved_x / shifted.moved - plain.x)
    both_error = tau * (shifted_relative * m.a[1] / shifted.moved + relative * plain.abs_x + SHIFTED_UNDERFLOW)
    cross_error = _GENEROUS * cross_error + 8 * UNIT * np.abs(cross)
    both_error = _GENEROUS * both_error + 8 * UNIT * (np.abs(both) + np.abs(cross))
    return cross - both - cross_error - both_error, cross + cross_error


def _ratio_box(
    direction: Direction,
    shifted: Shifted,
    m: UpperMoments,
    slope: Slope,
    entropy: Entropy,
    tau: Array,
    near: Array,
    arms: int,
) -> Sides:
    r"""Entropy times the range of :math:`\pi'/\pi - 1`, where :math:`\log(\pi'/\pi) = \tau x - \log E e^{\tau x}`.

    A step too long for the expectation has :math:`|\log(\pi'/\pi)| \le \tau\rho`. For one that is shorter than tau, the
    smallest that is computed with, the box is too wide: it grows with tau.
    """
    error = 2 * _shifted_error(arms)
    log_mean = np.log(shifted.moved)
    error = error + FUNCTION_ERROR * UNIT * np.abs(log_mean)
    low_mean = np.maximum(log_mean - error, -tau * slope.off_centre)  # Jensen
    high_mean = np.minimum(log_mean + error, tau * slope.off_centre + 0.5 * tau**2 * m.a[2])  # the variance on the way
    least = np.where(near, tau * direction.lowest - high_mean, -tau * direction.spread)
    most = np.where(near, tau * direction.highest - low_mean, tau * direction.spread)
    slack = 16 * UNIT * (tau * direction.spread + np.abs(low_mean) + np.abs(high_mean))
    grow = 1 + 4 * FUNCTION_ERROR * UNIT
    low = entropy.high * grow * np.expm1(np.minimum(least - slack, 0.0))
    high = entropy.high * grow * np.expm1(np.maximum(most + slack, 0.0))
    huge = direction.exponent > HIGHEST_STEP
    return np.where(huge, -np.inf, low), np.where(huge, np.inf, high)


def _where(near: Array, sides: Sides) -> Sides:
    return np.where(near, sides[0], -np.inf), np.where(near, sides[1], np.inf)


def _down(x: Array) -> Array:
    return np.nextafter(x, -np.inf)


def _up(x: Array) -> Array:
    return np.nextafter(x, np.inf)
