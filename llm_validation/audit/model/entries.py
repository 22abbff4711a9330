"""Hold what the logs say of single steps, and make one record a step of all of it.

A file whose steps go back was written by a run that was resumed: the steps from there on that stood before are
superseded, and those that the resumed run has not reached again belong to a branch that was left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qae_theory.arrays import Array


class Entry(NamedTuple):
    """Hold the metrics that a log gives of one step; NaN for null, NaN and infinities."""

    step: int
    metrics: Mapping[str, float]


class Settled(NamedTuple):
    """Hold one record a step, and how many entries are in no record."""

    records: dict[int, dict[str, float]]
    superseded: int


def settled(entries: Iterable[Entry]) -> Settled:
    """Return the steps of one file, in order; of what is said twice of a step the later counts.

    >>> settled([Entry(s, {"entropy": 1.0}) for s in (1, 2, 3, 4, 5, 3, 4)]).records.keys()
    dict_keys([1, 2, 3, 4])
    """
    records: dict[int, dict[str, float]] = {}
    counts: dict[int, int] = {}
    superseded, latest = 0, -1
    for entry in entries:
        # Other metrics of an earlier step were only logged late; the same metric again is what a resumed run writes.
        if entry.step < latest and entry.step in records and records[entry.step].keys() & entry.metrics.keys():
            for step in [step for step in records if step >= entry.step]:
                del records[step]
                superseded += counts.pop(step)
        records.setdefault(entry.step, {}).update(entry.metrics)
        counts[entry.step] = counts.get(entry.step, 0) + 1
        latest = max(records)
    return Settled(dict(sorted(records.items())), superseded)


def united(sources: Sequence[Mapping[int, Mapping[str, float]]]) -> dict[int, dict[str, float]]:
    """Return what several logs of one run say; where two speak of one metric, the first does."""
    found: dict[int, dict[str, float]] = {}
    for records in sources:
        for step, metrics in records.items():
            mine = found.setdefault(step, {})
            mine.update({name: value for name, value in metrics.items() if name not in mine})
    return dict(sorted(found.items()))


def columns(records: Mapping[int, Mapping[str, float]]) -> tuple[Array, dict[str, Array]]:
    """Return the steps ``[T]`` and every metric as a column ``[T]``, NaN where it is missing."""
    steps = np.array(sorted(records), dtype=np.int64)
    names = dict.fromkeys(name for record in records.values() for name in record)
    table = {name: np.full(len(steps), np.nan) for name in names}
    for row, step in enumerate(steps.tolist()):
        for name, value in records[step].items():
            table[name][row] = value
    return steps, table


def numbers(data: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a record by name; nested mappings are joined by ``/``; texts and lists are no metrics.

    A number that a logger wrote as text (``"NaN"``, ``"0.5"``) counts.

    >>> numbers({"a": 1, "b": {"c": True, "d": "NaN"}, "e": "text", "f": None})
    {'a': 1.0, 'b/c': 1.0, 'b/d': nan, 'f': nan}
    """
    found: dict[str, float] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{prefix}{name}/")
        elif (number := as_number(value)) is not None:
            found[f"{prefix}{name}"] = number
    return found


def as_number(value: Any) -> float | None:
    """Return a number, NaN for null and infinities; None for what is no number."""
    if value is None:
        return math.nan
    try:
        number = float(value) if isinstance(value, (bool, int, float, str)) else None
    except (OverflowError, ValueError):
        return None
    return number if number is None or math.isfinite(number) else math.nan


def as_step(value: Any) -> int | None:
    """Return a step as a whole number from 0 up, also from text; None for anything else.

    >>> as_step(3.0), as_step("3"), as_step(-1), as_step(2.5), as_step(True), as_step([4])
    (3, 3, None, None, None, 4)
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        value = value.strip()
    number = None if isinstance(value, bool) or value is None else as_number(value)
    if number is None or not math.isfinite(number) or number != int(number):
        return None
    # From there on a float skips whole numbers.
    return int(number) if 0 <= number < 2**53 else None
