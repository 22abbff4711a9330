"""Launch a job once, however often it is asked for; a job that died is submitted again and resumes.

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
    """Say what launching has done or found.

    Attributes:
        folder: the job's folder.
        state: what has been done or found.
        sentence: one line that tells a person the same.
    """

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
        experiment: name of the experiment.
        overrides: Hydra overrides, in their order.
        root: the folder of all jobs' folders, on shared storage.
        backend: the scheduler that gets the job.
        attempts: how often the trainer is started at most in one submission.
        python: the interpreter on the cluster, as one or several words of a shell.
        extra: further arguments of the job's command.
        resolved: the whole configuration as YAML, kept in the folder; the job writes it again as it is composed there.

    Returns:
        What has been done, or what was found.

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
        sign_of_life = _alive(folder, facts, backend)
        if sign_of_life:
            return Launched(folder, "running", f"{sign_of_life}: {folder.path}")
        number = len(facts.get("submissions", [])) + 1
        command = job_command(folder, python=python, attempts=attempts, extra=extra)
        submission = _submit(folder, backend, number, command)
        return _launched(folder, backend, submission, again=number > 1)


def _alive(folder: JobFolder, facts: dict[str, Any], backend: Backend) -> str | None:
    """Return what shows that the job waits or runs, or None.

    It is a submission that the scheduler still has, or a process that holds the folder's lock.
    """
    for entry in reversed(facts.get("submissions", [])):
        if entry["backend"] != backend.name:  # another scheduler's ids mean nothing to this one
            continue
        state = backend.state(folder, entry["id"])
        if state:
            return f"{state} as {backend.name} job {entry['id'] or folder.name}"
    who = running(folder.path)
    return f"running, {who}" if who else None


def _submit(folder: JobFolder, backend: Backend, number: int, arguments: Sequence[str]) -> str:
    """Record the submission, make it, and record its id.

    It is recorded before it is made, so that a submission whose launcher was killed is still found.
    """
    planned = backend.submission_id(folder, number)
    entry = {"backend": backend.name, "id": planned, "submitted": now(), "command": list(arguments)}
    folder.change(lambda facts: facts.setdefault("submissions", []).append(entry))
    try:
        submission = backend.submit(folder, planned, arguments)
    except BackendError:
        # The scheduler may have taken the job although its answer was lost: the record goes only where it says it has
        # none.
        if _was_not_taken(folder, backend, planned):
            folder.change(lambda facts: facts["submissions"].pop())
        raise

    def named(facts: dict[str, Any]) -> None:
        facts["submissions"][-1]["id"] = submission

    folder.change(named)
    return submission


def _was_not_taken(folder: JobFolder, backend: Backend, planned: str | None) -> bool:
    """Return whether the scheduler says that it has no such submission; False where it says nothing."""
    try:
        return backend.state(folder, planned) is None
    except BackendError:
        return False


def _launched(folder: JobFolder, backend: Backend, submission: str, *, again: bool) -> Launched:
    """Return the result of a submission, with the step from which the job goes on."""
    checkpoint = folder.newest_checkpoint()
    start = "from the start" if checkpoint is None else f"from step {checkpoint.step}"
    how = f"submitted again, {start}," if again else "submitted"
    state: State = "resubmitted" if again else "submitted"
    return Launched(folder, state, f"{how} as {backend.name} job {submission}: {folder.path}")


@contextmanager
def _one_at_a_time(folder: JobFolder) -> Iterator[None]:
    """Let a second launch of the same job wait, and then find what the first has submitted."""
    try:
        with (folder.path / ".launch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise JobFolderError(f"{error.filename} cannot be written: {error.strerror}") from None
