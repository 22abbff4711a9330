"""Decide which responses are right: by what the scorer states, else by one threshold a run, else it is not known.

A reward's levels change from step to step where there is a penalty, so that a threshold which each step finds for
itself calls the same score right in one step and wrong in the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from llm_validation.cluster.collect.logs.run_settings import RunSettings

MOST_LEVELS = 2
_STATED = {"true": True, "false": False}  # verl's older writer puts booleans into text


def stated(value: Any) -> bool | None:
    """Return what a scorer's ``acc`` says of a response; None for a part of a point, which is no verdict.

    >>> stated(True), stated(0.0), stated("False"), stated(0.7), stated(None)
    (True, False, False, None, None)
    """
    if isinstance(value, str):
        return _STATED.get(value.strip().lower())
    if isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1)):
        return bool(value)
    return None


def right_of(response: Mapping[str, Any], threshold: float | None) -> float:
    """Return 1 for a right response, 0 for a wrong one, NaN where it is not known.

    Args:
        response: its ``correct`` is what its scorer states, if that is known, and comes before its ``reward``.
        threshold: the reward above which a response is right that states nothing itself; None if it is not known.
    """
    verdict, reward = response.get("correct"), float(response["reward"])
    if verdict is not None:
        return float(verdict)
    return math.nan if threshold is None or math.isnan(reward) else float(reward > threshold)


class Levels:
    """Collect the distinct rewards of a run's responses, as far as more than two would change nothing."""

    def __init__(self) -> None:
        """Begin without any."""
        self._seen: set[float] = set()

    @property
    def too_many(self) -> bool:
        """Return whether there are more levels than right and wrong."""
        return len(self._seen) > MOST_LEVELS

    def add(self, response: Mapping[str, Any]) -> None:
        """Count the reward of a response of which nothing states whether it is right."""
        reward = response["reward"]
        if not self.too_many and response.get("correct") is None and not math.isnan(reward):
            self._seen.add(float(reward))

    def add_all(self, responses: Iterable[Mapping[str, Any]]) -> None:
        """Count the rewards of several responses."""
        for response in responses:
            self.add(response)

    def threshold(self, settings: RunSettings) -> float | None:
        """Return the reward above which a response is right; None where it is not known.

        The configured threshold comes first. Without one, the upper of two levels is right if it is positive: 0 and
        -0.5 can be two lengths of a wrong answer. One level alone is right at 1, wrong at 0 and below, else not known.

        >>> levels = Levels()
        >>> levels.add_all([{"reward": -1.0}, {"reward": 1.0}])
        >>> levels.threshold(RunSettings())
        0.0
        >>> levels.add({"reward": 0.5})
        >>> levels.threshold(RunSettings()) is None
        True
        """
        if settings.correct_above is not None:
            return settings.correct_above
        if self.too_many:
            return None
        low, high = min(self._seen, default=0.0), max(self._seen, default=1.0)
        if low < high:
            return (low + high) / 2 if high > 0 else None
        return 0.5 if high <= 0 or high == 1 else None
