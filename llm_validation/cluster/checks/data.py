"""Checks of the data files: there, with verl's columns, enough rows, and each question once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from llm_validation.cluster.checks.check import Check, Config, absent, failed, fine, select, warned

MOST_ANSWERS = 16  # of each source, for the verifier's self-test


class DataError(ValueError):
    """A data file that verl could not train on; the message is one line."""


@dataclass(frozen=True)
class Summary:
    """What the files of one split hold.

    ``answers`` are reference answers by data source, the first different ones of each.
    """

    rows: int
    questions: int
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def repeats(self) -> float:
        """Rows a question."""
        return self.rows / self.questions if self.questions else 0.0


def files(config: Config, split: str) -> list[Path]:
    """Data files of a split (``train`` or ``val``)."""
    given = select(config, f"data.{split}_files", [])
    return [Path(str(name)).expanduser() for name in ([given] if isinstance(given, str) else given)]


def check_data(config: Config, split: str, *, strict: bool) -> tuple[Check, Summary | None]:
    """The files of a split, and what they hold where they are here."""
    name, places = f"{split} data", files(config, split)
    if not places:
        return failed(name, f"data.{split}_files names no file"), None
    missing = [path for path in places if not path.is_file()]
    if missing:
        hint = "" if missing[0].is_absolute() else " (relative, so looked for in the job's folder: cluster.data=/…)"
        return absent(name, f"no file {', '.join(map(str, missing))}{hint}", strict=strict), None
    try:
        found = _together([summary(path, select(config, "data.prompt_key", "prompt")) for path in places])
    except DataError as error:
        return failed(name, str(error)), None
    return _judged(config, split, found), found


def _judged(config: Config, split: str, found: Summary) -> Check:
    name = f"{split} data"
    says = f"{found.rows} rows, {found.questions} questions of {', '.join(found.answers)}"
    least = int(select(config, "data.train_batch_size", 1)) if split == "train" else 1
    if found.rows < least:
        return failed(name, f"{says}: fewer than a batch of {least}, and verl drops a batch that is not full")
    if found.repeats > 1:
        samples = int(select(config, "actor_rollout_ref.rollout.val_kwargs.n", 1)) if split == "val" else 1
        cost = f", each sampled {samples} times a row" if samples > 1 else ""
        return warned(
            name, f"{says}: a question is there {found.repeats:.3g} times{cost}; `qae cluster data` removes the copies"
        )
    return fine(name, says)


def summary(path: Path, prompt_key: str) -> Summary:
    """What a parquet or JSON-lines file of verl's format holds.

    Raises:
        DataError: it cannot be read, or a row lacks what verl reads.
    """
    questions: Counter[str] = Counter()
    answers: dict[str, dict[str, None]] = {}
    rows = 0
    for rows, row in enumerate(_rows(path, prompt_key), start=1):  # noqa: B007 - counted
        prompt, source, answer = _fields(path, row, prompt_key)
        questions[prompt] += 1
        known = answers.setdefault(source, {})
        if len(known) < MOST_ANSWERS:
            known[answer] = None
    return Summary(rows, len(questions), {source: tuple(known) for source, known in answers.items()})


def _together(found: Sequence[Summary]) -> Summary:
    """The sum; a question in two files counts twice."""
    answers: dict[str, tuple[str, ...]] = {}
    for one in found:
        for source, known in one.answers.items():
            answers[source] = tuple(dict.fromkeys([*answers.get(source, ()), *known]))[:MOST_ANSWERS]
    return Summary(sum(one.rows for one in found), sum(one.questions for one in found), answers)


def _rows(path: Path, prompt_key: str) -> Any:
    if path.suffix in (".json", ".jsonl"):
        return _json_rows(path)
    if path.suffix != ".parquet":
        raise DataError(f"{path}: verl reads .parquet, .json and .jsonl only")
    return _parquet_rows(path, prompt_key)


def _json_rows(path: Path) -> Any:
    try:
        with path.open(encoding="utf-8") as file:
            yield from (json.loads(line) for line in file if line.strip())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _parquet_rows(path: Path, prompt_key: str) -> Any:
    """Rows of the columns that matter, some thousand at a time."""
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    needed = (prompt_key, "data_source", "reward_model")
    try:
        with parquet.ParquetFile(path) as file:
            lacking = [column for column in needed if column not in file.schema_arrow.names]
            if lacking:
                raise DataError(f"{path}: no column {', '.join(lacking)}, which verl reads")
            for batch in file.iter_batches(columns=list(needed), batch_size=4096):
                yield from batch.to_pylist()
    except (OSError, arrow.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def _fields(path: Path, row: Any, prompt_key: str) -> tuple[str, str, str]:
    """Question, data source and reference answer of a row."""
    if not isinstance(row, Mapping):
        raise DataError(f"{path}: a row is no object")
    prompt, source, reward = row.get(prompt_key), row.get("data_source"), row.get("reward_model")
    messages = isinstance(prompt, Sequence) and bool(prompt) and all(_is_message(message) for message in prompt)
    if not messages:
        raise DataError(f"{path}: {prompt_key} must be a list of messages with role and content; got {prompt!r:.60}")
    if not isinstance(source, str) or not source:
        raise DataError(f"{path}: data_source must be text; got {source!r:.60}")
    if not isinstance(reward, Mapping) or reward.get("ground_truth") in (None, ""):
        raise DataError(f"{path}: reward_model must have a ground_truth; got {reward!r:.60}")
    return json.dumps(prompt, sort_keys=True, default=str), source, str(reward["ground_truth"])


def _is_message(message: Any) -> bool:
    return isinstance(message, Mapping) and "content" in message and "role" in message
