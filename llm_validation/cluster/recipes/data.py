"""Questions as the data files that verl trains and validates on: one row a question, in verl's columns, each once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.tasks import Example, load_examples, task_names
from llm_validation.verl_engine.scoring import is_ours, source_of
from qae_theory.checks import refuse

FORMATS = (".parquet", ".jsonl")
# By these names verl finds the scorer, and the logs say which benchmark they are about (`scoring.AS` for the last).
SOURCES: Mapping[str, str] = {
    "DAPO-Math-17k": "math_dapo",
    "AIME24": "aime2024",
    "AIME25": "aime2025",
    "AMC23": "amc2023",
}
# What DAPO-Math-17k puts around its problems. Its scorer reads the answer's line, so that others need it as well.
BEFORE = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: "
    "$Answer (without quotes) where $Answer is the answer to the problem.\n\n"
)
AFTER = '\n\nRemember to put your answer on its own line after "Answer:".'


class Written(NamedTuple):
    """What a file got: rows, and questions left out because an equal one was there already."""

    rows: int
    repeats: int
    contradictions: int
    """Of those, the ones with another answer."""


def data_source_of(source: str) -> str:
    """The data source of a task of ours or of a public set.

    Raises:
        ValueError: it has none that follows from its name.

    >>> data_source_of("digits"), data_source_of("AIME25")
    ('qae/digits', 'aime2025')
    """
    if source in task_names():
        return source_of(source)
    if source in SOURCES:
        return SOURCES[source]
    return refuse(
        "--data-source", None, f"given for {source!r}: the name by which verl finds the scorer, such as math_dapo"
    )


def asked(prompt: str) -> str:
    """A problem with DAPO's instruction around it, once.

    >>> asked(asked("1+1?")) == asked("1+1?")
    True
    """
    return prompt if prompt.startswith(BEFORE) else f"{BEFORE}{prompt}{AFTER}"


def rows_of(examples: Sequence[Example], *, data_source: str, split: str, instruct: bool) -> list[dict[str, Any]]:
    """Rows in verl's columns, numbered in order.

    Args:
        examples: with different prompts.
        data_source: chooses the scorer, and names the benchmark.
        split: for the record.
        instruct: put DAPO's instruction around each prompt.
    """
    return [
        {
            "data_source": data_source,
            "prompt": [{"role": "user", "content": asked(example.prompt) if instruct else example.prompt}],
            "ability": "logic" if data_source == "qae/logic" else "math",
            "reward_model": {"style": "rule", "ground_truth": example.answer},
            "extra_info": {"index": index, "split": split},
        }
        for index, example in enumerate(examples)
    ]


def write_data(
    source: str,
    path: Path,
    *,
    data_source: str | None = None,
    split: str = "train",
    count: int | None = None,
    seed: int = 0,
    instruct: bool | None = None,
) -> Written:
    """Write the questions of a source, whole or not at all.

    Args:
        source: as in :func:`llm_validation.tasks.load_examples`.
        path: ``.parquet``, or ``.jsonl``, which verl reads as well and which needs no package.
        data_source: by default, where its name says it, that of :func:`data_source_of`.
        split: ``train`` or ``eval``.
        count: draws of a task, whose repetitions are left out; of a file how many. As there.
        seed: as there.
        instruct: DAPO's instruction around each prompt; None where DAPO's scorer is to read the answers.

    Returns:
        How many rows, and what was left out.

    Raises:
        ValueError: one line, as ``load_examples``, or about the path or the missing package.
    """
    if path.suffix not in FORMATS:
        refuse("--out", str(path), f"a file that ends in {' or '.join(FORMATS)}")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        refuse(
            "--out", str(path), "a .jsonl file where pyarrow is not installed (it comes with 'qae-verification[verl]')"
        )
    name = data_source_of(source) if data_source is None else data_source
    found = load_examples(source, split=split, count=count, seed=seed)
    unique = {example.prompt: example for example in reversed(found)}
    contradictions = sum(unique[example.prompt].answer != example.answer for example in found)
    kept = [example for example in dict.fromkeys(found) if unique[example.prompt] == example]
    wanted = not is_ours(name) if instruct is None else instruct
    rows = rows_of(kept, data_source=name, split=split, instruct=wanted)
    _write(path, rows)
    return Written(len(rows), len(found) - len(rows), contradictions)


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A temporary file beside it, then a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        if path.suffix == ".parquet":
            arrow: Any = import_module("pyarrow")
            parquet: Any = import_module("pyarrow.parquet")
            parquet.write_table(arrow.Table.from_pylist(list(rows)), partial)
        else:
            partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        partial.chmod(0o644)  # mkstemp makes it private
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
