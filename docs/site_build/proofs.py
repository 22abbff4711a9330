"""The ledger as pages: all lines in a table with filter and search, and a page a family with statements and steps.

Verdicts and figures are those of the stored ledger file; the texts of steps come from the evidence as it is registered
now. A claim looks as it does in ``qae report``, whose code lays it out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from docs.site_build import sources
from paper_figures.report import page_theorem
from paper_figures.report.entries import LedgerLine
from paper_figures.report.html import badge, slug
from paper_figures.report.page_claims import section
from qae_theory.claims import report
from qae_theory.claims.model import Claim, Entry
from qae_theory.claims.readme import strongest_evidence
from qae_theory.claims.report_markdown import table
from qae_theory.claims.text import HtmlText, markdown_cell

INDEX = "proofs/index.md"
SCRIPT = "../scripts/ledger.js"  # as the page of the ledger links to it
DEFINITIONS = "proofs/definitions.md"
DEFINITIONS_PAGE = "definitions.html"  # as the pages beside it link to it
_FOLDED = re.compile(r'<details class="reached">\s*<summary>[^<]*</summary>(.*)</details>', re.DOTALL)
# The steps of a formal proof are Coq's; what a reader follows are those of the evidence beside it.
_FIRST = re.compile(
    r'(<details class="evidence (?:passed|negative)")(>\s*<summary><span class="kind">(?!formal proof|property))'
)
_ARTICLE = re.compile(r"<article[^>]*>\s*<h3>.*?</h3>(.*)</article>", re.DOTALL)


def pages(
    lines: Sequence[LedgerLine], ledger: str, lengths: Mapping[str, int] = MappingProxyType({})
) -> tuple[dict[str, str], list[str]]:
    """Return Markdown by the page's name, and the formulas that have no MathML.

    Args:
        lines: the ledger's lines.
        ledger: names its file for readers, as Markdown.
        lengths: number of lines of each source file that has a page, to which its places are linked.
    """
    text = HtmlText()
    by_id = {line.entry.claim.id: line for line in lines}
    families = {
        name: [by_id[entry.claim.id] for entry in entries]
        for name, entries in report.by_section(line.entry for line in lines).items()
    }
    made = {INDEX: _index(families, ledger), DEFINITIONS: _definitions()}
    for name, members in families.items():
        made[f"proofs/{slug(name)}.md"] = sources.linked(_family(name, members, text), lengths, "../")
    return made, text.fallbacks


def places(lines: Iterable[LedgerLine]) -> list[str]:
    """Return where the evidence and its steps are, as ``FILE:LINE``."""
    found = []
    for line in lines:
        for outcome in line.entry.outcomes:
            found += [outcome.where, *(step.where for step in outcome.steps)]
    return found


def _index(families: Mapping[str, Sequence[LedgerLine]], ledger: str) -> str:
    """Return the page of the ledger: every line in one table, which a script of the page filters and searches."""
    entries = [line.entry for members in families.values() for line in members]
    titles = {entry.claim.id: entry.claim.title for entry in entries}
    rows = [_row(name, line, titles) for name, members in families.items() for line in members]
    parts = [
        "---\nhide:\n  - toc\n---",  # the table needs the room
        "# The ledger",
        f"{_number(entries)}: {report.counts_line(entries)}. Made from {ledger}, which `qae verify --json` wrote.",
        report.INTRODUCTION,
        "[How to read the ledger](../how-to/read-the-ledger.md) says what a verdict rests on. A line names its topic's "
        "page, where statement, steps and witness are.",
        '<div class="ledger" markdown>',
        table(["Claim", "Update", "Condition", "Verdict"], rows),
        "</div>",
        f'<script src="{SCRIPT}" defer></script>',
    ]
    return "\n\n".join(parts) + "\n"


def _definitions() -> str:
    """Return the page of the definitions of the formal proofs, to which the theorems link."""
    parts = [
        "# Definitions of the formal proofs",
        "This is `qae_theory/formal/theories/Definitions.v` as it is. The statement of a theorem uses nothing else but "
        "Coq's libraries; a check enforces it. [Formal proofs](../formal.md) says what is checked, and how to do it "
        "again.",
        page_theorem.definitions(),
    ]
    return "\n\n".join(parts) + "\n"


def _row(family: str, line: LedgerLine, titles: Mapping[str, str]) -> list[str]:
    """Return a line of the ledger: title and id, update, condition, and verdict with its strongest evidence.

    A line by condition has the title of its family, since the condition has a column of its own.
    """
    claim = line.entry.claim
    title = titles.get(claim.family or "", claim.title)
    assumed = f"<br>if {markdown_cell(claim.assumption)}" if claim.assumption else ""
    update = "any" if claim.update == Claim.update else claim.update.replace("_", " ")
    return [
        f"[{markdown_cell(title)}]({slug(family)}.md#claim-{claim.id})<br>`{claim.id}`{assumed}",
        update,
        claim.condition or "",
        f"{badge(line.entry.verdict)}<br>{strongest_evidence(line.record)}",
    ]


def _family(name: str, lines: Sequence[LedgerLine], text: HtmlText) -> str:
    entries = [line.entry for line in lines]
    intro = f"{_number(entries)}: {report.counts_line(entries)}. [All verdicts](index.md)."
    return "\n\n".join([f"# {name}", intro, *(_claim(line, text) for line in lines)]) + "\n"


def _number(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} claim{'' if len(entries) == 1 else 's'}"


def _claim(line: LedgerLine, text: HtmlText) -> str:
    """Return a heading that the contents and the search know, and under it the claim as the report shows it."""
    found = _ARTICLE.search(section("", [line], (), text=text, definitions_at=DEFINITIONS_PAGE))
    if found is None:
        raise ValueError(f"the report has no article for {line.entry.claim.id!r}")
    body = found.group(1).replace("<h4", "<h3").replace("</h4>", "</h3>")
    # A page of its own has room for what the report folds: the steps of the first evidence come first.
    body = _FOLDED.sub(r'<div class="reached">\1</div>', body)
    body = _FIRST.sub(r"\1 open\2", body, count=1)
    heading = f"## {html.escape(line.entry.claim.title, quote=False)} {{ #claim-{line.entry.claim.id} }}"
    return f'{heading}\n\n<div class="claim">{_one_block(body)}</div>'


def _one_block(body: str) -> str:
    """Return the text without blank lines, at which Markdown would end a block of HTML."""
    return re.sub(r"\n\s*\n", "\n", body)
