"""Read TRL's ``log_completions``: ``completions/completions_NNNNN.parquet``, one file a log.

Columns (TRL 1.16.0, ``GRPOTrainer.log``): step, prompt (a text or a list of messages), completion, a column for every
reward function, extra columns of the reward functions, advantage. The responses to a prompt stand together, as many as
``num_generations``. With ``steps_per_generation`` above 1 the same batch is written again at later steps; with
``logging_steps`` above 1 only the last batch is there. The reward is the weighted sum of the functions' scores; which
of the numeric columns are scores is found out when the groups are known (see ``reward_columns``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from llm_validation.audit.model.chunk import Chunk
from llm_validation.audit.model.entries import as_step
from llm_validation.audit.model.settings import AuditSettings
from llm_validation.audit.reading.arrow import floats, is_numeric
from llm_validation.audit.reading.base import ResponseReader
from llm_validation.audit.reading.head import Head
from llm_validation.audit.reading.json_lines import Tally, Text
from llm_validation.audit.reading.opening import opened
from llm_validation.audit.reading.rows import steps
from qae_theory.arrays import Array

_CORRECT = ("correct", "is_correct", "acc")
_NAMED = ("step", "advantage", "tokens", *_CORRECT)


def _is_completions(head: Head) -> bool:
    return head.kind == "parquet" and {"step", "prompt", "completion"} <= set(head.fields)


def _read(head: Head, settings: AuditSettings, tally: Tally) -> Iterator[Chunk]:
    pq = import_module("pyarrow.parquet")
    with opened(head.path) as source:
        file = pq.ParquetFile(source)
        numeric = [one.name for one in file.schema_arrow if is_numeric(one.type) and not one.name.startswith("__")]
        table = file.read(columns=list(dict.fromkeys([*numeric, "prompt", "step"]))).combine_chunks()
    rows = table.num_rows
    tally.read += rows
    columns = {name: floats(table.column(name)) for name in numeric}
    correct = next((columns[name] for name in _CORRECT if name in columns), None)
    components = {name: column for name, column in columns.items() if name not in _NAMED}
    optional = {"advantage": columns.get("advantage"), "correct": correct, "tokens": columns.get("tokens")}
    yield Chunk(
        head.path,
        "block",
        _steps(table.column("step"), head),
        np.full(rows, np.nan),
        key=_prompts(table.column("prompt")).hashes(),
        batch=np.zeros(rows, dtype=np.int64),
        columns={name: column for name, column in optional.items() if column is not None},
        components=components,
        summed=True,
        repeats=True,
    )


def _steps(column: Any, head: Head) -> Array:
    """Return the steps, also where they are text; those that are missing are the number in the file's name."""
    found = [as_step(value) for value in column.to_pylist()]
    named = re.search(r"completions_(\d+)", head.path.name)
    values = np.array([np.nan if step is None else step for step in found], dtype=np.float64)
    if named is not None:
        values[np.isnan(values)] = int(named[1])
    return steps(values, head)


def _prompts(column: Any) -> Text:
    values = column.to_pylist()
    texts = [value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str) for value in values]
    distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return Text(list(distinct), np.array([distinct[text] for text in texts], dtype=np.int64))


READERS = (ResponseReader("trl-completions", _is_completions, _read),)
