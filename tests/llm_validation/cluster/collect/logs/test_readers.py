"""Every kind of log, whole and in pieces."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.collect.logs.entries import NO_STEP, NOT_A_LINE, numbers_of, step_of
from llm_validation.cluster.collect.logs.lines import CUT, Account
from llm_validation.cluster.collect.logs.readers import Reader, read_own, read_verl, reader_of
from llm_validation.cluster.collect.logs.tensorboard import read_tensorboard
from llm_validation.cluster.collect.logs.wandb import OTHER_COLUMNS, read_wandb_csv, read_wandb_json


def read(reader: Reader, path: Path) -> tuple[dict[int, Any], Account]:
    account = Account(path.name)
    return {entry.step: entry.metrics for entry in reader(path, account, 1)}, account


def write(path: Path, *texts: str) -> Path:
    path.write_text("".join(texts), encoding="utf-8")
    return path


def test_verl_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path / "log.jsonl",
        '{"step":1,"data":{"a":1,"b":null,"c":NaN,"d":-Infinity,"e":true,"f":"text","g":[1]}}\n',
        '{"step":2.0,"data":{"a":2}}\n{"step":"3","data":{}}\n{"step":-1,"data":{}}\n{"data":{"a":1}}\n[1]\n{"step":4}\n',
    )
    found, account = read(read_verl, path)
    assert found == {1: {"a": 1, "b": None, "c": None, "d": None, "e": 1}, 2: {"a": 2}}
    reasons = [account.reason(number) for number in range(7)]
    assert reasons == [None, None, *[NO_STEP] * 3, *[NOT_A_LINE] * 2]
    assert reader_of(path) is read_verl


def test_own_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "metrics.jsonl", '{"step": 1, "updates": 2, "entropy": 0.5}\n')
    assert read(read_own, path)[0] == {1: {"updates": 2, "entropy": 0.5}}
    assert reader_of(path) is read_own


HISTORY: Sequence[dict[str, Any]] = (
    {"_step": 1, "_runtime": 3.5, "_timestamp": 1.7e9, "actor/entropy": 0.5, "loss": None},
    {"_step": 2, "actor/entropy": "NaN", "critic/score/mean": "Infinity", "note": "text"},
)
HISTORY_READ = {1: {"actor/entropy": 0.5}, 2: {"actor/entropy": None, "critic/score/mean": None}}


def test_history_of_wandb_as_lines_and_as_a_list(tmp_path: Path) -> None:
    as_lines = write(tmp_path / "lines.jsonl", *(json.dumps(row) + "\n" for row in HISTORY))
    as_list = write(tmp_path / "list.json", json.dumps(list(HISTORY), indent=1))
    for path in (as_lines, as_list):
        assert reader_of(path) is read_wandb_json
        found, account = read(read_wandb_json, path)
        assert found == HISTORY_READ
        assert (account.read, account.kept) == (2, 2)


def test_a_list_that_is_cut_off_gives_its_whole_elements(tmp_path: Path) -> None:
    text = json.dumps(list(HISTORY))
    for end in range(1, len(text)):
        found, account = read(read_wandb_json, write(tmp_path / "list.json", text[:end]))
        whole = sum(end >= text.index(json.dumps(row)) + len(json.dumps(row)) for row in HISTORY)
        assert len(found) == account.kept == whole
        assert account.read - account.kept <= 1
        assert account.notes or account.read > account.kept


def test_chart_of_wandb(tmp_path: Path) -> None:
    path = write(
        tmp_path / "chart.csv",
        '\ufeff"Step","my - run - actor/entropy","my - run - actor/entropy__MIN","my - run - actor/entropy__MAX"\r\n',
        '"1","0.5","0.5","0.5"\r\n"2","","",""\r\n"3","NaN","NaN","NaN"\r\n"4","0.25","0.25","0.25"',
    )
    assert reader_of(path) is read_wandb_csv
    found, account = read(read_wandb_csv, path)
    assert found == {1: {"actor/entropy": 0.5}, 2: {}, 3: {"actor/entropy": None}, 4: {"actor/entropy": 0.25}}
    assert account.read == 5


def test_table_of_wandbs_interface(tmp_path: Path) -> None:
    path = write(
        tmp_path / "history.csv",
        ",_step,actor/entropy,_timestamp\n0,1,0.5,17\n1,2,0.25,17\n2,3,0.1\nx,4,text,17\n\n5,5,0.1,1",
    )
    found, account = read(read_wandb_csv, path)
    assert found == {1: {"actor/entropy": 0.5}, 2: {"actor/entropy": 0.25}, 4: {}}
    assert [account.reason(number) for number in (3, 5, 6)] == [OTHER_COLUMNS, "blank", CUT]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("a,b", "no column of steps (_step, Step, train/global_step"),
        ("Step,one - loss,two - loss", "columns of 2 runs; save one run to a file of its own"),
    ],
)
def test_tables_that_cannot_be_read(header: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^x\.csv ") as raised:
        read(read_wandb_csv, write(tmp_path / "x.csv", header, "\n1,2,3\n"))
    assert says in str(raised.value)


def test_steps_and_numbers_at_the_edges() -> None:
    assert [step_of(value) for value in (0, True, math.inf, 2**60, None)] == [0, None, None, None, None]
    assert numbers_of({"a": 10**400}) == {"a": None}


def test_without_tensorboard_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    path = write(tmp_path / "events.out.tfevents.1")
    assert reader_of(path) is read_tensorboard
    with pytest.raises(ValueError, match="needs tensorboard, which is not installed; pip install"):
        read(read_tensorboard, path)


def event_file(folder: Path, scalars: dict[int, dict[str, float]]) -> Path:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for step, values in scalars.items():
        for tag, number in values.items():
            value = Summary.Value(tag=tag, simple_value=number)
            writer.add_event(Event(step=step, summary=Summary(value=[value])))
    writer.close()
    (path,) = folder.iterdir()
    return path


@pytest.mark.train
def test_event_files_cut_off_anywhere(tmp_path: Path) -> None:
    truth = {step: {"actor/entropy": step / 8, "critic/score/mean": -step / 4} for step in range(1, 6)}
    path = event_file(tmp_path / "events", truth)
    content = path.read_bytes()
    last = 0
    for end in range(0, len(content) + 1, 7):
        cut = tmp_path / path.name
        cut.write_bytes(content[:end])
        account = Account(cut.name)
        entries = list(read_tensorboard(cut, account, 1))
        assert [(e.step, e.metrics) for e in entries] == [
            (step, {tag: value}) for step, values in truth.items() for tag, value in values.items()
        ][: len(entries)]
        assert account.kept == len(entries) >= last
        last = len(entries)
    assert read(read_tensorboard, path)[1].notes == []
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 1
    cut.write_bytes(damaged)
    found, account = read(read_tensorboard, cut)
    assert 0 < len(found) < 5
    assert "damaged or cut off" in account.notes[0]


@pytest.mark.train
def test_scalars_in_tensorboards_newer_form_count_and_texts_do_not(tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util

    values = (("a", tensor_util.make_tensor_proto(0.5)), ("b", tensor_util.make_tensor_proto(["text"])))
    writer = EventFileWriter(str(tmp_path))
    for tag, tensor in (*values, ("c", tensor_util.make_tensor_proto("text"))):
        writer.add_event(Event(step=3, summary=Summary(value=[Summary.Value(tag=tag, tensor=tensor)])))
    writer.close()
    (path,) = tmp_path.iterdir()
    found, account = read(read_tensorboard, path)
    assert found == {3: {"a": 0.5}}
    assert (account.read, account.kept) == (4, 1)
