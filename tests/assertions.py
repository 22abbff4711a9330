"""Assertion helpers of the tests. Their own tests are in ``tests/meta``."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

# A float64 computation of a few dozen operations without cancellation: a few hundred units in the last place.
TIGHT = 1e-12


def assert_close(actual: Any, expected: Any, *, rel: float = TIGHT, floor: float = 1e-300) -> None:
    """Every entry within ``rel`` of the expected number, relative to its size; ``floor`` is below anything of interest.

    ``expected``: a number or nested lists of numbers, Fractions or flint balls. Shapes must be equal, ``actual`` of
    type float64.
    """
    actual = np.asarray(actual)
    assert actual.dtype == np.float64, f"dtype {actual.dtype}"
    wanted = np.asarray(expected, dtype=object)
    assert actual.shape == wanted.shape, f"shape {actual.shape}, expected {wanted.shape}"
    for index in np.ndindex(actual.shape):
        got, want = float(actual[index]), wanted[index]
        assert np.isfinite(got), f"{got} at {index}, expected {want}"
        with flint.ctx.workdps(360):  # the oracles' precision
            error = abs(flint.arb(got) - as_ball(want))
            allowed = rel * abs(as_ball(want)) + floor
        assert error <= allowed, f"{got!r} at {index}, expected {want}, error {error.str(5)}"


def assert_exactly(actual: Any, expected: Any) -> None:
    """The same shape and, entry by entry, equal numbers; a float64 array must equal the float of each."""
    actual, wanted = np.asarray(actual), np.asarray(expected, dtype=object)
    assert actual.shape == wanted.shape, f"shape {actual.shape}, expected {wanted.shape}"
    for index in np.ndindex(actual.shape):
        assert actual[index] == wanted[index], f"{actual[index]!r} at {index}, expected {wanted[index]!r}"


def as_ball(x: Any) -> flint.arb:
    """A number as a ball, a float as the binary number that it is."""
    if isinstance(x, flint.arb):
        return x
    if isinstance(x, Fraction):
        return flint.arb(x.numerator) / flint.arb(x.denominator)
    return flint.arb(float(x)) if isinstance(x, (float, np.floating)) else flint.arb(int(x))


def refuses(call: Any, name: str, value: Any, *, says: str = "") -> str:
    """``call()`` raises a ValueError whose message starts with the argument's name and shows its value; the message."""
    with pytest.raises(ValueError, match=r".") as caught:
        call()
    assert type(caught.value) is ValueError, f"{type(caught.value).__name__} is not the promised error"
    message = str(caught.value)
    assert message.startswith(f"{name} "), message
    assert any(shown in message for shown in shown_as(value)), f"{value!r} is not in: {message}"
    assert says in message, f"{says!r} is not in: {message}"
    return message


def shown_as(value: Any) -> list[str]:
    """The ways in which a message may show a value: as given, or a list of numbers as the array that was made of it."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return [f"an array of shape {value.shape}"]
    if not isinstance(value, list):
        return [repr(value)]
    try:
        array = np.array(value)
    except ValueError:  # ragged
        return [repr(value)]
    if array.dtype.kind == "O":
        array[...] = [Fraction(x) if isinstance(x, (int, Fraction)) else x for x in value]
        return [repr(value), repr(array)]
    return [repr(value), *([repr(array), repr(array.astype(np.float64))] if array.dtype.kind in "iuf" else [])]


def fitted_slope(steps: Sequence[float], errors: Sequence[float]) -> float:
    """Slope of log error against log step: the order of convergence."""
    return float(np.polyfit(np.log(steps), np.log(np.abs(errors)), 1)[0])
