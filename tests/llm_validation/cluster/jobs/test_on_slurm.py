"""Jobs by a batch script, which stand-ins of Slurm's commands run for real."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.jobs.backends import BackendError
from llm_validation.cluster.jobs.folder import JobFolder, job_folder
from llm_validation.cluster.jobs.launch import Launched, launch
from llm_validation.cluster.jobs.on_slurm import SlurmJobs
from tests.llm_validation.cluster.jobs import slurm_stand_in
from tests.llm_validation.cluster.jobs import submitted as jobs

BACKEND = SlurmJobs(nodes=1, gpus_per_node=8, options=("partition=gpu", "time=2-00:00:00"))


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "slurm"
    for name, value in slurm_stand_in.install(place).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(jobs.ROOT))
    yield place
    for file in place.glob("job.*"):
        try:
            os.killpg(int(file.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue


def go(root: Path, *overrides: str, backend: SlurmJobs = BACKEND) -> Launched:
    extra = ["--check", jobs.PASSES, "--trainer", jobs.TRAINER, "--pause", "0"]
    return launch("smoke-qae", overrides, root=root, backend=backend, attempts=1, python=sys.executable, extra=extra)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.02)


def ended(place: Path, number: int = 101) -> bool:
    try:
        state = (
            Path(f"/proc/{int((place / f'job.{number}').read_text())}/stat").read_text().rpartition(")")[2].split()[0]
        )
    except OSError:
        return True
    return state == "Z"


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def script(backend: SlurmJobs = BACKEND, path: str = "/shared/jobs/it's 1") -> str:
    return backend.shown(JobFolder(Path(path)), ["python", "-m", "x", path])


def test_the_script_has_its_directives_before_any_command() -> None:
    head = script().split("set -uo pipefail")[0].splitlines()
    assert head[0] == "#!/bin/bash"
    assert "#SBATCH --nodes=1" in head
    assert "#SBATCH --gpus-per-node=8" in head
    assert "#SBATCH --requeue" in head
    assert "#SBATCH --signal=B:USR1@120" in head
    assert head[-3:-1] == ["#SBATCH --partition=gpu", "#SBATCH --time=2-00:00:00"]


@pytest.mark.parametrize(
    "backend",
    [
        BACKEND,
        SlurmJobs(
            nodes=4, gpus_per_node=0, cpus_per_node=16, setup=("module load cuda", "source /shared/venv/bin/activate")
        ),
        SlurmJobs(
            nodes=2, gpus_per_node=8, container=("--container-image=/shared/a b.sqsh", "--container-mounts=/shared")
        ),
    ],
)
def test_the_script_is_one_that_bash_takes(tmp_path: Path, backend: SlurmJobs) -> None:
    path = tmp_path / "job.sbatch"
    path.write_text(script(backend))
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert "{" + "{" not in script(backend)
    for line in backend.setup:
        assert line in script(backend).splitlines()
    if backend.container:
        assert """--job-name="$name" '--container-image=/shared/a b.sqsh' --container-mounts=/shared "$@\"""" in script(
            backend
        )
    shellcheck = shutil.which("shellcheck")
    if shellcheck:  # the function of a trap counts as never called; what --setup sources is not here
        done = subprocess.run([shellcheck, "--exclude=SC2317,SC1091", str(path)], capture_output=True, text=True)
        assert done.stdout == ""


def test_the_negative_control_of_a_script_that_bash_takes(tmp_path: Path) -> None:
    path = tmp_path / "job.sbatch"
    path.write_text(script().replace('exit "$status"', "fi"))
    assert subprocess.run(["bash", "-n", str(path)], capture_output=True).returncode != 0


@pytest.mark.parametrize("option", ["--partition=gpu", "partition", "Partition=gpu", "time=1\n#SBATCH --x", "a=", ""])
def test_an_option_that_is_none_is_refused(option: str) -> None:
    if option == "partition":
        SlurmJobs(1, 8, options=(option,))  # sbatch has options without a value, such as exclusive
        return
    with pytest.raises(ValueError, match="must be a long option of sbatch without dashes"):
        SlurmJobs(1, 8, options=(option,))


def test_a_job_runs_to_its_end(stand_in: Path, tmp_path: Path) -> None:
    launched = go(tmp_path)
    assert (launched.state, launched.sentence.split(":")[0]) == ("submitted", "submitted as slurm job 101")
    assert lines(stand_in / "sbatch") == [f"--parsable {launched.folder.path}/job.sbatch"]
    wait_until(lambda: ended(stand_in))
    assert launched.folder.finished()
    assert jobs.merged(launched.folder) == jobs.uninterrupted()
    steps = [line.split()[:2] for line in lines(stand_in / "srun")]
    assert [step for step in steps if step[1] != "health"] == [["one", "address"], ["one", "head"], ["one", "job"]]
    assert lines(stand_in / "scontrol") == []
    assert not list(launched.folder.path.glob(".ray-token-*"))
    assert go(tmp_path).state == "finished"


def test_ray_runs_on_every_node_and_the_job_on_the_first(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_NODES", "one,two,three")
    go(tmp_path, backend=SlurmJobs(nodes=3, gpus_per_node=8))
    wait_until(lambda: ended(stand_in))
    called = [line.split(maxsplit=2) for line in lines(stand_in / "srun")]
    starts = {node: words for node, name, words in called if name in ("head", "worker")}
    assert {node: "--head" in words for node, words in starts.items()} == {"one": True, "two": False, "three": False}
    assert all("--num-gpus=8 --num-cpus=2" in words for words in starts.values())
    address = starts["one"].partition("--node-ip-address=")[2].split()[0]
    assert starts["two"].split()[2] == starts["three"].split()[2] == f"--address={address}:{20000 + 101}"
    assert [node for node, name, _ in called if name == "job"] == ["one"]


def test_before_the_time_limit_the_job_ends_and_goes_back_into_the_queue(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_PAUSE", "0.02")
    folder = go(tmp_path).folder
    wait_until(lambda: folder.newest_checkpoint() is not None)
    assert go(tmp_path).state == "running"
    os.kill(int((stand_in / "job.101").read_text()), signal.SIGUSR1)
    wait_until(lambda: ended(stand_in))
    assert lines(stand_in / "scancel") == ["--signal=TERM 101.1"]
    assert lines(stand_in / "scontrol") == ["requeue 101"]
    (attempt,) = folder.read()["attempts"]
    assert attempt["says"] == "stopped"
    assert go(tmp_path).state == "resubmitted"  # Slurm itself would start the script again
    wait_until(lambda: ended(stand_in, 102))
    assert folder.finished()
    assert folder.read()["attempts"][1]["from_step"] > 0
    assert jobs.uninterrupted() == {**jobs.uninterrupted(), **jobs.merged(folder)}


def test_a_cancelled_job_does_not_come_back(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_PAUSE", "0.02")
    folder = go(tmp_path).folder
    wait_until(lambda: folder.logs.is_dir() and any(folder.logs.glob("attempt-*.jsonl")))
    os.kill(int((stand_in / "job.101").read_text()), signal.SIGTERM)
    wait_until(lambda: ended(stand_in))
    assert lines(stand_in / "scontrol") == []
    assert folder.read()["attempts"][0]["says"] == "stopped"
    assert not folder.finished()


def test_what_slurm_refuses_is_said_and_not_noted(stand_in: Path, tmp_path: Path) -> None:
    (stand_in / "refuses").touch()
    with pytest.raises(BackendError, match="sbatch failed: sbatch: error: invalid partition"):
        go(tmp_path)
    assert job_folder(tmp_path, "smoke-qae", ()).read()["submissions"] == []
    (stand_in / "refuses").unlink()
    assert go(tmp_path).state == "submitted"


def test_a_controller_that_does_not_answer_starts_nothing(stand_in: Path, tmp_path: Path) -> None:
    folder = go(tmp_path).folder
    wait_until(lambda: ended(stand_in))
    folder.change(lambda facts: facts.pop("finished"))
    (stand_in / "squeue-fails").touch()
    with pytest.raises(BackendError, match="Unable to contact slurm controller"):
        go(tmp_path)
    assert len(folder.read()["submissions"]) == 1


def test_a_submission_that_was_not_noted_is_found_by_its_name(
    stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_PAUSE", "0.02")

    class Killed(SlurmJobs):
        def submit(self, *arguments: Any) -> str:
            super().submit(*arguments)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(tmp_path, backend=Killed(1, 8))
    again = go(tmp_path)
    assert again.state == "running"
    assert len(lines(stand_in / "sbatch")) == 1


def test_without_slurm_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(BackendError, match="sbatch is not on this machine"):
        go(tmp_path)
