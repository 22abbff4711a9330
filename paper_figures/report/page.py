"""Lay the report out as one self-contained HTML page: pictures are in it, and it loads nothing from anywhere.

The style sheet and the layout of claims are the ledger's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

from paper_figures.report.commands import Made
from paper_figures.report.content import SET_UP, TITLE, WHAT_IT_IS, Content
from paper_figures.report.entries import LedgerLine
from paper_figures.report.findings import findings
from paper_figures.report.html import LEDGERS, OURS, badge, folded, read, slug, table, template
from paper_figures.report.limits import Limit
from paper_figures.report.page_claims import section
from paper_figures.report.page_figures import figures
from paper_figures.report.page_ledger import filter_rules, filters, row
from paper_figures.report.page_theorem import DEFINITIONS, USES, appendix
from qae_theory.claims import report
from qae_theory.claims.model import Entry
from qae_theory.claims.text import HtmlText

PARTS = {
    "findings": "The bottom line for someone who trains",
    "ledger": "The ledger",
    "figures": "Figures and tables",
    "limits": "Limits",
    "reproduce": "How to make every line again",
}


def render(content: Content) -> tuple[str, list[str]]:
    """Return the page, and the formulas that could not be turned into MathML."""
    text = HtmlText()
    sections = report.by_section(content.entries)
    by_id = {line.entry.claim.id: line for line in content.ledger_lines}
    # A claim may link to a figure that it is named after, if the figure is on the page.
    pictured = {picture.name for picture in content.pictures}
    page = template(OURS, "page.html").substitute(
        title=escape(TITLE),
        style=read(LEDGERS, "style.css") + read(OURS, "report.css") + filter_rules(content.ledger_lines),
        findings=findings({name: line.entry.verdict for name, line in by_id.items()}, text),
        what="".join(f"<p>{escape(sentence)}</p>" for sentence in WHAT_IT_IS),
        tally="".join(f"<li><b>{n}</b> {badge(v)}</li>" for v, n in report.counts(content.entries).items()),
        run=escape(f"{len(by_id)} claims, {len(content.pictures)} figures and tables. Ledger: {content.ledger}."),
        contents=_contents(sections),
        every=escape(f"All {len(by_id)} lines, by verdict and update"),
        introduction=escape(report.INTRODUCTION),
        verdicts="".join(_meaning(badge(verdict), meaning) for verdict, meaning in report.VERDICT_MEANING.items()),
        kinds="".join(_meaning(escape(kind.value), meaning) for kind, meaning in report.KIND_MEANING.items()),
        filters=filters(content.ledger_lines),
        summary="".join(row(line, text) for line in content.ledger_lines),
        figures=figures(content, text),
        limits="".join(_limit(limit, text) for limit in content.limits),
        reproduce=_everything(text)
        + (folded("The runs behind the figures", _runs(content.made)) if content.made else ""),
        sections=_sections(sections, by_id, pictured, text=text) + appendix(),
        **{f"{name}_heading": f'<h2 id="{name}">{escape(heading)}</h2>' for name, heading in PARTS.items()},
    )
    return page, text.fallbacks


def _sections(
    sections: Mapping[str, Iterable[Entry]],
    by_id: Mapping[str, LedgerLine],
    pictured: Collection[str],
    *,
    text: HtmlText,
) -> str:
    """Return how each verdict was reached, by section of the catalogue."""
    parts = []
    for name, entries in sections.items():
        of_section = [by_id[entry.claim.id] for entry in entries]
        parts.append(section(name, of_section, pictured, text=text))
    return "".join(parts)


def _meaning(term: str, meaning: str) -> str:
    return f"<dt>{term}</dt><dd>{escape(meaning)}</dd>"


def _contents(sections: Iterable[str]) -> str:
    """Return the links to the parts of the page and to the sections of the evidence."""
    evidence = {f"section-{slug(name)}": f"Evidence: {name}" for name in sections}
    links = {**PARTS, **evidence, DEFINITIONS: USES}.items()
    return "".join(f'<li><a href="#{anchor}">{escape(name)}</a></li>' for anchor, name in links)


def _limit(limit: Limit, text: HtmlText) -> str:
    items = "".join(f"<li>{text.plain(item)}</li>" for item in limit.items)
    listed = folded("Which ones", f"<ul>{items}</ul>") if items else ""
    return f'<div class="limit"><h3>{escape(limit.title)}</h3><p>{text.plain(limit.sentence)}</p>{listed}</div>'


def _everything(text: HtmlText) -> str:
    """Return the commands that make everything again."""
    body = [(f"<code>{escape(command)}</code>", text.plain(purpose)) for command, purpose in SET_UP]
    commands = table(("Command", "What it makes"), body, labelled_by="everything", kind="setup")
    return f'<h3 id="everything">Everything</h3>{commands}'


def _runs(made: Sequence[Made]) -> str:
    """Return the runs behind the figures, by the command that made them; nothing where there are none."""
    if not made:
        return ""
    body = []
    for by_command in made:
        run_ids = ", ".join(run.id for run in by_command.runs)
        body.append((f"<code>{escape(by_command.command)}</code>", escape(by_command.commit), escape(run_ids)))
    runs = table(("Command", "Commit", "Runs"), body, labelled_by="runs", kind="runs")
    return f'<h3 id="runs">The runs behind the figures</h3>{folded("Command, commit and runs", runs)}'
