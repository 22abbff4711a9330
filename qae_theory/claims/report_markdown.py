"""Lay the ledger out as a Markdown report.

The words come from ``report``; texts are escaped by ``text``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qae_theory.claims import report
from qae_theory.claims.model import Entry, Outcome, StepOutcome
from qae_theory.claims.report import RunFacts
from qae_theory.claims.text import markdown_cell, markdown_plain


def render(entries: Sequence[Entry], facts: RunFacts) -> str:
    """Return the whole report, ending in a newline.

    Args:
        entries: the claims with their verdicts, in the order of the ledger.
        facts: which run they come from.
    """
    parts = [
        f"# {report.TITLE}",
        f"{report.counts_line(entries)} ({len(entries)} claims). {report.run_line(facts)}",
        "## How to read this",
        report.INTRODUCTION,
        _meanings("Verdict", {verdict.value: text for verdict, text in report.VERDICT_MEANING.items()}),
        _meanings("Evidence, strongest first", {kind.value: text for kind, text in report.KIND_MEANING.items()}),
        "## All claims",
        _summary(entries),
    ]
    for section, members in report.by_section(entries).items():
        parts += [f"## {section}", *(_claim(entry) for entry in members)]
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    Args:
        header: one cell per column, as Markdown.
        rows: one list of cells per row, as Markdown.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _meanings(header: str, meanings: Mapping[str, str]) -> str:
    return table([header, "What it means"], [[f"**{word}**", text] for word, text in meanings.items()])


def _summary(entries: Sequence[Entry]) -> str:
    rows = [
        [
            f"[`{entry.claim.id}`](#{_anchor(entry)})",
            markdown_cell(entry.claim.title),
            markdown_plain(entry.claim.update),
            f"**{entry.verdict.value}**",
        ]
        for entry in entries
    ]
    return table(["Claim", "Title", "Update", "Verdict"], rows)


def _anchor(entry: Entry) -> str:
    return f"claim-{entry.claim.id}"


def _claim(entry: Entry) -> str:
    claim = entry.claim
    parts = [
        f'<a id="{_anchor(entry)}"></a>\n\n### `{claim.id}`: {" ".join(claim.title.split())}',
        f"**{entry.verdict.value}** · update: {markdown_plain(claim.update)} · source: {markdown_plain(claim.source)}",
        _quoted(claim.statement),
        # Empty parts are left out below.
        "" if claim.assumption is None else f"**Assumption.** {claim.assumption.strip()}",
        f"**How the verdict was reached.** {markdown_plain(report.verdict_reason(entry))}",
        "" if claim.note is None else f"**Note.** {claim.note.strip()}",
        "" if entry.witness is None else f"**Worked example.**\n\n{_witness(entry.witness)}",
        *(_evidence(outcome) for outcome in entry.outcomes),
    ]
    return "\n\n".join(part for part in parts if part)


def _quoted(text: str) -> str:
    # An empty line keeps its mark, without a blank at the end.
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _witness(witness: Mapping[str, str]) -> str:
    rows = [[_cell(name), _cell(value)] for name, value in witness.items()]
    return table(["Quantity", "Value"], rows)


def _cell(value: object) -> str:
    """Return a value as the content of a cell."""
    return markdown_cell(markdown_plain(str(value)))


def _evidence(outcome: Outcome) -> str:
    parts = [f"#### {report.outcome_line(outcome)}", f"`{outcome.where}`"]
    if not outcome.steps:
        parts.append(markdown_plain(outcome.detail))
    parts += [_step(number, step) for number, step in enumerate(outcome.steps, 1)]
    return "\n\n".join(parts)


def _step(number: int, step: StepOutcome) -> str:
    verb = "rejected" if step.control_rejected else "NOT REJECTED"
    said = "Found" if step.finding.passed else "DOES NOT HOLD"
    finding, criterion = markdown_plain(step.finding.detail), markdown_plain(step.finding.criterion)
    parts = [
        f"{number}. {' '.join(step.says.split())}",
        f"   - {said}: {finding} ({criterion}; checked {report.coverage(step)}; `{step.where}`)",
        f"   - Planted falsehood: {markdown_plain(step.planted)}. {verb}: {markdown_plain(step.control_detail)}",
    ]
    if step.citation:
        parts.append(f"   - Cited lemma: {markdown_plain(step.citation)}")
    return "\n".join(parts)
