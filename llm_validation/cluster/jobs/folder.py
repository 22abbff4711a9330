"""The folder of one job on shared storage: what it is, its attempts, and everything that it writes.

It is found again by experiment and overrides, so that launching the same job twice is launching it once.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_validation.cluster.jobs.verl_checkpoints import Checkpoint, newest_complete
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.folders import run_id

_ATTEMPT = re.compile(r"attempt-(\d+)\.(jsonl|out)")


class JobFolderError(RuntimeError):
    """A job folder that cannot be used; the message is one line."""


@dataclass(frozen=True)
class Attempt:
    """One start of the trainer: its number, from 1, and where it writes."""

    number: int
    metrics: Path
    output: Path


@dataclass(frozen=True)
class JobFolder:
    """The places of one job."""

    path: Path

    @property
    def name(self) -> str:
        """``<experiment>-<id>``, the name of the job on the cluster too."""
        return self.path.name

    @property
    def facts_file(self) -> Path:
        """Experiment, overrides, id, submissions and attempts, in JSON."""
        return self.path / "job.json"

    @property
    def resolved(self) -> Path:
        """The whole configuration, as the trainer gets it but for the places of this folder."""
        return self.path / "resolved.yaml"

    @property
    def logs(self) -> Path:
        """``attempt-NNN.jsonl`` of verl's file logger, ``attempt-NNN.out`` of what the trainer printed."""
        return self.path / "logs"

    @property
    def rollouts(self) -> Path:
        """``<step>.jsonl``: the responses of a training step."""
        return self.path / "rollouts"

    @property
    def validation(self) -> Path:
        """``<step>.jsonl``: the responses of a validation."""
        return self.path / "validation"

    @property
    def probe(self) -> Path:
        """``<step>.jsonl``: what the probe says of every response."""
        return self.path / "probe"

    @property
    def checkpoints(self) -> Path:
        """verl's ``global_step_N`` folders."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files, a folder an attempt."""
        return self.path / "tensorboard"

    def exists(self) -> bool:
        """Whether the job has been launched."""
        return self.facts_file.is_file()

    def read(self) -> dict[str, Any]:
        """What ``job.json`` says.

        Raises:
            JobFolderError: there is none, or it cannot be read.
        """
        try:
            facts = json.loads(self.facts_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise JobFolderError(f"{self.path} is no job folder here: it has no job.json") from None
        except (OSError, ValueError) as error:
            raise JobFolderError(f"{self.facts_file} cannot be read: {error}") from None
        if not isinstance(facts, dict) or not isinstance(facts.get("experiment"), str):
            raise JobFolderError(f"{self.facts_file} does not describe a job")
        return facts

    def change(self, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Change ``job.json``, whole or not at all; processes that do so at the same time wait for one another."""
        with self._changing():
            facts = self.read()
            change(facts)
            write_atomically(self.facts_file, to_json(facts))
        return facts

    def create(self, experiment: str, overrides: Sequence[str]) -> dict[str, Any]:
        """Make the folder, or find it; what ``job.json`` says.

        Raises:
            JobFolderError: the folder is of another job, or cannot be written.
        """
        identity = {"experiment": experiment, "overrides": list(overrides)}
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with self._changing():
                if not self.exists():
                    facts = {**identity, "id": job_id(experiment, overrides), "created": now()}
                    write_atomically(self.facts_file, to_json({**facts, "submissions": [], "attempts": []}))
        except OSError as error:
            raise JobFolderError(f"{self.path} cannot be written: {error}") from None
        found = self.read()
        if {key: found.get(key) for key in identity} != identity:
            raise JobFolderError(f"{self.path} is of another job: {found['experiment']} {found.get('overrides')}")
        return found

    def finished(self) -> bool:
        """Whether the trainer has come to its end."""
        return self.exists() and bool(self.read().get("finished"))

    def new_attempt(self, *, from_step: int, **facts: Any) -> Attempt:
        """The next attempt, noted in ``job.json``; it never writes where an earlier one has written."""
        attempt: list[Attempt] = []

        def add(job: dict[str, Any]) -> None:
            attempts = job.setdefault("attempts", [])
            number = 1 + max([*(a["number"] for a in attempts), *self._written(), 0])
            attempt.append(self._attempt(number))
            where = {"host": platform.node(), "pid": os.getpid()}
            attempts.append({"number": number, "started": now(), "from_step": from_step, **where, **facts})

        self.logs.mkdir(parents=True, exist_ok=True)
        self.change(add)
        return attempt[0]

    def end_attempt(self, number: int, exit_status: int, says: str) -> None:
        """Note how an attempt has ended."""

        def end(job: dict[str, Any]) -> None:
            for attempt in job["attempts"]:
                if attempt["number"] == number:
                    attempt.update(ended=now(), exit=exit_status, says=says)

        self.change(end)

    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint that the job can go on from."""
        return newest_complete(self.checkpoints)

    def has_metrics(self, step: int) -> bool:
        """Whether some attempt has written the metrics of a step, whole."""
        return any(_logs_step(line, step) for path in self.logs.glob("attempt-*.jsonl") for line in path.open("rb"))

    def _attempt(self, number: int) -> Attempt:
        stem = f"attempt-{number:03d}"
        return Attempt(number, self.logs / f"{stem}.jsonl", self.logs / f"{stem}.out")

    def _written(self) -> Iterator[int]:
        """Numbers of the attempts that have left a file."""
        names = (_ATTEMPT.fullmatch(path.name) for path in self.logs.iterdir()) if self.logs.is_dir() else ()
        yield from (int(match[1]) for match in names if match)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with (self.path / ".job.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def job_folder(root: Path, experiment: str, overrides: Sequence[str]) -> JobFolder:
    """Where this job is, or would be, below ``root``."""
    return JobFolder(root / f"{experiment}-{job_id(experiment, overrides)}")


def job_id(experiment: str, overrides: Sequence[str]) -> str:
    """Twelve hexadecimal digits of experiment and overrides (in their order: in Hydra the last one wins).

    >>> job_id("smoke-qae", ["a=1"]) == job_id("smoke-qae", ["a=1"]) != job_id("smoke-qae", ["a=2"])
    True
    """
    return run_id({"experiment": experiment, "overrides": list(overrides)}, "")


def _logs_step(line: bytes, step: int) -> bool:
    if not line.endswith(b"\n"):  # cut off by a kill
        return False
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("step") == step


def now() -> str:
    """The time, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
