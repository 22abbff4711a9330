"""Tell attempts within one file apart: a step that goes back is a resume, and a later attempt follows.

A trainer that is resumed may append to its log. What it had logged beyond the step at which it was taken up again does
not belong to the run that went on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from llm_validation.cluster.collect.logs.entries import Entry

VALIDATION = ("val-core/", "val-aux/", "val/")  # prefixes of a validation's metrics


def split_attempts(entries: Sequence[Entry], starts: Mapping[int, int]) -> tuple[list[Entry], dict[int, int]]:
    """Return the entries with their attempts counted anew, a resume inside a file being another, and the known starts.

    Args:
        entries: of all files, each in its order, the attempts counting files.
        starts: the first step of an attempt where it is known, by the files' count.

    >>> from llm_validation.cluster.collect.logs.lines import Account
    >>> log = Account("log")
    >>> lines = [Entry(step, {"entropy": 1.0}, 1, log, number) for number, step in enumerate([1, 2, 3, 2])]
    >>> [entry.attempt for entry in split_attempts(lines, {})[0]]
    [1, 1, 1, 2]
    """
    told: list[Entry] = []
    resumed: list[int] = []  # the file of each resume
    file, seen = None, _Seen()
    for entry in entries:
        if entry.attempt != file:
            file, seen = entry.attempt, _Seen()
        elif seen.comes_back(entry):
            resumed.append(entry.attempt)
            seen = _Seen()
        seen.add(entry)
        told.append(entry._replace(attempt=entry.attempt + len(resumed)))
    known: dict[int, int] = {}
    for number, first in starts.items():
        known[number + sum(earlier < number for earlier in resumed)] = first
    return told, known


def is_validation(name: str) -> bool:
    """Return whether a metric is a validation's."""
    return name.startswith(VALIDATION)


class _Seen:
    """Remember the training metrics that an attempt has logged so far, by step."""

    def __init__(self) -> None:
        self._names: dict[int, set[str]] = {}
        self._latest = -1  # the furthest step
        self._last = -1  # the step of the entry before

    def comes_back(self, entry: Entry) -> bool:
        """Return whether an entry logs again what was logged of its step, after a later step.

        Metrics of an earlier step that were not there yet are late, a validation may follow at any time, and a line
        that stands twice in a row is a repetition.
        """
        before = self._names.get(entry.step, set())
        return entry.step < self._latest and entry.step != self._last and not before.isdisjoint(_trained(entry.metrics))

    def add(self, entry: Entry) -> None:
        """Take in what an entry logs."""
        names = _trained(entry.metrics)
        if names:
            self._names.setdefault(entry.step, set()).update(names)
            self._latest, self._last = max(self._latest, entry.step), entry.step


def _trained(names: Iterable[str]) -> set[str]:
    return {name for name in names if not is_validation(name)}
