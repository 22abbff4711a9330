"""Read the objects of a JSON file that holds one a line, or all of them in one list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect.logs.lines import BOM, Account, read_lines, read_records


def read_objects(path: Path, account: Account) -> Iterator[tuple[int, Any]]:
    """Yield number and content of each object; a list may be cut off.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        is_list = file.read(64).removeprefix(BOM).lstrip()[:1] == b"["
    yield from _elements(path, account) if is_list else read_records(path, account)


def _elements(path: Path, account: Account) -> Iterator[tuple[int, Any]]:
    """Yield the elements of a list one by one, so that those before a damaged one are not lost with it."""
    of_lines = Account(path.name)
    text = b"\n".join(line.content for line in read_lines(path, of_lines)).decode("utf-8", "replace")
    account.unit, account.sha256, account.notes = "records", of_lines.sha256, of_lines.notes
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if text[at : at + 1] == "]":
            return
        if at >= len(text):
            account.notes.append("the list is cut off at its end")
            return
        number = account.add()
        try:
            content, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            account.drop(number, "cut off or not JSON, with all behind it")
            return
        yield number, content
