r"""Arithmetic on float64 arrays and, element by element, on exact objects, and the softmax in both.

An "exact array" is a NumPy array of dtype object that holds Fractions, SymPy expressions or flint balls. The shipped
functions run on such arrays unchanged, so that a proof is about the code that users call. Everything else in the
package builds on this module, and it imports NumPy only. Nothing here validates.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isqrt
from numbers import Integral
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def is_exact(array: Array) -> bool:
    """Return whether an array holds exact objects rather than floats."""
    return array.dtype == object


def exp(x: Array) -> Array:
    """Return the exponential of each element; that of a Fraction is a SymPy number."""
    return _apply("exp", x)


def log(x: Array) -> Array:
    """Return the natural logarithm of each element; that of a Fraction is a SymPy number."""
    return _apply("log", x)


def sqrt(x: Array) -> Array:
    """Return the square root of each element; that of a Fraction's square is a Fraction."""
    return _apply("sqrt", x)


def exact_number(x: object) -> object:
    """Return ``x``, an integer or a decimal as a Fraction, so that a quotient of two never becomes a float."""
    if isinstance(x, (bool, np.bool_, int, np.integer)):
        return Fraction(int(x))
    return Fraction(x) if isinstance(x, Decimal) and x.is_finite() else x


def decimal_fraction(value: Any) -> Fraction:
    """Return a number as an exact rational; a float counts as the decimal that it prints as.

    Raises:
        ValueError: a text that names no rational, or a NaN.
        ZeroDivisionError: a text such as "1/0".
        OverflowError: an infinite value.
    """
    return Fraction(value) if isinstance(value, (Fraction, str, Decimal, Integral)) else Fraction(str(value))


def expectation(probs: Array, x: Array) -> Array:
    r"""Return :math:`E_\pi[x] = \sum_i\pi_ix_i` over the last axis; both may hold exact objects.

    Args:
        probs: :math:`\pi`, ``[..., n]``.
        x: a value for each arm, ``[..., n]``, in any unit.

    Returns:
        ``[...]``, in the unit of ``x``.
    """
    return np.asarray((probs * x).sum(axis=-1))


def centred(probs: Array, x: Array) -> Array:
    r"""Return :math:`x - E_\pi[x]`, ``[..., n]``, for the arguments of :func:`expectation`."""
    return x - expectation(probs, x)[..., None]


def covariance(probs: Array, x: Array, y: Array) -> Array:
    r"""Return :math:`\mathrm{Cov}_\pi(x, y) = E_\pi[(x - E_\pi x)(y - E_\pi y)]` over the last axis.

    Args:
        probs: :math:`\pi`, ``[..., n]``.
        x: a value for each arm, ``[..., n]``.
        y: another, ``[..., n]``.

    Returns:
        ``[...]``, in the product of the units of ``x`` and ``y``.
    """
    return expectation(probs, centred(probs, x) * centred(probs, y))


def gaps_below_top(logits: Array) -> Array:
    """Return the logits less the largest of them, ``[..., n]``.

    Each is right to its own last place and at least -1e308.
    """
    top = logits.argmax(axis=-1)[..., None]
    # A gap beyond float64 means probability zero; -1e308 is far enough for that and keeps 0 * log 0 at 0.
    with np.errstate(over="ignore"):
        return np.maximum(logits - np.take_along_axis(logits, top, axis=-1), -1e308)


def mass_of_others(gaps: Array) -> Array:
    r"""Return the mass of all arms but one at the top, :math:`\sum_{i\ne top}e^{g_i}`, in units of that one's.

    Args:
        gaps: ``[..., n]``, as :func:`gaps_below_top` returns them.

    Returns:
        ``[...]``, in [0, n - 1].
    """
    weights = np.exp(gaps)
    np.put_along_axis(weights, gaps.argmax(axis=-1)[..., None], 0.0, axis=-1)
    return np.asarray(weights.sum(axis=-1))


def log_softmax(logits: Array) -> Array:
    r"""Return log-probabilities :math:`z_i - \log\sum_je^{z_j}`.

    In float64 they come from the gaps g below the top as :math:`g_i - \log(1 + \sum_{j\ne top}e^{g_j})`.

    Args:
        logits: ``[..., n]``, float64 or exact objects, which are left in their own arithmetic.

    Returns:
        ``[..., n]``, in nats.
    """
    if is_exact(logits):
        return logits - log(exp(logits).sum(axis=-1, keepdims=True))
    gaps = gaps_below_top(logits)
    # log1p keeps the top arm's own log-probability, -(sum of the others), when that sum is far below 1e-16.
    result: Array = gaps - np.log1p(mass_of_others(gaps))[..., None]
    return result


def surprise(probs: Array, logits: Array) -> Array:
    r"""Return centred log-probabilities :math:`\log\pi - E_\pi\log\pi`.

    In float64 they come from the gaps between logits: of nearly equal arms those keep the digits that log-probabilities
    lose.

    Args:
        probs: :math:`\pi`, the probabilities of ``logits``, ``[..., n]``.
        logits: ``[..., n]``, float64 or exact objects.

    Returns:
        ``[..., n]``, in nats; finite in float64 also where an arm's probability rounds to 0.
    """
    return centred(probs, log_softmax(logits) if is_exact(logits) else gaps_below_top(logits))


def log_ratio_of_shift(probs: Array, shift: Array) -> Array:
    r"""Return :math:`\log(\pi'/\pi) = s - \log E_\pi e^s` of float64 logits that move by s.

    Nothing cancels for a small shift: the logarithm is that of 1 plus the mean of :math:`e^s - 1`.

    Args:
        probs: :math:`\pi`, ``[..., n]``.
        shift: s, ``[..., n]``, so small that :math:`e^s` is a float64.

    Returns:
        ``[..., n]``, in nats.
    """
    return np.asarray(shift - np.log1p(expectation(probs, np.expm1(shift)))[..., None])


def _apply(name: str, x: Array) -> Array:
    x = np.asarray(x)  # NumPy unboxes a 0-d result of exact arithmetic
    if not is_exact(x):
        result: Array = getattr(np, name)(x)
        return result
    exact = np.empty(x.shape, dtype=object)
    for index in np.ndindex(x.shape):
        exact[index] = _scalar(name, x[index])
    return exact


def _scalar(name: str, x: Any) -> Any:
    if isinstance(x, (int, Fraction)):
        root = _rational_root(Fraction(x)) if name == "sqrt" else None
        return root if root is not None else _sympy_scalar(name, Fraction(x))
    method = getattr(type(x), name, None)  # of the type: on a SymPy power, `exp` is a property, its exponent
    return method(x) if callable(method) else _sympy_scalar(name, x)


def _sympy_scalar(name: str, x: Any) -> Any:
    import sympy  # a third of a second to import, needed on exact arrays only

    if isinstance(x, Fraction):
        x = sympy.Rational(x.numerator, x.denominator)
    return getattr(sympy, name)(x)


def _rational_root(x: Fraction) -> Fraction | None:
    if x < 0:
        return None
    root = Fraction(isqrt(x.numerator), isqrt(x.denominator))
    return root if root * root == x else None
