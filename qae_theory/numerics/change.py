r"""The exact entropy change in float64, to a few units in the last place of what it is a sum of.

:math:`\Delta H = -\sum_i\pi_it_iS_i - \sum_i\pi_if(y_i)` with :math:`y = \log(\pi'/\pi)`, :math:`t = e^y - 1`,
:math:`S = \log\pi + H`, :math:`f(y) = e^y(y - 1) + 1 \ge 0`. Not guaranteed: that is ``enclosure``.
"""

from __future__ import annotations

import math

import numpy as np

from qae_theory.arrays import Array
from qae_theory.numerics.stepped import stepped_gaps
from qae_theory.softmax import centred, expectation, log_softmax, surprise

# Directions outside these powers of two are divided by their own, so that products neither over- nor underflow.
_PLAIN_SIZE = 300
# A log-ratio from the shift of the logits loses digits where the shift is large; from there both ways are compared.
_LARGE_SHIFT = 1.0
# e^700 is a float64, and so are the sums of a few of them.
_LARGEST_SHIFT = 700.0
# What a new logit may be off by before the change is unknown.
_LARGEST_ERROR = 2.0**-40
# f(y) / y^2 = sum of y^k (k + 1)/(k + 2)!: for |y| < 1/8 the first ten terms leave 1e-17.
_SERIES_REACH = 0.125
_SERIES = [(k + 1) / math.factorial(k + 2) for k in range(10)]


def finite_change(z: Array, d: Array, eta: Array) -> tuple[Array, Array]:
    """Entropy change ``[...]`` of checked arguments, and whether it could be found."""
    with np.errstate(all="ignore"):
        log_probs = log_softmax(z)
        probs = np.exp(log_probs)
        shift = _shift(probs, d, eta)
        reach = np.abs(shift).max(axis=-1)
        far = ~(reach < _LARGE_SHIFT)
        log_ratio = _from_shift(probs, np.where(_column(reach < _LARGEST_SHIFT), shift, 0.0))
        known = np.ones(reach.shape, dtype=bool)
        if not far.any():
            return _from_log_ratio(z, log_probs, probs, log_ratio, None), known
        new_log_probs = np.broadcast_to(log_probs, shift.shape) + log_ratio
        new_log_probs[far], known[far] = _stepped(z, d, eta, far)
        log_ratio = _better(log_ratio, shift, reach, new_log_probs, log_probs, far)
        return _from_log_ratio(z, log_probs, probs, log_ratio, (new_log_probs, far)), known


def unit_direction(d: Array) -> tuple[Array, Array]:
    """Directions over powers of two, and the exponents ``[...]``: 0 unless a direction is very large or very small."""
    _, exponent = np.frexp(np.abs(d).max(axis=-1))
    exponent = np.where(np.abs(exponent) <= _PLAIN_SIZE, 0, exponent)
    if not exponent.any():
        return d, exponent
    half = exponent // 2
    return d * _column(np.ldexp(1.0, -half)) * _column(np.ldexp(1.0, half - exponent)), exponent


def _shift(probs: Array, d: Array, eta: Array) -> Array:
    """Shift of the logits, less about its mean, ``[..., n]``; infinite or NaN where that is no float64."""
    unit, exponent = unit_direction(d)
    return np.asarray(_column(np.ldexp(eta, exponent)) * centred(probs, unit))


def _from_shift(probs: Array, shift: Array) -> Array:
    """log(pi'/pi) = shift - log E e^shift, without cancellation for a small shift."""
    return np.asarray(shift - _column(np.log1p(expectation(probs, np.expm1(shift)))))


def _stepped(z: Array, d: Array, eta: Array, far: Array) -> tuple[Array, Array]:
    """New log-probabilities of the far rows, ``[r, n]``, from their new logits, and whether those are known."""
    arms = z.shape[-1]
    far_z, far_d = (np.broadcast_to(x, (*far.shape, arms))[far] for x in (z, d))
    gaps, off, _ = stepped_gaps(far_z, far_d, np.broadcast_to(eta, far.shape)[far])
    known = (off <= _LARGEST_ERROR) & (gaps.high.max(axis=-1) <= 0)
    return log_softmax(np.where(_column(known), gaps.high, 0.0)), known


def _better(log_ratio: Array, shift: Array, reach: Array, new_log_probs: Array, log_probs: Array, far: Array) -> Array:
    """Of the two ways to log(pi'/pi), for each arm the one whose parts are smaller: that is what rounding goes by."""
    by_shift = np.abs(shift) + np.abs(log_ratio - shift)
    by_logits = np.abs(new_log_probs) + np.abs(log_probs)
    use = _column(far) & ~((by_shift < by_logits) & _column(reach < _LARGEST_SHIFT))
    return np.where(use, new_log_probs - log_probs, log_ratio)


def _from_log_ratio(
    z: Array, log_probs: Array, probs: Array, log_ratio: Array, stepped: tuple[Array, Array] | None
) -> Array:
    """The change, as its two sums or, on far rows where that is smaller, as the difference of the entropies."""
    new = np.exp(log_probs + log_ratio)
    # pi' - pi by whichever of expm1(y), -expm1(-y) cannot overflow.
    moved = np.where(log_ratio > 0, -new * np.expm1(-np.abs(log_ratio)), probs * np.expm1(np.minimum(log_ratio, 0)))
    s = surprise(probs, z)
    divergence = _divergence(probs, new, moved, log_ratio)
    change = -expectation(moved, s) - divergence
    if stepped is None:
        return np.asarray(change)
    new_log_probs, far = stepped
    before, after = -expectation(probs, log_probs), -expectation(np.exp(new_log_probs), new_log_probs)
    parts = expectation(np.abs(moved), np.abs(s)) + divergence
    return np.where(far & ~(parts < before + after), after - before, change)


def _divergence(probs: Array, new: Array, moved: Array, log_ratio: Array) -> Array:
    """KL(pi' || pi) as the sum of pi f(y): pi' y - (pi' - pi), or for small y by the series."""
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
