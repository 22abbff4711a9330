"""Lay the report out as Markdown; its pictures lie beside it, in the folder ``figures``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paper_figures.report.commands import Made, of_claim
from paper_figures.report.content import SET_UP, TITLE, WHAT_IT_IS, Content
from paper_figures.report.details import statements
from paper_figures.report.entries import LedgerLine
from paper_figures.report.limits import Limit
from paper_figures.report.pictures import Picture
from qae_theory.claims import report
from qae_theory.claims.model import Outcome, StepOutcome
from qae_theory.claims.readme import bottom_line, strongest_evidence
from qae_theory.claims.report_markdown import table
from qae_theory.claims.text import markdown_cell, markdown_plain
from qae_theory.formal.reader import DEFINITIONS, readings

FIGURES = "figures"


def render(content: Content) -> str:
    """Return the whole report."""
    parts = [
        f"# {TITLE}",
        "## The bottom line for someone who trains",
        bottom_line(),
        "## What this page is",
        *WHAT_IT_IS,
        f"{len(content.ledger_lines)} claims: {report.counts_line(content.entries)}.",
        f"Ledger: {markdown_plain(content.ledger)}.",
        "## The ledger",
        report.INTRODUCTION,
        _ledger(content.ledger_lines),
        "## Figures and tables",
        *(_picture(picture, content.commands_for(picture)) for picture in content.pictures),
        "## Limits",
        *map(_limit, content.limits),
        "## How to make every line again",
        table(["Command", "What it makes"], [[_code(command), purpose] for command, purpose in SET_UP]),
        *([_runs(content.made)] if content.made else []),
    ]
    by_id = {line.entry.claim.id: line for line in content.ledger_lines}
    for section, entries in report.by_section(content.entries).items():
        parts += [f"## Evidence: {section}", *(_claim(by_id[entry.claim.id]) for entry in entries)]
    return "\n\n".join(parts) + "\n"


def _code(text: str) -> str:
    return f"`{text}`"


def _ledger(ledger_lines: Sequence[LedgerLine]) -> str:
    """Return the ledger as a table with a row for each claim."""
    body = [
        [
            f"[`{line.entry.claim.id}`](#claim-{line.entry.claim.id})",
            markdown_cell(_title(line)),
            markdown_plain(line.entry.claim.update),
            f"**{line.entry.verdict.value}**",
            strongest_evidence(line.record),
        ]
        for line in ledger_lines
    ]
    return table(["Claim", "Title", "Update", "Verdict", "Strongest evidence"], body)


def _title(line: LedgerLine) -> str:
    claim = line.entry.claim
    return f"{claim.title}, if {claim.assumption}" if claim.assumption else claim.title


def _picture(picture: Picture, commands: Sequence[str]) -> str:
    """Return a figure with its caption by panel, its values if it is a table, and the commands that make it again."""
    captions = [
        f"* **{markdown_plain(panel['title'])}** {markdown_plain(panel['says'])} {_source(panel)}"
        for panel in picture.panels
    ]
    parts = [
        f"### {markdown_plain(picture.title)}",
        f"![{markdown_plain(picture.alt)}]({FIGURES}/{picture.name}.png)",
        "\n".join(captions),
        _values(picture),
        _again(commands),
    ]
    return "\n\n".join(filter(None, parts))


def _values(picture: Picture) -> str:
    """Return the values of a table; nothing for a figure."""
    if not picture.table:
        return ""
    head, *body = picture.table
    return table(head, [list(map(markdown_cell, cells)) for cells in body])


def _source(panel: Mapping[str, str]) -> str:
    source = f"Source: {markdown_plain(panel['source'])}."
    return f"**{source}**" if panel["missing"] else f"*{source}*"


def _again(commands: Sequence[str]) -> str:
    return f"Make it again: {', '.join(map(_code, commands))}"


def _limit(limit: Limit) -> str:
    items = "\n".join(f"* {markdown_plain(item)}" for item in limit.items)
    return "\n\n".join(filter(None, [f"### {limit.title}", markdown_plain(limit.sentence), items]))


def _runs(made: Sequence[Made]) -> str:
    """Return the runs behind the figures as a table, by the command that made them."""
    body = []
    for by_command in made:
        run_ids = ", ".join(_code(run.id) for run in by_command.runs)
        body.append([_code(by_command.command), by_command.commit, run_ids])
    return "### The runs behind the figures\n\n" + table(["Command", "Commit", "Runs"], body)


def _claim(line: LedgerLine) -> str:
    """Return a claim with its evidence and the commands that judge it again; parts that it lacks are left out."""
    entry, claim = line.entry, line.entry.claim
    witness = []
    for pair in (line.record["witness"] or {}).items():
        witness.append([markdown_cell(markdown_plain(cell)) for cell in pair])
    parts = [
        f'<a id="claim-{claim.id}"></a>\n\n### `{claim.id}`: {" ".join(claim.title.split())}',
        f"**{entry.verdict.value}** · update: {markdown_plain(claim.update)} · source: {markdown_plain(claim.source)}",
        "\n".join(f"> {line_of_text}".rstrip() for line_of_text in claim.statement.strip().splitlines()),
        f"**Assumption.** {claim.assumption.strip()}" if claim.assumption else "",
        f"**How the verdict was reached.** {markdown_plain(line.reason)}",
        *(f"**Doubt.** {markdown_plain(doubt)}." for doubt in line.doubts),
        f"**Note.** {claim.note.strip()}" if claim.note else "",
        f"**Worked example.**\n\n{table(['Quantity', 'Value'], witness)}" if witness else "",
        _theorem(claim.id),
        *map(_evidence, entry.outcomes),
        _again(of_claim(entry)),
    ]
    return "\n\n".join(filter(None, parts))


def _theorem(claim: str) -> str:
    """Return a claim's theorem in Coq, folded, with what it rests on and is tied to; nothing for one without."""
    found = readings().get(claim)
    if found is None:
        return ""
    ties = [f"{_code(name)} to {_code(functions)} ({how})" for name, (functions, how) in found.ties.items()]
    facts = [
        f"* Theorem {_code(found.theorem)} in {_code(found.file)}",
        f"* Rests on: {', '.join(map(_code, found.axioms))}",
        f"* Definitions: {', '.join(map(_code, found.definitions))}, in {_code(DEFINITIONS)}",
        f"* Tied to the code: {'; '.join(ties)}",
    ]
    return "\n\n".join(
        [
            "<details><summary>The theorem in Coq</summary>",
            f"```coq\n{found.statement}\n```",
            "\n".join(facts),
            "</details>",
        ]
    )


def _evidence(outcome: Outcome) -> str:
    """Return a piece of evidence: what it found, statement by statement, and its steps."""
    sentences = [markdown_plain(statement) for statement in statements(outcome.detail)]
    detail = "\n".join(f"* {sentence}" for sentence in sentences) if len(sentences) > 1 else "".join(sentences)
    parts = [f"#### {report.outcome_line(outcome)}", _code(outcome.where), detail]
    return "\n\n".join([*parts, *(_step(number, step) for number, step in enumerate(outcome.steps, 1))])


def _step(number: int, step: StepOutcome) -> str:
    """Return a step with how it went and the falsehood that is planted in it."""
    verb = "Held" if step.finding.passed else "Did not hold"
    items = [
        f"{number}. {' '.join(step.says.split())}",
        f"   - {verb}, checked {report.coverage(step)} ({_code(step.where)}).",
    ]
    if step.planted:
        items.append(f"   - Planted falsehood, rejected: {markdown_plain(step.planted)}")
    if step.citation:
        items.append(f"   - Cited lemma: {markdown_plain(step.citation)}")
    return "\n".join(items)
