"""Define what launching needs of a cluster's scheduler; ``on_ray`` and ``on_slurm`` implement it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Protocol

from llm_validation.cluster.jobs.folder import JobFolder

JOB_MODULE = "llm_validation.cluster.jobs.job"


class BackendError(RuntimeError):
    """Raised where the scheduler did not answer or refused; the message has one line."""


class Backend(Protocol):
    """Define the protocol of a scheduler that takes jobs, such as Ray's job server or Slurm."""

    @property
    def name(self) -> str:
        """Return the name by which a job's folder records this scheduler."""

    def submission_id(self, folder: JobFolder, number: int) -> str | None:
        """Return the id of the next submission, or None where only the scheduler can choose it.

        Args:
            folder: the job's folder.
            number: the number of the submission, from 1.
        """

    def submit(self, folder: JobFolder, submission: str | None, arguments: Sequence[str]) -> str:
        """Hand a command to the scheduler and return the id of the submission.

        Args:
            folder: the job's folder.
            submission: the id from :meth:`submission_id`.
            arguments: the command and its arguments.

        Raises:
            BackendError: the scheduler did not take it.
        """

    def state(self, folder: JobFolder, submission: str | None) -> str | None:
        """Return the scheduler's word for a submission that waits or runs; None for one that it does not have.

        Args:
            folder: the job's folder.
            submission: the id of the submission; None where it is not known, so that the job is found by its name.

        Raises:
            BackendError: the scheduler did not answer.
        """

    def shown(self, folder: JobFolder, arguments: Sequence[str]) -> str:
        """Return, for a person to read, what :meth:`submit` would hand over."""


def job_command(folder: JobFolder, *, python: str, attempts: int, extra: Sequence[str] = ()) -> list[str]:
    """Return the command that the cluster runs: the job's module on the job's folder.

    Args:
        folder: the job's folder.
        python: the interpreter on the cluster, as one or several words of a shell.
        attempts: how often the trainer is started at most.
        extra: further arguments of the job's module.
    """
    return [*shlex.split(python), "-m", JOB_MODULE, str(folder.path), "--attempts", str(attempts), *extra]
