"""What a caller gives becomes float64 or exact numbers without a silent rounding, or is refused by name."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qae_theory as q
from qae_theory import array_arguments
from qae_theory.array_arguments import held_by_float64, number_array
from tests.assertions import refuses

BEYOND = 2**53 + 1  # the least positive integer that is no float64


def read(value: Any) -> Any:
    return number_array("x", value, "numbers")


# Integers, long doubles and rationals


@pytest.mark.parametrize(
    "value",
    [
        [2**53, BEYOND],
        np.array([2**53, BEYOND]),
        np.array([2**63 + 1], dtype=np.uint64),
        np.array([-BEYOND]),
        [0.5, BEYOND],
        [[0.5, 1.0], [2.0, -BEYOND]],
        (0.5, BEYOND),
        [2**64 + 1, 0.5],
        [10**400, 0.5],
        [2**63, -1, BEYOND],
        BEYOND,
        np.int64(BEYOND),
    ],
)
def test_integers_that_float64_cannot_hold_are_refused(value: Any) -> None:
    refuses(lambda: read(value), "x", value, says="exactly held by float64")


@pytest.mark.parametrize(
    "value",
    [[2**53, 2**53 + 2], np.array([2**62]), np.array([2**63], dtype=np.uint64), [2**64, 0.5], [2.0**80, 1], [1e300, 2]],
)
def test_large_integers_that_float64_holds_are_kept(value: Any) -> None:
    assert read(value).tolist() == [float(x) for x in value]


@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=4), st.booleans())
def test_no_integer_is_ever_rounded(values: list[int], float_beside: bool) -> None:
    given_values = [*values, 0.5] if float_beside else values
    try:
        result = read(given_values)
    except ValueError:
        assert not all(held_by_float64(x) for x in values)
        return
    assert [F(x) for x in result.tolist()] == [F(x) for x in given_values]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long doubles are float64 on this machine")
def test_long_doubles_are_refused_unless_float64_holds_them() -> None:
    third = np.longdouble(1) / 3
    for value in (third, np.array([third, 0]), [third, 0.5]):
        with pytest.raises(ValueError, match=r"^x must be numbers, all of them exactly held by float64"):
            read(value)
    assert read(np.array([0.5, 1e300], dtype=np.longdouble)).tolist() == [0.5, 1e300]
    assert math.isnan(read(np.array([np.nan], dtype=np.longdouble))[0])  # refused by the checks, as not finite


def test_narrow_types_are_widened() -> None:
    for dtype in (np.float16, np.float32, np.int8, np.uint32, np.bool_):
        result = read(np.array([1, 0], dtype=dtype))
        assert result.dtype == np.float64
        assert result.tolist() == [1.0, 0.0]


def test_the_largest_integer_beside_floats_is_refused_where_exact_numbers_become_floats() -> None:
    with pytest.raises(ValueError, match=r"^direction must be exactly held by float64"):
        q.entropy_change([0.0, 1.0], [2**64 + 1, 0], 0.1)
    with pytest.raises(ValueError, match=r"^step_size must be exactly held by float64"):
        q.entropy_change([0.0, 1.0], [1, 0], F(2**80 + 1))
    third = np.array([F(1, 3)], dtype=object)
    assert array_arguments.like(third, np.zeros(1)).tolist() == [1 / 3]  # a Fraction is rounded


def test_guarantees_about_floats_take_no_rounded_rational() -> None:
    third = F(1, 3)
    for name, arguments in (
        ("direction", ([0.0, 1.0], [third, 0], 0.5)),
        ("direction", ([0.0, 1.0], [third, 0.0], 0.5)),
        ("step_size", ([0.0, 1.0], [1, 0], third)),
        ("step_size", ([0.0, 1.0], [1, 0], Decimal("0.1"))),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must be held by float64 without rounding"):
            array_arguments.float_step(*arguments)
    z, d, eta = array_arguments.float_step([0.0, 1.0], [F(1, 2), 0], F(1, 4))
    assert (z.tolist(), d.tolist(), eta.tolist()) == ([0.0, 1.0], [0.5, 0.0], 0.25)


# What only looks like numbers


@pytest.mark.parametrize("mask", [[False, True], [False, False]])
def test_masked_arrays_are_refused(mask: list[bool]) -> None:
    masked = np.ma.array([1.0, 0.0], mask=mask)
    for value in (masked, [masked, masked], [[masked]], (masked,)):
        with pytest.raises(ValueError, match=r"^rewards must be .*none of them masked.*; got "):
            q.advantages(value)
    with pytest.raises(ValueError, match=r"^mask must be .*none of them masked"):
        q.advantages([1, 0], mask=np.ma.array([True, False], mask=mask))
    with pytest.raises(ValueError, match=r"^logits must be .*none of them masked"):
        q.entropy_change_bounds(masked, [1, 0], 0.1)


@pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan")
def test_a_masked_entry_of_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^rewards must be "):
        q.advantages([1, np.ma.masked])


def test_complex_numbers_of_any_kind_are_refused() -> None:
    sympy, flint = pytest.importorskip("sympy"), pytest.importorskip("flint")
    mpmath = pytest.importorskip("mpmath")
    imaginary = [sympy.I, 1 + 2 * sympy.I, sympy.sqrt(-2), flint.acb(1, 1), 1j, np.complex64(1), mpmath.mpc(1, 1)]
    for number in imaginary:
        for value in ([number, 0], np.array([number, 0], dtype=object)):
            refuses(lambda value=value: q.advantages(value, "dr_grpo"), "rewards", value)
        refuses(lambda number=number: q.entropy_change([0, 1], [1, 0], number), "step_size", number)


def test_symbols_and_balls_are_numbers() -> None:
    sympy, flint = pytest.importorskip("sympy"), pytest.importorskip("flint")
    x = sympy.Symbol("x")
    assert read([x, 1]).tolist() == [x, F(1)]
    for number in (flint.arb(1), flint.fmpq(1, 2), sympy.pi, F(1, 3)):
        assert read([number])[0] is number


class Unreadable:
    """A foreign array that NumPy cannot read."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("on another device")


def test_arrays_that_numpy_cannot_read_are_refused() -> None:
    for value in (Unreadable(), [Unreadable()]):
        with pytest.raises(ValueError, match=r"^logits must be .* that NumPy can read"):
            q.entropy(value)
    nested = np.empty(2, dtype=object)
    nested[:] = [np.zeros(2), np.zeros(3)]
    refuses(lambda: q.entropy(nested), "logits", nested)


@pytest.mark.torch
def test_tensors_are_read_or_refused_by_name() -> None:
    torch = pytest.importorskip("torch")
    assert q.entropy(torch.zeros(2, dtype=torch.float32)) == pytest.approx(math.log(2))
    unreadable = (
        torch.zeros(2, dtype=torch.bfloat16),
        torch.zeros(2, requires_grad=True),
        torch.zeros(20, dtype=torch.bfloat16),
        torch.zeros(2, device="meta"),
    )
    for tensor in unreadable:
        with pytest.raises(ValueError, match=r"^rewards must be [^\n]* that NumPy can read [^\n]*; got [^\n]*$"):
            q.advantages(tensor)
    with pytest.raises(ValueError, match=r"^mask must be "):
        q.advantages([1, 0], mask=torch.zeros(2, dtype=torch.bfloat16))


# The registry


def test_a_refused_registration_leaves_nothing_behind() -> None:
    before = q.estimator_names()
    for arguments in (
        {"kernel": 5},
        {"name": 7},
        {"defaults": {"k": 7}},
        {"source": None},
        {"binary_only": "no"},
        {"least_group": 0},
    ):
        with pytest.raises(ValueError, match=rf"^{next(iter(arguments))} must be "):
            q.register_estimator(**{"name": "x", "kernel": max, "source": "s", **arguments})
    assert q.estimator_names() == before
