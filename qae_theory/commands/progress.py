"""What ``qae verify`` shows while it runs: one bar and what broke on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from qae_theory.claims.model import Entry, Outcome

_FEW = 20  # pieces of evidence below which plain lines of progress would only be in the way
_LONGEST_PROBLEM = 300  # characters; the report has all of it


class Display(Protocol):
    """Define what a display is told while evidence runs."""

    def add(self, outcome: Outcome) -> None:
        """Take note of a piece of evidence that is done."""

    def judged(self, entry: Entry) -> None:
        """Take note of a claim whose evidence is all done."""


@contextmanager
def progress_display(console: Console, total: int, *, done: int = 0) -> Iterator[Display]:
    """Yield the display that suits the console: a bar where the cursor can be moved, and lines elsewhere.

    Args:
        console: where to.
        total: pieces of evidence.
        done: how many of them an interrupted run has checked already.
    """
    if not console.is_terminal or console.is_dumb_terminal:
        yield TenthsDisplay(console, total, done)
        return
    # The bar goes when it is full, so that nothing of it is left above the verdicts.
    columns = (TextColumn("evidence"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield BarDisplay(bar, bar.add_task("evidence", total=total, completed=done))


class BarDisplay:
    """Move a bar while evidence runs, and print a line above it for each claim that breaks."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        """Move this task of this bar."""
        self._bar, self._task = bar, task

    def add(self, outcome: Outcome) -> None:
        """Advance the bar."""
        del outcome
        self._bar.advance(self._task)

    def judged(self, entry: Entry) -> None:
        """Name a claim that broke at once."""
        if entry.problems:
            self._bar.console.print(Text(broken(entry), style="bold red"))


class TenthsDisplay:
    """Print a plain line at each tenth of the evidence, and one for each claim that breaks."""

    def __init__(self, console: Console, total: int, done: int) -> None:
        """Print to this console."""
        self._console, self._total, self._done = console, total, done

    def add(self, outcome: Outcome) -> None:
        """Count it, and say how many are done at each tenth."""
        del outcome
        before, self._done = self._done, self._done + 1
        if self._total >= _FEW and self._done * 10 // self._total > before * 10 // self._total:
            self._console.print(f"evidence: {self._done} of {self._total}", markup=False)

    def judged(self, entry: Entry) -> None:
        """Name a claim that broke at once."""
        if entry.problems:
            self._console.print(broken(entry), markup=False, soft_wrap=True)


def broken(entry: Entry) -> str:
    """Return a line on a claim whose evidence broke: its id, and what was found first."""
    line = f"BROKEN {entry.claim.id}: {entry.problems[0]}"
    return line if len(line) <= _LONGEST_PROBLEM else f"{line[:_LONGEST_PROBLEM]}..."
