"""Read verl's FileLogger: ``{"step": 3, "data": {"actor/entropy": 0.3, ...}}`` in every line."""

from __future__ import annotations

from collections.abc import Iterator

from llm_validation.audit.model.entries import Entry, as_step, numbers
from llm_validation.audit.reading.base import StepReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, records


def _is_file_log(head: Head) -> bool:
    return any(isinstance(one.get("data"), dict) and as_step(one.get("step")) is not None for one in head.objects)


def _read(head: Head, tally: Tally) -> Iterator[Entry]:
    for record in records(head, tally):
        step, data = as_step(record.get("step")), record.get("data")
        if step is None or not isinstance(data, dict):
            tally.drop("not a line of this log")
        else:
            yield Entry(step, numbers(data))


READERS = (StepReader("verl-file", _is_file_log, _read),)
