"""A job on the cluster: it checks, trains, dies, goes on, and is one process at a time."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llm_validation.cluster.jobs.folder import JobFolder
from tests.llm_validation.cluster.jobs import stand_in_trainer
from tests.llm_validation.cluster.jobs import submitted as jobs

PAUSE = 0.002  # between two pieces that the stand-in writes: a run takes about a second, half of it inside saves
KILLS = 8  # at random moments
LAUNCHES = 60  # of one job; each is killed within a second, and most get a step further


def children(pid: int) -> list[int]:
    """Processes whose parent is this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def wait_until(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.002)


def test_a_job_trains_to_its_end_and_is_then_finished(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path, "a=1")
    status, output = jobs.run(folder)
    assert (status, jobs.merged(folder)) == (0, jobs.uninterrupted())
    assert "checked" in output
    assert folder.finished()
    status, output = jobs.run(folder)
    assert (status, "is finished" in output) == (0, True)
    assert len(folder.read()["attempts"]) == 1


def test_an_attempt_that_dies_is_followed_by_one_that_goes_on(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    status, output = jobs.run(folder, dies_at=8, attempts=3)
    attempts = folder.read()["attempts"]
    assert status == 1
    assert [attempt["from_step"] for attempt in attempts] == [0, 6, 6]
    assert [attempt["says"] for attempt in attempts] == ["died"] * 3
    assert "2 attempts left" in output
    assert "no memory is left" in attempts_output(folder, 2)
    assert jobs.run(folder)[0] == 0
    assert jobs.merged(folder) == jobs.uninterrupted()


def attempts_output(folder: JobFolder, number: int) -> str:
    return (folder.logs / f"attempt-{number:03d}.out").read_text()


def test_a_check_that_fails_starts_nothing_and_is_not_tried_again(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    status, output = jobs.run(folder, check=jobs.FAILS, attempts=3)
    assert status == 1
    assert output.count("the check failed") == 1
    assert folder.read()["attempts"] == []


def test_the_check_gets_the_job_and_is_strict(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path, "trainer.save_freq=3")
    shows = shlex.join([sys.executable, "-c", "import sys; print(*sys.argv[1:])"])
    _, output = jobs.run(folder, check=shows)
    line = output.splitlines()[0]
    assert line.startswith(f"smoke-qae trainer.save_freq=3 --strict --wait 600 --job-dir {folder.path} --resolved ")


def test_a_second_process_on_the_folder_is_refused(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    first = jobs.start(folder, pause=0.05)
    try:
        wait_until(lambda: folder.logs.is_dir() and any(folder.logs.glob("attempt-*.jsonl")))
        status, output = jobs.run(folder)
        assert status == 1
        assert f"process {first.pid} on" in output
        assert "works on" in output
        assert len(folder.read()["attempts"]) == 1
    finally:
        first.kill()
        first.communicate()
    assert jobs.run(folder)[0] == 0  # control: the lock goes with the process


def test_a_folder_that_is_no_job_is_refused(tmp_path: Path) -> None:
    status, output = jobs.run(JobFolder(tmp_path))
    assert (status, output) == (1, f"job: {tmp_path} is no job folder here: it has no job.json\n")


def test_a_stop_is_passed_on_and_not_followed_by_an_attempt(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    process = jobs.start(folder, pause=0.05, attempts=5)
    wait_until(lambda: folder.logs.is_dir() and any(folder.logs.glob("attempt-*.jsonl")))
    (trainer,) = children(process.pid)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 143
    assert gone(trainer)
    (attempt,) = folder.read()["attempts"]
    assert (attempt["says"], attempt["exit"]) == ("stopped", 143)
    assert jobs.run(folder)[0] == 0
    assert jobs.merged(folder) == jobs.uninterrupted()


@pytest.mark.slow
def test_a_job_killed_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    """The job or its trainer is killed, now here, now there, and launched again at once."""
    draw = random.Random(0)
    landed = resumed = 0
    round_ = 0
    while landed < KILLS:
        round_ += 1
        folder = jobs.new_job(tmp_path, f"round={round_}")
        outputs: dict[str, bytes] = {}
        for _ in range(LAUNCHES):
            if folder.finished():
                break
            process = jobs.start(folder, pause=PAUSE)
            wait_until(lambda: process.poll() is not None or trainer_of(process.pid), 20)  # noqa: B023
            trainer = trainer_of(process.pid)
            time.sleep(draw.uniform(0, 1.0))
            victim = draw.choice([process.pid, trainer])
            if process.poll() is None and victim is not None:
                landed += kill(victim)
            process.communicate(timeout=60)
            assert trainer is None or gone(trainer) or ended(trainer)
            outputs = unchanged(folder, outputs)
        assert folder.finished(), "no launch got further than the one before"
        attempts = folder.read()["attempts"]
        resumed += sum(attempt["from_step"] > 0 for attempt in attempts)
        lost = {step for attempt in attempts for step in attempt["metrics_lost"]}
        expected = {step: state for step, state in jobs.uninterrupted().items() if step not in lost}
        found = {step: state for step, state in jobs.merged(folder).items() if step not in lost}
        assert found == expected
        assert lost <= {step for step in expected | dict.fromkeys(lost, "") if step % stand_in_trainer.SAVE_EVERY == 0}
    assert resumed >= 3, "most kills fell before the first checkpoint"


def trainer_of(pid: int) -> int | None:
    """The process of the stand-in below a job's, once it is that."""
    for child in children(pid):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if words.startswith(sys.executable.encode() + b"\0" + stand_in_trainer.__file__.encode()):
            return child
    return None


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def ended(pid: int) -> bool:
    wait_until(lambda: gone(pid), 5)
    return True


def unchanged(folder: JobFolder, before: dict[str, bytes]) -> dict[str, bytes]:
    """The metrics so far; what an earlier attempt has written must still be there, byte for byte."""
    now = {path.name: path.read_bytes() for path in folder.logs.glob("attempt-*.jsonl")}
    assert before.items() <= now.items()
    return now


def test_the_negative_control_of_going_on(tmp_path: Path) -> None:
    """A run that begins again with the counter of the checkpoint but not its state is found out."""
    folder = jobs.new_job(tmp_path)
    jobs.run(folder, dies_at=8)
    sabotage = Path(stand_in_trainer.__file__).read_text().replace("load(begin)", '"begin"')
    (tmp_path / "sabotage.py").write_text(sabotage)
    status, _ = jobs.run(folder, trainer=shlex.join([sys.executable, str(tmp_path / "sabotage.py")]))
    assert status == 0
    assert jobs.merged(folder) != jobs.uninterrupted()


# What a command does not outlive


def parent(tethered: bool) -> list[str]:
    """A process that starts a sleeping one, prints its id and waits."""
    tether = (
        "['-m', 'llm_validation.cluster.jobs.ends_with_parent', str(os.getpid()), sys.executable]" if tethered else "[]"
    )
    code = (
        "import os, subprocess, sys\n"
        f"words = [sys.executable, *{tether}, '-c', 'import time; print(1, flush=True); time.sleep(60)']\n"
        "child = subprocess.Popen(words, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    return [sys.executable, "-c", code]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.parametrize("tethered", [True, False])
def test_a_tethered_command_dies_with_its_parent(tethered: bool) -> None:
    process = subprocess.Popen(parent(tethered), stdout=subprocess.PIPE, text=True, cwd=jobs.ROOT)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    if tethered:
        assert ended(child)
    else:  # the negative control
        time.sleep(0.5)
        assert not gone(child)
        os.kill(child, signal.SIGKILL)


def test_a_command_whose_parent_has_ended_is_not_started() -> None:
    words = [sys.executable, "-m", "llm_validation.cluster.jobs.ends_with_parent", "1", "touch", "/nonexistent"]
    done = subprocess.run(words, cwd=jobs.ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has ended" in done.stderr


def test_metrics_that_were_lost_are_said(tmp_path: Path) -> None:
    """verl saves a step before it logs it: a kill between the two loses one line, which is said."""
    folder = jobs.new_job(tmp_path)
    assert jobs.run(folder, dies_at=8)[0] == 1
    log = folder.logs / "attempt-001.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[5])["step"] == 6
    log.write_bytes(b"".join(lines[:5]) + lines[5][:-3])
    status, output = jobs.run(folder)
    assert status == 0
    assert "the metrics of step 6 were not written" in output
    assert [attempt["metrics_lost"] for attempt in folder.read()["attempts"]] == [[], [6]]
