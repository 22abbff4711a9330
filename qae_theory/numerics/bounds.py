r"""Guaranteed bounds on the entropy change of a step, four kinds, each rounded outward.

Every quantity carries a bound on its own rounding error, made of sizes of the terms that it is a sum of. The formulas
are those of the claims `remainder`, `ratio-box`, `cross-entropy-upper` and `third-order`; how an error bound is made
is in ``docs/numerics.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from qae_theory.numerics import row_moments
from qae_theory.numerics.arithmetic import Array
from qae_theory.numerics.row_moments import (
    FLOOR,
    GENEROUS,
    LARGEST_SHIFT,
    UNIT,
    Direction,
    Moments,
    Policy,
    Room,
    Shifted,
)

Sides = tuple[Array, Array]

_ELEMENTS = 2**15  # floats of a block of rows that are worked on together
# In units of the direction's size. A step below 2^LOWEST has the bounds of one that long, and one above 2^HIGHEST only
# the trivial ones.
LOWEST_STEP, HIGHEST_STEP = -900, 60
# In half-units. A weight is e^(gap (1 + u)), off by 745 + 8 at most, and a term by a few more. The length of the sum
# comes on top.
_WEIGHT_ERROR = 792
# A weight e^(tau x): an exponent of up to 300 is off by two half-units of itself, its exponential by 8 more.
_SHIFTED_WEIGHT_ERROR = 2 * LARGEST_SHIFT + 16
# A gap is off by a half-unit of itself, its mean by one more, and the rest of centring by as much.
_GAP_ERROR = 4
# What a few additions and products can do to numbers of one size.
_LAST_ROUNDINGS = 16 * UNIT


class Entropy(NamedTuple):
    """Bounds on the policy's entropy, ``[r]`` each."""

    low: Array
    high: Array


class Slope(NamedTuple):
    """First and second derivative of the entropy along x, with bounds on their errors, ``[r]`` each."""

    first: Array
    first_error: Array
    second: Array
    second_error: Array
    off_centre: Array  # bounds |E x|, the rest that centring has left
    off_mean: Array  # bounds |E S|


class UpperMoments(NamedTuple):
    """Upper bounds on the P-weighted moments, and on two numbers along the path, ``[r]`` each."""

    a: tuple[Array, ...]  # of |x|^k, k = 0..4
    s: tuple[Array, ...]  # of |S| |x|^k, k = 0..3
    drift: Array  # |E_t x| up to t = tau
    surprise: Array  # |E_t S|


class Terms(NamedTuple):
    """All that the kinds of bounds are made of. ``near``: where sums weighted with e^(tau x) mean something."""

    policy: Policy
    direction: Direction
    entropy: Entropy
    tau: Array
    near: Array
    plain: Moments
    shifted: Shifted
    slope: Slope
    upper: UpperMoments
    arms: int
    curvature: tuple[float, float]


def bounds(z: Array, d: Array, eta: Array, *, method: str, curvature: tuple[float, float]) -> Sides:
    """Return the lower and the upper bound of the rows ``[r, n]`` for finite steps ``[r]``, in nats, ``[r]`` each.

    A row that is not finite gets NaN.

    Args:
        z: logits.
        d: directions.
        eta: step sizes.
        method: one of ``METHODS``.
        curvature: the two brackets of claim `remainder` for n arms.
    """
    height = max(1, _ELEMENTS // max(1, min(z.shape[1], row_moments.COLUMNS)))
    room = Room(min(height, len(z)), z.shape[1])
    lower, upper = np.empty(len(z)), np.empty(len(z))
    # A step too large for float64 leaves the trivial bounds; NaN is what it leaves of the others.
    with np.errstate(all="ignore"):
        for start in range(0, len(z), height):
            block = slice(start, start + height)
            lower[block], upper[block] = _block(z[block], d[block], eta[block], method, curvature, room)
    return lower, upper


def _block(z: Array, d: Array, eta: Array, method: str, curvature: tuple[float, float], room: Room) -> Sides:
    terms = _terms(z, d, eta, curvature, room)
    found = [_ends(terms)]
    for name, kind in _KINDS.items():
        if method in ("best", name):
            found.append(kind(terms))
    # fmax and fmin pass over NaN.
    lower, upper = np.fmax.reduce([low for low, _ in found]), np.fmin.reduce([high for _, high in found])
    still, finite = terms.direction.still, terms.policy.finite
    return tuple(  # type: ignore[return-value]
        np.where(finite, np.where(still, 0.0, side), np.nan) for side in (_down(lower), _up(upper))
    )


def _terms(z: Array, d: Array, eta: Array, curvature: tuple[float, float], room: Room) -> Terms:
    """Return moments and their bounds."""
    arms = z.shape[1]
    policy, direction = row_moments.read(z, d, eta, room)
    tau = np.ldexp(direction.mantissa, np.clip(direction.exponent, LOWEST_STEP, HIGHEST_STEP))
    shift = tau * np.maximum(direction.highest, -direction.lowest)
    near = (shift <= LARGEST_SHIFT) & (direction.exponent <= HIGHEST_STEP)
    # Weights e^(tau x) that would be beyond float64 are those of no step, and nobody reads them.
    plain, shifted = row_moments.moments(z, d, policy, direction, np.where(near, tau, 0.0), room)
    slope = _slope(plain, policy, arms)
    upper = _upper_moments(shifted, slope, policy, tau, arms)
    return Terms(policy, direction, _entropy(policy, arms), tau, near, plain, shifted, slope, upper, arms, curvature)


def _plain_error(arms: int) -> float:
    """Return r: the relative error of an expectation, in units of the expectation of its terms' sizes.

    Twice that of a sum, as the mass that divides is off by as much.
    """
    return GENEROUS * 2 * (_WEIGHT_ERROR + row_moments.summation_error(arms)) * UNIT


def _shifted_error(arms: int) -> float:
    """Return R: what :func:`_plain_error` is, for weights e^(tau x)."""
    return _plain_error(arms) + GENEROUS * 2 * _SHIFTED_WEIGHT_ERROR * UNIT


def _gap_error(policy: Policy) -> Array:
    """Return g: what S = (z - top) - mean gap is off by, but for half-units of itself, which are among those of r."""
    return _GAP_ERROR * UNIT * np.abs(policy.mean_gap)


def _entropy(policy: Policy, arms: int) -> Entropy:
    """Return H = log(1 + others) - E[gap] with its error.

    Both terms have one sign, so the error is relative to H, however peaked the policy is.
    """
    h = np.log1p(policy.others) - policy.mean_gap
    error = _plain_error(arms) * (h + FLOOR)
    return Entropy(np.maximum(h - error, 0.0), h + error)


def _slope(m: Moments, policy: Policy, arms: int) -> Slope:
    """Return the derivatives at the start, with what their centring leaves."""
    relative, gap_error = _plain_error(arms), _gap_error(policy)
    off_mean = np.abs(m.s) + relative * m.abs_s + gap_error
    off_centre = np.abs(m.x) + relative * m.abs_x
    first_error = relative * m.abs_sx + gap_error * m.abs_x + off_mean * off_centre
    # Of off_mean's four half-units of the mean gap its own error needs three at most, and an arm's S the fourth.
    second_error = (relative + off_mean) * m.xx + relative * m.abs_sxx + 2 * off_centre * (off_centre + m.abs_sx)
    return Slope(-m.sx, GENEROUS * first_error, -(m.xx + m.sxx), GENEROUS * second_error, off_centre, off_mean)


def _upper_moments(shifted: Shifted, slope: Slope, policy: Policy, tau: Array, arms: int) -> UpperMoments:
    r"""Return the moments along the path: :math:`E_t|x|^k \le a_k` and :math:`E_t|S||x|^k \le s_k` for t up to tau.

    As :math:`E e^{tx} \ge e^{tEx}`, :math:`\pi_t/\pi \le e^{\tau x_+}`, but for a factor of :math:`e^{\tau|Ex|}` that
    the rest of the centring may add. :math:`E_tx` grows by the variance, so by at most :math:`\tau a_2`, and
    :math:`E_tS` by a covariance with x, at most :math:`s_1 + |E_tx|s_0` per unit of t.
    """
    wider = (1 + 4 * _shifted_error(arms)) * np.exp(np.minimum(tau * slope.off_centre, LARGEST_SHIFT))
    gap_error = _gap_error(policy)
    a = tuple(wider * moment for moment in shifted.a)
    s = tuple(wider * moment + gap_error * a[k] for k, moment in enumerate(shifted.s))
    drift = np.minimum(tau * a[2], a[1]) + slope.off_centre
    surprise = np.minimum(s[0], slope.off_mean + tau * (s[1] + drift * s[0]))
    return UpperMoments(a, s, drift, surprise)


def _ends(terms: Terms) -> Sides:
    """Return [-H, log n - H]."""
    return -terms.entropy.high, np.log(terms.arms) * (1 + _LAST_ROUNDINGS) - terms.entropy.low


def _brackets(terms: Terms) -> Sides:
    r"""Return :math:`\tau h_1 \mp \frac{\tau^2}2\rho^2L_\mp`."""
    slope, (below, above) = terms.slope, terms.curvature
    # The brackets are right to 1e-14, and so is their product.
    quadratic = 0.5 * terms.tau * terms.direction.spread**2 * (1 + 2e-14)
    low, high = slope.first - quadratic * below, slope.first + quadratic * above
    return _stepped(low - slope.first_error, high + slope.first_error, terms.direction)


def _third_order(terms: Terms) -> Sides:
    r"""Return :math:`\tau h_1 + \frac{\tau^2}2\varphi''(0) \mp \frac{\tau^3}6B_3`, with B_3 of claim `third-order`.

    With m at least :math:`|E_tx|`, :math:`|x - E_tx|^3` has a mean of at most T, and its fourth power of at most D.
    """
    slope, upper, tau = terms.slope, terms.upper, terms.tau
    _, a1, a2, a3, a4 = upper.a
    s0, s1, s2, s3 = upper.s
    m = upper.drift
    third = a3 + 3 * m * a2 + 3 * m**2 * a1 + m**3
    fourth = a4 + 4 * m * a3 + 6 * m**2 * a2 + 4 * m**3 * a1 + m**4
    tied = s3 + 3 * m * s2 + 3 * m**2 * s1 + m**3 * s0
    b3 = 2 * third + tied + upper.surprise * third + tau * fourth + 3 * a2 * (s1 + m * s0 + tau * a2)
    middle = slope.first + 0.5 * tau * slope.second
    room = slope.first_error + 0.5 * tau * slope.second_error + tau * tau * b3 * ((1 + 1e-12) / 6)
    return _where(terms.near, _stepped(middle - room, middle + room, terms.direction))


def _cross_entropy(terms: Terms) -> Sides:
    r"""Return the bounds from the cross-entropy of each policy in the other.

    :math:`A = -\sum_i(\pi'_i - \pi_i)\log\pi_i` from above; with the roles exchanged, from below,
    :math:`-\sum_i(\pi'_i-\pi_i)\log\pi'_i = A - \tau(E_{\pi'}x - E_\pi x)`.
    """
    plain, shifted, upper, tau = terms.plain, terms.shifted, terms.upper, terms.tau
    relative, shifted_relative = _plain_error(terms.arms), 2 * _shifted_error(terms.arms)
    cross = plain.s - shifted.moved_s / shifted.moved
    both = tau * (shifted.moved_x / shifted.moved - plain.x)
    cross_error = shifted_relative * upper.s[0] / shifted.moved + relative * plain.abs_s + 2 * _gap_error(terms.policy)
    both_error = tau * (shifted_relative * upper.a[1] / shifted.moved + relative * plain.abs_x)
    low, high = cross - both - GENEROUS * (cross_error + both_error), cross + GENEROUS * cross_error
    return _where(terms.near, (low, high))


def _ratio_box(terms: Terms) -> Sides:
    r"""Return the entropy times the range of :math:`\pi'/\pi - 1`.

    Here :math:`\log(\pi'/\pi) = \tau x - \log E e^{\tau x}`; a step too long for the expectation has
    :math:`|\log(\pi'/\pi)| \le \tau\rho`. For one that is shorter than the least tau the box is too wide: it grows
    with tau.
    """
    direction, shifted, slope, tau = terms.direction, terms.shifted, terms.slope, terms.tau
    log_mean = np.log(shifted.moved)
    error = 4 * _shifted_error(terms.arms)  # of the mean itself 2 R, and of a logarithm of at most 300 less than that
    # At least tau E x by Jensen; at most that and the variance on the way.
    low_mean = np.maximum(log_mean - error, -tau * slope.off_centre)
    high_mean = np.minimum(log_mean + error, tau * slope.off_centre + 0.5 * tau**2 * terms.upper.a[2])
    reach = tau * direction.spread
    least = np.where(terms.near, tau * direction.lowest - high_mean, -reach) - _LAST_ROUNDINGS * reach
    most = np.where(terms.near, tau * direction.highest - low_mean, reach) + _LAST_ROUNDINGS * reach
    # The entropy's error has room for the rounding of expm1.
    low = terms.entropy.high * np.expm1(np.minimum(least, 0.0))
    high = terms.entropy.high * np.expm1(np.maximum(most, 0.0))
    return _where(direction.exponent <= HIGHEST_STEP, (low, high))


_KINDS: Mapping[str, Callable[[Terms], Sides]] = MappingProxyType(
    {
        "brackets": _brackets,
        "ratio-box": _ratio_box,
        "cross-entropy": _cross_entropy,
        "third-order": _third_order,
    }
)
METHODS = ("best", *_KINDS)


def _stepped(low: Array, high: Array, direction: Direction) -> Sides:
    """Return bounds per unit step, times the step.

    One below 2**LOWEST_STEP has bounds of a longer one, which differ by less than 2**LOWEST_STEP: the product by less
    than the smallest float.
    """
    # The product is rounded before its exponent is added, which rounds again below 2**-1022: two steps outward.
    exponent = np.minimum(direction.exponent, HIGHEST_STEP)
    low = np.ldexp(_down(direction.mantissa * low), exponent)
    high = np.ldexp(_up(direction.mantissa * high), exponent)
    return _where(direction.exponent <= HIGHEST_STEP, (_down(low), _up(high)))


def _where(known: Array, sides: Sides) -> Sides:
    """Return the bounds where they are known, and infinite ones elsewhere."""
    return np.where(known, sides[0], -np.inf), np.where(known, sides[1], np.inf)


def _down(x: Array) -> Array:
    return np.nextafter(x, -np.inf)


def _up(x: Array) -> Array:
    return np.nextafter(x, np.inf)
