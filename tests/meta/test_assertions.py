"""The assertion helpers accept what is right and reject what is slightly wrong."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import flint
import numpy as np
import pytest

from tests.assertions import assert_close, assert_exactly, fitted_slope, refuses


def raise_error(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("expected", [[1.0, 2.0], [F(1), F(2)], [flint.arb(1), flint.arb(2)], [1, 2]])
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
    assert_close(np.float64(1e-200), F(1, 10**200))
    with pytest.raises(AssertionError):
        assert_close(np.float64(1.0001e-200), F(1, 10**200))
    with pytest.raises(AssertionError):
        assert_close(np.float64(1e-250), 0)


def test_close_rejects_a_ball_too_wide_to_tell() -> None:
    with pytest.raises(AssertionError):
        assert_close(np.float64(1.0), flint.arb(1, 0.5))


def test_exactly_is_exact() -> None:
    assert_exactly([F(1, 3)], [F(1, 3)])
    assert_exactly(np.array([0.5]), [F(1, 2)])
    with pytest.raises(AssertionError):
        assert_exactly(np.array([1 / 3]), [F(1, 3)])
    with pytest.raises(AssertionError, match="shape"):
        assert_exactly(np.array(0.5), [F(1, 2)])


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


def test_refuses_takes_a_list_of_numbers_as_the_array_it_became() -> None:
    for value, shown in (
        ([1, 2], "array([1., 2.])"),
        ([F(1, 2), 1], "array([Fraction(1, 2), Fraction(1, 1)], dtype=object)"),
    ):
        refuses(lambda shown=shown: raise_error(ValueError(f"k must be small; got {shown}")), "k", value)
    with pytest.raises(AssertionError):
        refuses(lambda: raise_error(ValueError("k must be small; got array([1., 3.])")), "k", [1, 2])
    with pytest.raises(AssertionError):
        refuses(lambda: raise_error(ValueError("k must be small; got [1]")), "k", [[1], [1, 2]])
    large = np.zeros((3, 3))
    refuses(lambda: raise_error(ValueError("k must be small; got an array of shape (3, 3)")), "k", large)


def test_fitted_slope_finds_the_order() -> None:
    steps = [0.1, 0.05, 0.025]
    assert fitted_slope(steps, [2 * h**3 for h in steps]) == pytest.approx(3, abs=1e-9)  # a power law up to round-off
