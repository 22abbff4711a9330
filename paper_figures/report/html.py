"""Pieces of HTML that several parts of the report are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from qae_theory.claims.model import Verdict
from qae_theory.claims.text import HtmlText

OURS, LEDGERS = "paper_figures.report", "qae_theory.claims"
WIDE = 18  # a formula does not break; from this many characters on, a phone may not hold it on a line
_MATH = re.compile(r"<math.*?</math>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def read(package: str, name: str) -> str:
    """Return the text of a template or style sheet of a package."""
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def template(package: str, name: str) -> Template:
    """Return a template of a package, to be filled."""
    return Template(read(package, name))


def slug(text: str) -> str:
    """Return a text as an id or a class.

    >>> slug("One-step entropy change"), slug("NOT_RUN")
    ('one-step-entropy-change', 'not-run')
    """
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def badge(verdict: Verdict) -> str:
    """Return a verdict in its colour."""
    return f'<span class="badge {slug(verdict.name)}">{verdict.value}</span>'


def block(prose: str, text: HtmlText) -> str:
    """Return prose; where a formula in it may be wider than a phone, the keyboard can scroll its box."""
    made = text.block(prose)
    # Markup takes no room on the page; only the letters of a formula do.
    widest = max((len(_TAG.sub("", formula)) for formula in _MATH.findall(made)), default=0)
    return made.replace('class="text"', 'class="text" tabindex="0"', 1) if widest >= WIDE else made


def labelled(label: str, prose: str | None, text: HtmlText) -> str:
    """Return a heading and prose under it; nothing without prose.

    Args:
        label: the heading.
        prose: Markdown with formulas.
        text: turns Markdown into HTML.
    """
    return "" if prose is None else f"<h4>{label}</h4>{block(prose, text)}"


def folded(summary: str, inside: str, *, kind: str = "part") -> str:
    """Return what is folded away under a line that opens it.

    Args:
        summary: the line, as HTML.
        inside: as HTML.
        kind: the class.
    """
    return f'<details class="{kind}"><summary>{summary}</summary>{inside}</details>'


def commands(command_lines: Iterable[str]) -> str:
    """Return command lines, one below the other."""
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in command_lines)
    return f'<ul class="commands">{items}</ul>'


def table(head: Sequence[str], body: Iterable[Sequence[str]], *, labelled_by: str, kind: str = "") -> str:
    """Return a table whose first column names its rows, in a box that scrolls by itself.

    Args:
        head: the heads of the columns, as HTML.
        body: the cells by row, as HTML.
        labelled_by: id of the element that names the table.
        kind: the table's class.
    """
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    table_rows = "".join(_table_row(first, cells) for first, *cells in body)
    inside = f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{table_rows}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="group" aria-labelledby="{labelled_by}">{inside}</div>'


def _table_row(first: str, cells: Iterable[str]) -> str:
    others = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{first}</th>{others}</tr>'
