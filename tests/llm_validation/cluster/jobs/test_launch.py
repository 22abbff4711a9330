"""Launching: once, however often it is asked for; and what the command says."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from llm_validation.cluster.checks.check import Check
from llm_validation.cluster.commands import launch as cluster_launch
from llm_validation.cluster.jobs.backends import BackendError, job_command
from llm_validation.cluster.jobs.folder import JobFolder, JobFolderError, job_folder
from llm_validation.cluster.jobs.launch import Launched, launch
from llm_validation.cluster.jobs.lock import alone
from tests.llm_validation.cluster.jobs import stand_in_trainer


@dataclass
class Queue:
    """A scheduler that keeps what it was given, and says what it is told to."""

    name: str = "queue"
    jobs: dict[str, str | None] = field(default_factory=dict)
    refuses: bool = False
    silent: bool = False
    words: list[list[str]] = field(default_factory=list)

    def submission_id(self, folder: JobFolder, number: int) -> str | None:
        return f"{folder.name}-{number}"

    def submit(self, folder: JobFolder, submission: str | None, words: Sequence[str]) -> str:
        assert submission is not None
        if self.refuses:
            raise BackendError("no")
        time.sleep(0.05)
        self.jobs[submission] = "waiting"
        self.words.append(list(words))
        return submission

    def state(self, folder: JobFolder, submission: str | None) -> str | None:
        if self.silent:
            raise BackendError("no answer")
        return self.jobs.get(submission or "")

    def shown(self, folder: JobFolder, words: Sequence[str]) -> str:
        return ""


def go(root: Path, queue: Queue, *overrides: str) -> Launched:
    return launch("smoke-qae", overrides, root=root, backend=queue)


def test_a_job_is_submitted_once(tmp_path: Path) -> None:
    queue = Queue()
    first = go(tmp_path, queue)
    assert (first.state, first.folder) == ("submitted", job_folder(tmp_path, "smoke-qae", ()))
    assert queue.words == [job_command(first.folder, python="python", attempts=3)]
    again = go(tmp_path, queue)
    sentence = f"waiting as queue job {first.folder.name}-1: {first.folder.path}"
    assert (again.state, again.sentence) == ("running", sentence)
    assert go(tmp_path, queue, "a=1").state == "submitted"  # another job


def test_a_job_that_died_is_submitted_again_and_a_finished_one_is_not(tmp_path: Path) -> None:
    queue = Queue()
    folder = go(tmp_path, queue).folder
    queue.jobs.clear()
    again = go(tmp_path, queue)
    assert (again.state, "from the start" in again.sentence) == ("resubmitted", True)
    queue.jobs.clear()
    stand_in_trainer.save(folder.checkpoints, 3, "state", 0)
    assert "submitted again, from step 3, as queue job" in go(tmp_path, queue).sentence
    queue.jobs.clear()
    folder.change(lambda facts: facts.update(finished="today"))
    assert (go(tmp_path, queue).state, len(queue.words)) == ("finished", 3)


def test_a_process_in_the_folder_counts_as_running(tmp_path: Path) -> None:
    """Such as a job that was started by hand, or on another cluster."""
    queue = Queue()
    folder = go(tmp_path, queue).folder
    queue.jobs.clear()
    with alone(folder.path):
        assert go(tmp_path, queue).state == "running"
    assert go(tmp_path, queue).state == "resubmitted"


def test_launches_at_the_same_time_submit_once(tmp_path: Path) -> None:
    queue, found = Queue(), []
    threads = [threading.Thread(target=lambda: found.append(go(tmp_path, queue).state)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["running"] * 3 + ["submitted"]
    assert len(queue.words) == 1


def test_a_refusal_leaves_no_submission_and_silence_keeps_the_note(tmp_path: Path) -> None:
    queue = Queue(refuses=True)
    folder = job_folder(tmp_path, "smoke-qae", ())
    with pytest.raises(BackendError):
        go(tmp_path, queue)
    assert folder.read()["submissions"] == []
    queue.silent = True  # whether it was taken is not known
    with pytest.raises(BackendError):
        go(tmp_path, queue)
    assert [entry["id"] for entry in folder.read()["submissions"]] == [f"{folder.name}-1"]


def test_the_configuration_is_kept_and_not_written_over(tmp_path: Path) -> None:
    folder = launch("smoke-qae", (), root=tmp_path, backend=Queue(), resolved="a: 1\n").folder
    launch("smoke-qae", (), root=tmp_path, backend=Queue(), resolved="a: 2\n")
    assert folder.resolved.read_text() == "a: 1\n"


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    with pytest.raises(JobFolderError, match="cannot be written"):
        go(tmp_path / "root", Queue())


def test_the_interpreter_may_be_several_words() -> None:
    folder = JobFolder(Path("/shared/a b"))
    words = job_command(folder, python="env A='1 2' python", attempts=5, extra=["--pause", "0"])
    assert words[:5] == ["env", "A=1 2", "python", "-m", "llm_validation.cluster.jobs.job"]
    assert words[5:] == ["/shared/a b", "--attempts", "5", "--pause", "0"]


# The command


def asked(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.callback()(lambda: None)
    cluster_launch.register(app)
    result = CliRunner().invoke(app, ["launch", *words])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "give one of --ray ADDRESS and --slurm"),
        (("--ray", "http://x", "--slurm"), "give one of --ray ADDRESS and --slurm"),
        (("--ray", "http://x", "--sbatch", "partition=gpu"), "are for --slurm"),
        (("--ray", "http://x", "--cpus", "4"), "are for --slurm"),
    ],
)
def test_wrong_usage_is_said_in_one_line(words: tuple[str, ...], complaint: str) -> None:
    status, output = asked("smoke-qae", *words)
    assert status == 2
    assert complaint in output
    assert output.count("\n") == 1


def test_a_root_that_is_a_file_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    status, output = asked("smoke-qae", "--slurm", "--root", str(tmp_path / "root"))
    assert (status, "--root must be a folder" in output) == (2, True)


@pytest.mark.verl
@pytest.mark.parametrize("words", [("no-such",), ("smoke-qae", "no.such.key=1"), ("smoke-qae", "--sbatch", "--x=1")])
def test_an_unknown_experiment_override_or_option_is_wrong_usage(words: tuple[str, ...], tmp_path: Path) -> None:
    status, output = asked(*words, "--slurm", "--root", str(tmp_path))
    assert (status, output.count("\n")) == (2, 1)
    assert not any(tmp_path.iterdir())


@pytest.mark.verl
def test_a_dry_run_shows_all_and_writes_nothing(tmp_path: Path) -> None:
    options = ("--root", str(tmp_path), "--dry-run")
    status, output = asked(
        "qwen3-8b-clip-higher-qae", "data.seed=2", "--slurm", "--sbatch", "partition=gpu", "--nodes", "2", *options
    )
    folder = job_folder(tmp_path, "qwen3-8b-clip-higher-qae", ("data.seed=2", "trainer.nnodes=2"))
    assert status == 0
    assert str(folder.path) in output
    assert "#SBATCH --nodes=2\n" in output
    assert "#SBATCH --gpus-per-node=8\n" in output
    status, output = asked("smoke-qae", "--ray", "http://head:8265", *options)
    assert (status, "ray job submit --address http://head:8265" in output) == (0, True)
    assert not any(tmp_path.iterdir())


@pytest.mark.verl
@pytest.mark.parametrize(("state", "submitted"), [("failed", False), ("warning", True)])
def test_a_check_that_fails_submits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, submitted: bool
) -> None:
    looked_at: list[Path] = []

    def checks(experiment: str, config: object, *, job_dir: Path) -> list[Check]:
        looked_at.append(job_dir)
        return [Check("group size", state != "failed", state == "warning", "a group of one")]

    monkeypatch.setattr("llm_validation.cluster.checks.all.checks", checks)
    status, output = asked("smoke-qae", "--ray", "http://127.0.0.1:9", "--root", str(tmp_path))
    assert looked_at == [job_folder(tmp_path, "smoke-qae", ()).path]
    assert (status, f"launch: {state}: group size: a group of one" in output) == (1, True)
    assert ("nothing was submitted" in output) is not submitted
    assert ("the Ray job server at http://127.0.0.1:9 did not take it" in output) is submitted
    assert any(tmp_path.iterdir()) is submitted
