"""The studies' pages, cut to what a reader needs: long tables and long blocks of code are files beside them.

A report itself is written by its study, and is not touched: the site alone shows less of it.
"""

from __future__ import annotations

import csv
import io
import re
from typing import NamedTuple

from paper_figures.report.html import slug

PAGES = (
    "validation/report.md",
    "validation/second-look.md",
    "validation/second-a/report.md",
    "validation/second-b/report.md",
    "validation/pretrained/report.md",
)
MOST_ROWS = 10  # of a table; a reader of the page compares no more by eye
MOST_LINES = 30  # of a block of code
_PART = re.compile(r"^(?P<table>(?:\|[^\n]*\n)+)|^```(?P<language>\w*)\n(?P<code>.*?)^```\n", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")


class Cut(NamedTuple):
    """A page without what is too long for it, and the files that hold that, by their names beside the page."""

    text: str
    files: dict[str, str]


def cut(text: str) -> Cut:
    """Return a page of Markdown with each long table and block of code replaced by a link to a file that holds it."""
    files: dict[str, str] = {}

    def shortened(found: re.Match[str]) -> str:
        """Return a short part as it is; of a long one a link, with its first rows if it is a table."""
        heading = _HEADING.findall(text[: found.start()])
        name = _free_name(slug(heading[-1] if heading else "table"), files)
        if found.group("table") is None:
            lines = found.group("code").count("\n")
            if lines <= MOST_LINES:
                return found.group()
            file = f"{name}.{found.group('language') or 'txt'}"
            files[file] = found.group("code")
            return f"[{lines} lines]({file})\n"
        rows = found.group("table").splitlines()
        if len(rows) - 2 <= MOST_ROWS:  # the head and the line below it are no rows
            return found.group()
        files[f"{name}.csv"] = _comma_separated(rows)
        return f"[Table of {len(rows) - 2} rows: {', '.join(_cells(rows[0]))}]({name}.csv)\n"

    return Cut(_PART.sub(shortened, text), files)


def _free_name(wanted: str, taken: dict[str, str]) -> str:
    """Return a name that no file has yet, whatever its ending."""
    stems = {file.rpartition(".")[0] for file in taken}
    number = 1
    while (name := wanted if number == 1 else f"{wanted}-{number}") in stems:
        number += 1
    return name


def _comma_separated(rows: list[str]) -> str:
    """Return the rows of a Markdown table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_cells(rows[0]))
    writer.writerows(_cells(row) for row in rows[2:])
    return text.getvalue()


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(row.strip())[1:-1]]
