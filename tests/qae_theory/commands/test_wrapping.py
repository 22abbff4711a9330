"""Text for a terminal is broken at words and loses none; text for a pipe stays on one line."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator
from io import StringIO
from typing import IO

import pytest
from rich.console import Console

from qae_theory.commands.ending import complain
from qae_theory.commands.wrapping import fitted, say

TEXT = " ".join(f"word{number}" for number in range(40))


@pytest.fixture
def terminal() -> Iterator[IO[str]]:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        yield stream
    os.close(leader)


def narrowed(stream: IO[str], columns: int) -> IO[str]:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(stream.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return stream


def test_a_pipe_gets_one_line() -> None:
    assert fitted("name: ", TEXT, StringIO()) == f"name: {TEXT}"


@pytest.mark.parametrize("columns", [60, 80, 100, 300])
def test_a_terminal_gets_whole_words_within_its_width(columns: int, terminal: IO[str]) -> None:
    lines = fitted("name: ", TEXT, narrowed(terminal, columns)).split("\n")
    assert max(map(len, lines)) <= columns
    assert " ".join(lines).split() == ["name:", *TEXT.split()]
    assert (len(lines) == 1) == (columns == 300)


def test_a_terminal_that_does_not_say_how_wide_it_is_has_80_columns(terminal: IO[str]) -> None:
    lines = fitted("", TEXT, narrowed(terminal, 0)).split("\n")
    assert 60 < max(map(len, lines)) <= 80


def test_an_error_on_a_terminal_has_its_words_whole(terminal: IO[str], monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    monkeypatch.setattr("sys.stderr", narrowed(terminal, 60))
    monkeypatch.setattr("builtins.print", lambda text, file: printed.append(text))
    complain("verify", TEXT)
    (text,) = printed
    assert text.startswith("qae verify: word0")
    assert max(map(len, text.split("\n"))) <= 60


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_console_says_is_broken_at_words_on_a_terminal_alone(terminal: bool) -> None:
    printed = StringIO()
    path = f"/{'long' * 30}/of/a[run]"  # longer than the screen: it stays whole, so that it can be copied
    say(Console(file=printed, width=72, force_terminal=terminal, soft_wrap=True, color_system=None), f"{TEXT} {path}")
    lines = printed.getvalue().splitlines()
    assert " ".join(lines).split() == [*TEXT.split(), path]
    assert (len(lines) == 1) == (not terminal)
    assert all(len(line) <= 72 for line in lines if path not in line) or not terminal
