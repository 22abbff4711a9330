"""Checks of data files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.checks.data import check_data
from llm_validation.cluster.checks.data_files import DataError, summary
from tests.llm_validation.cluster.collect.settings_of_runs import run


def row(question: str, answer: str = "7", source: str = "math_dapo") -> dict[str, Any]:
    prompt = [{"role": "user", "content": question}]
    return {"prompt": prompt, "data_source": source, "reward_model": {"style": "rule", "ground_truth": answer}}


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def looked_at(tmp_path: Path, rows: list[Any], split: str = "train", *, strict: bool = True, **changes: Any) -> Any:
    path = write(tmp_path / f"{split}.jsonl", rows)
    return check_data(run(**{f"data__{split}_files": str(path), **changes}), split, strict=strict)


def test_a_file_of_verls_format_passes(tmp_path: Path) -> None:
    check, found = looked_at(tmp_path, [row(f"{i}?", str(i % 20)) for i in range(64)])
    assert (check.state, check.sentence) == ("ok", "64 rows, 64 questions of math_dapo")
    assert found.answers == {"math_dapo": tuple(map(str, range(16)))}


def test_a_batch_must_be_full(tmp_path: Path) -> None:
    check, _ = looked_at(tmp_path, [row(f"{i}?") for i in range(63)])
    assert (check.state, "fewer than a batch of 64" in check.sentence) == ("failed", True)
    assert looked_at(tmp_path, [row("1?")], "val")[0].state == "ok"


def test_repeated_questions_warn(tmp_path: Path) -> None:
    check, _ = looked_at(tmp_path, [row(f"{i % 32}?") for i in range(64)])
    assert (check.state, "a question is there 2 times;" in check.sentence) == ("warning", True)
    check, _ = looked_at(tmp_path, [row(f"{i % 2}?") for i in range(64)], "val")
    assert "a question is there 32 times, each sampled 32 times a row" in check.sentence


def test_several_files_are_one_split(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{i}.jsonl", [row(f"{i}?", source=f"source {i}")]) for i in range(3)]
    check, found = check_data(run(data__val_files=[str(file) for file in files]), "val", strict=True)
    assert check.sentence == "3 rows, 3 questions of source 0, source 1, source 2"
    assert found is not None
    assert set(found.answers) == {"source 0", "source 1", "source 2"}


@pytest.mark.parametrize(("strict", "state"), [(True, "failed"), (False, "warning")])
def test_a_file_that_is_not_here(strict: bool, state: str, tmp_path: Path) -> None:
    for name, hint in ((str(tmp_path / "no.parquet"), False), ("data/no.parquet", True)):
        check, found = check_data(run(data__train_files=name), "train", strict=strict)
        assert (check.state, found) == (state, None)
        assert ("relative" in check.sentence) is hint


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([{**row("1?"), "prompt": "1?"}], "prompt must be a list of messages"),
        ([{**row("1?"), "prompt": []}], "prompt must be a list of messages"),
        ([{**row("1?"), "prompt": [{"content": "1?"}]}], "prompt must be a list of messages"),
        ([{**row("1?"), "data_source": None}], "data_source must be text"),
        ([{**row("1?"), "reward_model": {}}], "reward_model must have a ground_truth"),
        ([{**row("1?"), "reward_model": {"ground_truth": ""}}], "reward_model must have a ground_truth"),
        ([["1?"]], "a row is no object"),
    ],
)
def test_a_row_that_verl_cannot_use_fails(tmp_path: Path, rows: list[Any], complaint: str) -> None:
    check, _ = looked_at(tmp_path, [row("0?"), *rows], "val")
    assert (check.state, complaint in check.sentence) == ("failed", True)


def test_a_file_that_cannot_be_read_fails(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"prompt": ')
    with pytest.raises(DataError, match="cannot be read"):
        summary(broken, "prompt")
    with pytest.raises(DataError, match=r"verl reads \.parquet, \.json and \.jsonl only"):
        summary(tmp_path / "data.csv", "prompt")
    assert check_data(run(data__val_files=[]), "val", strict=False)[0].state == "failed"


@pytest.mark.verl
def test_parquet_is_read_in_parts_and_its_columns_are_named(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [row(f"{i % 5000}?", str(i % 3)) for i in range(10_000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "data.parquet")
    found = summary(tmp_path / "data.parquet", "prompt")
    assert (found.rows, found.questions, found.answers) == (10_000, 5000, {"math_dapo": ("0", "1", "2")})
    parquet.write_table(pyarrow.Table.from_pylist([{"prompt": row("1?")["prompt"]}]), tmp_path / "less.parquet")
    with pytest.raises(DataError, match="no column data_source, reward_model"):
        summary(tmp_path / "less.parquet", "prompt")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "data.parquet").read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read"):
        summary(tmp_path / "cut.parquet", "prompt")
