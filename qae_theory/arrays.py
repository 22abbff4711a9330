"""Elementary functions that run on float64 arrays and, element by element, on exact objects.

An "exact array" is a NumPy array of dtype object that holds Fractions, SymPy expressions or flint balls. The shipped
functions run on such arrays unchanged, so that a proof is about the code that users call. Nothing here validates.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isqrt
from typing import Any

import numpy as np

from qae_theory.numerics.kernels import Array as Array


def is_exact(array: Array) -> bool:
    """Whether ``array`` holds exact objects rather than floats."""
    return array.dtype == object


def exp(x: Array) -> Array:
    """Elementwise exponential; a Fraction becomes a SymPy number."""
    return _apply("exp", x)


def log(x: Array) -> Array:
    """Elementwise natural logarithm; a Fraction becomes a SymPy number."""
    return _apply("log", x)


def sqrt(x: Array) -> Array:
    """Elementwise square root; the square of a Fraction stays a Fraction."""
    return _apply("sqrt", x)


def exact_number(x: object) -> object:
    """``x`` with integers and decimals made Fractions, so that a quotient of two never becomes a float."""
    if isinstance(x, (bool, np.bool_, int, np.integer)):
        return Fraction(int(x))
    return Fraction(x) if isinstance(x, Decimal) and x.is_finite() else x


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
