"""Submit jobs to a Ray cluster through its job server (``ray job submit``). Ray is imported inside functions only.

The job's process runs on the head node; verl's workers go where the GPUs are. Every node needs the package installed
and the job's folder at the same path: nothing is uploaded.
"""

from __future__ import annotations

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
    """Submit to the job server of a Ray cluster.

    A cluster that asks for a token gets the one of ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH``, with
    ``RAY_AUTH_MODE=token``; Ray reads them itself.

    Attributes:
        address: of the job server, such as ``http://head:8265``.
        name: by which a job's folder records this scheduler.
    """

    address: str
    name: str = "ray"

    def submission_id(self, folder: JobFolder, number: int) -> str:
        """Return an id that the cluster has not had yet.

        Ray takes an id once only, and a job's folder of the same name may lie under another root too.
        """
        taken = {job.submission_id for job in self._asked(lambda client: client.list_jobs())}
        while (name := f"{folder.name}-{number}") in taken:
            number += 1
        return name

    def submit(self, folder: JobFolder, submission: str | None, arguments: Sequence[str]) -> str:
        """Let the job server run the command; return the submission's id."""
        entrypoint, metadata = shlex.join(arguments), {"job_dir": str(folder.path)}

        def submit_job(client: Any) -> Any:
            return client.submit_job(entrypoint=entrypoint, submission_id=submission, metadata=metadata)

        return str(self._asked(submit_job))

    def state(self, folder: JobFolder, submission: str | None) -> str | None:
        """Return ``pending`` or ``running``; None for a job that has ended or that the cluster does not know."""
        if submission is None:
            return None
        known = {job.submission_id: str(job.status.value) for job in self._asked(lambda client: client.list_jobs())}
        status = known.get(submission)
        return status.lower() if status in _WAITING else None

    def shown(self, folder: JobFolder, arguments: Sequence[str]) -> str:
        """Return the command line that submits the same job by hand."""
        options = f"--address {self.address} --submission-id {folder.name}-1 --no-wait"
        return f"ray job submit {options} -- {shlex.join(arguments)}\n"

    def _asked(self, question: Callable[[Any], _T]) -> _T:
        """Return the job server's answer to a question.

        Raises:
            BackendError: the server did not answer or refused.
        """
        from ray.exceptions import RayError
        from ray.job_submission import JobSubmissionClient

        try:
            return question(JobSubmissionClient(self.address))
        except (RayError, RuntimeError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise BackendError(f"the Ray job server at {self.address} did not take it: {reason}") from None
