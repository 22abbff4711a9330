r"""The exact entropy change in float64, to a few units in the last place of what it is a sum of.

:math:`\Delta H = -\sum_i\pi_it_iS_i - \sum_i\pi_if(y_i)` with :math:`y = \log(\pi'/\pi)`, :math:`t = e^y - 1`,
:math:`S = \log\pi + H`, :math:`f(y) = e^y(y - 1) + 1 \ge 0`. Not guaranteed: that is ``enclosure``.
"""

from __future__ import annotations

import math

import numpy as np

from qae_theory.numerics.arithmetic import (
    Array,
    centred,
    exp,
    expectation,
    is_exact,
    log,
    log_ratio_of_shift,
    log_softmax,
    surprise,
)
from qae_theory.numerics.stepped import stepped_gaps

# Directions outside these powers of two are divided by their own, so that products neither over- nor underflow.
_PLAIN_SIZE = 300
# A log-ratio from the shift of the logits loses digits where the shift is large; from there both ways are compared.
_LARGE_SHIFT = 1.0
# e^690 is a float64, and so is the sum of as many of them as a vocabulary has.
_LARGEST_LOG = 690.0
# What is asked of a step size whose change is unknown.
STEP_SIZES = "so large only as float64 can tell the new logits apart"
# What a new logit may be off by before the change is unknown.
_LARGEST_ERROR = 2.0**-40
# f(y) / y^2 = sum of y^k (k + 1)/(k + 2)!: for |y| < 1/8 the first ten terms leave 1e-17.
_SERIES_REACH = 0.125
_SERIES = [(k + 1) / math.factorial(k + 2) for k in range(10)]


def change_of_step(z: Array, d: Array, eta: Array) -> tuple[Array, Array]:
    r"""Return :math:`H(\mathrm{softmax}(z + \eta d)) - H(\mathrm{softmax}(z))` and whether it could be found.

    Args:
        z: logits ``[..., n]``, checked; exact objects or float64.
        d: direction ``[..., n]``, logit change per unit step, in the same arithmetic.
        eta: step size ``[...]``, in the same arithmetic.

    Returns:
        The change in nats, and false where float64 cannot tell the new logits apart, ``[...]`` each.
    """
    if any(is_exact(x) for x in (z, d, eta)):
        change = _exact_change(z, d, eta)
        return change, np.ones(np.shape(change), dtype=bool)
    return finite_change(z, d, eta)


def finite_change(z: Array, d: Array, eta: Array) -> tuple[Array, Array]:
    """Return what :func:`change_of_step` does, in float64: by the log-ratios of all arms, found in the better way."""
    with np.errstate(all="ignore"):
        z, d = np.broadcast_arrays(z, d)
        shift = _shift(z, d, eta)
        log_probs = log_softmax(z)
        probs = np.exp(log_probs)
        near = np.abs(shift).max(axis=-1) < _LARGE_SHIFT
        log_ratio = log_ratio_of_shift(probs, centred(probs, np.where(_column(near), shift, 0.0)))
        change = np.asarray(_by_terms(z, probs, np.exp(log_probs + log_ratio), log_ratio)[0])
        known = np.ones(near.shape, dtype=bool)
        if not near.all():
            far = ~near
            far_z, far_d = (np.broadcast_to(x, shift.shape)[far] for x in (z, d))
            far_eta = np.broadcast_to(eta, far.shape)[far]
            change[far], known[far] = _far_change(far_z, far_d, far_eta, shift=shift[far])
        return change, known


def _far_change(z: Array, d: Array, eta: Array, *, shift: Array) -> tuple[Array, Array]:
    """Return what :func:`finite_change` does, for rows ``[r, n]`` whose logits move far, and steps ``[r]``."""
    log_probs = log_softmax(z)
    probs = np.exp(log_probs)
    gaps, off, _ = stepped_gaps(z, d, eta)
    known = (off <= _LARGEST_ERROR) & (gaps.high.max(axis=-1) <= 0)
    new_log_probs = log_softmax(np.where(_column(known), gaps.high, 0.0))
    new = np.exp(new_log_probs)
    log_ratio = _far_log_ratio(log_probs, new_log_probs, shift=shift, top=z.argmax(axis=-1))
    change, size = _by_terms(z, probs, new, log_ratio)
    before, after = -expectation(probs, log_probs), -expectation(new, new_log_probs)
    return np.where(size < before + after, change, after - before), known


def _far_log_ratio(log_probs: Array, new_log_probs: Array, *, shift: Array, top: Array) -> Array:
    r"""Return :math:`\log(\pi'/\pi)`, ``[r, n]``, of logits that move by ``shift`` against the likeliest arm, ``top``.

    It is found in two ways, from the shift of the logits and from the new logits, and taken from the one whose parts
    are smaller: that is what rounding goes by. An arm may be lifted from no probability at all while the likely arms
    hardly move, so each arm has the choice.
    """
    probs = np.exp(log_probs)
    row = np.arange(len(probs))
    # The likeliest arm has shift 0, so that this is a first value of log E e^s; e^s itself may be beyond float64.
    log_mean = _column(log_probs[row, top] - new_log_probs[row, top])
    possible = log_mean < _LARGEST_LOG
    lifted = np.exp(new_log_probs + np.where(possible, log_mean, 0.0)) - probs
    excess = np.where(shift < _LARGE_SHIFT, probs * np.expm1(np.minimum(shift, _LARGE_SHIFT)), lifted)
    log_mean = np.log1p(excess.sum(axis=-1, keepdims=True))
    of_shift, of_logits = np.abs(shift) + np.abs(log_mean), np.abs(new_log_probs) + np.abs(log_probs)
    return np.where(possible & (of_shift < of_logits), shift - log_mean, new_log_probs - log_probs)


def _shift(z: Array, d: Array, eta: Array) -> Array:
    """Return eta (d - d_j), ``[..., n]``, for the likeliest arm j.

    What the likely arms share is gone from it without rounding. No scaling is needed: it would lose the small entries
    of a direction beside one that is 1e300 times as large.
    """
    at_top, step = _at_top(z, d), _column(eta)
    between = d - at_top
    if np.isfinite(between).all():
        return np.asarray(step * between)
    halves = d / 2 - at_top / 2
    return np.where(np.isfinite(between), step * between, 2 * (step * halves))


def _exact_change(z: Array, d: Array, eta: Array) -> Array:
    """Return the entropy change in exact arithmetic, as the difference of two entropies: there nothing cancels."""
    log_probs = log_softmax(z)
    probs = exp(log_probs)
    shift = eta[..., None] * centred(probs, d)
    log_ratio = shift - log(expectation(probs, exp(shift)))[..., None]
    new = probs * exp(log_ratio)
    return expectation(probs, log_probs) - expectation(new, log_probs + log_ratio)


def unit_direction(d: Array) -> tuple[Array, Array]:
    """Return directions up to a constant and a power of two, and the exponents ``[...]`` of that, which are mostly 0.

    Entries that share their leading bits lose those, without rounding (Sterbenz): a constant direction becomes 0. Very
    large and very small ones are brought to a size of 1.
    """
    high, low = d.max(axis=-1), d.min(axis=-1)
    size = np.maximum(np.abs(high), np.abs(low))
    with np.errstate(over="ignore"):
        spread = high - low
        far = size > 16 * spread
    if far.any():
        d = d - _column(np.where(far, d[..., 0], 0.0))
    _, exponent = np.frexp(np.where(far, spread, size))
    exponent = np.where(np.abs(exponent) <= _PLAIN_SIZE, 0, exponent)
    if not exponent.any():
        return d, exponent
    half = exponent // 2
    return d * _column(np.ldexp(1.0, -half)) * _column(np.ldexp(1.0, half - exponent)), exponent


def deviations(probs: Array, z: Array, d: Array) -> Array:
    """Return d - E d, ``[..., n]``, measured from the likeliest arm first.

    What the likely arms share is then gone without rounding. The rounding of its mean would be as large, squared, as a
    covariance with a direction in which they move alike.

    Args:
        probs: the policy, ``[..., n]``.
        z: its logits, ``[..., n]``.
        d: directions ``[..., n]``, of a size that leaves room for their differences.
    """
    z, d = np.broadcast_arrays(z, d)
    return centred(probs, d - _at_top(z, d))


def _at_top(z: Array, d: Array) -> Array:
    """Return the likeliest arm's entry of d, ``[..., 1]``."""
    return np.take_along_axis(d, _column(z.argmax(axis=-1)), axis=-1)


def _by_terms(z: Array, probs: Array, new: Array, log_ratio: Array) -> tuple[Array, Array]:
    """Return the change as its two sums, and the size of their terms, ``[...]`` each."""
    # pi' - pi by whichever of expm1(y), -expm1(-y) cannot overflow.
    moved = np.where(log_ratio > 0, -new * np.expm1(-np.abs(log_ratio)), probs * np.expm1(np.minimum(log_ratio, 0)))
    divergence = _divergence(probs, new, moved, log_ratio)
    s = surprise(probs, z)
    return -expectation(moved, s) - divergence, expectation(np.abs(moved), np.abs(s)) + divergence


def _divergence(probs: Array, new: Array, moved: Array, log_ratio: Array) -> Array:
    """Return KL(pi' || pi), the sum of pi f(y), as that of pi' y - (pi' - pi) or, for small y, of the series of f."""
    small = np.abs(log_ratio) < _SERIES_REACH
    terms = new * np.where(new > 0, log_ratio, 0.0) - moved
    if small.any():
        y = np.where(small, log_ratio, 0.0)
        series = np.full_like(y, _SERIES[-1])
        for coefficient in _SERIES[-2::-1]:
            series *= y
            series += coefficient
        terms = np.where(small, probs * y * y * series, terms)
    return np.asarray(terms.sum(axis=-1))


def _column(x: Array) -> Array:
    return np.asarray(x)[..., None]
