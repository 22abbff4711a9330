"""Write the report as one HTML page that needs nothing else: no script, no font, no picture from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from llm_validation.audit.report.figures import figures
from llm_validation.audit.report.report import Report
from llm_validation.audit.report.sections import Section, sections

TITLE = "Audit of a run's logs"
SHORT = 24  # characters
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222;
  background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #ccc }
h2.critical { border-color: #b00; color: #900 } h2.warning { border-color: #b60; color: #840 }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .9rem }
th, td { border: 1px solid #ccc; padding: .2rem .5rem; text-align: left }
td.short, th { white-space: nowrap }
figure { margin: 1.5rem 0 } figure svg { max-width: 100%; height: auto } figcaption { font-size: .9rem; color: #444 }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ec; background: #14181d } h2, th, td { border-color: #4a525c } figcaption { color: #b3bcc6 }
  h2.critical { border-color: #ff9d96; color: #ff9d96 } h2.warning { border-color: #f0bb6b; color: #f0bb6b }
  figure svg { background: #fff; color: #222 }
}
"""


def render(report: Report, comparison: dict[str, Any] | None = None) -> str:
    """Return the report as one HTML page.

    Args:
        report: of the run.
        comparison: with a second run, where one was made.
    """
    body = "".join(_section(section) for section in sections(report, comparison))
    drawn = "".join(_figure(caption, svg) for caption, svg in figures(report.log))
    pictures = f"<h2>Figures</h2>{drawn}" if drawn else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(TITLE)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">\n'
        f"<style>{_STYLE}</style></head>\n"
        f"<body><main><h1>{escape(TITLE)}</h1>\n{body}{pictures}</main></body></html>\n"
    )


def _section(section: Section) -> str:
    kind = section.title.partition(":")[0]
    style = f' class="{kind}"' if kind in ("critical", "warning") else ""
    parts = [f"<h2{style}>{escape(section.title)}</h2>"]
    parts += [f"<p>{escape(paragraph)}</p>" for paragraph in section.paragraphs]
    if section.items:
        parts.append(f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in section.items)}</ul>")
    if section.rows:
        parts.append(_table(section.head, section.rows))
    return "\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f'<table tabindex="0"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def _cell(text: str) -> str:
    """Return a cell; a short one is not broken, so that a narrow screen scrolls the table instead."""
    kind = ' class="short"' if len(text) <= SHORT else ""
    return f"<td{kind}>{escape(text)}</td>"


def _figure(caption: str, svg: str) -> str:
    labelled = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)
    return f"<figure>{labelled}<figcaption>{escape(caption)}</figcaption></figure>\n"
