"""Make one record a step of all that the logs of a run tell of it, whatever was written twice or out of order.

A resumed job goes on from its last checkpoint, repeats the steps after it, and first writes the validation of the
checkpoint's own step. So the training metrics of a step are those of the last attempt that logged any, and so are its
validation metrics, each on their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from llm_validation.cluster.collect.logs.entries import Entry, Metrics
from llm_validation.cluster.collect.logs.lines import ranges
from llm_validation.cluster.collect.logs.resumes import is_validation, split_attempts
from llm_validation.cluster.collect.logs.tensorboard import EVENT_UNIT

AGAIN = "the same again"
SUPERSEDED = "superseded by a later line of the same attempt"
REDONE = "superseded by a later attempt"
NO_METRICS = "no metrics"


class Key(NamedTuple):
    """Name what is settled on its own: the training or the validation of one step."""

    step: int
    validation: bool


class Share(NamedTuple):
    """Hold an entry and those of its metrics that count for one key."""

    entry: Entry
    metrics: Metrics


@dataclass
class StepRecord:
    """Hold a step as it is in the result.

    ``attempt`` wrote its training metrics; None where there are none. ``abandoned``: a later attempt went on from a
    step before it and has not come so far again, so that it does not belong to the run that goes on.
    """

    step: int
    metrics: Metrics = field(default_factory=dict)
    attempt: int | None = None
    abandoned: bool = False
    entries: list[Entry] = field(default_factory=list)

    @property
    def trained(self) -> bool:
        """Return whether there is more than a validation."""
        return self.attempt is not None

    def untrain(self, reason: str) -> None:
        """Take its training metrics out; drop the lines of which nothing is left."""
        self.metrics = {name: value for name, value in self.metrics.items() if is_validation(name)}
        self.attempt = None
        for entry in self.entries:
            if not (self.metrics and any(is_validation(name) for name in entry.metrics)):
                entry.account.drop(entry.number, reason)
        self.entries = [entry for entry in self.entries if entry.account.reason(entry.number) is None]

    def drop(self, reason: str) -> None:
        """Take everything of it out of the result."""
        self.untrain(reason)
        self.metrics = {}
        for entry in self.entries:
            entry.account.drop(entry.number, reason)


@dataclass
class Merged:
    """Hold the steps in order, and what was logged twice or not at all.

    ``conflicts`` are steps that were logged differently twice, ``out_of_order`` counts lines that stand behind one of a
    later step, ``first`` is the first step that was asked for.
    """

    steps: list[StepRecord]
    conflicts: list[int]
    out_of_order: int
    first: int = 1

    @property
    def missing(self) -> list[int]:
        """Return the steps up to the last that no log has.

        verl loses the line of a step when it is killed between writing the step's checkpoint and logging it.
        """
        there = {record.step for record in self.steps if record.trained}
        return [step for step in range(self.first, max(there, default=0)) if step not in there]


def merge(entries: Sequence[Entry], starts: Mapping[int, int] | None = None) -> Merged:
    """Return the steps of one run; entries that are not used are dropped in their accounts.

    Args:
        entries: of all files, the later ones after the earlier ones, each in its order; a step that goes back inside a
            file is a resume, and so another attempt.
        starts: the first step of a file where it is known; of the others it is the first that they logged.
    """
    entries, starts = split_attempts(entries, starts or {})
    used: dict[Key, list[Share]] = {}
    conflicts: set[int] = set()
    for entry in entries:
        for key, metrics in _by_key(entry):
            if _take(used.setdefault(key, []), Share(entry, metrics)):
                conflicts.add(entry.step)
    _drop_unused(entries, used)
    known_starts = {**_first_steps(entries), **starts}
    return Merged(_records(used, known_starts), sorted(conflicts), _out_of_order(entries))


def _take(before: list[Share], new: Share) -> bool:
    """Put a share among those before it of the same key, in place of what it supersedes.

    Returns:
        Whether it contradicts them.
    """
    known = _union(before)
    contradicts = any(known[name] != value for name, value in new.metrics.items() if name in known)
    if before and before[-1].entry.attempt != new.entry.attempt:
        before.clear()  # the later attempt counts
    elif contradicts:
        # An event file has an event for each metric, and only that one is written anew; a line stands for all of them.
        is_event = new.entry.account.unit == EVENT_UNIT
        before[:] = _without(before, new.metrics) if is_event else []
    if not new.metrics.keys() <= _union(before).keys():
        before.append(new)
    return contradicts


def summary(merged: Merged) -> dict[str, Any]:
    """Return what a reader of the steps must know, in JSON's types."""
    return {
        "kept": ranges([record.step for record in merged.steps if record.trained]),
        "validation_only": ranges([record.step for record in merged.steps if not record.trained]),
        "missing": ranges(merged.missing),
        "said_differently": ranges(merged.conflicts),
        "abandoned": ranges([record.step for record in merged.steps if record.abandoned]),
        "out_of_order": merged.out_of_order,
    }


def _by_key(entry: Entry) -> list[tuple[Key, Metrics]]:
    """Return the training and the validation metrics of an entry, without what is empty."""
    of_kind: dict[bool, Metrics] = {False: {}, True: {}}
    for name, value in entry.metrics.items():
        of_kind[is_validation(name)][name] = value
    return [(Key(entry.step, validation), metrics) for validation, metrics in of_kind.items() if metrics]


def _union(shares: Iterable[Share]) -> Metrics:
    metrics: Metrics = {}
    for share in shares:
        metrics.update(share.metrics)
    return metrics


def _without(shares: Iterable[Share], names: Metrics) -> list[Share]:
    """Return the shares without the metrics of these names, and without those that are then empty."""
    left = []
    for entry, metrics in shares:
        others = {name: value for name, value in metrics.items() if name not in names}
        if others:
            left.append(Share(entry, others))
    return left


def _drop_unused(entries: Sequence[Entry], used: Mapping[Key, Sequence[Share]]) -> None:
    """Give every entry that is not used its reason."""
    kept: set[tuple[int, int]] = set()
    for shares in used.values():
        kept.update((id(entry.account), entry.number) for entry, _ in shares)
    for entry in entries:
        if (id(entry.account), entry.number) not in kept:
            entry.account.drop(entry.number, _reason(entry, used))


def _reason(entry: Entry, used: Mapping[Key, Sequence[Share]]) -> str:
    """Return why an entry is not used."""
    own = _by_key(entry)
    if not own:
        return NO_METRICS
    if all(metrics.items() <= _union(used[key]).items() for key, metrics in own):
        return AGAIN
    redone = any(used[key][-1].entry.attempt > entry.attempt for key, _ in own)
    return REDONE if redone else SUPERSEDED


def _records(used: Mapping[Key, Sequence[Share]], starts: Mapping[int, int]) -> list[StepRecord]:
    """Return one record a step; training comes before validation, in the order of the keys."""
    records: dict[int, StepRecord] = {}
    for (step, validation), shares in sorted(used.items()):
        record = records.setdefault(step, StepRecord(step))
        for entry, metrics in shares:
            record.metrics |= metrics
            record.entries.append(entry)
            record.attempt = record.attempt if validation else entry.attempt
        wrote = shares[-1].entry.attempt
        # A validation says whether its step was abandoned only where no training of the step does.
        if not validation or not record.trained:
            record.abandoned = any(start <= step for attempt, start in starts.items() if attempt > wrote)
    return list(records.values())


def _first_steps(entries: Iterable[Entry]) -> dict[int, int]:
    """Return the first step that each attempt took; one that only validated so far is about to take the next."""
    starts: dict[int, int] = {}
    for entry in entries:
        for (step, validation), _ in _by_key(entry):
            first = step + 1 if validation else step
            starts[entry.attempt] = min(starts.get(entry.attempt, first), first)
    return starts


def _out_of_order(entries: Sequence[Entry]) -> int:
    return sum(one.account is other.account and other.step < one.step for one, other in pairwise(entries))
