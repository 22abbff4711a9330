r"""Numbers of about 106 bits as unevaluated sums of two floats, and what the enclosure needs of their arithmetic.

A number is a pair (high, low) with :math:`|low| \le u\,|high|`, :math:`u = 2^{-53}`. Error bounds are those of Joldes,
Muller and Popescu (ACM TOMS 44(2), 2017), in units of :math:`u^2`, as long as nothing over- or underflows: `add` 3,
`times_float` 4, `times` 7, `over` 15.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from qae_theory.numerics.arithmetic import Array

# Every operation here, sums and exponentials included, is right to this, relative to the sizes of what it works on.
# The exponential is the worst, with 2**-97; a test holds all of them to a hundredth of it.
PRECISION = 2.0**-90
# Dekker's factor: a float times this, less itself, leaves its upper 26 bits.
_SPLITTER = 2.0**27 + 1


class Pair(NamedTuple):
    """A number as the sum of two floats."""

    high: Array
    low: Array

    def at(self, key: Any) -> Pair:
        """Return the part of an array of numbers, as ``array[key]``."""
        return Pair(self.high[key], self.low[key])


def exactly(x: Array) -> Pair:
    """Return a float as a pair."""
    return Pair(x, np.zeros_like(x))


def difference(a: Array, b: Array) -> Pair:
    """Return the difference of two floats, exactly."""
    return _two_sum(a, -b)


def product(a: Array, b: Array) -> Pair:
    """Return the product of two floats, exactly where it is at least 2**-900 in size."""
    high = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return Pair(high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low)


def negative(x: Pair) -> Pair:
    """Return -x."""
    return Pair(-x.high, -x.low)


def add(x: Pair, y: Pair) -> Pair:
    """Return the sum x + y, also where they nearly cancel."""
    high, low = _two_sum(x.high, y.high)
    low_high, low_low = _two_sum(x.low, y.low)
    high, low = _fast_two_sum(high, low + low_high)
    return _fast_two_sum(high, low + low_low)


def add_float(x: Pair, y: Array) -> Pair:
    """Return the sum x + y for a float y."""
    high, low = _two_sum(x.high, y)
    return _fast_two_sum(high, low + x.low)


def times(x: Pair, y: Pair) -> Pair:
    """Return the product x y."""
    high, low = product(x.high, y.high)
    return _fast_two_sum(high, low + (x.high * y.low + x.low * y.high))


def times_float(x: Pair, y: Array) -> Pair:
    """Return the product x y for a float y."""
    high, low = product(x.high, y)
    return _fast_two_sum(high, low + x.low * y)


def scaled(x: Pair, factor: float) -> Pair:
    """Return the product of x and a power of two, exactly."""
    return Pair(x.high * factor, x.low * factor)


def by_power(x: Pair, exponent: Array) -> Pair:
    """Return the rows ``[r, n]`` times 2**exponent, ``[r]``, exactly unless they leave float64."""
    factor = np.ldexp(1.0, exponent)[:, None]
    return Pair(x.high * factor, x.low * factor)


def over(x: Pair, y: Pair) -> Pair:
    """Return the quotient x / y."""
    first = x.high / y.high
    rest = add(x, negative(times_float(y, first)))
    return _fast_two_sum(first, (rest.high + rest.low) / y.high)


def total(x: Pair) -> Pair:
    """Return the sum over the last axis, by halves: the error is log2(n) additions' of the sizes' sum."""
    while x.high.shape[-1] > 1:
        size = x.high.shape[-1]
        half = size // 2
        paired = add(x.at(np.s_[..., :half]), x.at(np.s_[..., half : 2 * half]))
        if size % 2:
            paired = Pair(*(np.concatenate([a, b[..., -1:]], axis=-1) for a, b in zip(paired, x, strict=True)))
        x = paired
    return Pair(x.high[..., 0], x.low[..., 0])


def exp_minus_1(x: Pair) -> Pair:
    """Return e^x - 1 for -2000 <= x <= 700, to a relative 2**-97."""
    return _exponential(x, less=1.0)


def exp(x: Pair) -> Pair:
    """Return e^x for -2000 <= x <= 700, to a relative 2**-97 or an absolute 2**-1073, whichever is more."""
    return _exponential(x, less=0.0)


def log1p(x: Pair) -> Pair:
    """Return log(1 + x) for x >= 0, to a relative 2**-95: two steps of Newton's method from float64."""
    guess = exactly(np.log1p(x.high))
    for _ in range(2):
        # log(1 + x) = y + log(1 + r), r = (1 + x) e^-y - 1 = (x - (e^y - 1)) e^-y, and r^2 / 2 is below what counts.
        grown = exp_minus_1(guess)
        rest = over(add(x, negative(grown)), add_float(grown, np.ones_like(x.high)))
        guess = add(guess, add(rest, scaled(negative(times(rest, rest)), 0.5)))
    return guess


def _split(a: Array) -> tuple[Array, Array]:
    """Return two halves of 26 bits (Dekker); needs |a| < 2**995."""
    wide = _SPLITTER * a
    high = wide - (wide - a)
    return high, a - high


def _two_sum(a: Array, b: Array) -> Pair:
    high = a + b
    of_b = high - a
    return Pair(high, (a - (high - of_b)) + (b - of_b))


def _fast_two_sum(a: Array, b: Array) -> Pair:
    high = a + b
    return Pair(high, b - (high - a))


_LN_2 = Fraction("0.6931471805599453094172321214581765680755001343602552541206800094933936219696947156")
# In parts of 40 bits: 2**12 times the first or the second is a float without rounding.
_FIRST = Fraction(math.floor(_LN_2 * 2**40), 2**40)
_SECOND = Fraction(math.floor((_LN_2 - _FIRST) * 2**80), 2**80)
_LOG_2 = float(_FIRST), float(_SECOND), float(_LN_2 - _FIRST - _SECOND)
# After eight halvings |r| < 2**-9.5: 1/k! r^k is below 2**-140 of r for k = 12.
_HALVINGS = 8
_FACTORS = [Fraction(1, math.factorial(k)) for k in range(12)]
_COEFFICIENTS = [(float(x), float(x - Fraction(float(x)))) for x in _FACTORS]


def _exponential(x: Pair, *, less: float) -> Pair:
    """Return e^x - less, for less 0 or 1.

    It is e^x = 2^k (1 + (e^(r/256) - 1))^256 with |r| <= log(2)/2, kept less 1 throughout.
    """
    k = np.rint(x.high / _LOG_2[0])
    r = add_float(add_float(add_float(x, -k * _LOG_2[0]), -k * _LOG_2[1]), -k * _LOG_2[2])
    r = scaled(r, 2.0**-_HALVINGS)
    series = Pair(*(np.full_like(r.high, part) for part in _COEFFICIENTS[11]))
    for j in range(10, 0, -1):
        series = add(times(series, r), Pair(*(np.full_like(r.high, part) for part in _COEFFICIENTS[j])))
    grown = times(series, r)  # e^(r/256) - 1
    for _ in range(_HALVINGS):
        grown = add(scaled(grown, 2.0), times(grown, grown))
    exponent = np.maximum(k, -1100.0).astype(np.int64)
    if less == 0:
        whole = add_float(grown, np.ones_like(grown.high))
        return Pair(np.ldexp(whole.high, exponent), np.ldexp(whole.low, exponent))
    # 2^k (1 + g) - 1 = 2^k g + (2^k - 1), where the bracket is a pair without rounding.
    power = np.ldexp(1.0, exponent)
    return add(Pair(grown.high * power, grown.low * power), difference(power, np.ones_like(power)))
