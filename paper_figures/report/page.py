"""The report as one self-contained HTML page: pictures are in it, and it loads nothing from anywhere.

Style sheet and layout of claims are the ledger's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from paper_figures.report.commands import Made
from paper_figures.report.content import SET_UP, TITLE, WHAT_IT_IS, Content
from paper_figures.report.html import LEDGERS, OURS, badge, read, slug, table, template
from paper_figures.report.limits import Limit
from paper_figures.report.page_claims import section
from paper_figures.report.page_figures import figures
from paper_figures.report.page_ledger import filter_rules, filters, row
from qae_theory.claims import report
from qae_theory.claims.text import HtmlText

PARTS = {
    "ledger": "The ledger",
    "figures": "Figures and tables",
    "limits": "Limits",
    "reproduce": "How to make every line again",
}


def render(content: Content) -> tuple[str, list[str]]:
    """The page, and the formulas that could not be turned into MathML."""
    text = HtmlText()
    sections = report.by_section(content.entries)
    lines = {line.entry.claim.id: line for line in content.lines}
    pictured = {picture.name for picture in content.pictures}
    page = template(OURS, "page.html").substitute(
        title=escape(TITLE),
        style=read(LEDGERS, "style.css") + read(OURS, "report.css") + filter_rules(content.lines),
        what="".join(f"<p>{escape(sentence)}</p>" for sentence in WHAT_IT_IS),
        tally="".join(f"<li><b>{n}</b> {badge(v)}</li>" for v, n in report.counts(content.entries).items()),
        run=escape(f"{len(lines)} claims, {len(content.pictures)} figures and tables. Ledger: {content.ledger}."),
        contents=_contents(sections),
        introduction=escape(report.INTRODUCTION),
        verdicts="".join(_meaning(badge(verdict), words) for verdict, words in report.VERDICT_MEANING.items()),
        kinds="".join(_meaning(escape(kind.value), words) for kind, words in report.KIND_MEANING.items()),
        filters=filters(content.lines),
        summary="".join(row(line, text) for line in content.lines),
        figures=figures(content, text),
        limits="".join(_limit(one, text) for one in content.limits),
        reproduce=_everything(text) + (_runs(content.made) if content.made else ""),
        sections="".join(
            section(name, [lines[entry.claim.id] for entry in entries], pictured, text)
            for name, entries in sections.items()
        ),
        **{f"{name}_heading": f'<h2 id="{name}">{escape(heading)}</h2>' for name, heading in PARTS.items()},
    )
    return page, text.fallbacks


def _meaning(word: str, words: str) -> str:
    return f"<dt>{word}</dt><dd>{escape(words)}</dd>"


def _contents(sections: Iterable[str]) -> str:
    evidence = {f"section-{slug(name)}": f"Evidence: {name}" for name in sections}
    links = {**PARTS, **evidence}.items()
    return "".join(f'<li><a href="#{anchor}">{escape(name)}</a></li>' for anchor, name in links)


def _limit(limit: Limit, text: HtmlText) -> str:
    items = "".join(f"<li>{text.plain(item)}</li>" for item in limit.items)
    listed = f"<ul>{items}</ul>" if items else ""
    return f'<div class="limit"><h3>{escape(limit.title)}</h3><p>{text.plain(limit.says)}</p>{listed}</div>'


def _everything(text: HtmlText) -> str:
    rows = [(f"<code>{escape(command)}</code>", text.plain(words)) for command, words in SET_UP]
    made = table(("Command", "What it makes"), rows, labelled_by="everything", kind="setup")
    return f'<h3 id="everything">Everything</h3>{made}'


def _runs(made: Sequence[Made]) -> str:
    rows = [
        (f"<code>{escape(one.command)}</code>", escape(one.commit), escape(", ".join(run.id for run in one.runs)))
        for one in made
    ]
    listed = table(("Command", "Commit", "Runs"), rows, labelled_by="runs", kind="runs")
    return f'<h3 id="runs">The runs behind the figures</h3>{listed}'
