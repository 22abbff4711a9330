"""Read TensorBoard's event files: scalars by step. Each launch writes one; several may lie in a folder.

Fields of the messages: TensorBoard's ``event.proto``, ``summary.proto`` and ``tensor.proto``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from llm_validation.audit.model.entries import Entry, as_number
from llm_validation.audit.reading.base import StepReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally
from llm_validation.audit.reading.opening import opened
from llm_validation.audit.reading.wire import BYTES, FIXED32, message, number, tf_records

_STEP, _SUMMARY = 2, 5  # of Event
_VALUE = 1  # of Summary
_TAG, _SIMPLE, _TENSOR = 1, 2, 8  # of Summary.Value
_SHAPE, _CONTENT, _FLOATS, _DOUBLES = 2, 4, 5, 6  # of TensorProto
_HYPERPARAMETERS = ("hp_metric", "placeholder", "_hparams_/")  # scalars that stand for no step of training


def _read(head: Head, tally: Tally) -> Iterator[Entry]:
    with opened(head.path) as file:
        for content in tf_records(file, tally):
            step, metrics = _event(content)
            if metrics:
                tally.read += 1
                yield Entry(step, metrics)


def _event(content: bytes) -> tuple[int, dict[str, float]]:
    """Return step and scalars of an event."""
    step, metrics = 0, dict[str, float]()
    for field, _, value in message(content):
        if field == _STEP and isinstance(value, int):
            step = value if value < 2**63 else 0
        elif field == _SUMMARY and isinstance(value, bytes):
            for inner, _, one in message(value):
                if inner == _VALUE and isinstance(one, bytes):
                    metrics |= _scalar(one)
    return step, metrics


def _scalar(content: bytes) -> dict[str, float]:
    tag, found = "", None
    for field, kind, value in message(content):
        if field == _TAG and isinstance(value, bytes):
            tag = value.decode("utf-8", "replace")
        elif field == _SIMPLE and kind == FIXED32:
            found = number(kind, value)
        elif field == _TENSOR and isinstance(value, bytes):
            found = _tensor(value)
    if found is None or not tag or tag.startswith(_HYPERPARAMETERS):
        return {}
    finite = as_number(found)
    return {} if finite is None else {tag: finite}


def _tensor(content: bytes) -> float | None:
    """Return the number of a tensor without dimensions."""
    for field, kind, value in message(content):
        if field == _SHAPE and value:
            return None
        if field in (_FLOATS, _DOUBLES) and not (kind == BYTES and not value):
            if kind != BYTES:
                return number(kind, value)
            return float(struct.unpack_from("<f" if field == _FLOATS else "<d", bytes(value))[0])
        if field == _CONTENT and isinstance(value, bytes) and len(value) in (4, 8):
            return float(struct.unpack("<f" if len(value) == 4 else "<d", value)[0])
    return None


READERS = (StepReader("tensorboard", lambda head: head.kind == "events", _read, launches=True),)
