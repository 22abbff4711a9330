"""How a command that cannot go on ends: one line on standard error, and an exit status."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from qae_theory.commands.wrapping import fitted
from qae_theory.runs.checkout import applicable
from qae_theory.runs.names import with_hint

FAILED = 1  # something that the command computes went wrong
WRONG_USAGE = 2
INTERRUPTED = 130  # 128 + SIGINT, the exit status that shells give to a command that Ctrl-C ended


def complain(command: str, message: str) -> None:
    """Print ``qae COMMAND: message`` on standard error, and the name that was meant where one is close.

    It is one line, which a terminal gets broken at words.

    Args:
        command: without ``qae``; empty for ``qae`` itself.
        message: what is wrong.
    """
    name = f"qae {command}".rstrip()
    print(fitted(f"{name}: ", with_hint(applicable(" ".join(message.splitlines()))), sys.stderr), file=sys.stderr)


def fail(command: str, message: str, status: int) -> NoReturn:
    """Print the message and end the command.

    Args:
        command: without ``qae``, with its own subcommand where it has one.
        message: what is wrong and, where something helps, what to do.
        status: the exit status.

    Raises:
        typer.Exit: always, with ``status``.
    """
    complain(command, message)
    raise typer.Exit(status)
