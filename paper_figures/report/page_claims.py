"""Show how each verdict was reached: statement, evidence with its steps, worked example, and commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape

from paper_figures.report.commands import of_claim
from paper_figures.report.details import statements
from paper_figures.report.entries import LedgerLine
from paper_figures.report.html import LEDGERS, OURS, badge, block, commands, folded, labelled, slug, table, template
from paper_figures.report.page_theorem import theorem
from qae_theory.claims import report
from qae_theory.claims.model import Outcome, Status, StepOutcome
from qae_theory.claims.text import HtmlText

CONTROLS = {
    Status.PASSED: "Each step held, and its planted falsehood was rejected by the step's own test.",
    Status.NEGATIVE: "The step did not hold. Its planted falsehood was rejected by the step's own test.",
}
LONG = 200  # characters of what was found; more is residuals and intervals, which few readers look at
NO_STEPS = {Status.SKIPPED: "steps not run", Status.BROKEN: "steps not kept"}


def section(
    name: str,
    ledger_lines: Sequence[LedgerLine],
    pictured: Collection[str],
    *,
    text: HtmlText,
    definitions_at: str = "",
) -> str:
    """Return a section of the catalogue as HTML.

    Args:
        name: of the section.
        ledger_lines: its claims.
        pictured: names of the figures on the page.
        text: turns Markdown into HTML.
        definitions_at: address of the page with the definitions of the formal proofs; empty if it is this page.
    """
    anchor = f"section-{slug(name)}"
    claims = "".join(_claim(line, pictured, text, definitions_at) for line in ledger_lines)
    number = f"{len(ledger_lines)} claim{'' if len(ledger_lines) == 1 else 's'}"
    heading = f'<h2 id="{anchor}">Evidence: {escape(name)}</h2>'
    return f'<section aria-labelledby="{anchor}">{heading}{folded(number, claims)}</section>'


def _claim(line: LedgerLine, pictured: Collection[str], text: HtmlText, definitions_at: str) -> str:
    """Return a claim laid out as in the ledger's own page, with its theorem, doubts, and commands to judge it again."""
    entry, claim = line.entry, line.entry.claim
    evidence = "".join(_evidence(outcome, text) for outcome in entry.outcomes)
    again = f"<h4>Make it again</h4>{commands(of_claim(entry))}"
    doubts = "".join(f'<p class="doubt">{text.plain(doubt)}.</p>' for doubt in line.doubts)
    return template(OURS, "claim.html").substitute(
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
        evidence=evidence + theorem(claim.id, definitions_at=definitions_at),
        again=again,
    )


def _seen(claim: str, pictured: Collection[str]) -> str:
    """Return a link to the figure or table that the claim is named after, if it is on the page."""
    seen = claim.replace("-", "_") in pictured
    return f' (<a href="#picture-{escape(claim)}">drawn above</a>)' if seen else ""


def _witness(line: LedgerLine, text: HtmlText) -> str:
    """Return the claim's worked example as a table; nothing without one."""
    witness: Mapping[str, str] = line.record["witness"] or {}
    if not witness:
        return ""
    anchor = f"witness-{escape(line.entry.claim.id)}"
    body = [(text.plain(quantity), text.plain(value)) for quantity, value in witness.items()]
    example = table(("Quantity", "Value"), body, labelled_by=anchor, kind="witness")
    return f'<h4 id="{anchor}">Worked example</h4>{example}'


def _evidence(outcome: Outcome, text: HtmlText) -> str:
    """Return a piece of evidence with its steps; evidence that broke is shown open."""
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
        body=controls + _detail(outcome, text),
    )


def _detail(outcome: Outcome, text: HtmlText) -> str:
    """Return what the evidence found: one sentence, or a list of statements, folded where it is long."""
    sentences = [text.plain(statement) for statement in statements(outcome.detail)]
    if len(sentences) <= 1:
        made = f'<p class="text">{"".join(sentences)}</p>'
    else:
        items = "".join(f"<li>{sentence}</li>" for sentence in sentences)
        made = f'<ul class="found">{items}</ul>'
    # Evidence without steps has nothing else to show, and evidence that broke says here why.
    long = len(outcome.detail) > LONG and outcome.steps and outcome.status is not Status.BROKEN
    return folded("What was found, number by number", made) if long else made


def _step(step: StepOutcome, text: HtmlText) -> str:
    """Return a step with its planted falsehood, where it is in the code, and the lemma that it cites, if any."""
    listed = [
        ("Checked", escape(report.coverage(step))),
        ("Where", f"<code>{escape(step.where)}</code>"),
    ]
    if step.planted:  # a ledger's file has no falsehoods: they are those of the evidence that is installed
        listed.insert(1, ("Planted falsehood", text.plain(step.planted)))
    if step.citation:
        listed.insert(0, ("Cited lemma", text.inline(step.citation)))
    facts = "".join(f"<div><dt>{label}</dt><dd>{content}</dd></div>" for label, content in listed)
    return f'<li class="held">{block(step.says, text)}<dl class="facts">{facts}</dl></li>'
