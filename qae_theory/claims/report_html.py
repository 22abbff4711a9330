"""Lay the ledger out as one self-contained HTML page: no script, no font, no picture from anywhere else.

The words come from ``report``, formulas from ``text``, the frame from ``templates``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from qae_theory.claims import report
from qae_theory.claims.model import Entry, Outcome, Status, StepOutcome, Verdict
from qae_theory.claims.report import RunFacts
from qae_theory.claims.text import HtmlText


def render(entries: Sequence[Entry], facts: RunFacts) -> tuple[str, list[str]]:
    """Return the page, and the formulas that could not be turned into MathML.

    Args:
        entries: the claims with their verdicts, in the order of the ledger.
        facts: which run they come from.
    """
    text = HtmlText()
    sections = report.by_section(entries)
    page = _template("page.html").substitute(
        title=escape(report.TITLE),
        style=_read("style.css"),
        tally=_tally(entries),
        run=escape(report.run_line(facts)),
        introduction=escape(report.INTRODUCTION),
        verdicts="".join(_meaning(_badge(verdict), words) for verdict, words in report.VERDICT_MEANING.items()),
        kinds="".join(_meaning(escape(kind.value), words) for kind, words in report.KIND_MEANING.items()),
        contents="".join(f'<li><a href="#{_slug(name)}">{escape(name)}</a></li>' for name in sections),
        summary="".join(_summary_row(entry, text) for entry in entries),
        sections="".join(_section(name, members, text) for name, members in sections.items()),
    )
    return page, text.fallbacks


def _read(name: str) -> str:
    return (files("qae_theory.claims") / "templates" / name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return Template(_read(name))


def _badge(verdict: Verdict) -> str:
    return f'<span class="badge {verdict.name.lower().replace("_", "-")}">{verdict.value}</span>'


def _tally(entries: Sequence[Entry]) -> str:
    items = (f"<li><b>{number}</b> {_badge(verdict)}</li>" for verdict, number in report.counts(entries).items())
    return "".join(items)


def _meaning(word: str, words: str) -> str:
    return f"<dt>{word}</dt><dd>{escape(words)}</dd>"


def _slug(name: str) -> str:
    # Only letters and digits, so that an anchor needs no escaping.
    return "section-" + "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _summary_row(entry: Entry, text: HtmlText) -> str:
    claim = entry.claim
    return (
        f'<tr><th scope="row"><a href="#claim-{escape(claim.id)}">{escape(claim.id)}</a></th>'
        f"<td>{text.inline(claim.title)}</td><td>{escape(claim.update)}</td><td>{_badge(entry.verdict)}</td></tr>"
    )


def _section(name: str, entries: Sequence[Entry], text: HtmlText) -> str:
    claims = "".join(_claim(entry, text) for entry in entries)
    return f'<section><h2 id="{_slug(name)}">{escape(name)}</h2>{claims}</section>'


def _claim(entry: Entry, text: HtmlText) -> str:
    claim = entry.claim
    return _template("claim.html").substitute(
        id=escape(claim.id),
        title=text.inline(claim.title),
        badge=_badge(entry.verdict),
        statement=text.block(claim.statement),
        update=escape(claim.update),
        source=text.inline(claim.source),
        assumption=_labelled("Assumption", claim.assumption, text),
        reason=text.plain(report.verdict_reason(entry)),
        note=_labelled("Note", claim.note, text),
        witness=_witness(entry.witness, text),
        evidence="".join(_evidence(outcome, text) for outcome in entry.outcomes),
    )


def _labelled(label: str, words: str | None, text: HtmlText) -> str:
    return "" if words is None else f"<h4>{label}</h4>{text.block(words)}"


def _witness(witness: Mapping[str, str] | None, text: HtmlText) -> str:
    if witness is None:
        return ""
    cells = "".join(
        f'<tr><th scope="row">{text.plain(str(key))}</th><td>{text.plain(str(value))}</td></tr>'
        for key, value in witness.items()
    )
    head = '<thead><tr><th scope="col">Quantity</th><th scope="col">Value</th></tr></thead>'
    return (
        f'<h4>Worked example</h4><div class="scroll"><table class="witness">{head}<tbody>{cells}</tbody></table></div>'
    )


def _evidence(outcome: Outcome, text: HtmlText) -> str:
    steps = "".join(_step(step, text) for step in outcome.steps)
    detail = "" if outcome.steps else f'<p class="text">{text.plain(outcome.detail)}</p>'
    return _template("evidence.html").substitute(
        status=outcome.status.value,
        word=report.STATUS_WORDS[outcome.status],
        # What broke is what a reader came for, so it is shown unfolded.
        open=" open" if outcome.status is Status.BROKEN else "",
        kind=escape(outcome.kind.value),
        role=escape(outcome.role.value),
        name=escape(outcome.name),
        number=f"{len(outcome.steps)} step{'' if len(outcome.steps) == 1 else 's'}",
        seconds=f"{outcome.seconds:.2f}&nbsp;s",
        where=escape(outcome.where),
        body=detail + (f'<ol class="steps">{steps}</ol>' if steps else ""),
    )


def _step(step: StepOutcome, text: HtmlText) -> str:
    outcome_label = "Found" if step.finding.passed else "Does not hold"
    rejected = "Rejected" if step.control_rejected else "Not rejected"
    # A step counts only with its control.
    holds = step.finding.passed and step.control_rejected
    labelled = [
        (outcome_label, f"{text.plain(step.finding.detail)} <small>({text.plain(step.finding.criterion)})</small>"),
        ("Checked", escape(report.coverage(step))),
        ("Planted falsehood", text.plain(step.planted)),
        (rejected, text.plain(step.control_detail)),
        ("Where", f"<code>{escape(step.where)}</code>"),
    ]
    if step.citation:
        labelled.insert(0, ("Cited lemma", text.inline(step.citation)))
    facts = "".join(f"<div><dt>{label}</dt><dd>{content}</dd></div>" for label, content in labelled)
    return f'<li class="{"held" if holds else "failed"}">{text.block(step.says)}<dl class="facts">{facts}</dl></li>'
