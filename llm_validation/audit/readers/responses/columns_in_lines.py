"""Read logs with a whole batch in a line, a list a column: ROLL's dump, ms-swift's ``completions.jsonl``.

ROLL (``dump_rollout_to_specific_path``): global_step, id, prompt, responses, scores, ...; the group is the id.
ms-swift (``GRPOTrainer.log``): step as text (``gen_step`` under Megatron), prompt, completion, a column for every
reward function, advantages, entropy and others where they are on; responses to a prompt stand together.
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

_CUT = ("truncated", "is_truncated")
_ADVANTAGE = ("advantages", "advantage")
_CORRECT = ("correct", "is_correct", "acc")
_NO_SCORE = ("step", "gen_step", "global_step", "entropy", "tokens", "completion_length", *_CUT, *_ADVANTAGE, *_CORRECT)


def _lists(record: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(record.get(name), list) for name in names)


def _is_roll(head: Head) -> bool:
    return any(_lists(record, "responses", "scores") for record in head.objects)


def _is_swift(head: Head) -> bool:
    return any(_lists(record, "prompt", "completion") for record in head.objects)


def _read_roll(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    has_ids = any(isinstance(record.get("id"), list) for record in head.objects)
    rows = _roll_rows(head, tally, "id" if has_ids else "prompt")
    yield from chunks_of(head.path, rows, tally, identity="id" if has_ids else "prompt")


def _roll_rows(head: Head, tally: Tally, key: str) -> Iterator[Row]:
    for record in _batches(head, tally, "scores"):
        keys = record.get(key)
        for place, score in enumerate(record["scores"]):
            step = as_step(_cell(record, "global_step", place))
            columns = _numbers(record, place, advantage=_ADVANTAGE, truncated=_CUT, correct=_CORRECT)
            named = keys[place] if isinstance(keys, list) and place < len(keys) else None
            yield Row(_or_name(step, head), number_of(score), named, columns=columns)


def _read_swift(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    del settings
    yield from chunks_of(head.path, _swift_rows(head, tally), tally, identity="block", summed=True, repeats=True)


def _swift_rows(head: Head, tally: Tally) -> Iterator[Row]:
    for batch, record in enumerate(_batches(head, tally, "completion")):
        scores = [name for name, column in record.items() if name not in _NO_SCORE and _is_numeric(column)]
        for place in range(len(record["completion"])):
            step = as_step(_cell(record, "step", place))
            step = as_step(_cell(record, "gen_step", place)) if step is None else step
            columns = _numbers(record, place, advantage=_ADVANTAGE, truncated=_CUT, correct=_CORRECT)
            columns |= _entropy(record, place)
            components = {name: number_of(_cell(record, name, place)) for name in scores}
            prompt = _cell(record, "prompt", place)
            yield Row(_or_name(step, head), np.nan, prompt, batch=batch, columns=columns, components=components)


def _entropy(record: Mapping[str, Any], place: int) -> dict[str, float]:
    """Return entropy sums of a response; a single number is a mean over tokens whose number may be unknown."""
    entropy = _cell(record, "entropy", place)
    if isinstance(entropy, list) and entropy:
        values = np.array([np.nan if (one := as_number(v)) is None else one for v in entropy])
        return {"entropy_before": float(np.nansum(values)), "tokens": float(np.isfinite(values).sum())}
    mean, tokens = number_of(entropy), number_of(_cell(record, "tokens", place))
    if np.isnan(mean):
        return {}
    count = 1.0 if np.isnan(tokens) else tokens
    return {"entropy_before": mean * count, "tokens": count}


def _batches(head: Head, tally: Tally, column: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that are a batch; the tally counts responses."""
    lines = Tally()
    for record in records(head, lines):
        if isinstance(record.get(column), list):
            tally.read += len(record[column])
            yield record
        else:
            tally.drop("not a batch of responses")
    tally.take_lines(lines)


def _cell(record: Mapping[str, Any], name: str, place: int) -> Any:
    column = record.get(name)
    if not isinstance(column, list):
        return column
    return column[place] if place < len(column) else None


def _numbers(record: Mapping[str, Any], place: int, **wanted: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for column, names in wanted.items():
        value = next((one for name in names if (one := _cell(record, name, place)) is not None), None)
        if value is not None and not np.isnan(number := number_of(value)):
            found[column] = number
    return found


def _is_numeric(column: Any) -> bool:
    if not isinstance(column, list):
        return False
    values = [value for value in column if value is not None]
    return bool(values) and all(isinstance(value, (bool, int, float)) for value in values)


def _or_name(step: int | None, head: Head) -> int:
    return step_in_name(head.path) if step is None else step


READERS = (ResponseReader("roll", _is_roll, _read_roll), ResponseReader("ms-swift", _is_swift, _read_swift))
