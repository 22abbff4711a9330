"""The processes of one run under ``accelerate launch``: the main one writes, the others wait for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def count() -> int:
    """Return how many processes there are."""
    # From what the launcher sets, so that nothing heavy is imported to find that there is one process.
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Return whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def wait() -> None:
    """Until every process is here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """Let the main process go through the block alone, the others after it."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def any_of(flag: bool) -> bool:
    """Return whether something is so in any process; every process asks together."""
    if count() == 1:
        return flag
    from accelerate.utils import gather_object

    return any(gather_object([flag]))
