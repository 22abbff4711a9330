"""The job folder: found again, changed whole, never written over; and one process at a time on it."""

from __future__ import annotations

import errno
import fcntl
import json
import multiprocessing
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.jobs import lock as job_lock
from llm_validation.cluster.jobs.folder import JobFolder, JobFolderError, job_folder
from tests.llm_validation.cluster.jobs import submitted as jobs


def test_the_same_job_has_the_same_folder(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path, "a=1", "b=2")
    assert folder.path.parent == tmp_path
    assert folder.name.startswith("smoke-qae-")
    assert job_folder(tmp_path, "smoke-qae", ["a=1", "b=2"]) == folder
    others = [("smoke-qae", ["a=1"]), ("smoke-qae", ["b=2", "a=1"]), ("smoke-grpo", ["a=1", "b=2"])]
    assert folder not in [job_folder(tmp_path, *other) for other in others]
    created = folder.read()
    assert jobs.new_job(tmp_path, "a=1", "b=2").read() == created


def test_a_folder_of_another_job_is_refused(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    with pytest.raises(JobFolderError, match="is of another job: smoke-qae"):
        folder.create("smoke-grpo", [])


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"experiment": 3}'])
def test_facts_that_cannot_be_read_are_said(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(JobFolderError) as raised:
        JobFolder(tmp_path).read()
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_root_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JobFolderError, match="cannot be written"):
        jobs.new_job(tmp_path / "file")


def test_attempts_are_numbered_and_never_take_a_file_that_is_there(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    first = folder.new_attempt(from_step=0)
    assert (first.number, first.metrics.name, first.output.name) == (1, "attempt-001.jsonl", "attempt-001.out")
    (folder.logs / "attempt-007.jsonl").touch()  # job.json was lost, say
    assert folder.new_attempt(from_step=3).number == 8
    folder.end_attempt(1, 137, "died")
    attempts = folder.read()["attempts"]
    assert [attempt["number"] for attempt in attempts] == [1, 8]
    assert (attempts[0]["exit"], attempts[0]["says"], "ended" in attempts[1]) == (137, "died", False)


def test_an_interrupted_change_leaves_the_facts_as_they_were(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    before = folder.facts_file.read_bytes()

    def breaks(facts: dict[str, Any]) -> None:
        facts["x"] = 1
        raise RuntimeError

    with pytest.raises(RuntimeError):
        folder.change(breaks)
    assert folder.facts_file.read_bytes() == before
    with pytest.raises(ValueError, match="not JSON compliant"):
        folder.change(lambda facts: facts.update(x=float("nan")))
    assert folder.facts_file.read_bytes() == before
    assert {path.name for path in folder.path.iterdir()} == {"job.json", ".job.lock"}


def count_up(path: Path, times: int) -> None:
    for _ in range(times):
        JobFolder(path).change(lambda facts: facts.update(count=facts.get("count", 0) + 1))


def test_processes_that_change_the_facts_at_once_lose_nothing(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=count_up, args=(folder.path, 50)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert folder.read()["count"] == 200


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"step":6,"data":{}}\n', True),
        (b'{"step":6,"data":{}}', False),
        (b'{"step":6,"da\n', False),
        (b'{"step":7,"data":{}}\n', False),
        (b"6\n", False),
    ],
)
def test_whether_a_step_was_logged(tmp_path: Path, line: bytes, found: bool) -> None:
    folder = jobs.new_job(tmp_path)
    attempt = folder.new_attempt(from_step=0)
    attempt.metrics.write_bytes(b'{"step":5,"data":{}}\n' + line)
    assert folder.has_metrics(6) is found


# One process at a time


def test_a_lock_refuses_a_second_holder_and_ends_with_the_block(tmp_path: Path) -> None:
    with job_lock.alone(tmp_path):
        assert job_lock.running(tmp_path) is not None
        with pytest.raises(job_lock.JobBusyError, match=f"on {platform.node()} works on"), job_lock.alone(tmp_path):
            pass
    assert job_lock.running(tmp_path) is None
    with job_lock.alone(tmp_path):
        pass


def test_a_child_that_was_given_the_lock_holds_it_on(tmp_path: Path) -> None:
    with job_lock.alone(tmp_path) as held:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=[held.descriptor])
    try:
        assert job_lock.running(tmp_path) is not None
    finally:
        child.kill()
        child.wait()
    assert job_lock.running(tmp_path) is None


def beat(folder: Path, **facts: Any) -> None:
    (folder / job_lock.BEAT).write_text(json.dumps({"host": "elsewhere", "pid": 1, "beat": 0, **facts}))


def test_a_process_elsewhere_that_beats_is_respected(tmp_path: Path) -> None:
    """As on a file system without locks between machines."""
    over = threading.Event()

    def beats() -> None:
        count = 0
        while not over.wait(0.05):
            count += 1
            beat(tmp_path, beat=count)

    beat(tmp_path)
    thread = threading.Thread(target=beats)
    thread.start()
    try:
        with (
            pytest.raises(job_lock.JobBusyError, match="process 1 on elsewhere"),
            job_lock.alone(tmp_path, seconds=0.2),
        ):
            pass
    finally:
        over.set()
        thread.join()
    with job_lock.alone(tmp_path, seconds=0.05):  # it beats no more
        pass


def test_one_elsewhere_that_ended_in_order_is_not_waited_for(tmp_path: Path) -> None:
    beat(tmp_path, ended=True)
    started = time.monotonic()
    with job_lock.alone(tmp_path, seconds=10.0):
        assert time.monotonic() - started < 5
        assert json.loads((tmp_path / job_lock.BEAT).read_text())["host"] == platform.node()
    assert json.loads((tmp_path / job_lock.BEAT).read_text())["ended"] is True


def test_a_file_system_without_locks_falls_back_on_the_beat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*arguments: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    first = job_lock.alone(tmp_path, seconds=0.1)
    with first, pytest.raises(job_lock.JobBusyError), job_lock.alone(tmp_path, seconds=0.3):
        pass
    with job_lock.alone(tmp_path, seconds=0.1):
        pass


def test_other_errors_of_a_lock_are_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="Input/output error"), job_lock.alone(tmp_path):
        pass
