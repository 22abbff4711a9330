"""Name the places in the folder of one job on shared storage, and keep its record ``job.json``.

The folder is found again by experiment and overrides, so that launching the same job twice launches it once. What verl
writes into the places is read elsewhere (``collect``).
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
    """Raised for a job folder that cannot be used; the message has one line."""


@dataclass(frozen=True)
class Attempt:
    """Name the files of one start of the trainer.

    Attributes:
        number: counted from 1.
        metrics: the file of verl's file logger.
        output: the file of everything that the trainer printed.
    """

    number: int
    metrics: Path
    output: Path


@dataclass(frozen=True)
class JobFolder:
    """Name the folder of one job, with its places as properties."""

    path: Path

    @property
    def name(self) -> str:
        """Return ``<experiment>-<id>``, which is the job's name on the cluster too."""
        return self.path.name

    @property
    def facts_file(self) -> Path:
        """Return the JSON file with experiment, overrides, id, submissions and attempts."""
        return self.path / "job.json"

    @property
    def resolved(self) -> Path:
        """Return the YAML file with the trainer's configuration, except for the places in this folder."""
        return self.path / "resolved.yaml"

    @property
    def logs(self) -> Path:
        """Return the folder of ``attempt-NNN.jsonl`` (verl's file logger) and ``attempt-NNN.out`` (output)."""
        return self.path / "logs"

    @property
    def rollouts(self) -> Path:
        """Return the folder of ``<step>.jsonl``, the responses of a training step."""
        return self.path / "rollouts"

    @property
    def validation(self) -> Path:
        """Return the folder of ``<step>.jsonl``, the responses of a validation."""
        return self.path / "validation"

    @property
    def probe(self) -> Path:
        """Return the folder of ``<step>.jsonl``, the probe's figures of every response."""
        return self.path / "probe"

    @property
    def checkpoints(self) -> Path:
        """Return the folder of verl's ``global_step_N`` folders."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Return the folder of TensorBoard's event files; each attempt has its own folder in it."""
        return self.path / "tensorboard"

    def exists(self) -> bool:
        """Return whether the job has been launched."""
        return self.facts_file.is_file()

    def read(self) -> dict[str, Any]:
        """Return the contents of ``job.json``.

        Raises:
            JobFolderError: the file is missing or cannot be read.
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
        """Change ``job.json``, whole or not at all, and return its new contents.

        Processes that do so at the same time wait for one another.

        Args:
            change: a function that changes the contents in place.
        """
        with self._changing():
            facts = self.read()
            change(facts)
            write_atomically(self.facts_file, to_json(facts))
        return facts

    def create(self, experiment: str, overrides: Sequence[str]) -> dict[str, Any]:
        """Make the folder, or find it, and return the contents of ``job.json``.

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
        # The id is a short hash; comparing the record itself excludes a collision and a folder renamed by hand.
        if {key: found.get(key) for key in identity} != identity:
            raise JobFolderError(f"{self.path} is of another job: {found['experiment']} {found.get('overrides')}")
        return found

    def finished(self) -> bool:
        """Return whether the trainer has come to its end."""
        return self.exists() and bool(self.read().get("finished"))

    def new_attempt(self, *, from_step: int, **facts: Any) -> Attempt:
        """Record the next attempt in ``job.json`` and return it; it never writes where an earlier one has written.

        Args:
            from_step: the step of the checkpoint that the attempt starts from; 0 for none.
            facts: further entries of the attempt's record.
        """
        added: list[Attempt] = []

        def add(job: dict[str, Any]) -> None:
            attempts = job.setdefault("attempts", [])
            # Files count as well as records: an attempt may have been killed between writing one and the other.
            number = 1 + max([*(attempt["number"] for attempt in attempts), *self._written(), 0])
            added.append(self._attempt(number))
            where = {"host": platform.node(), "pid": os.getpid()}
            attempts.append({"number": number, "started": now(), "from_step": from_step, **where, **facts})

        self.logs.mkdir(parents=True, exist_ok=True)
        self.change(add)
        return added[0]

    def end_attempt(self, number: int, exit_status: int, outcome: str) -> None:
        """Record how an attempt has ended.

        Args:
            number: of the attempt.
            exit_status: the trainer's exit status; 128 + n where signal n killed it.
            outcome: ``finished``, ``stopped`` or ``died``.
        """

        def end(job: dict[str, Any]) -> None:
            for attempt in job["attempts"]:
                if attempt["number"] == number:
                    attempt.update(ended=now(), exit=exit_status, says=outcome)

        self.change(end)

    def newest_checkpoint(self) -> Checkpoint | None:
        """Return the newest checkpoint that the job can resume from, or None."""
        return newest_complete(self.checkpoints)

    def has_metrics(self, step: int) -> bool:
        """Return whether some attempt has written the metrics of a step as a complete line."""
        for path in self.logs.glob("attempt-*.jsonl"):
            with path.open("rb") as log:
                if any(_is_of_step(line, step) for line in log):
                    return True
        return False

    def _attempt(self, number: int) -> Attempt:
        """Return the attempt of a number, with the names of its files."""
        stem = f"attempt-{number:03d}"
        return Attempt(number, self.logs / f"{stem}.jsonl", self.logs / f"{stem}.out")

    def _written(self) -> Iterator[int]:
        """Yield the numbers of the attempts that have left a file."""
        if not self.logs.is_dir():
            return
        for path in self.logs.iterdir():
            match = _ATTEMPT.fullmatch(path.name)
            if match:
                yield int(match[1])

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock on ``job.json``; it is a file of its own, because a rename replaces ``job.json`` itself."""
        with (self.path / ".job.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def job_folder(root: Path, experiment: str, overrides: Sequence[str]) -> JobFolder:
    """Return the folder that this job has, or would have, below ``root``."""
    return JobFolder(root / f"{experiment}-{job_id(experiment, overrides)}")


def job_id(experiment: str, overrides: Sequence[str]) -> str:
    """Return twelve hexadecimal digits of experiment and overrides.

    The order of the overrides counts, since in Hydra the last one wins.

    >>> job_id("smoke-qae", ["a=1"]) == job_id("smoke-qae", ["a=1"]) != job_id("smoke-qae", ["a=2"])
    True
    """
    return run_id({"experiment": experiment, "overrides": list(overrides)}, "")


def _is_of_step(line: bytes, step: int) -> bool:
    """Return whether a line of verl's file logger is complete and of this step."""
    if not line.endswith(b"\n"):  # cut off by a kill
        return False
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("step") == step


def now() -> str:
    """Return the time in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
