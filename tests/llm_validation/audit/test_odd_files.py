"""Odd but valid files of every format are read as the plain ones are; what cannot be read is refused with a reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_validation.audit.reading.head import head_of
from tests.llm_validation.audit import worlds
from tests.llm_validation.audit.audited import audited, report_of
from tests.llm_validation.audit.worlds import FORMATS, lines

WORLD = worlds.made(3)
FIXTURES = Path(__file__).parent / "fixtures"
JSON_FORMATS = [name for name in FORMATS if name != "trl-completions"]
SAME = ("level", "groups", "steps", "estimator", "refused")
_COUNTED = frozenset(
    "score scores reward rewards accuracy step global_step advantage advantages correct tokens".split()  # noqa: SIM905
)

Record = dict[str, Any]


def logs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"))


def each(change: Callable[[Record], Record]) -> Callable[[Path], None]:
    """Change every record of every file."""

    def apply(folder: Path) -> None:
        for path in logs(folder):
            lines(path, [change(json.loads(line)) for line in path.read_text().splitlines()])

    return apply


def cells(value: Any, change: Callable[[Any], Any]) -> Any:
    return [cells(one, change) for one in value] if isinstance(value, list) else change(value)


def turned_and_extended(record: Record) -> Record:
    return {
        "meta": {"a": [1, {"b": None}]},
        **dict(reversed(list(record.items()))),
        "notes": ["x", None],
        "big": 10**30,
    }


def whole_numbers(record: Record) -> Record:
    def change(value: Any) -> Any:
        return int(value) if isinstance(value, float) and value == int(value) else value

    return {name: cells(value, change) for name, value in record.items()}


def numbers_with_a_point(record: Record) -> Record:
    def change(value: Any) -> Any:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return {name: cells(value, change) for name, value in record.items()}


def numbers_as_text(record: Record) -> Record:
    def change(value: Any) -> Any:
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    return {name: cells(value, change) if name in _COUNTED else value for name, value in record.items()}


def packed_deep_below(folder: Path) -> None:
    for path in logs(folder):
        target = folder / "a" / "b" / path.relative_to(folder).parent / f"{path.name}.gz"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()


def packed_with_zstd(folder: Path) -> None:
    for path in logs(folder):
        with pa.CompressedOutputStream(f"{path}.zst", "zstd") as file:
            file.write(path.read_bytes())
        path.unlink()


def one_list(folder: Path) -> None:
    for path in logs(folder):
        path.with_suffix(".json").write_text(json.dumps([json.loads(line) for line in path.read_text().splitlines()]))
        path.unlink()


def of_another_system(folder: Path) -> None:
    for path in logs(folder):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n").rstrip())


ODD: Mapping[str, Callable[[Path], None]] = {
    "keys in another order and more of them": each(turned_and_extended),
    "whole numbers": each(whole_numbers),
    "numbers with a point": each(numbers_with_a_point),
    "numbers as text": each(numbers_as_text),
    "gzip, deep below": packed_deep_below,
    "zstd": packed_with_zstd,
    "one list": one_list,
    "BOM, CRLF, blank lines, no last line feed": of_another_system,
}


# A column of texts is no reward where only the columns' types say which are; see the next test.
PAIRS = [(name, odd) for name in JSON_FORMATS for odd in ODD if (name, odd) != ("ms-swift", "numbers as text")]


@cache
def plainly(name: str) -> Mapping[str, Any]:
    """What the audit says of a format as its writer leaves it."""
    with TemporaryDirectory() as folder:
        FORMATS[name][0](Path(folder), WORLD)
        return audited(Path(folder))


@pytest.mark.parametrize(("name", "odd"), PAIRS)
def test_odd_files_are_read_as_plain_ones(name: str, odd: str, tmp_path: Path) -> None:
    FORMATS[name][0](tmp_path, WORLD)
    plain = plainly(name)
    ODD[odd](tmp_path)
    found = audited(tmp_path)
    assert {key: found[key] for key in SAME} == {key: plain[key] for key in SAME}
    assert {one["format"] for one in found["sources"] if one["used"]} == {name.split()[0]}


def test_columns_of_texts_are_no_rewards_and_that_is_said(tmp_path: Path) -> None:
    worlds.ms_swift(tmp_path, WORLD)
    each(numbers_as_text)(tmp_path)
    content = audited(tmp_path)
    assert content["zero_advantage_share"] is None
    assert any("no column of numbers" in note for note in content["notes"])


@pytest.mark.parametrize("name", ["nemo-rl", "verl-rollouts older"])
def test_a_file_that_is_cut_off_does_not_take_the_others_with_it(name: str, tmp_path: Path) -> None:
    """Its last group has lost a response; where no id says which are one group, that step is refused with the sizes."""
    FORMATS[name][0](tmp_path, WORLD)
    last = logs(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-15])
    content = audited(tmp_path)
    (refused,) = content["refused"]
    assert refused["path"] == str(last)
    assert refused["sizes"] == {"4": 23, "3": 1}
    assert content["groups"]["count"] == 18
    assert content["steps"]["last"] == 3


def test_an_only_line_that_is_cut_off_is_said(tmp_path: Path) -> None:
    worlds.roll(tmp_path, WORLD)
    last = logs(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-15])
    note = next(one["note"] for one in audited(tmp_path)["sources"] if one["path"] == str(last))
    assert "cut off" in note


def test_responses_without_a_group_are_no_metrics(tmp_path: Path) -> None:
    path = lines(tmp_path / "r.jsonl", [{"step": s, "reward": float(i % 2)} for s in (1, 2) for i in range(16)])
    (refused,) = audited(path)["refused"]
    assert "32 records of 2 steps" in refused["reason"]


@pytest.mark.parametrize("name", ["roll", "ms-swift", "prime-traces"])
def test_a_step_that_nothing_says_is_not_made_up(name: str, tmp_path: Path) -> None:
    FORMATS[name][0](tmp_path, WORLD)
    for number, path in enumerate(logs(tmp_path)):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row.pop("step", None)
            row.pop("global_step", None)
            row.get("info", {}).pop("prime_rl", None)
        path.unlink()
        lines(tmp_path / f"part-{'abcd'[number]}.jsonl", rows)
    content = audited(tmp_path)
    assert content["groups"]["count"] == (6 if name == "roll" else 24)  # ROLL's ids name the question, not the step
    assert content["steps"] == {"first": None, "last": None, "count": 0}


# Parquet


def trl_table(step: int) -> Record:
    _, groups, size = WORLD.shape
    rows = groups * size
    return {
        "step": [step + 1] * rows,
        "prompt": [worlds.prompt(step, group) for group in range(groups) for _ in range(size)],
        "completion": ["c"] * rows,
        "accuracy": WORLD.reward[step].ravel().tolist(),
        "advantage": WORLD.advantage[step].ravel().tolist(),
    }


TABLES: Mapping[str, Callable[[Record], Record]] = {
    "columns in another order": lambda table: dict(reversed(list(table.items()))),
    "columns of lists and texts": lambda table: {**table, "tools": [["a", None]] * len(table["step"])},
    "messages": lambda table: {**table, "prompt": [[{"role": "user", "content": text}] for text in table["prompt"]]},
    "step as text": lambda table: {**table, "step": [str(step) for step in table["step"]]},
    "no step in the rows": lambda table: {**table, "step": [None] * len(table["step"])},
    "true and false": lambda table: {**table, "accuracy": [bool(score) for score in table["accuracy"]]},
    "whole numbers": lambda table: {**table, "accuracy": [int(score) for score in table["accuracy"]]},
}


@pytest.mark.parametrize("odd", TABLES)
def test_odd_tables_of_completions(odd: str, tmp_path: Path) -> None:
    for step in range(WORLD.shape[0]):
        table = pa.table(TABLES[odd](trl_table(step)))
        pq.write_table(table, tmp_path / f"completions_{step + 1:05d}.parquet", compression="zstd")
    content = audited(tmp_path)
    assert content["groups"] == {"count": 24, "size": 4, "identity": "block", **WORLD.counts()}
    assert content["steps"] == {"first": 1, "last": 4, "count": 4}
    assert content["estimator"]["name"] == "grpo"


def test_a_table_that_is_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    for step in range(2):
        pq.write_table(pa.table(trl_table(step)), tmp_path / f"completions_{step + 1:05d}.parquet")
    path = tmp_path / "completions_00002.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    content = audited(tmp_path)
    assert [(one["path"], one["reason"]) for one in content["refused"]] == [
        (str(path), "the file is cut off or damaged, and nothing of it can be read")
    ]
    assert content["groups"]["count"] == 6


# Metrics

ENTROPY = [1.5, 0.75, 0.5, 0.375, 0.3]
STEPS = list(enumerate(ENTROPY, 1))
FILE_LOG = [{"step": step, "data": {"actor/entropy": value, "n": None}} for step, value in STEPS]
CONSOLE = [f"step:{step} - n/min:10 - actor/entropy:{value} - b:np.float32(0.5)" for step, value in STEPS]
HISTORY = [{"_step": step, "_runtime": 1.0, "actor/entropy": value} for step, value in STEPS]
ENTRIES = [{"step": step, "entropy": value} for step, value in STEPS]
STATE = {"log_history": ENTRIES, "best_metric": None}
NESTED = [{"step": step, "actor": {"entropy": value}} for step, value in STEPS]


def dumped(rows: list[Record], join: str = "\n") -> str:
    return join.join(json.dumps(row) for row in rows)


METRICS: Mapping[str, tuple[str, str]] = {
    "verl-file: steps as text": ("verl-file", dumped([{**row, "step": str(row["step"])} for row in FILE_LOG])),
    "verl-file: steps with a point": ("verl-file", dumped([{**row, "step": float(row["step"])} for row in FILE_LOG])),
    "verl-file: keys turned": ("verl-file", dumped([dict(reversed(list(row.items()))) for row in FILE_LOG])),
    "verl-file: one list": ("verl-file", json.dumps(FILE_LOG, indent=1)),
    "verl-file: a line of a shell first": ("verl-file", "+ python train.py\n" + dumped(FILE_LOG)),
    "verl-file: nested": (
        "verl-file", dumped([{**row, "data": {"actor": {"entropy": row["data"]["actor/entropy"]}}} for row in FILE_LOG])
    ),
    "console: CRLF and times": ("verl-console", "".join(f"2025-01-01 10:00:00 INFO {line}\r\n" for line in CONSOLE)),
    "console: a progress bar": ("verl-console", "Training: 1%|#\r" + "\r".join(CONSOLE) + "\n"),
    "console: JSON first": ("verl-console", '{"trainer": {"n": 1}}\n' + "\n".join(CONSOLE) + "\n"),
    "console: a bracket first": ("verl-console", "[2025] start\n" + "\n".join(CONSOLE) + "\n"),
    "console: epochs": ("verl-console", "\n".join(f"epoch:0 - {line}" for line in CONSOLE) + "\n"),
    "wandb: keys turned": ("wandb-history", dumped([dict(reversed(list(row.items()))) for row in HISTORY])),
    "wandb: one list": ("wandb-history", json.dumps(HISTORY)),
    "wandb: steps with a point": ("wandb-history", dumped([{**row, "_step": float(row["_step"])} for row in HISTORY])),
    "wandb: table of the page": (
        "wandb-table",
        "Step,run - actor/entropy,run - actor/entropy__MIN\n" + "".join(f"{s},{v},0\n" for s, v in STEPS),
    ),
    "wandb: quoted cells": (
        "wandb-table",
        '"note","actor/entropy","_step"\r\n' + "".join(f'"a,""b""\nc","{v}","{s}"\r\n' for s, v in STEPS),
    ),
    "state: indented": ("trainer-state", json.dumps(STATE, indent=4)),
    "state: keys turned": ("trainer-state", json.dumps(dict(reversed(list(STATE.items()))))),
    "state: steps as text": (
        "trainer-state", json.dumps({"log_history": [{**row, "step": str(row["step"])} for row in ENTRIES]})
    ),
    "state: the history alone": ("metrics", json.dumps(ENTRIES)),
    "easyr1: its configuration first": ("easyr1", '{"config": {"a": 1}}\n' + dumped(NESTED)),
    "easyr1: global_step": ("easyr1", dumped([{"global_step": row["step"], "actor": row["actor"]} for row in NESTED])),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("odd", METRICS)
def test_odd_metrics_are_read(odd: str, packed: bool, tmp_path: Path) -> None:
    name, text = METRICS[odd]
    content = (text if text.endswith("\n") or text[0] == "[" else f"{text}\n").encode()
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(content) if packed else content)
    log = report_of(path).log
    assert log.sources[0].format == name
    assert log.steps.step.tolist() == [1, 2, 3, 4, 5]
    assert log.steps.series("entropy") is not None
    assert log.steps.series("entropy").tolist() == ENTROPY  # type: ignore[union-attr]


def test_bytes_that_are_no_text_do_not_hide_a_console_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe bad\n" + "\n".join(CONSOLE).encode() + b"\n")
    assert report_of(path).log.steps.step.tolist() == [1, 2, 3, 4, 5]


def test_a_state_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text(json.dumps(STATE, indent=1)[:-40])
    (refused,) = audited(path)["refused"]
    assert "cut off" in refused["reason"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lists.json", '[{"idx": 1, "score": [1, 0]}, {"idx": 2, "score": [0, 0]}, '),
        ("lists.jsonl", '{"idx": 1, "score": [1, 0]}\n{"idx": 2, "score": [0, 0]}\n{"idx": 3, "sco'),
    ],
)
def test_lists_of_scores_that_are_cut_off_say_so(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    (source,) = report_of(tmp_path).log.sources
    assert (source.format, source.rows, source.used) == ("score-lists", 4, 4)
    assert "cut off at" in str(source.note)


# Of tables, archives, pickles, W&B's binary log and packed files.
MAGIC_NUMBERS = (
    *(b"PAR1", b"PK\x03\x04", b"\x80\x04", b"\x80\x02behind", b":W&B"),
    *(b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"),
)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("number", MAGIC_NUMBERS)
def test_a_magic_number_alone_on_the_first_line_hides_no_record(number: bytes, end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    records = [json.dumps({"step": step, "reward": 0.5, "text": "x" * 40}).encode() for step in range(3)]
    path.write_bytes(b"".join(line + end for line in (number, *records)))
    head = head_of(path)
    assert (head.kind, [record["step"] for record in head.objects]) == ("lines", [0, 1, 2])
