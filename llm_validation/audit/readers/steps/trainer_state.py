"""Read ``trainer_state.json`` of Transformers' trainer: a record a log, means over ``logging_steps``.

Every checkpoint has one, which holds all that was logged until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from llm_validation.audit.model.entries import Entry, as_step, numbers
from llm_validation.audit.reading.base import RefusedError, StepReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally
from llm_validation.audit.reading.opening import pieces

_NOT_METRICS = ("step", "epoch")


def _is_state(head: Head) -> bool:
    return head.any_with("log_history") or (head.kind == "document" and b'"log_history"' in head.text)


def _read(head: Head, tally: Tally) -> Iterator[Entry]:
    try:
        state = json.loads(b"".join(pieces(head.path)))
    except (ValueError, RecursionError):
        raise RefusedError("the JSON document is cut off or damaged") from None
    history = state.get("log_history") if isinstance(state, dict) else None
    for record in history if isinstance(history, list) else []:
        tally.read += 1
        step = as_step(record.get("step")) if isinstance(record, dict) else None
        if step is None:
            tally.drop("no step")
        else:
            yield Entry(step, {name: value for name, value in numbers(record).items() if name not in _NOT_METRICS})


READERS = (StepReader("trainer-state", _is_state, _read),)
