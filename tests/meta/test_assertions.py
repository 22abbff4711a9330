"""The assertion helpers accept what is right and reject what is slightly wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

from tests.assertions import assert_close, assert_exactly, fitted_slope, refuses


def raise_error(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("expected", [[1.0, 2.0], [Fraction(1), Fraction(2)], [flint.arb(1), flint.arb(2)], [1, 2]])
def test_close_accepts_equal_numbers_of_every_kind(expected: Any) -> None:
    assert_close(np.array([1.0, 2.0]), expected)
    assert_close(np.array([1.0 + 1e-13, 2.0]), expected)
    with pytest.raises(AssertionError, match="at"):
        assert_close(np.array([1.0 + 3e-12, 2.0]), expected)


@pytest.mark.parametrize(
    ("actual", "says"),
    [
        (np.array([1.0, 2.0], dtype=np.float32), "dtype"),
        (np.array([1.0, 2.0], dtype=object), "dtype"),
        (np.array([[1.0, 2.0]]), "shape"),
        (np.array([1.0, np.nan]), "nan"),
        (np.array([1.0, np.inf]), "inf"),
    ],
)
def test_close_rejects_another_type_or_shape_and_what_is_not_finite(actual: Any, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        assert_close(actual, [1, 2])


def test_close_is_relative_so_that_small_numbers_count() -> None:
    assert_close(np.float64(1e-200), Fraction(1, 10**200))
    with pytest.raises(AssertionError):
        assert_close(np.float64(1.0001e-200), Fraction(1, 10**200))
    with pytest.raises(AssertionError):
        assert_close(np.float64(1e-250), 0)


def test_close_rejects_a_ball_too_wide_to_tell() -> None:
    with pytest.raises(AssertionError):
        assert_close(np.float64(1.0), flint.arb(1, 0.5))


def test_exactly_is_exact() -> None:
    assert_exactly([Fraction(1, 3)], [Fraction(1, 3)])
    assert_exactly(np.array([0.5]), [Fraction(1, 2)])
    with pytest.raises(AssertionError):
        assert_exactly(np.array([1 / 3]), [Fraction(1, 3)])
    with pytest.raises(AssertionError, match="shape"):
        assert_exactly(np.array(0.5), [Fraction(1, 2)])


def test_refuses_wants_a_value_error_that_names_the_argument_and_shows_its_value() -> None:
    message = "k must be inside (0, 1); got 2"
    assert refuses(lambda: raise_error(ValueError(message)), "k", 2) == message
    for name, value in (("eps", 2), ("k", 3)):
        with pytest.raises(AssertionError):
            refuses(lambda: raise_error(ValueError(message)), name, value)
    with pytest.raises(AssertionError, match="promised"):
        refuses(lambda: raise_error(UnicodeError(message)), "k", 2)
    with pytest.raises(TypeError):
        refuses(lambda: raise_error(TypeError(message)), "k", 2)
    with pytest.raises(pytest.fail.Exception):
        refuses(lambda: None, "k", 2)


def test_fitted_slope_finds_the_order() -> None:
    steps = [0.1, 0.05, 0.025]
    assert fitted_slope(steps, [2 * h**3 for h in steps]) == pytest.approx(3, abs=1e-9)  # a power law up to round-off
