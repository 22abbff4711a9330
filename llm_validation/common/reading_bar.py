"""Show on a terminal how far a command has come that reads many files; elsewhere nothing is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Told before a file is read: its name, how many were read before it, and how many there are.
Announce = Callable[[str, int, int], None]


@contextmanager
def reading_bar(console: Console) -> Iterator[Announce | None]:
    """Yield a function that shows progress as a bar on a terminal, and None elsewhere.

    Plain output has no progress lines, since only large dumps take long.

    Args:
        console: where the bar is shown.
    """
    if not console.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("read", total=None)
        yield lambda name, done, total: bar.update(task, completed=done, total=total, description=name)
