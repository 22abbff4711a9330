"""The ledger's table, which the style sheet alone filters: by verdict, by update, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from paper_figures.report.entries import Line
from paper_figures.report.html import badge, slug
from qae_theory.claims.model import Verdict
from qae_theory.claims.readme import strongest_evidence
from qae_theory.claims.report import counts
from qae_theory.claims.text import HtmlText


def row(line: Line, text: HtmlText) -> str:
    """A claim's row."""
    claim, verdict = line.entry.claim, line.entry.verdict
    assumed = f'<span class="under">if {text.inline(claim.assumption)}</span>' if claim.assumption else ""
    evidence = strongest_evidence(line.record)
    return (
        f'<tr class="{_verdict_class(verdict)} {_update_class(claim.update)}">'
        f'<th scope="row"><a href="#claim-{escape(claim.id)}">{escape(claim.id)}</a></th>'
        f"<td>{text.inline(claim.title)}{assumed}</td><td>{escape(claim.update)}</td>"
        f'<td>{badge(verdict)}<span class="under">{escape(evidence)}</span></td></tr>'
    )


def filters(lines: Sequence[Line]) -> str:
    """What to show: a row of choices for the verdict, and one for the update."""
    return "".join(
        f"<fieldset><legend>Show by {name}</legend>"
        + _choice(name, f"all-{name}s", "all", checked=True)
        + "".join(_choice(name, value, called) for value, called in values.items())
        + "</fieldset>"
        for name, values in _groups(lines).items()
    )


def filter_rules(lines: Sequence[Line]) -> str:
    """Rows of another class than the chosen one are hidden; a sentence says so where nothing is left."""
    groups = _groups(lines)
    hide = [
        f"body:has(#show-{value}:checked) .summary tbody tr:not(.{value})" for one in groups.values() for value in one
    ]
    there = {(_verdict_class(line.entry.verdict), _update_class(line.entry.claim.update)) for line in lines}
    nothing = [
        f"body:has(#show-{verdict}:checked):has(#show-{update}:checked) .nothing"
        for verdict in groups["verdict"]
        for update in groups["update"]
        if (verdict, update) not in there
    ]
    rules = f"@media screen {{ {', '.join(hide)} {{ display: none; }} }}\n"
    return rules + (f"{', '.join(nothing)} {{ display: block; }}\n" if nothing else "")


def _groups(lines: Sequence[Line]) -> dict[str, dict[str, str]]:
    """By filter: class of a row, and what it is called, for every value that occurs."""
    verdicts = counts([line.entry for line in lines])
    updates = dict.fromkeys(line.entry.claim.update for line in lines)
    return {
        "verdict": {_verdict_class(verdict): verdict.value for verdict in verdicts},
        "update": {_update_class(update): update.replace("_", " ") for update in updates},
    }


def _verdict_class(verdict: Verdict) -> str:
    return f"is-{slug(verdict.name)}"


def _update_class(update: str) -> str:
    return f"of-{slug(update)}"


def _choice(name: str, value: str, called: str, *, checked: bool = False) -> str:
    mark = " checked" if checked else ""
    return f'<label><input type="radio" name="{name}" id="show-{value}"{mark}> {escape(called)}</label>'
