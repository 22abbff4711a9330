"""Count what a data file of verl's format holds: rows, questions, and some reference answers of each source."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

# The verifier's self-test takes seconds an answer, and more answers of one source find no other fault.
MOST_ANSWERS = 16
# Rows of a parquet file that are held at once.
BATCH_ROWS = 4096


class DataError(ValueError):
    """Raised for a data file that verl could not train on; the message is one line."""


@dataclass(frozen=True)
class Summary:
    """Count the rows and questions that the files of one split hold.

    ``answers`` are reference answers by data source, the first different ones of each.
    """

    rows: int
    questions: int
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def repeats(self) -> float:
        """Return how many rows there are to a question; 0 without a question."""
        return self.rows / self.questions if self.questions else 0.0


def summary(path: Path, prompt_key: str) -> Summary:
    """Return what a parquet or JSON-lines file of verl's format holds.

    Args:
        path: the file.
        prompt_key: the name of the prompt's column.

    Raises:
        DataError: it cannot be read, or a row lacks what verl reads.
    """
    questions: Counter[str] = Counter()
    answers: dict[str, dict[str, None]] = {}  # a dictionary keeps the order, a set would not
    count = 0
    for row in _rows(path, prompt_key):
        count += 1
        question, source, answer = _fields(path, row, prompt_key)
        questions[question] += 1
        known = answers.setdefault(source, {})
        if len(known) < MOST_ANSWERS:
            known[answer] = None
    return Summary(count, len(questions), {source: tuple(known) for source, known in answers.items()})


def _rows(path: Path, prompt_key: str) -> Iterator[Any]:
    if path.suffix in (".json", ".jsonl"):
        return _json_rows(path)
    if path.suffix != ".parquet":
        raise DataError(f"{path}: verl reads .parquet, .json and .jsonl only")
    return _parquet_rows(path, prompt_key)


def _json_rows(path: Path) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _parquet_rows(path: Path, prompt_key: str) -> Iterator[Any]:
    """Yield the rows of the columns that matter, some thousand read at a time."""
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    needed = (prompt_key, "data_source", "reward_model")
    try:
        with parquet.ParquetFile(path) as file:
            lacking = [column for column in needed if column not in file.schema_arrow.names]
            if lacking:
                raise DataError(f"{path}: no column {', '.join(lacking)}, which verl reads")
            for batch in file.iter_batches(columns=list(needed), batch_size=BATCH_ROWS):
                yield from batch.to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _fields(path: Path, row: Any, prompt_key: str) -> tuple[str, str, str]:
    """Return question, data source and reference answer of a row."""
    if not isinstance(row, Mapping):
        raise DataError(f"{path}: a row is no object")
    prompt, source, reward = row.get(prompt_key), row.get("data_source"), row.get("reward_model")
    if not _is_conversation(prompt):
        raise DataError(f"{path}: {prompt_key} must be a list of messages with role and content; got {prompt!r:.60}")
    if not isinstance(source, str) or not source:
        raise DataError(f"{path}: data_source must be text; got {source!r:.60}")
    if not isinstance(reward, Mapping) or reward.get("ground_truth") in (None, ""):
        raise DataError(f"{path}: reward_model must have a ground_truth; got {reward!r:.60}")
    # The prompt as text with its keys in order: two rows that ask the same are the same question.
    return json.dumps(prompt, sort_keys=True, default=str), source, str(reward["ground_truth"])


def _is_conversation(prompt: Any) -> bool:
    return isinstance(prompt, Sequence) and bool(prompt) and all(_is_message(message) for message in prompt)


def _is_message(message: Any) -> bool:
    return isinstance(message, Mapping) and "content" in message and "role" in message
