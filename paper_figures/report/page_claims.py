"""How each verdict was reached: statement, evidence with its steps and planted falsehoods, worked example, commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape

from paper_figures.report.commands import of_claim
from paper_figures.report.details import statements
from paper_figures.report.entries import Line
from paper_figures.report.html import LEDGERS, badge, block, commands, labelled, slug, table, template
from qae_theory.claims import report
from qae_theory.claims.model import Outcome, Status, StepOutcome
from qae_theory.claims.text import HtmlText

CONTROLS = {
    Status.PASSED: "Each step held, and its planted falsehood was rejected by the step's own test.",
    Status.NEGATIVE: "The step did not hold. Its planted falsehood was rejected by the step's own test.",
}
NO_STEPS = {Status.SKIPPED: "steps not run", Status.BROKEN: "steps not kept"}


def section(name: str, lines: Sequence[Line], pictured: Collection[str], text: HtmlText) -> str:
    """A section of the catalogue; ``pictured`` are the names of the figures on the page."""
    anchor = f"section-{slug(name)}"
    claims = "".join(_claim(line, pictured, text) for line in lines)
    return f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">Evidence: {escape(name)}</h2>{claims}</section>'


def _claim(line: Line, pictured: Collection[str], text: HtmlText) -> str:
    entry, claim = line.entry, line.entry.claim
    again = f"<h4>Make it again</h4>{commands(of_claim(entry))}"
    doubts = "".join(f'<p class="doubt">{text.plain(doubt)}.</p>' for doubt in line.doubts)
    return template(LEDGERS, "claim.html").substitute(
        id=escape(claim.id),
        title=text.inline(claim.title),
        badge=badge(entry.verdict),
        statement=block(claim.statement, text),
        update=escape(claim.update),
        source=text.inline(claim.source) + _seen(claim.id, pictured),
        assumption=labelled("Assumption", claim.assumption, text),
        reason=text.plain(line.reason),
        note=doubts + labelled("Note", claim.note, text),
        witness=_witness(line, text),
        evidence="".join(_evidence(outcome, text) for outcome in entry.outcomes) + again,
    )


def _seen(claim: str, pictured: Collection[str]) -> str:
    """A link to the figure or table that the claim is named after."""
    seen = claim.replace("-", "_") in pictured
    return f' (<a href="#picture-{escape(claim)}">drawn above</a>)' if seen else ""


def _witness(line: Line, text: HtmlText) -> str:
    witness: Mapping[str, str] = line.record["witness"] or {}
    if not witness:
        return ""
    anchor = f"witness-{escape(line.entry.claim.id)}"
    rows = [(text.plain(key), text.plain(value)) for key, value in witness.items()]
    made = table(("Quantity", "Value"), rows, labelled_by=anchor, kind="witness")
    return f'<h4 id="{anchor}">Worked example</h4>{made}'


def _evidence(outcome: Outcome, text: HtmlText) -> str:
    number = len(outcome.steps)
    steps = "".join(_step(step, text) for step in outcome.steps)
    controls = f'<p class="note">{CONTROLS[outcome.status]}</p><ol class="steps">{steps}</ol>' if steps else ""
    return template(LEDGERS, "evidence.html").substitute(
        status=outcome.status.value,
        word=report.STATUS_WORDS[outcome.status],
        open=" open" if outcome.status is Status.BROKEN else "",
        kind=escape(outcome.kind.value),
        role=escape(outcome.role.value),
        name=escape(outcome.name),
        number=f"{number} step{'' if number == 1 else 's'}"
        if number
        else NO_STEPS.get(outcome.status, "steps not known"),
        seconds=f"{outcome.seconds:.2f}&nbsp;s",
        where=escape(outcome.where),
        body=_detail(outcome, text) + controls,
    )


def _detail(outcome: Outcome, text: HtmlText) -> str:
    found = [text.plain(one) for one in statements(outcome.detail)]
    listed = "".join(f"<li>{one}</li>" for one in found)
    return f'<ul class="found">{listed}</ul>' if len(found) > 1 else f'<p class="text">{"".join(found)}</p>'


def _step(step: StepOutcome, text: HtmlText) -> str:
    rows = [("Planted falsehood", text.plain(step.planted)), ("Where", f"<code>{escape(step.where)}</code>")]
    if step.citation:
        rows.insert(0, ("Cited lemma", text.inline(step.citation)))
    facts = "".join(f"<div><dt>{label}</dt><dd>{content}</dd></div>" for label, content in rows)
    return f'<li class="held">{block(step.says, text)}<dl class="facts">{facts}</dl></li>'
