"""The report as Markdown; its pictures lie beside it, in the folder ``figures``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paper_figures.report.commands import Made, of_claim
from paper_figures.report.content import SET_UP, TITLE, WHAT_IT_IS, Content
from paper_figures.report.details import statements
from paper_figures.report.entries import Line
from paper_figures.report.limits import Limit
from paper_figures.report.pictures import Picture
from qae_theory.claims import report
from qae_theory.claims.model import Outcome, StepOutcome
from qae_theory.claims.readme import strongest_evidence
from qae_theory.claims.report_markdown import table
from qae_theory.claims.text import markdown_cell, markdown_plain

FIGURES = "figures"


def render(content: Content) -> str:
    """The whole report."""
    parts = [
        f"# {TITLE}",
        *WHAT_IT_IS,
        f"{len(content.lines)} claims: {report.counts_line(content.entries)}.",
        f"Ledger: {markdown_plain(content.ledger)}.",
        "## The ledger",
        report.INTRODUCTION,
        _ledger(content.lines),
        "## Figures and tables",
        *(_picture(picture, content.commands_for(picture)) for picture in content.pictures),
        "## Limits",
        *map(_limit, content.limits),
        "## How to make every line again",
        table(["Command", "What it makes"], [[_code(command), words] for command, words in SET_UP]),
        *([_runs(content.made)] if content.made else []),
    ]
    by_id = {line.entry.claim.id: line for line in content.lines}
    for section, entries in report.by_section(content.entries).items():
        parts += [f"## Evidence: {section}", *(_claim(by_id[entry.claim.id]) for entry in entries)]
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    return f"`{text}`"


def _ledger(lines: Sequence[Line]) -> str:
    rows = [
        [
            f"[`{line.entry.claim.id}`](#claim-{line.entry.claim.id})",
            markdown_cell(_title(line)),
            markdown_plain(line.entry.claim.update),
            f"**{line.entry.verdict.value}**",
            strongest_evidence(line.record),
        ]
        for line in lines
    ]
    return table(["Claim", "Title", "Update", "Verdict", "Strongest evidence"], rows)


def _title(line: Line) -> str:
    claim = line.entry.claim
    return f"{claim.title}, if {claim.assumption}" if claim.assumption else claim.title


def _picture(picture: Picture, commands: Sequence[str]) -> str:
    said = [
        f"* **{markdown_plain(panel['title'])}** {markdown_plain(panel['says'])} {_source(panel)}"
        for panel in picture.panels
    ]
    values = (
        table(picture.table[0], [list(map(markdown_cell, row)) for row in picture.table[1:]]) if picture.table else ""
    )
    parts = [
        f"### {markdown_plain(picture.title)}",
        f"![{markdown_plain(picture.alt)}]({FIGURES}/{picture.name}.png)",
        "\n".join(said),
        values,
        _again(commands),
    ]
    return "\n\n".join(filter(None, parts))


def _source(panel: Mapping[str, str]) -> str:
    source = f"Source: {markdown_plain(panel['source'])}."
    return f"**{source}**" if panel["missing"] else f"*{source}*"


def _again(commands: Sequence[str]) -> str:
    return f"Make it again: {', '.join(map(_code, commands))}"


def _limit(limit: Limit) -> str:
    items = "\n".join(f"* {markdown_plain(item)}" for item in limit.items)
    return "\n\n".join(filter(None, [f"### {limit.title}", markdown_plain(limit.says), items]))


def _runs(made: Sequence[Made]) -> str:
    rows = [[_code(one.command), one.commit, ", ".join(_code(run.id) for run in one.runs)] for one in made]
    return "### The runs behind the figures\n\n" + table(["Command", "Commit", "Runs"], rows)


def _claim(line: Line) -> str:
    entry, claim = line.entry, line.entry.claim
    witness = [
        [markdown_cell(markdown_plain(cell)) for cell in pair] for pair in (line.record["witness"] or {}).items()
    ]
    parts = [
        f'<a id="claim-{claim.id}"></a>\n\n### `{claim.id}`: {" ".join(claim.title.split())}',
        f"**{entry.verdict.value}** · update: {markdown_plain(claim.update)} · source: {markdown_plain(claim.source)}",
        "\n".join(f"> {row}".rstrip() for row in claim.statement.strip().splitlines()),
        f"**Assumption.** {claim.assumption.strip()}" if claim.assumption else "",
        f"**How the verdict was reached.** {markdown_plain(line.reason)}",
        *(f"**Doubt.** {markdown_plain(doubt)}." for doubt in line.doubts),
        f"**Note.** {claim.note.strip()}" if claim.note else "",
        f"**Worked example.**\n\n{table(['Quantity', 'Value'], witness)}" if witness else "",
        *map(_evidence, entry.outcomes),
        _again(of_claim(entry)),
    ]
    return "\n\n".join(filter(None, parts))


def _evidence(outcome: Outcome) -> str:
    found = [markdown_plain(one) for one in statements(outcome.detail)]
    said = "\n".join(f"* {one}" for one in found) if len(found) > 1 else "".join(found)
    parts = [f"#### {report.outcome_line(outcome)}", _code(outcome.where), said]
    return "\n\n".join([*parts, *(_step(number, step) for number, step in enumerate(outcome.steps, 1))])


def _step(number: int, step: StepOutcome) -> str:
    lines = [
        f"{number}. {' '.join(step.says.split())}",
        f"   - {'Held' if step.finding.passed else 'Did not hold'} ({_code(step.where)}).",
        f"   - Planted falsehood, rejected: {markdown_plain(step.planted)}",
    ]
    if step.citation:
        lines.append(f"   - Cited lemma: {markdown_plain(step.citation)}")
    return "\n".join(lines)
