"""Name what a long command is at, and say how long each of its phases took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


class Phases:
    """Print a line when a phase begins, where no bar shows it, and one with its seconds when it ends."""

    def __init__(self, command: str, console: Console, *, announce: bool = True) -> None:
        """Print to a console.

        Args:
            command: what every line begins with.
            console: where to.
            announce: whether beginnings have lines; a bar that names the phase makes them superfluous.
        """
        self._command, self._console, self._announce = command, console, announce
        self._name: str | None = None
        self._started = 0.0

    @property
    def name(self) -> str | None:
        """Return the phase that is under way."""
        return self._name

    def begin(self, name: str) -> None:
        """End the phase under way, and begin one of this name."""
        self.end()
        self._name, self._started = name, time.perf_counter()
        if self._announce:
            self._console.print(f"{self._command}: {name}", markup=False)

    def end(self) -> None:
        """End the phase under way, if one is."""
        if self._name is not None:
            seconds = time.perf_counter() - self._started
            self._console.print(f"{self._command}: {self._name}: {seconds:.1f} s", markup=False)
        self._name = None
