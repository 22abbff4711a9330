"""The bar of commands that read many files: on a terminal it names the file, elsewhere there is none."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from llm_validation.common.reading_bar import reading_bar


def test_a_terminal_is_told_which_file_is_read() -> None:
    shown = StringIO()
    with reading_bar(Console(file=shown, force_terminal=True, width=80)) as announce:
        assert announce is not None
        announce("rollouts/7.jsonl", 1, 2)
    assert "rollouts/7.jsonl" in shown.getvalue()
    assert "50%" in shown.getvalue()


def test_elsewhere_nothing_is_shown() -> None:
    shown = StringIO()
    with reading_bar(Console(file=shown, force_terminal=False)) as announce:
        assert announce is None
    assert shown.getvalue() == ""
