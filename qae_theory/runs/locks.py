"""One process at a time on an unfinished run of this machine. The lock goes with the process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"


class BusyError(RuntimeError):
    """Another process works on the run."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of an unfinished run's folder, which is made if it is not there.

    Raises:
        BusyError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another process is running it, in {folder}") from None
        yield
