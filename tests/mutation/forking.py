"""Fork one child for each job, a few at a time, each with a deadline."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator

TIMED_OUT = 124


def forked(
    jobs: Iterable[str], child: Callable[[str], int], *, at_once: int, deadline: Callable[[str], float]
) -> Iterator[tuple[str, int]]:
    """Yield ``(job, exit status of child(job))`` as they end; a child past its deadline is killed: TIMED_OUT."""
    waiting = iter(jobs)
    running: dict[int, tuple[str, float]] = {}
    while True:
        while len(running) < at_once and (job := next(waiting, None)) is not None:
            running[_fork(child, job)] = (job, time.monotonic() + deadline(job))
        if not running:
            return
        yield from _ended(running)
        time.sleep(0.005)


def _fork(child: Callable[[str], int], job: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        status = child(job)
    finally:
        os._exit(status)


def _ended(running: dict[int, tuple[str, float]]) -> Iterator[tuple[str, int]]:
    for pid, (job, until) in list(running.items()):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del running[pid]
            yield job, os.waitstatus_to_exitcode(status)
        elif time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            del running[pid]
            yield job, TIMED_OUT
