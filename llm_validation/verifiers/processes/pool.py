"""Spawned processes that answer jobs, each within a time-out; one that does not answer is killed and replaced."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from llm_validation.verifiers.judging.errors import VerifierError
from llm_validation.verifiers.processes.worker import READY

Job = Any  # what the worker takes

# Importing SymPy takes a second or two, and many times that on a machine under load.
START_SECONDS = 120.0


@dataclass
class _Worker:
    process: SpawnProcess
    channel: Connection
    ready: bool = False
    job: int | None = None
    deadline: float = 0.0

    def kill(self) -> None:
        self.process.kill()  # no signal handler of Python runs while a worker hangs in C
        self.process.join()
        self.channel.close()


class WorkerPool:
    """At most ``workers`` processes, started when there is work; no threads.

    Args:
        workers: Most processes at a time.
        seconds: Wall-clock time that one job may take before its process is killed.
        serve: What a process runs, given its end of the channel: it says ``READY`` and answers jobs, one byte each.
    """

    def __init__(self, workers: int, *, seconds: float, serve: Callable[[Connection], None]) -> None:
        self._most = workers
        self._seconds = seconds
        self._serve = serve
        self._workers: list[_Worker] = []
        self._closed = False

    def run(self, jobs: Sequence[Job]) -> list[bytes | None]:
        """The answer to each job; None where the process was killed for its time, or died.

        Raises:
            VerifierError: if a process cannot be started.
        """
        if self._closed:
            raise VerifierError("this verifier has been closed")
        answers: list[bytes | None] = [None] * len(jobs)
        waiting = deque(range(len(jobs)))
        try:
            while waiting or any(worker.job is not None for worker in self._workers):
                self._hand_out(jobs, waiting)
                self._collect(answers)
        finally:  # after an error or Ctrl-C, no answer may be left for the next call to read
            for worker in [worker for worker in self._workers if worker.job is not None]:
                self._drop(worker)
        return answers

    def close(self) -> None:
        """End all processes."""
        self._closed = True
        while self._workers:
            self._drop(self._workers[0])

    def _hand_out(self, jobs: Sequence[Job], waiting: deque[int]) -> None:
        idle = [worker for worker in self._workers if worker.job is None]
        for _ in range(min(len(waiting) - len(idle), self._most - len(self._workers))):
            idle.append(self._start())
        for worker in idle:
            if worker.ready and waiting:
                worker.job = waiting.popleft()
                worker.deadline = time.monotonic() + self._seconds
                try:
                    worker.channel.send(jobs[worker.job])
                except OSError:  # died while idle: the job goes to another
                    waiting.appendleft(worker.job)
                    self._drop(worker)

    def _collect(self, answers: list[bytes | None]) -> None:
        """Wait for the first answer, death or deadline."""
        concerned = {worker.channel: worker for worker in self._workers if worker.job is not None or not worker.ready}
        if not concerned:
            return
        soonest = min(worker.deadline for worker in concerned.values())
        spoke = wait(list(concerned), timeout=max(0.0, soonest - time.monotonic()))
        for channel, worker in concerned.items():
            if channel in spoke:
                self._receive(worker, answers)
            elif time.monotonic() >= worker.deadline:
                if not worker.ready:
                    raise self._not_started(worker, f"not ready after {START_SECONDS:g} s")
                self._drop(worker)

    def _receive(self, worker: _Worker, answers: list[bytes | None]) -> None:
        try:
            said = worker.channel.recv_bytes(maxlength=1)
        except (EOFError, OSError):  # dead, or it says more than it may
            if not worker.ready:
                worker.process.join(timeout=1.0)
                raise self._not_started(worker, f"exit code {worker.process.exitcode}") from None
            self._drop(worker)
            return
        if not worker.ready:
            worker.ready = said == READY
        elif worker.job is not None:
            answers[worker.job] = said
            worker.job = None

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=self._serve, args=(there,), daemon=True)
        process.start()
        there.close()  # so that the death of the process ends the channel
        worker = _Worker(process, here, deadline=time.monotonic() + START_SECONDS)
        self._workers.append(worker)
        return worker

    def _drop(self, worker: _Worker) -> None:
        worker.kill()
        self._workers.remove(worker)

    def _not_started(self, worker: _Worker, why: str) -> VerifierError:
        self._drop(worker)
        return VerifierError(f"a process of the verifier did not start ({why}); its own message is above")
