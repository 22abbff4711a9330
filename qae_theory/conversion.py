"""What a caller gave, as a NumPy array in float64 or of exact numbers, or a refusal that names the argument.

Nothing is rounded silently: an integer or a long double that float64 cannot hold is refused, and so is what only looks
like numbers (masked arrays, complex numbers, tensors that NumPy cannot read). Ranges are in ``checks``.
"""

from __future__ import annotations

from datetime import timedelta
from numbers import Complex, Integral, Real
from typing import Any, NoReturn

import numpy as np

from qae_theory.arrays import Array, exact_number

# Every integer below this size is a float64; at it, integers begin to be rounded to it.
_CONSECUTIVE_INTEGERS = 2.0**53
_HELD = "all of them exactly held by float64, which has 53 bits"


def refuse(name: str, value: object, allowed: str) -> NoReturn:
    """Raise the one kind of error this package raises for bad input.

    Args:
        name: the argument.
        value: what it was; a large array is shown by its shape.
        allowed: what it must be.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} must be {allowed}; got {_shown(value)}")


def plain_array(name: str, value: Any, allowed: str) -> Array:
    """Return ``value`` as NumPy reads it; refuses masked arrays, ragged lists and what NumPy cannot read."""
    if _has_masked_rows(value):
        refuse(name, value, f"{allowed}, none of them masked (`advantages` takes a mask= of its own)")
    try:
        return np.asarray(value)
    except ValueError:  # ragged nesting
        refuse(name, value, allowed)
    except (TypeError, RuntimeError):  # a tensor in bfloat16, on another device, or with a gradient
        refuse(name, value, f"{allowed} that NumPy can read (of a tensor, `.detach().cpu().double()`)")


def number_array(name: str, value: Any, allowed: str) -> Array:
    """Return ``value`` as an array of float64, or of exact numbers where it holds objects and no float among them."""
    array = plain_array(name, value, allowed)
    if array.dtype.kind in "biuf":
        return _in_float64(name, value, array, allowed)
    if array.dtype.kind != "O" or not all(_is_number(x) for x in array.flat):
        refuse(name, value, allowed)
    if any(isinstance(x, (float, np.floating)) for x in array.flat):
        _refuse_lost_bits(name, value, array, allowed)
        return array.astype(np.float64)  # one float makes the rest inexact
    exact = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        exact[index] = exact_number(array[index])
    return exact


def is_infinite(x: Any) -> bool:
    """Whether an exact number is infinite or not a number.

    SymPy has ``is_finite`` as a property (None for a symbol and for its NaN), flint and Decimal as a method.
    """
    finite = getattr(x, "is_finite", True)
    if callable(finite):
        return not finite()
    return finite is False or (finite is None and getattr(x, "is_Number", False))


def held_by_float64(x: Any) -> bool:
    """Whether a rational number is a float64, without rounding."""
    try:
        return bool(float(x) == x)  # Python compares a float with an int or a Fraction exactly
    except OverflowError:
        return False


def _in_float64(name: str, value: Any, array: Array, allowed: str) -> Array:
    """Floats, integers and booleans as float64, where that holds them."""
    if array.dtype == np.float64:
        # NumPy has made one array of a list of integers and floats: the integers are gone, so look at the list again.
        if not hasattr(value, "dtype") and array.size and np.abs(array).max() >= _CONSECUTIVE_INTEGERS:
            _refuse_lost_bits(name, value, np.asarray(value, dtype=object), allowed)
        return array
    converted = array.astype(np.float64)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        if np.abs(converted).max() >= _CONSECUTIVE_INTEGERS:
            _refuse_lost_bits(name, value, array.astype(object), allowed)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        kept = (converted == array) | (array != array)  # a NaN is refused elsewhere, by its own name
        if not kept.all():
            refuse(name, value, f"{allowed}, {_HELD}")
    return converted


def _refuse_lost_bits(name: str, value: Any, array: Array, allowed: str) -> None:
    """Refuse integers and long doubles among objects that float64 would round."""
    for x in array.flat:
        rounded = isinstance(x, (Integral, np.longdouble)) and x == x and not held_by_float64(x)
        if rounded:
            refuse(name, value, f"{allowed}, {_HELD}")


def _has_masked_rows(value: Any) -> bool:
    if isinstance(value, np.ma.MaskedArray):
        return True
    if not isinstance(value, (list, tuple)) or not value:
        return False
    # Rows are of one kind: a list that starts with a number holds no arrays.
    nested = isinstance(value[0], (list, tuple, np.ndarray))
    return nested and any(_has_masked_rows(row) for row in value)


def _is_number(x: Any) -> bool:
    """Whether an object is real as far as anyone can tell: symbols and balls are; containers and durations are not."""
    if isinstance(x, Real):
        return True
    if isinstance(x, (Complex, timedelta)) or hasattr(x, "__len__"):
        return False
    if getattr(x, "is_extended_real", None) is False:  # SymPy's imaginary unit; None stands for a symbol
        return False
    imaginary = getattr(x, "imag", 0)  # flint's complex balls have one
    return hasattr(x, "__sub__") and hasattr(x, "__mul__") and bool(imaginary == 0)


def _shown(value: object) -> str:
    if isinstance(value, np.ma.MaskedArray):
        return f"a masked array of shape {value.shape}"
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of shape {value.shape}"
    shape = getattr(value, "shape", None)
    if isinstance(value, np.ndarray) or not isinstance(shape, tuple):
        return repr(value)
    shown = " ".join(repr(value).split())  # a foreign array or tensor, on one line
    return shown if len(shown) <= 120 else f"a {type(value).__name__} of shape {tuple(shape)}"
