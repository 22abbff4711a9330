"""Read prime-rl's ``traces.jsonl`` and ``step_<N>/train_rollouts.jsonl``: a trace or an episode a line.

The group's id stands in ``group.id``, the rewards by name in ``rewards`` (their sum in ``reward``), the advantage in
``info.advantage`` where the batch was stamped. The step stands in the record or in the folder's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.entries import as_number, as_step
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.building import Row, chunks_of
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, records
from llm_validation.audit.reading.rows import step_in_name
from llm_validation.audit.reading.tokens import number_of

_NESTED = ("group.id", "info.prime_rl.group_id", "prime_rl.group_id")
_GROUPS = (*_NESTED, "group_id", "info.group_id", "group", "example_id")
_STEPS = ("step", "info.step", "info.prime_rl.step", "prime_rl.step", "run.work.step", "work.step")
_ADVANTAGES = ("info.advantage", "advantage", "info.prime_rl.advantage")
_CUT = ("is_truncated", "info.is_truncated", "truncated")


def _at(record: Mapping[str, Any], path: str) -> Any:
    """Return what stands at a dotted path; None where there is nothing."""
    node: Any = record
    for name in path.split("."):
        if not isinstance(node, Mapping) or name not in node:
            return None
        node = node[name]
    return node


def _first(record: Mapping[str, Any], paths: tuple[str, ...]) -> Any:
    return next((value for path in paths if (value := _at(record, path)) is not None), None)


def _is_trace(record: Mapping[str, Any]) -> bool:
    if isinstance(record.get("traces"), list):
        return True
    named = isinstance(record.get("rewards"), Mapping)
    grouped = any(_at(record, path) is not None for path in _NESTED)
    return (named or "reward" in record) and (grouped or (named and _first(record, _GROUPS) is not None))


def _is_traces(head: Head) -> bool:
    return any(_is_trace(record) for record in head.objects)


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    rows = (row for record in records(head, tally) for row in _rows(record, head))
    yield from chunks_of(head.path, rows, tally, identity="id", has_members=False)


def _rows(record: Mapping[str, Any], head: Head) -> Iterator[Row]:
    traces = record.get("traces")
    for trace in traces if isinstance(traces, list) else [record]:
        if isinstance(trace, Mapping):
            yield _row({**{k: v for k, v in record.items() if k != "traces"}, **trace}, head)


def _row(trace: Mapping[str, Any], head: Head) -> Row:
    step = as_step(_first(trace, _STEPS))
    components = _rewards(trace.get("rewards"))
    reward = as_number(trace.get("reward"))
    if reward is None or trace.get("reward") is None:
        reward = sum(components.values()) if components else np.nan
    columns = {}
    advantage = _first(trace, _ADVANTAGES)
    if advantage is not None:
        columns["advantage"] = number_of(advantage)
    cut = _first(trace, _CUT)
    if isinstance(cut, bool):
        columns["truncated"] = float(cut)
    found = step_in_name(head.path) if step is None else step
    return Row(found, reward, _first(trace, _GROUPS), columns=columns, components=components)


def _rewards(rewards: Any) -> dict[str, float]:
    """Return the rewards by name; each a number or a record with one."""
    if not isinstance(rewards, Mapping):
        return {}
    found = {}
    for name, value in rewards.items():
        inner = value.get("value", value.get("reward")) if isinstance(value, Mapping) else value
        number = as_number(inner)
        if number is not None:
            found[str(name)] = number
    return found


READERS = (ResponseReader("prime-traces", _is_traces, _read),)
