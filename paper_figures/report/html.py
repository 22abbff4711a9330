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
WIDE = 18  # characters of a formula that does not break, and that a phone may not hold on a line
_MATH = re.compile(r"<math.*?</math>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def read(package: str, name: str) -> str:
    """A template or style sheet of a package."""
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def template(package: str, name: str) -> Template:
    """A template, to be filled."""
    return Template(read(package, name))


def slug(text: str) -> str:
    """A text as an id or a class.

    >>> slug("One-step entropy change"), slug("NOT_RUN")
    ('one-step-entropy-change', 'not-run')
    """
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def badge(verdict: Verdict) -> str:
    """A verdict in its colour."""
    return f'<span class="badge {slug(verdict.name)}">{verdict.value}</span>'


def block(words: str, text: HtmlText) -> str:
    """Prose; where a formula in it may be wider than a phone, the keyboard can scroll its box."""
    made = text.block(words)
    widest = max((len(_TAG.sub("", formula)) for formula in _MATH.findall(made)), default=0)
    return made.replace('class="text"', 'class="text" tabindex="0"', 1) if widest >= WIDE else made


def labelled(label: str, words: str | None, text: HtmlText) -> str:
    """A heading and prose under it; nothing without words."""
    return "" if words is None else f"<h4>{label}</h4>{block(words, text)}"


def commands(lines: Iterable[str]) -> str:
    """Command lines, one below the other."""
    return f'<ul class="commands">{"".join(f"<li><code>{escape(line)}</code></li>" for line in lines)}</ul>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, labelled_by: str, kind: str = "") -> str:
    """A table whose first column names its rows (cells are HTML), in a box that scrolls by itself."""
    columns = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    inside = f'<table class="{kind}"><thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="group" aria-labelledby="{labelled_by}">{inside}</div>'
