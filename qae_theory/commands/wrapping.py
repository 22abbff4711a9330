"""Break text at words, to the width of a screen; what is piped stays on one line, for programs that read it."""

from __future__ import annotations

import os
import textwrap
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST = 60
USUAL = 80  # columns of a terminal that does not say how wide it is


def wrapped(text: str, width: int, *, first: str = "", indent: str = "  ") -> list[str]:
    """Return a text behind ``first`` in lines of at most this width, further ones indented.

    No word is broken, however long.
    """
    return textwrap.wrap(
        text,
        max(width, NARROWEST),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def hanging(left: str, right: str, width: int) -> list[str]:
    """Return two columns as lines; what does not fit beside the left one stands below it, less indented."""
    if len(left) + len(right) <= max(width, NARROWEST):
        return [f"{left}{right}"]
    return wrapped(right, width, first=left, indent="      ")


def fitted(left: str, right: str, stream: IO[str]) -> str:
    """Return two columns for a stream: in lines that fit where it is a terminal, else on one line."""
    if not stream.isatty():
        return f"{left}{right}"
    return "\n".join(hanging(left, right, os.get_terminal_size(stream.fileno()).columns or USUAL))


def say(console: Console, text: str) -> None:
    """Print a line on a console: broken at words where that is a terminal, else whole."""
    lines = wrapped(text, console.width) if console.is_terminal else [text]
    console.print("\n".join(lines), markup=False, soft_wrap=True)
