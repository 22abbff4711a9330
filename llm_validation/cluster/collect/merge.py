"""One record a step from all that the logs of a run say of it, whatever was written twice or out of order.

A resumed job goes on from its last checkpoint, repeats the steps after it, and first writes the validation of the
checkpoint's own step. So the training metrics of a step are those of the last attempt that logged any, and so are its
validation metrics, each on their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from llm_validation.cluster.collect.log_lines import ranges
from llm_validation.cluster.collect.logs import Entry, Metrics

AGAIN = "the same again"
SUPERSEDED = "superseded by a later line of the same attempt"
REDONE = "superseded by a later attempt"
NO_METRICS = "no metrics"
VALIDATION = ("val-core/", "val-aux/", "val/")

EVENT_UNIT = "events"

Key = tuple[int, bool]  # step, and whether of validation
Used = Sequence[tuple[Entry, Metrics]]


@dataclass
class StepRecord:
    """A step as it is in the result.

    ``attempt`` wrote its training metrics. ``abandoned``: a later attempt went on from a step before it and has not
    come so far again, so it does not belong to the run that goes on.
    """

    step: int
    metrics: Metrics = field(default_factory=dict)
    attempt: int | None = None
    abandoned: bool = False
    entries: list[Entry] = field(default_factory=list)

    @property
    def trained(self) -> bool:
        """Whether there is more than a validation."""
        return self.attempt is not None

    def untrain(self, reason: str) -> None:
        """Take its training metrics out; lines of which nothing is left are dropped."""
        self.metrics = {name: value for name, value in self.metrics.items() if name.startswith(VALIDATION)}
        self.attempt = None
        for entry in self.entries:
            if not (self.metrics and any(name.startswith(VALIDATION) for name in entry.metrics)):
                entry.account.drop(entry.number, reason)
        self.entries = [entry for entry in self.entries if entry.account.reason(entry.number) is None]

    def drop(self, reason: str) -> None:
        """Nothing of it is in the result."""
        self.untrain(reason)
        self.metrics = {}
        for entry in self.entries:
            entry.account.drop(entry.number, reason)


@dataclass
class Merged:
    """The steps in order, and what was said twice or not at all. ``first``: of the steps that were asked for."""

    steps: list[StepRecord]
    conflicts: list[int]
    out_of_order: int
    first: int = 1

    @property
    def missing(self) -> list[int]:
        """Steps up to the last that no log has; verl loses the line of a step after whose checkpoint it is killed."""
        there = {one.step for one in self.steps if one.trained}
        return [step for step in range(self.first, max(there, default=0)) if step not in there]


def merge(entries: Sequence[Entry], starts: Mapping[int, int] | None = None) -> Merged:
    """The steps of one run; entries that are not used are dropped in their accounts.

    Args:
        entries: of all attempts, the later ones after the earlier ones, each in the order of its file.
        starts: the first step of an attempt where it is known; of the others it is the first that they logged.
    """
    used: dict[Key, list[tuple[Entry, Metrics]]] = {}
    conflicts: set[int] = set()
    for entry in entries:
        for key, metrics in _parts(entry):
            before = used.setdefault(key, [])
            known = _union(before)
            fits = all(metrics[name] == value for name, value in known.items() if name in metrics)
            if not fits:
                conflicts.add(entry.step)
            if before and before[-1][0].account is not entry.account:
                before.clear()
            elif not fits:
                before[:] = _without(before, metrics) if entry.account.unit == EVENT_UNIT else []
            if not metrics.keys() <= _union(before).keys():
                before.append((entry, metrics))
    _settle(entries, used)
    return Merged(_records(used, {**_starts(entries), **(starts or {})}), sorted(conflicts), _out_of_order(entries))


def summary(merged: Merged) -> dict[str, Any]:
    """What a reader of the steps must know, in JSON's types."""
    trained = [one.step for one in merged.steps if one.trained]
    return {
        "kept": ranges(trained),
        "validation_only": ranges([one.step for one in merged.steps if not one.trained]),
        "missing": ranges(merged.missing),
        "said_differently": ranges(merged.conflicts),
        "abandoned": ranges([one.step for one in merged.steps if one.abandoned]),
        "out_of_order": merged.out_of_order,
    }


def _parts(entry: Entry) -> list[tuple[Key, Metrics]]:
    """Training and validation of an entry, without what is empty."""
    parts: dict[bool, Metrics] = {False: {}, True: {}}
    for name, value in entry.metrics.items():
        parts[name.startswith(VALIDATION)][name] = value
    return [((entry.step, validation), metrics) for validation, metrics in parts.items() if metrics]


def _union(parts: Used) -> Metrics:
    return {name: value for _, metrics in parts for name, value in metrics.items()}


def _without(parts: Used, names: Metrics) -> list[tuple[Entry, Metrics]]:
    """An event file has an event for each metric, and only that one is written anew."""
    left = ((entry, {name: value for name, value in known.items() if name not in names}) for entry, known in parts)
    return [(entry, metrics) for entry, metrics in left if metrics]


def _settle(entries: Sequence[Entry], used: Mapping[Key, Used]) -> None:
    """Give every entry that is not used its reason."""
    kept = {(id(entry.account), entry.number) for parts in used.values() for entry, _ in parts}
    for entry in entries:
        if (id(entry.account), entry.number) in kept:
            continue
        parts = _parts(entry)
        if not parts:
            entry.account.drop(entry.number, NO_METRICS)
        elif all(metrics.items() <= _union(used[key]).items() for key, metrics in parts):
            entry.account.drop(entry.number, AGAIN)
        else:
            later = any(used[key][-1][0].attempt > entry.attempt for key, _ in parts)
            entry.account.drop(entry.number, REDONE if later else SUPERSEDED)


def _records(used: Mapping[Key, Used], starts: Mapping[int, int]) -> list[StepRecord]:
    records: dict[int, StepRecord] = {}
    for (step, validation), parts in sorted(used.items()):
        record = records.setdefault(step, StepRecord(step))
        for entry, metrics in parts:
            record.metrics |= metrics
            record.entries.append(entry)
            record.attempt = record.attempt if validation else entry.attempt
        wrote = parts[-1][0].attempt
        if not validation or not record.trained:
            record.abandoned = any(start <= step for attempt, start in starts.items() if attempt > wrote)
    return list(records.values())


def _starts(entries: Iterable[Entry]) -> dict[int, int]:
    """The first step that each attempt took; one that only validated so far is about to take the next."""
    starts: dict[int, int] = {}
    for entry in entries:
        for (step, validation), _ in _parts(entry):
            first = step + 1 if validation else step
            starts[entry.attempt] = min(starts.get(entry.attempt, first), first)
    return starts


def _out_of_order(entries: Sequence[Entry]) -> int:
    return sum(one.account is other.account and other.step < one.step for one, other in pairwise(entries))
