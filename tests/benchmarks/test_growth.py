"""Figures, not tests: how time and memory grow with the number of arms and with the group size, over three decades.

Each benchmark times all sizes in turn and stores the exponent that is fitted to log time against log size, and the same
for the largest memory that NumPy held at once. The number of numbers in a batch grows with the size.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from qae_theory import advantages, entropy_change, entropy_change_bounds, entropy_change_enclosure, self_covariance

ARMS = (152, 1_519, 15_194, 151_936)
GROUP_SIZES = (4, 40, 400, 4_000)
REPEATS = 5
Call = Callable[[int], Callable[[], Any]]


def _step(function: Callable[..., Any], *, rows: int) -> Call:
    """Return a function of n that makes a call on so many rows of n arms."""

    def prepare(arms: int) -> Callable[[], Any]:
        logits, direction = np.random.default_rng(0).normal(size=(2, rows, arms))
        return lambda: function(3 * logits, direction, 0.01)

    return prepare


def _self_covariance(arms: int) -> Callable[[], Any]:
    logits = 3 * np.random.default_rng(0).normal(size=(8, arms))
    return lambda: self_covariance(logits)


def _advantages(group_size: int) -> Callable[[], Any]:
    rewards = np.random.default_rng(0).integers(0, 2, (1024, group_size)).astype(np.float64)
    return lambda: advantages(rewards, "qae")


CALLS: Mapping[str, tuple[Call, tuple[int, ...]]] = {
    "entropy_change_bounds": (_step(entropy_change_bounds, rows=8), ARMS),
    "entropy_change_enclosure": (_step(entropy_change_enclosure, rows=1), ARMS),
    "entropy_change": (_step(entropy_change, rows=8), ARMS),
    "self_covariance": (_self_covariance, ARMS),
    "advantages": (_advantages, GROUP_SIZES),
}


def _processor_seconds(call: Callable[[], Any]) -> float:
    """Return the least processor time of a few calls: what other programs do to it is only ever to add."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def _largest_memory(call: Callable[[], Any]) -> int:
    """Return the most bytes that were held at once beyond those that were held before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _exponent(sizes: tuple[int, ...], values: list[float]) -> float:
    """Return the slope of log value against log size."""
    return round(float(np.polyfit(np.log(sizes), np.log(values), 1)[0]), 2)


@pytest.mark.parametrize("name", CALLS)
def test_growth(benchmark: Any, name: str) -> None:
    """Store the exponents; at most 1 is the aim, up to what the fixed cost of a call takes off."""
    prepare, sizes = CALLS[name]
    seconds, memory = [], []

    def measure() -> None:
        for size in sizes:
            call = prepare(size)
            call()  # the first call loads what it needs
            seconds.append(_processor_seconds(call))
            memory.append(float(_largest_memory(call)))

    benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info["sizes"] = list(sizes)
    benchmark.extra_info["processor_s"] = [float(f"{value:.3g}") for value in seconds]
    benchmark.extra_info["bytes"] = memory
    benchmark.extra_info["time_exponent"] = _exponent(sizes, seconds)
    benchmark.extra_info["memory_exponent"] = _exponent(sizes, memory)
