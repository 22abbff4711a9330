"""Write questions as the data files that verl trains and validates on: one row per question, each question once.

The columns are verl's. Which questions there are is decided in ``llm_validation.tasks``, not here.
"""

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
# verl chooses the scorer by these names, and logs name the benchmark by them. verl has no scorer for amc2023;
# `scoring.AS` sends it to the one of math_dapo.
SOURCES: Mapping[str, str] = {
    "DAPO-Math-17k": "math_dapo",
    "AIME24": "aime2024",
    "AIME25": "aime2025",
    "AMC23": "amc2023",
}
# DAPO-Math-17k puts this text around its problems. The scorer `math_dapo` reads the answer only from the line that the
# text asks for, so problems of other sets that it scores need the text as well.
BEFORE = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: "
    "$Answer (without quotes) where $Answer is the answer to the problem.\n\n"
)
AFTER = '\n\nRemember to put your answer on its own line after "Answer:".'


class Written(NamedTuple):
    """Count what was written to a data file.

    Attributes:
        rows: questions in the file.
        repeats: questions left out because an earlier one had the same prompt.
        contradictions: those of the repeats whose answer differs from the one that was kept.
    """

    rows: int
    repeats: int
    contradictions: int


def data_source_of(source: str) -> str:
    """Return verl's name (``data_source``) for a task of this project or for a public set of questions.

    Raises:
        ValueError: no name follows from ``source``, so that the caller has to give one.

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
    """Return a problem with DAPO's instruction around it; one that has the instruction already is returned unchanged.

    >>> asked(asked("1+1?")) == asked("1+1?")
    True
    """
    return prompt if prompt.startswith(BEFORE) else f"{BEFORE}{prompt}{AFTER}"


def rows_of(examples: Sequence[Example], *, data_source: str, split: str, instruct: bool) -> list[dict[str, Any]]:
    """Return one row per question in verl's columns, numbered in order.

    Args:
        examples: questions with different prompts.
        data_source: verl's name of the set; it chooses the scorer and names the benchmark in logs.
        split: ``train`` or ``eval``, kept in ``extra_info`` and read by nothing.
        instruct: whether DAPO's instruction is put around each prompt.
    """
    rows = []
    for index, example in enumerate(examples):
        content = asked(example.prompt) if instruct else example.prompt
        row = {
            "data_source": data_source,
            "prompt": [{"role": "user", "content": content}],
            "ability": "logic" if data_source == "qae/logic" else "math",
            "reward_model": {"style": "rule", "ground_truth": example.answer},
            "extra_info": {"index": index, "split": split},
        }
        rows.append(row)
    return rows


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
    """Write the questions of a source to a file that verl reads, whole or not at all.

    Args:
        source: a task's name or a file, as in :func:`llm_validation.tasks.load_examples`.
        path: the file to write; it ends in ``.parquet``, or in ``.jsonl``, which verl reads as well and which needs no
            package.
        data_source: verl's name of the set; by default :func:`data_source_of` derives it from ``source``.
        split: ``train`` or ``eval``.
        count: how many questions are drawn from a task (repeated ones are left out) or read from a file; by default as
            many as ``load_examples`` gives.
        seed: seed of the draws from a task.
        instruct: whether DAPO's instruction is put around each prompt; by default it is where DAPO's scorer reads the
            answers.

    Returns:
        How many rows were written, and how many questions were left out.

    Raises:
        ValueError: ``path`` has another ending, its package is missing, or ``load_examples`` refuses the source.
    """
    if path.suffix not in FORMATS:
        refuse("--out", str(path), f"a file that ends in {' or '.join(FORMATS)}")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        refuse(
            "--out", str(path), "a .jsonl file where pyarrow is not installed (it comes with 'qae-verification[verl]')"
        )
    name = data_source_of(source) if data_source is None else data_source
    loaded = load_examples(source, split=split, count=count, seed=seed)
    first_with_prompt = {
        example.prompt: example for example in reversed(loaded)
    }  # a later key wins: the first question
    contradictions = sum(first_with_prompt[example.prompt].answer != example.answer for example in loaded)
    kept = [example for example in dict.fromkeys(loaded) if first_with_prompt[example.prompt] == example]
    # This project's own verifiers read an answer anywhere; DAPO's scorer needs the line that its instruction asks for.
    wanted = not is_ours(name) if instruct is None else instruct
    rows = rows_of(kept, data_source=name, split=split, instruct=wanted)
    _write(path, rows)
    return Written(rows=len(rows), repeats=len(loaded) - len(rows), contradictions=contradictions)


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows to a temporary file in the same folder and rename it, so that no half file is ever seen."""
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
