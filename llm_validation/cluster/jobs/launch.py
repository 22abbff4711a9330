"""Launching a job: once, however often it is asked for. A job that died is submitted again and goes on.

The job's folder is on storage that this machine and every node of the cluster see at the same path.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llm_validation.cluster.jobs.backends import Backend, BackendError, job_command
from llm_validation.cluster.jobs.folder import JobFolder, JobFolderError, job_folder, now
from llm_validation.cluster.jobs.lock import running
from qae_theory.runs.files import write_atomically

State = Literal["submitted", "resubmitted", "running", "finished"]


@dataclass(frozen=True)
class Launched:
    """What launching has come to: the state of the job, and one line that says it."""

    folder: JobFolder
    state: State
    sentence: str


def launch(
    experiment: str,
    overrides: Sequence[str],
    *,
    root: Path,
    backend: Backend,
    attempts: int = 3,
    python: str = "python",
    extra: Sequence[str] = (),
    resolved: str | None = None,
) -> Launched:
    """Submit a job, unless it is finished, waits or runs.

    Args:
        experiment: its name.
        overrides: Hydra overrides, in their order.
        root: folder of job folders, on shared storage.
        backend: where to.
        attempts: starts of the trainer, at most, in one submission.
        python: the interpreter on the cluster, as a shell word or words.
        extra: further words for the job's command.
        resolved: the whole configuration as YAML, kept in the folder; the job writes it again as it composes there.

    Raises:
        JobFolderError: the job's folder cannot be made or used.
        BackendError: the scheduler did not take the job.
    """
    folder = job_folder(root.absolute(), experiment, overrides)
    folder.create(experiment, overrides)
    with _one_at_a_time(folder):
        facts = folder.read()
        if resolved is not None and not folder.resolved.exists():
            write_atomically(folder.resolved, resolved)
        if facts.get("finished"):
            return Launched(folder, "finished", f"finished at {facts['finished']}: {folder.path}")
        found = _alive(folder, facts, backend)
        if found:
            return Launched(folder, "running", f"{found}: {folder.path}")
        number = len(facts.get("submissions", [])) + 1
        command = job_command(folder, python=python, attempts=attempts, extra=extra)
        submission = _submit(folder, backend, number, command)
        return _launched(folder, backend, submission, again=number > 1)


def _alive(folder: JobFolder, facts: dict[str, Any], backend: Backend) -> str | None:
    """What shows that the job waits or runs: a submission that the scheduler has, or a process in the folder."""
    for entry in reversed(facts.get("submissions", [])):
        if entry["backend"] != backend.name:
            continue
        state = backend.state(folder, entry["id"])
        if state:
            return f"{state} as {backend.name} job {entry['id'] or folder.name}"
    who = running(folder.path)
    return f"running, {who}" if who else None


def _submit(folder: JobFolder, backend: Backend, number: int, words: Sequence[str]) -> str:
    """Note the submission, make it, note its name: one that this process did not live to note is found all the same."""
    planned = backend.submission_id(folder, number)
    entry = {"backend": backend.name, "id": planned, "submitted": now(), "command": list(words)}
    folder.change(lambda facts: facts.setdefault("submissions", []).append(entry))
    try:
        submission = backend.submit(folder, planned, words)
    except BackendError:
        if _was_not_taken(folder, backend, planned):
            folder.change(lambda facts: facts["submissions"].pop())
        raise

    def named(facts: dict[str, Any]) -> None:
        facts["submissions"][-1]["id"] = submission

    folder.change(named)
    return submission


def _was_not_taken(folder: JobFolder, backend: Backend, planned: str | None) -> bool:
    """Whether the scheduler says so; where it says nothing, the note of the submission stays."""
    try:
        return backend.state(folder, planned) is None
    except BackendError:
        return False


def _launched(folder: JobFolder, backend: Backend, submission: str, *, again: bool) -> Launched:
    checkpoint = folder.newest_checkpoint()
    start = "from the start" if checkpoint is None else f"from step {checkpoint.step}"
    how = f"submitted again, {start}," if again else "submitted"
    state: State = "resubmitted" if again else "submitted"
    return Launched(folder, state, f"{how} as {backend.name} job {submission}: {folder.path}")


@contextmanager
def _one_at_a_time(folder: JobFolder) -> Iterator[None]:
    """Two launches of the same job at once: the second one waits, and then finds what the first has submitted."""
    try:
        with (folder.path / ".launch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise JobFolderError(f"{error.filename} cannot be written: {error.strerror}") from None
