"""Which files of a source are read, as which attempt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.collect.gather import gather
from llm_validation.cluster.collect.logs.readers import read_verl
from llm_validation.cluster.collect.logs.tensorboard import read_tensorboard
from llm_validation.cluster.collect.sources import find
from tests.llm_validation.cluster.jobs.fake_jobs import lines, log_line, write_job


def listed(*sources: Path) -> list[tuple[str, Any, int]]:
    return [(place.label, reader, attempt) for place, reader, attempt in find(sources).logs]


def test_logs_of_one_run_are_its_attempts_in_the_order_given(tmp_path: Path) -> None:
    first = lines(tmp_path / "b.jsonl", [log_line(1), log_line(2, x=1.0)])
    second = lines(tmp_path / "a.jsonl", [log_line(2, x=2.0)])
    assert listed(first, second) == [("b.jsonl", read_verl, 1), ("a.jsonl", read_verl, 2)]
    for sources, value in (((first, second), 2.0), ((second, first), 1.0)):
        records = gather(find(sources)).merged.steps
        assert [record.metrics.get("x") for record in records] == [None, value]


def test_a_job_after_a_log_and_event_files_without_a_log(tmp_path: Path) -> None:
    log = lines(tmp_path / "early.jsonl", [log_line(1)])
    job = write_job(tmp_path / "job", steps=1)
    lines(job / "logs" / "attempt-002.jsonl.gz", [])
    (job / "logs" / "attempt-002.out").write_text("not a log")
    assert [(label, attempt) for label, _, attempt in listed(log, job)] == [
        ("early.jsonl", 1),
        ("job/logs/attempt-001.jsonl", 2),
        ("job/logs/attempt-002.jsonl.gz", 3),
    ]
    for path in (job / "logs").iterdir():
        path.unlink()
    for attempt in (1, 2):
        folder = job / "tensorboard" / f"attempt-{attempt}"
        folder.mkdir(parents=True)
        (folder / f"events.out.tfevents.{attempt}").write_bytes(b"")
    assert listed(job) == [
        (f"job/tensorboard/attempt-{n}/events.out.tfevents.{n}", read_tensorboard, n) for n in (1, 2)
    ]
    assert [attempt for _, _, attempt in listed(job / "tensorboard", log)] == [1, 2, 3]


def test_where_attempts_went_on_from_as_far_as_job_json_says_it(tmp_path: Path) -> None:
    job = write_job(tmp_path / "job", steps=1)
    attempts = [{"number": 1, "from_step": 0}, {"number": 2}, "nonsense", {"number": 3, "from_step": 7}]
    for said, starts in ((attempts, {1: 1}), ("nonsense", {}), (None, {})):
        (job / "job.json").write_text(json.dumps({"experiment": "smoke-qae", "attempts": said}))
        assert find([job]).starts == starts


@pytest.mark.parametrize("missing", ["metrics.jsonl", "config.json"])
def test_half_of_a_run_of_ours_is_none(missing: str, tmp_path: Path) -> None:
    for name in {"metrics.jsonl", "config.json"} - {missing}:
        (tmp_path / name).write_text("{}")
    with pytest.raises(ValueError, match=r"^SOURCE must be a job folder"):
        find([tmp_path])


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_job_json_that_cannot_be_read_is_said(content: str, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(ValueError, match=r"job.json (cannot be read|must hold a JSON object)"):
        find([tmp_path])


def test_two_runs_of_ours_are_not_one(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for file in ("metrics.jsonl", "config.json"):
            (tmp_path / name / file).write_text("{}")
    with pytest.raises(ValueError, match="SOURCE must be of one run; two is a second run of `qae train`"):
        find([tmp_path / "one", tmp_path / "two"])
