"""Time calls in turns: what a machine does meanwhile, and what ran before, is then the same for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

Call = Callable[[], Any]


def in_turns(*calls: Call, rounds: int = 5, wait: Callable[[], None] = lambda: None) -> list[float]:
    """Return the median seconds of each call over the rounds, after one that warms up; every other one is backwards.

    Args:
        calls: what is timed.
        rounds: how often each is called.
        wait: returns when a device is done with what it was given.
    """
    seconds: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        order = list(enumerate(calls))
        for which, call in order if number % 2 else order[::-1]:
            start = time.perf_counter()
            call()
            wait()
            if number:
                seconds[which].append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in seconds]


def beside(benchmark: Any, ours: Call, peer: Call, name: str, **how: Any) -> Any:
    """Time a call beside its peer in turns, note both and their ratio, and return what the call returns."""
    seconds = in_turns(ours, peer, **how)
    result = benchmark.pedantic(ours, rounds=1)
    benchmark.extra_info.update(peer=f"{name}, in turns", turns_s=[float(f"{x:.4g}") for x in seconds])
    benchmark.extra_info["this_over_peer"] = round(seconds[0] / seconds[1], 3)
    return result
