"""Let one process at a time work on a job's folder, across machines and file systems.

A lock on a file holds where the file system carries it between machines, and goes with the process however that ends.
Where it does not, a file that is rewritten every few seconds (a beat) shows that a process on another machine is
alive. Clocks are not compared, because those of two machines differ.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qae_theory.runs.files import to_json, write_atomically

LOCK = "running.lock"
BEAT = "running.json"
SECONDS = 10.0  # between beats: seldom enough for shared storage, and a dead job is replaced within half a minute
_MISSED = 2.5  # beats that must fail to come before another machine's process counts as dead; one may be late
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # what file systems without locks answer


class JobBusyError(RuntimeError):
    """Raised where another process works on the job; the message has one line."""


@dataclass(frozen=True)
class Held:
    """Hold the lock of this process; a child that inherits ``descriptor`` holds the lock with it."""

    descriptor: int


@contextmanager
def alone(folder: Path, *, seconds: float = SECONDS) -> Iterator[Held]:
    """Let no other process work on the same job while this context lasts.

    Args:
        folder: the job's folder.
        seconds: the time between beats; a process on another machine that has not ended in order is waited for 2.5
            times as long.

    Yields:
        The lock, to be handed to children.

    Raises:
        JobBusyError: another process works on the job; the message says which.
    """
    with (folder / LOCK).open("a") as lock:
        locked = _take(lock, folder, tries=10)
        if _beats(folder, seconds, here_too=not locked):
            raise JobBusyError(_busy(folder))
        with _beating(folder, seconds):
            yield Held(lock.fileno())


def running(folder: Path) -> str | None:
    """Return which process works on the job, as far as can be told at once from here; None where none is seen."""
    if not (folder / LOCK).is_file():
        return None
    with (folder / LOCK).open("a") as lock:
        try:
            _take(lock, folder, tries=1)
        except JobBusyError:
            return _who(folder)
    return None


def _take(lock: IO[str], folder: Path, *, tries: int) -> bool:
    """Lock the file; return False where the file system has no locks.

    A look by :func:`running` takes the lock for a moment, so that a taken lock is tried again before it counts.
    """
    for left in reversed(range(tries)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise JobBusyError(_busy(folder)) from None
            time.sleep(0.1)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return False
        else:
            return True
    return False


def _beats(folder: Path, seconds: float, *, here_too: bool) -> bool:
    """Return whether a process that did not end in order still beats.

    It is one of another machine; with ``here_too``, where no lock tells, it may be one of this machine.
    """
    last = _beat(folder)
    if not last or last.get("ended") or (last.get("host") == platform.node() and not here_too):
        return False
    time.sleep(_MISSED * seconds)
    return _beat(folder) != last


@contextmanager
def _beating(folder: Path, seconds: float) -> Iterator[None]:
    """Write a beat every ``seconds`` seconds from a thread, and at the end that the process ended in order."""
    over = threading.Event()
    facts = {"host": platform.node(), "pid": os.getpid()}

    def write(**more: Any) -> None:
        write_atomically(folder / BEAT, to_json({**facts, **more}))

    def beat() -> None:
        count = 0
        while not over.wait(seconds):
            count += 1
            try:
                write(beat=count)
            except OSError:  # a full disk must not end the job; the beat is missed
                continue

    write(beat=0)
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write(ended=True)


def _beat(folder: Path) -> dict[str, Any]:
    """Return the last beat; empty where there is none that can be read."""
    try:
        found = json.loads((folder / BEAT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _who(folder: Path) -> str:
    """Return which process works on the job, as its last beat says."""
    last = _beat(folder)
    return f"process {last.get('pid')} on {last.get('host')}" if last else "another process"


def _busy(folder: Path) -> str:
    """Return the message of a :class:`JobBusyError`."""
    return f"{_who(folder)} works on {folder}"
