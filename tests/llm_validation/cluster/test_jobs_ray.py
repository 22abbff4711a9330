"""Jobs on a real Ray cluster of this machine: the check, the plug-in in a worker, and a run that dies and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_validation.cluster.backends import BackendError
from llm_validation.cluster.job_folder import job_folder
from llm_validation.cluster.jobs_ray import RayJobs
from llm_validation.cluster.launch import Launched, launch
from tests.llm_validation.cluster import jobs, plugin_in_a_worker
from tests.llm_validation.cluster.ray_cluster import RAY, Cluster, cluster

pytestmark = [pytest.mark.verl, pytest.mark.slow]


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Cluster]:
    with cluster() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.variables.items():
            if name.startswith("RAY_"):
                patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        yield found


def submitted(ray_cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    """``ray job submit``, waiting for the job's end: its status is the job's."""
    command = [str(RAY), "job", "submit", "--address", ray_cluster.address, "--", *words]
    return subprocess.run(command, env=ray_cluster.variables, capture_output=True, text=True, timeout=300)


def test_the_check_runs_as_a_job(ray_cluster: Cluster) -> None:
    done = submitted(ray_cluster, sys.executable, "-m", "qae_theory.cli", "cluster", "check", "smoke-qae")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "check: smoke-qae:" in done.stdout
    assert "0 failed" in done.stdout


def test_a_strict_check_of_this_machine_says_where_a_gpu_is_needed(ray_cluster: Cluster) -> None:
    """The negative control: the same job, strict, fails, and for what only a GPU's machine has."""
    words = ("-m", "qae_theory.cli", "cluster", "check", "smoke-qae", "algorithm.adv_estimator=qea", "--strict")
    done = submitted(ray_cluster, sys.executable, *words)
    assert done.returncode != 0
    failed = {line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("failed")}
    assert {"GPUs", "engines", "model", "estimator"} <= failed
    assert "1 needed (1 x 1), 0 seen in the Ray cluster" in done.stdout


def test_the_plug_in_works_in_a_worker(ray_cluster: Cluster) -> None:
    done = submitted(ray_cluster, sys.executable, plugin_in_a_worker.__file__)
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    result = json.loads(line.removeprefix("RESULT "))
    assert set(result["registered"]) == {"qae", "qae_linear"}
    assert result["pid"] != result["driver"]
    assert result["nonzero"] > 50
    assert result["worst"] < 1e-5  # float32 beside float64, advantages of a few units
    assert result["spread"] == 0


def go(ray_cluster: Cluster, root: Path, *overrides: str) -> Launched:
    variables = ["env", "STAND_IN_PAUSE=0.05", f"PYTHONPATH={jobs.ROOT}"]
    extra = ["--check", jobs.PASSES, "--trainer", jobs.TRAINER, "--pause", "0"]
    python = " ".join([*variables, sys.executable])
    backend = RayJobs(ray_cluster.address)
    return launch("smoke-qae", overrides, root=root, backend=backend, attempts=1, python=python, extra=extra)


def wait_until(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.05)


def test_a_launched_job_dies_and_goes_on_when_launched_again(ray_cluster: Cluster, tmp_path: Path) -> None:
    first = go(ray_cluster, tmp_path)
    assert first.state == "submitted"
    folder = first.folder
    wait_until(lambda: folder.newest_checkpoint() is not None)
    assert go(ray_cluster, tmp_path).state == "running"
    os.kill(folder.read()["attempts"][0]["pid"], signal.SIGKILL)  # the driver: the job's own process
    backend = RayJobs(ray_cluster.address)
    wait_until(lambda: backend.state(folder, f"{folder.name}-1") is None)
    again = go(ray_cluster, tmp_path)
    assert again.state == "resubmitted"
    assert "from step" in again.says
    wait_until(folder.finished)
    attempts = folder.read()["attempts"]
    assert [attempt["from_step"] > 0 for attempt in attempts] == [False, True]
    lost = {step for attempt in attempts for step in attempt["metrics_lost"]}
    assert {**jobs.uninterrupted(), **jobs.merged(folder)} == jobs.uninterrupted()
    assert jobs.uninterrupted().keys() - jobs.merged(folder).keys() <= lost
    assert go(ray_cluster, tmp_path).state == "finished"
    assert [entry["id"] for entry in folder.read()["submissions"]] == [f"{folder.name}-{i}" for i in (1, 2)]


def test_a_submission_that_was_not_noted_is_found(ray_cluster: Cluster, tmp_path: Path) -> None:
    """The process that submits is killed after Ray has taken the job."""

    class Killed(RayJobs):
        def submit(self, *args: object) -> str:
            super().submit(*args)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    folder = job_folder(tmp_path, "smoke-qae", ())
    with pytest.raises(KeyboardInterrupt):
        launch("smoke-qae", (), root=tmp_path, backend=Killed(ray_cluster.address), python="sh -c 'sleep 60'")
    assert go(ray_cluster, tmp_path).state == "running"
    assert len(folder.read()["submissions"]) == 1


def test_a_server_that_does_not_answer_is_said(tmp_path: Path) -> None:
    backend = RayJobs("http://127.0.0.1:9")
    with pytest.raises(BackendError, match=r"the Ray job server at http://127\.0\.0\.1:9 did not take it"):
        launch("smoke-qae", (), root=tmp_path, backend=backend)
