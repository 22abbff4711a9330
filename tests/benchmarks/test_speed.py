"""Figures, not tests: how fast the shipped functions are beside a named peer on the same arrays."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from qae_theory import advantages, entropy_change_bounds, expected_gain
from tests.benchmarks.turns import beside

GROUPS = (4096, 65536)


def _rewards(groups: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(0).integers(0, 2, (groups, 16)).astype(np.float64)


def _loop(rewards: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[float]]:
    """QAE at K = 0.4, a group at a time, in plain Python."""
    rank = math.ceil(rewards.shape[1] * 2 / 5)
    result = []
    for group in rewards:
        mean = sum(group) / len(group)
        std = math.sqrt(sum((reward - mean) ** 2 for reward in group) / len(group))
        baseline = sorted(group)[rank - 1]
        degenerate = max(group) == min(group)
        result.append([0.0 if degenerate else (reward - baseline) / (std + 1e-6) for reward in group])
    return result


@pytest.mark.parametrize("groups", GROUPS)
def test_advantages(benchmark: Any, groups: int) -> None:
    """At least 25 times as fast as the loop is the aim."""
    rewards = _rewards(groups)
    benchmark.extra_info["peer"] = f"test_python_loop[{groups}]"
    result = benchmark(advantages, rewards, "qae")
    np.testing.assert_allclose(result[:512], _loop(rewards[:512]), rtol=1e-12)


@pytest.mark.parametrize("groups", GROUPS)
def test_python_loop(benchmark: Any, groups: int) -> None:
    """The loop over groups."""
    assert len(benchmark.pedantic(_loop, (_rewards(groups),), rounds=3)) == groups


@pytest.mark.parametrize("groups", GROUPS)
def test_python_loop_on_lists(benchmark: Any, groups: int) -> None:
    """The loop once the array has been made nested lists, which Python reads faster."""
    benchmark.extra_info["peer"] = f"test_advantages[{groups}]"
    lists = _rewards(groups).tolist()
    assert len(benchmark.pedantic(_loop, (_Nested(lists),), rounds=3)) == groups


@pytest.mark.parametrize("groups", GROUPS)
def test_numpy_quantile(benchmark: Any, groups: int) -> None:
    """The baseline alone, and not exact: `advantages` is to take no longer."""
    benchmark.extra_info["peer"] = f"test_advantages[{groups}]"
    result = benchmark(np.quantile, _rewards(groups), 0.4, axis=-1, method="inverted_cdf")
    assert result.shape == (groups,)


@pytest.mark.parametrize("group_size", [64, 256, 1024, 4096])
def test_expected_gain(benchmark: Any, group_size: int) -> None:
    """Growth with G, beside G = 64."""
    if group_size > 64:
        benchmark.extra_info["peer"] = "test_expected_gain[64]"
    assert 0 < benchmark(expected_gain, 0.3, group_size, "qae") < 3


def test_entropy_change_bounds(benchmark: Any) -> None:
    """At most 3 times one softmax of the same array is the aim: 64 rows of 151,936."""
    logits, direction = np.random.default_rng(0).normal(size=(2, 64, 151_936))
    logits = 3 * logits
    ours, peer = partial(entropy_change_bounds, logits, direction, 0.01), partial(softmax, logits, axis=-1)
    lower, upper = beside(benchmark, ours, peer, "scipy.special.softmax", rounds=15)
    assert np.all(lower < upper)


class _Nested(list[list[float]]):
    """Nested lists with the one attribute of an array that the loop reads."""

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), len(self[0])
