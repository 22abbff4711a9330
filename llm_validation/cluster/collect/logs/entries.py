"""Define what a log tells of one step, in the form that every reader gives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from llm_validation.cluster.collect.logs.lines import Account

# Reasons to drop a line, which the readers share.
NO_STEP = "no step, a whole number from 0 up"
NOT_A_LINE = "not a line of this log"

Metrics = dict[str, float | None]  # None for a metric that was logged as null, NaN or infinite

# Up to here float64 holds every whole number, and some exports write steps as floats.
_LARGEST_STEP = 2**53


class Entry(NamedTuple):
    """Hold the metrics that a log gives of one step, and where they stand.

    ``attempt`` counts the files of a run; ``account`` and ``number`` are where it stands.
    """

    step: int
    metrics: Metrics
    attempt: int
    account: Account
    number: int


def step_of(value: Any) -> int | None:
    """Return a step as a whole number; None for what is no step.

    >>> step_of(3.0), step_of("3"), step_of(-1), step_of(2.5)
    (3, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and 0 <= value < _LARGEST_STEP else None


def numbers_of(data: Mapping[str, Any]) -> Metrics:
    """Return the metrics that are numbers; None for null, NaN and infinities. Texts and lists are no metrics.

    >>> numbers_of({"a": 1, "b": float("nan"), "c": "text", "d": None, "e": True})
    {'a': 1.0, 'b': None, 'd': None, 'e': 1.0}
    """
    metrics: Metrics = {}
    for name, value in data.items():
        if value is None:
            metrics[str(name)] = None
        elif isinstance(value, (bool, int, float)):
            metrics[str(name)] = _finite(value)
    return metrics


def _finite(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:  # an integer beyond float64
        return None
    return number if math.isfinite(number) else None
