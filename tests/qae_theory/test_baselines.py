"""Baselines against their definitions, in Fractions."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qae_theory import baselines, quantile_baseline
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close, assert_exactly

LEVELS = (F(1, 5), F(2, 5), F(1, 2), F(11, 20), F(3, 5), F(9, 10), F(1, 3), F(2, 3))
METHODS = {"inverted_cdf": oracles.lower_quantile, "linear": oracles.linear_quantile}


# Eq. 3 and the released interpolation


@given(s.groups(), s.levels())
def test_quantile_is_eq_3(group: list[F], k: F) -> None:
    expected = oracles.lower_quantile(group, k)
    assert_exactly(quantile_baseline(s.as_floats(group), k), expected)
    assert_exactly(quantile_baseline(s.as_exact(group), k), expected)


@given(s.groups(), s.levels())
def test_linear_quantile_is_the_interpolation_at_the_exact_position(group: list[F], k: F) -> None:
    expected = oracles.linear_quantile(group, k)
    assert_exactly(quantile_baseline(s.as_exact(group), k, method="linear"), expected)
    # The floor covers a quantile of 0 between rewards of opposite sign: two roundings of numbers up to 6.
    assert_close(quantile_baseline(s.as_floats(group), k, method="linear"), expected, floor=1e-14)


@given(s.groups(), s.levels(), st.data())
def test_quantile_takes_every_form_of_a_level(group: list[F], k: F, data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(s.level_forms(k)), label="form")
    assert_exactly(quantile_baseline(s.as_floats(group), form), oracles.lower_quantile(group, k))


@pytest.mark.parametrize("k", LEVELS)
def test_binary_quantile_is_eq_4(k: F) -> None:
    for size in range(1, 31):
        for m in range(size + 1):
            expected = 0 if F(m, size) <= 1 - k else 1
            assert quantile_baseline([1] * m + [0] * (size - m), k) == expected
            assert bool(baselines.is_hard_group(m, size, k)) == (expected == 0)


@pytest.mark.parametrize(
    ("k", "size", "m"), [("0.9", 10, 1), (0.9, 10, 1), ("0.55", 100, 45), (0.55, 100, 45), (F(11, 20), 100, 45)]
)
def test_gate_survives_where_binary_floats_fail(k: Any, size: int, m: int) -> None:
    assert quantile_baseline([1] * m + [0] * (size - m), k) == 0
    assert quantile_baseline([1] * (m + 1) + [0] * (size - m - 1), k) == 1


def test_default_method_is_eq_3() -> None:
    assert quantile_baseline([0, 0, 0, 1, 1, 1, 1, 1], "0.4") == 1
    assert quantile_baseline([0, 0, 0, 1, 1, 1, 1, 1], "0.4", method="inverted_cdf") == 1
    assert_close(quantile_baseline([0, 0, 0, 1, 1, 1, 1, 1], "0.4", method="linear"), F(4, 5))


@pytest.mark.parametrize(("size", "m", "expected"), [(8, 5, F(4, 5)), (32, 19, F(2, 5)), (16, 9, 0), (16, 10, 1)])
def test_released_interpolation_at_known_groups(size: int, m: int, expected: Any) -> None:
    group = s.as_exact([1] * m + [0] * (size - m))
    assert_exactly(quantile_baseline(group, "0.4", method="linear"), expected)


@pytest.mark.parametrize("method", METHODS)
def test_quantile_of_a_batch_is_the_quantile_of_each_group(method: str) -> None:
    rewards = np.arange(24.0).reshape(2, 3, 4)[..., ::-1] % 7
    result = quantile_baseline(rewards, "0.4", method=method)
    assert result.shape == (2, 3)
    assert result.dtype == np.float64
    for index in np.ndindex(2, 3):
        group = [F(int(x)) for x in rewards[index]]
        assert_close(result[index], METHODS[method](group, F(2, 5)))


@pytest.mark.parametrize("method", METHODS)
def test_quantile_of_an_empty_batch_is_empty(method: str) -> None:
    assert quantile_baseline(np.empty((0, 4)), "0.4", method=method).shape == (0,)
    assert quantile_baseline(np.empty((2, 0, 4)), "0.4", method=method).shape == (2, 0)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float32, np.float16])
def test_quantile_is_in_float64_for_every_input_type(dtype: Any) -> None:
    result = quantile_baseline(np.array([0, 1, 1], dtype=dtype), "0.4", method="linear")
    assert result.dtype == np.float64
    assert_close(result, F(4, 5))


# Ranks


@given(st.integers(1, 10**6), s.levels())
def test_rank_is_the_ceiling(size: int, k: F) -> None:
    rank = baselines.quantile_rank(size, k)
    assert rank == math.ceil(k * size)
    assert isinstance(rank, int)


def test_rank_does_not_overflow() -> None:
    k = F(10**30 - 1, 10**30)
    assert baselines.quantile_rank(10**6, k) == 10**6
    assert quantile_baseline([0.0, 1.0, 2.0], k) == 2
    assert quantile_baseline([0.0, 1.0, 2.0], 1 - k) == 0
    assert quantile_baseline([0.0, 1.0, 2.0], 1 - k, method="linear") == pytest.approx(2e-30, rel=1e-12)  # one rounding


def test_hard_group_takes_arrays() -> None:
    hard = baselines.is_hard_group(np.arange(6), 5, F(2, 5))
    assert hard.tolist() == [True, True, True, True, False, False]


# With counts: the same as writing each reward as often as it counts


@st.composite
def counted_groups(draw: st.DrawFn) -> tuple[list[F], list[int]]:
    group = draw(s.groups(max_size=6))
    return group, draw(st.lists(st.integers(0, 4), min_size=len(group), max_size=len(group)).filter(any))


def written_out(group: list[F], counts: list[int]) -> list[F]:
    return [x for x, count in zip(group, counts, strict=True) for _ in range(count)]


@given(counted_groups(), s.levels())
def test_counts_stand_for_repetitions(drawn: tuple[list[F], list[int]], k: F) -> None:
    group, counts = drawn
    full, c = written_out(group, counts), np.array(counts)
    exact = s.as_exact(group)
    assert_exactly(baselines.group_sizes(exact, c), len(full))
    assert_exactly(baselines.quantile(exact, c, k), oracles.lower_quantile(full, k))
    assert_exactly(baselines.interpolated_quantile(exact, c, k), oracles.linear_quantile(full, k))
    assert_exactly(baselines.group_mean(exact, c), oracles.mean(full))
    # Numbers of size 3 that may cancel to a mean of 0.
    assert_close(baselines.group_mean(s.as_floats(group), c), oracles.mean(full), floor=1e-14)
    for std, lost in (("population", 0), ("bessel", 1)):
        squares = sum((x - oracles.mean(full)) ** 2 for x in full)
        expected = squares / max(len(full) - lost, 1)
        assert_exactly(baselines.group_variance(exact, c, std), expected)
        assert_close(baselines.group_variance(s.as_floats(group), c, std), expected, floor=1e-14)


@given(s.groups(), s.levels())
def test_without_counts_every_reward_counts_once(group: list[F], k: F) -> None:
    exact, ones = s.as_exact(group), np.ones(len(group), dtype=np.int64)
    assert_exactly(baselines.group_sizes(exact, None), len(group))
    assert_exactly(baselines.group_mean(exact, None), oracles.mean(group))
    assert_exactly(baselines.quantile(exact, None, k), baselines.quantile(exact, ones, k))
    for std in ("population", "bessel"):
        assert_exactly(baselines.group_variance(exact, None, std), baselines.group_variance(exact, ones, std))


def test_mean_and_variance_of_a_known_group() -> None:
    group = np.array([[1.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    assert baselines.group_mean(group, None).tolist() == [0.25, 2.0]
    assert_close(baselines.group_variance(group, None, "population"), [F(3, 16), 0])
    assert_close(baselines.group_variance(group, None, "bessel"), [F(1, 4), 0])
    assert (baselines.group_sizes(group, None) == 4).all()
    assert baselines.group_sizes(group, np.array([[1, 0, 2, 0], [0, 0, 0, 0]])).tolist() == [3, 0]


def test_a_group_in_which_nothing_counts_has_mean_zero() -> None:
    group, none = np.array([3.0, 4.0]), np.array([0, 0])
    assert baselines.group_mean(group, none) == 0
    assert baselines.group_variance(group, none, "population") == 0
    assert baselines.group_variance(group, none, "bessel") == 0
    assert np.isfinite(baselines.quantile(np.array([[3.0, 4.0], [5.0, 5.0]]), np.array([[0, 0], [1, 1]]), F(2, 5))[1])


def test_one_response_has_no_variance_under_bessel() -> None:
    assert baselines.group_variance(np.array([7.0]), None, "bessel") == 0
    assert baselines.group_variance(s.as_exact([7]), None, "bessel") == 0


@given(s.groups(min_size=2))
def test_leave_one_out_is_the_mean_of_the_others(group: list[F]) -> None:
    expected = [oracles.mean(group[:i] + group[i + 1 :]) for i in range(len(group))]
    assert_exactly(baselines.leave_one_out_mean(s.as_exact(group), None), expected)
    # Sums of up to 20 numbers of size 3, that may cancel.
    assert_close(baselines.leave_one_out_mean(s.as_floats(group), None), expected, floor=1e-13)


def test_leave_one_out_with_counts() -> None:
    group, counts = s.as_exact([1, 0, 5]), np.array([2, 3, 0])
    # For a counted reward: the mean of the four others.
    assert_exactly(baselines.leave_one_out_mean(group, counts)[:2], [F(1, 4), F(1, 2)])
    lonely = baselines.leave_one_out_mean(np.array([1.0, 2.0]), np.array([1, 0]))
    assert np.isfinite(lonely).all()


def test_plain_integers_among_exact_rewards_stay_exact() -> None:
    group = np.array([1, 0, 0], dtype=object)
    assert baselines.group_mean(group, None) == F(1, 3)
    assert baselines.group_variance(group, None, "bessel") == F(1, 3)
    assert baselines.leave_one_out_mean(group, None).tolist() == [0, F(1, 2), F(1, 2)]


def test_constant_baseline() -> None:
    rewards = np.zeros((2, 3, 4))
    result = baselines.constant_baseline(rewards, 1)
    assert result.shape == (2, 3)
    assert result.dtype == np.float64
    assert (result == 1).all()
    assert baselines.constant_baseline(s.as_exact([1, 0]), F(1, 2)).item() == F(1, 2)


# Exactness and symmetry


def test_sympy_rewards_stay_symbolic() -> None:
    sympy = pytest.importorskip("sympy")
    a = sympy.Symbol("a", positive=True)
    assert sympy.expand(baselines.group_mean(np.array([a, 1, 0], dtype=object), None).item() - (a + 1) / 3) == 0
    roots = np.array([sympy.sqrt(2), sympy.Integer(1), sympy.Integer(0)], dtype=object)
    assert quantile_baseline(roots, "0.9").item() == sympy.sqrt(2)
    assert quantile_baseline(roots, "0.5").item() == 1


@given(s.groups(), s.levels(), st.randoms(use_true_random=False), st.sampled_from(sorted(METHODS)))
def test_quantile_does_not_depend_on_the_order(group: list[F], k: F, random: Any, method: str) -> None:
    shuffled = list(group)
    random.shuffle(shuffled)
    assert_exactly(
        quantile_baseline(s.as_exact(shuffled), k, method=method),
        quantile_baseline(s.as_exact(group), k, method=method),
    )


@given(s.groups(), s.levels(), s.levels())
def test_quantile_is_non_decreasing_in_k(group: list[F], one: F, other: F) -> None:
    low, high = sorted([one, other])
    for method in METHODS:
        assert quantile_baseline(s.as_exact(group), low, method=method) <= quantile_baseline(
            s.as_exact(group), high, method=method
        )


def test_input_is_left_alone() -> None:
    rewards = np.array([3.0, 1.0, 2.0])
    quantile_baseline(rewards, "0.4")
    quantile_baseline(rewards, "0.4", method="linear")
    assert rewards.tolist() == [3.0, 1.0, 2.0]
