"""Read W&B's own binary log, ``run-<id>.wandb``, as offline mode leaves it: the history's rows.

Fields of the messages: W&B's ``wandb_internal.proto`` (Record, HistoryRecord, HistoryItem, HistoryStep).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from llm_validation.audit.model.entries import Entry
from llm_validation.audit.readers.steps.wandb_export import history
from llm_validation.audit.reading.base import StepReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally
from llm_validation.audit.reading.opening import opened
from llm_validation.audit.reading.wire import leveldb_records, message

HEADER = 7  # bytes: ":W&B", a magic number, a version
_HISTORY = 2  # of Record
_ITEM, _STEP = 1, 2  # of HistoryRecord
_KEY, _NESTED, _VALUE = 1, 2, 16  # of HistoryItem


def _read(head: Head, tally: Tally) -> Iterator[Entry]:
    yield from history(_rows(head, tally), tally)


def _rows(head: Head, tally: Tally) -> Iterator[dict[str, Any]]:
    with opened(head.path) as file:
        for content in leveldb_records(file, tally, skip=HEADER):
            for field, _, value in message(content):
                if field == _HISTORY and isinstance(value, bytes):
                    tally.read += 1
                    yield _row(value)


def _row(content: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field, _, value in message(content):
        if field == _ITEM and isinstance(value, bytes):
            row |= _item(value)
        elif field == _STEP and isinstance(value, bytes):
            row.setdefault("_step", next((one for name, _, one in message(value) if name == 1), 0))
    return row


def _item(content: bytes) -> dict[str, Any]:
    names, text = [], ""
    for field, _, value in message(content):
        if isinstance(value, bytes) and field in (_KEY, _NESTED):
            names.append(value.decode("utf-8", "replace"))
        elif isinstance(value, bytes) and field == _VALUE:
            text = value.decode("utf-8", "replace")
    try:
        return {"/".join(names): json.loads(text)}
    except ValueError:
        return {}


READERS = (StepReader("wandb-log", lambda head: head.kind == "wandb", _read),)
