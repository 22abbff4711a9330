"""How a command ends that cannot go on: one line on stderr, and the exit status."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer


def fail(command: str, message: str, status: int) -> NoReturn:
    """Say ``qae COMMAND: message``; status 1 is for a failure, 2 for wrong usage."""
    print(f"qae {command}: {message}", file=sys.stderr)
    raise typer.Exit(status)
