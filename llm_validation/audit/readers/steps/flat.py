"""Read metrics as JSON lines, flat or nested: those of ``qae train`` and EasyR1's ``experiment_log.jsonl``.

``{"step": 3, "entropy": 1.2}`` and ``{"step": 3, "actor": {"entropy": 1.2}}`` both; nested names are joined by ``/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llm_validation.audit.model.entries import Entry, as_step, numbers
from llm_validation.audit.reading.base import RefusedError, StepReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, records

MANY = 4  # records a step, from which on they are not taken for metrics; a resume or two write a step again
_STEPS = ("step", "global_step", "training_step", "iteration", "steps")
# What only a response has.
_OF_RESPONSES = frozenset({"prompt", "completion", "response", "output", "input", "uid", "text", "messages", "content"})


def _step_of(record: Mapping[str, Any]) -> int | None:
    return next((step for name in _STEPS if (step := as_step(record.get(name))) is not None), None)


def _is_metrics(record: Mapping[str, Any]) -> bool:
    if _step_of(record) is None or _OF_RESPONSES & record.keys():
        return False
    return bool(numbers({name: value for name, value in record.items() if name not in _STEPS}))


def _is_nested(head: Head) -> bool:
    steps = [record for record in head.objects if _is_metrics(record)]
    return any(any(isinstance(value, dict) for value in record.values()) for record in steps)


def _is_flat(head: Head) -> bool:
    return head.kind in ("lines", "list") and any(_is_metrics(record) for record in head.objects)


def _read(head: Head, tally: Tally) -> Iterator[Entry]:
    entries = list(_entries(head, tally))
    steps = len({entry.step for entry in entries})
    if steps and len(entries) >= MANY * steps:
        raise RefusedError(
            f"{len(entries)} records of {steps} steps are not metrics, of which a step has one; if these are "
            "responses, nothing says which of them form a group"
        )
    yield from entries


def _entries(head: Head, tally: Tally) -> Iterator[Entry]:
    for record in records(head, tally):
        step = _step_of(record)
        if step is None:
            tally.drop("no step")
        else:
            yield Entry(step, numbers({name: value for name, value in record.items() if name not in _STEPS}))


READERS = (StepReader("easyr1", _is_nested, _read), StepReader("metrics", _is_flat, _read))
