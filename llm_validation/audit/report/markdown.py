"""Write the report in Markdown, for a pull request or an issue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llm_validation.audit.report.report import Report
from llm_validation.audit.report.sections import Section, sections


def render(report: Report, comparison: dict[str, Any] | None = None) -> str:
    """Return the report as Markdown.

    Args:
        report: of the run.
        comparison: with a second run, where one was made.
    """
    parts = ["# Audit of a run's logs"]
    for section in sections(report, comparison):
        parts += list(_section(section))
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    yield from (_escaped(paragraph) for paragraph in section.paragraphs)
    if section.items:
        yield "\n".join(f"- {_escaped(item)}" for item in section.items)
    if section.rows:
        yield _table(section.head, section.rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return _escaped(text).replace("|", "\\|").replace("\n", " ")


def _escaped(text: str) -> str:
    """Return text in which nothing of a log is taken for markup."""
    for mark in ("\\", "`", "*", "_", "<", ">", "[", "]", "#"):
        text = text.replace(mark, f"\\{mark}")
    return text
