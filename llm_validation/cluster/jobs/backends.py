"""What launching needs of a cluster's scheduler. Ray is in ``jobs_ray``, Slurm in ``jobs_slurm``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Protocol

from llm_validation.cluster.jobs.folder import JobFolder

JOB_MODULE = "llm_validation.cluster.jobs.job"


class BackendError(RuntimeError):
    """The scheduler did not answer, or refused; the message is one line."""


class Backend(Protocol):
    """A scheduler of jobs."""

    @property
    def name(self) -> str:
        """What it is called in a job's folder."""

    def submission_id(self, folder: JobFolder, number: int) -> str | None:
        """The name of a submission, where it can be chosen beforehand; None where the scheduler gives it."""

    def submit(self, folder: JobFolder, submission: str | None, words: Sequence[str]) -> str:
        """Hand a command to the scheduler; the name of the submission.

        Raises:
            BackendError: it was not taken.
        """

    def state(self, folder: JobFolder, submission: str | None) -> str | None:
        """What the scheduler says of a submission that waits or runs, in one word; None of one that it does not have.

        Raises:
            BackendError: it did not answer.
        """

    def shown(self, folder: JobFolder, words: Sequence[str]) -> str:
        """What ``submit`` would hand over, for people."""


def job_command(folder: JobFolder, *, python: str, attempts: int, extra: Sequence[str] = ()) -> list[str]:
    """The command that the cluster runs."""
    return [*shlex.split(python), "-m", JOB_MODULE, str(folder.path), "--attempts", str(attempts), *extra]
