"""The constant baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators.methods import get_method
from tests.assertions import refuses


@pytest.mark.parametrize("baseline", [0, 0.25, 1, -2.5])
def test_it_is_taken_off_every_reward(baseline: float) -> None:
    rewards = np.random.default_rng(0).standard_normal((3, 4))
    assert np.array_equal(get_method("constant", baseline=baseline).advantages(rewards), rewards - baseline)


def test_zero_and_one_are_psr_and_nsr() -> None:
    rewards = np.array([1.0, 0.0, 0.0, 1.0])
    for baseline, name in ((0, "psr"), (1, "nsr")):
        expected = get_method(name).advantages(rewards)
        assert np.array_equal(get_method("constant", baseline=baseline).advantages(rewards), expected)
    assert not np.array_equal(get_method("constant").advantages(rewards), expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [0.1, 0.2], "x", None])
def test_bad_baselines_are_refused(bad: Any) -> None:
    refuses(lambda: get_method("constant", baseline=bad), "baseline", bad)
