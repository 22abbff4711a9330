"""Jobs on a Ray cluster, by its job server (``ray job submit``). Ray is imported inside functions only.

The job's process runs on the head node; verl's workers go where the GPUs are. Every node needs the package installed
and the job's folder at the same path: nothing is uploaded.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from llm_validation.cluster.jobs.backends import BackendError
from llm_validation.cluster.jobs.folder import JobFolder

_WAITING = ("PENDING", "RUNNING")
_T = TypeVar("_T")


@dataclass(frozen=True)
class RayJobs:
    """Jobs of the cluster at ``address``, such as ``http://head:8265``.

    A cluster that asks for a token gets the one of ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH``, with
    ``RAY_AUTH_MODE=token``; Ray reads them itself.
    """

    address: str
    name: str = "ray"

    def submission_id(self, folder: JobFolder, number: int) -> str:
        """A name that the cluster has not had: Ray takes one once, and a folder of this name may be elsewhere too."""
        taken = {job.submission_id for job in self._asked(lambda client: client.list_jobs())}
        names = (f"{folder.name}-{i}" for i in itertools.count(number))
        return next(name for name in names if name not in taken)

    def submit(self, folder: JobFolder, submission: str | None, words: Sequence[str]) -> str:
        """Have the job server run the command."""
        metadata = {"job_dir": str(folder.path)}
        return str(
            self._asked(
                lambda client: client.submit_job(
                    entrypoint=shlex.join(words), submission_id=submission, metadata=metadata
                )
            )
        )

    def state(self, folder: JobFolder, submission: str | None) -> str | None:
        """``pending`` or ``running``; None for a job that has ended, or that the cluster does not know."""
        if submission is None:
            return None
        known = {job.submission_id: str(job.status.value) for job in self._asked(lambda client: client.list_jobs())}
        status = known.get(submission)
        return status.lower() if status in _WAITING else None

    def shown(self, folder: JobFolder, words: Sequence[str]) -> str:
        """The command line that does the same."""
        options = f"--address {self.address} --submission-id {folder.name}-1 --no-wait"
        return f"ray job submit {options} -- {shlex.join(words)}\n"

    def _asked(self, question: Callable[[Any], _T]) -> _T:
        """The job server's answer."""
        from ray.exceptions import RayError
        from ray.job_submission import JobSubmissionClient

        try:
            return question(JobSubmissionClient(self.address))
        except (RayError, RuntimeError, ValueError, OSError) as error:
            says = " ".join(str(error).split())
            raise BackendError(f"the Ray job server at {self.address} did not take it: {says}") from None
