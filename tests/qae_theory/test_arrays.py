"""Elementary functions on floats and on exact numbers, and the arithmetic that a value is brought into."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qae_theory import advantages, array_arguments, entropy, entropy_change, quantile_baseline, update_direction
from qae_theory import arrays as _exact
from qae_theory.objective import clipped_surrogate
from tests import strategies as s

FUNCTIONS = {"exp": math.exp, "log": math.log, "sqrt": math.sqrt}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_go_to_numpy(name: str) -> None:
    x = np.array([[0.25, 1.0], [2.0, 3.0]])
    result = getattr(_exact, name)(x)
    assert result.dtype == np.float64
    assert result.tolist() == getattr(np, name)(x).tolist()
    assert getattr(_exact, name)(np.float64(2.0)) == pytest.approx(FUNCTIONS[name](2.0), rel=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_fractions_become_exact_numbers(name: str) -> None:
    sympy = pytest.importorskip("sympy")
    result = getattr(_exact, name)(s.as_exact([F(1, 4), F(2)]))
    assert result.dtype == object
    assert result.shape == (2,)
    assert sympy.simplify(sympy.sympify(result[1]) - getattr(sympy, name)(2)) == 0
    zero_dim = getattr(_exact, name)(np.array(F(3), dtype=object))
    assert zero_dim.shape == ()
    assert sympy.simplify(zero_dim.item() - getattr(sympy, name)(3)) == 0


@given(st.fractions(min_value=0, max_denominator=1000))
def test_roots_of_squares_stay_rational(x: F) -> None:
    (result,) = _exact.sqrt(s.as_exact([x * x]))
    assert result == x
    assert isinstance(result, F)


def test_roots_of_other_rationals_are_symbolic() -> None:
    sympy = pytest.importorskip("sympy")
    assert _exact.sqrt(s.as_exact([F(1, 2)]))[0] == 1 / sympy.sqrt(2)
    assert _exact.sqrt(np.array([4, -1], dtype=object)).tolist() == [2, sympy.I]


def test_symbols_and_balls_use_their_own_methods() -> None:
    sympy, flint = pytest.importorskip("sympy"), pytest.importorskip("flint")
    x = sympy.Symbol("x", positive=True)
    assert _exact.log(np.array([sympy.exp(x)], dtype=object))[0].subs(x, 2) == 2
    ball = _exact.exp(np.array([flint.arb(1)], dtype=object))[0]
    assert isinstance(ball, flint.arb)
    assert ball.overlaps(flint.arb(1).exp())


def test_exact_numbers() -> None:
    for value in (3, True, np.int8(3), np.bool_(True), Decimal("0.5")):
        number = _exact.exact_number(value)
        assert isinstance(number, F)
        assert number == F(value if isinstance(value, Decimal) else int(value))
    assert _exact.exact_number(0.5) == 0.5
    assert isinstance(_exact.exact_number(0.5), float)
    assert _exact.is_exact(np.array([F(1)], dtype=object))
    assert not _exact.is_exact(np.array([1.0]))


@pytest.mark.parametrize(
    "values", [[F(1), F(0)], [F(1), 0], [True, F(0)], [Decimal(1), Decimal(0)], [F(1), np.int64(0)]]
)
def test_exact_input_gives_fractions(values: list[Any]) -> None:
    result = advantages(values, "dr_grpo")
    assert result.tolist() == [F(1, 2), F(-1, 2)]
    assert all(isinstance(x, F) for x in result)
    assert quantile_baseline(values, "0.4").item() == 0


def test_one_float_makes_the_rest_floats() -> None:
    result = advantages([F(1), 0.0], "dr_grpo")
    assert result.dtype == np.float64
    assert result.tolist() == [0.5, -0.5]


def test_fractions_beside_floats_become_floats() -> None:
    direction = update_direction([0.0, 0.0], [F(1), F(0)], "uncentred", baseline=F(1, 2))
    assert direction.dtype == np.float64
    assert direction.tolist() == [0.25, -0.25]
    group = update_direction([0.0, 0.0], [1, 0], "sampled_group", responses=[0, 1], advantages=[F(1), F(-1)])
    assert group.dtype == np.float64
    change = entropy_change([0.0, 1.0], [F(1), F(0)], F(1, 10))
    assert change.dtype == np.float64
    assert clipped_surrogate([1.0, 1.5], [F(1), F(-1)]).dtype == np.float64


def test_floats_beside_exact_numbers_are_read_as_decimals() -> None:
    exact = s.as_exact([F(0), F(1)])
    assert array_arguments.like(np.array([0.1, 2.5]), exact).tolist() == [F(1, 10), F(5, 2)]
    same = np.array([0.1])
    assert array_arguments.like(same, np.array([1.0])) is same
    assert array_arguments.like(exact, exact) is exact
    assert update_direction(exact, [1, 0], "natural_gradient", baseline=0.1).tolist() == [F(9, 10), F(-1, 10)]


def test_symbols_beside_floats_stay_symbols() -> None:
    sympy = pytest.importorskip("sympy")
    b = sympy.Symbol("b")
    direction = update_direction([0.0, 0.0], [1, 0], "natural_gradient", baseline=b)
    assert [float(x.subs(b, 3)) for x in direction] == [-2.0, -3.0]


def test_counts_and_zeros_in_the_arithmetic_of_an_array() -> None:
    exact, floats = s.as_exact([1]), np.array([1.0])
    assert isinstance(array_arguments.exact_zero(exact), F)
    assert isinstance(array_arguments.exact_zero(floats), float)
    assert isinstance(array_arguments.exact_count(3, exact), F)
    assert isinstance(array_arguments.exact_count(3, floats), int)


def test_entropy_of_balls_is_a_ball() -> None:
    flint = pytest.importorskip("flint")
    z = np.array([flint.arb(0), flint.arb(1)], dtype=object)
    value = np.asarray(entropy(z)).item()
    assert isinstance(value, flint.arb)
    assert abs(float(value) - float(entropy([0.0, 1.0]))) < 1e-15
