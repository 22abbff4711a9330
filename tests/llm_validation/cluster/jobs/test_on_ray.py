"""Jobs on a real Ray cluster of this machine: the check, the plug-in in a worker, and a run that dies and goes on."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_validation.cluster.jobs.backends import BackendError
from llm_validation.cluster.jobs.folder import job_folder
from llm_validation.cluster.jobs.launch import launch
from llm_validation.cluster.jobs.on_ray import RayJobs
from tests.llm_validation.cluster.jobs import plugin_in_a_worker
from tests.llm_validation.cluster.jobs import submitted as jobs
from tests.llm_validation.cluster.jobs.ray_cluster import RAY, Cluster, cluster

pytestmark = [pytest.mark.verl, pytest.mark.slow]

LAUNCH = (sys.executable, "-m", "qae_theory.cli", "cluster", "launch")


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Cluster]:
    with cluster() as found:
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
    assert set(result["registered"]) == {"qae", "qae_linear", "qae_noisy"}
    assert result["pid"] != result["driver"]
    assert result["nonzero"] > 50
    assert result["worst"] < 1e-5  # float32 beside float64, advantages of a few units
    assert result["spread"] == 0


def go(ray_cluster: Cluster, root: Path) -> str:
    """What ``qae cluster launch`` says: a process of its own, as Ray reads its token once a process."""
    extra = shlex.join(["--check", jobs.PASSES, "--trainer", jobs.TRAINER, "--pause", "0"])
    python = f"env STAND_IN_PAUSE=0.05 PYTHONPATH={jobs.ROOT} {sys.executable}"
    options = ["--root", str(root), "--ray", ray_cluster.address, "--no-check", "--attempts", "1"]
    words = [*LAUNCH, "smoke-qae", *options, "--python", python, "--job-options", extra]
    done = subprocess.run(words, env=ray_cluster.variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.removeprefix("launch: ")


def wait_until(condition: object, seconds: float = 60.0) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to be"
        time.sleep(0.05)


def test_a_launched_job_dies_and_goes_on_when_launched_again(ray_cluster: Cluster, tmp_path: Path) -> None:
    folder = job_folder(tmp_path, "smoke-qae", ())
    assert go(ray_cluster, tmp_path).startswith(f"submitted as ray job {folder.name}-1: ")
    wait_until(lambda: folder.newest_checkpoint() is not None)
    os.kill(folder.read()["attempts"][0]["pid"], signal.SIGKILL)  # the driver: the job's own process
    wait_until(lambda: "from step" in go(ray_cluster, tmp_path))  # once Ray has seen it
    wait_until(folder.finished)
    attempts = folder.read()["attempts"]
    assert [attempt["from_step"] > 0 for attempt in attempts] == [False, True]
    lost = {step for attempt in attempts for step in attempt["metrics_lost"]}
    assert {**jobs.uninterrupted(), **jobs.merged(folder)} == jobs.uninterrupted()
    assert jobs.uninterrupted().keys() - jobs.merged(folder).keys() <= lost
    assert go(ray_cluster, tmp_path).startswith("finished at")
    assert [entry["id"] for entry in folder.read()["submissions"]] == [f"{folder.name}-{i}" for i in (1, 2)]


KILLED = """
import os, signal, sys
from pathlib import Path
from llm_validation.cluster.jobs.on_ray import RayJobs
from llm_validation.cluster.jobs.launch import launch

class Killed(RayJobs):
    def submit(self, *arguments):
        super().submit(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

launch("smoke-qae", (), root=Path(sys.argv[1]), backend=Killed(sys.argv[2]), python="sh -c 'sleep 60'")
"""


def test_a_submission_that_was_not_noted_is_found(ray_cluster: Cluster, tmp_path: Path) -> None:
    """The process that submits is killed after Ray has taken the job."""
    words = [sys.executable, "-c", KILLED, str(tmp_path), ray_cluster.address]
    assert subprocess.run(words, env=ray_cluster.variables).returncode == -signal.SIGKILL
    said = go(ray_cluster, tmp_path)
    assert said.startswith(("running as ray job", "pending as ray job"))
    assert len(job_folder(tmp_path, "smoke-qae", ()).read()["submissions"]) == 1


@pytest.mark.parametrize("token", ["0" * 64, None])
def test_a_wrong_token_is_said_in_one_line(ray_cluster: Cluster, tmp_path: Path, token: str | None) -> None:
    variables = {key: value for key, value in ray_cluster.variables.items() if not key.startswith("RAY_AUTH")}
    variables |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_MODE": "disabled"}
    words = [*LAUNCH, "smoke-qae", "--root", str(tmp_path), "--ray", ray_cluster.address, "--no-check"]
    done = subprocess.run(words, env=variables, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("qae cluster launch: the Ray job server at")
    assert "Traceback" not in done.stderr


def test_a_server_that_does_not_answer_is_said(tmp_path: Path) -> None:
    backend = RayJobs("http://127.0.0.1:9")
    with pytest.raises(BackendError, match=r"the Ray job server at http://127\.0\.0\.1:9 did not take it"):
        launch("smoke-qae", (), root=tmp_path, backend=backend)
