"""Jobs with the stand-in trainer, for the tests of launching and resuming. No tests are here."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from llm_validation.cluster.jobs.folder import JobFolder, job_folder
from tests import ROOT
from tests.llm_validation.cluster.jobs import stand_in_trainer

TRAINER = shlex.join([sys.executable, stand_in_trainer.__file__])
PASSES = shlex.join([sys.executable, "-c", "print('checked')"])
FAILS = shlex.join([sys.executable, "-c", "raise SystemExit(1)"])
COMMAND = (sys.executable, "-m", "llm_validation.cluster.jobs.job")


def new_job(root: Path, *overrides: str) -> JobFolder:
    folder = job_folder(root, "smoke-qae", overrides)
    folder.create("smoke-qae", overrides)
    return folder


def words(folder: JobFolder, *, attempts: int = 1, check: str = PASSES, trainer: str = TRAINER) -> list[str]:
    options = ["--attempts", str(attempts), "--pause", "0", "--check", check, "--trainer", trainer]
    return [*COMMAND, str(folder.path), *options]


def start(folder: JobFolder, *, pause: float = 0.0, dies_at: int = -1, **options: Any) -> subprocess.Popen[str]:
    variables = {"STAND_IN_PAUSE": str(pause), "STAND_IN_DIES_AT": str(dies_at), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words(folder, **options),
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: JobFolder, **options: Any) -> tuple[int, str]:
    process = start(folder, **options)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def steps(path: Path) -> list[dict[str, Any]]:
    """The complete lines of an attempt's metrics."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def merged(folder: JobFolder) -> dict[int, str]:
    """State after each step, of the last attempt that made it."""
    found: dict[int, str] = {}
    for path in sorted(folder.logs.glob("attempt-*.jsonl")):
        found |= {line["step"]: line["data"]["state"] for line in steps(path)}
    return found


def uninterrupted() -> dict[int, str]:
    state, found = "begin", {}
    for step in range(1, stand_in_trainer.STEPS + 1):
        state = found[step] = stand_in_trainer.advance(state, step)
    return found
