"""Show the ledger's table, which the style sheet alone filters: by verdict, by update, or by both."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import chain, product

from paper_figures.report.entries import LedgerLine
from paper_figures.report.html import badge, slug
from qae_theory.claims.model import Verdict
from qae_theory.claims.readme import strongest_evidence
from qae_theory.claims.report import counts
from qae_theory.claims.text import HtmlText


def row(line: LedgerLine, text: HtmlText) -> str:
    """Return a claim's row of the table."""
    claim, verdict = line.entry.claim, line.entry.verdict
    assumed = f'<span class="under">if {text.inline(claim.assumption)}</span>' if claim.assumption else ""
    evidence = strongest_evidence(line.record)
    return (
        f'<tr class="{_verdict_class(verdict)} {_update_class(claim.update)}">'
        f'<th scope="row"><a href="#claim-{escape(claim.id)}">{escape(claim.id)}</a></th>'
        f"<td>{text.inline(claim.title)}{assumed}</td><td>{escape(claim.update)}</td>"
        f'<td>{badge(verdict)}<span class="under">{escape(evidence)}</span></td></tr>'
    )


def filters(ledger_lines: Sequence[LedgerLine]) -> str:
    """Return the choices of what to show, one list for the verdict and one for the update."""
    fieldsets = []
    for name, values in _groups(ledger_lines).items():
        choices = _choice(name, f"all-{name}s", "all", checked=True)
        choices += "".join(_choice(name, value, called) for value, called in values.items())
        fieldsets.append(f"<fieldset><legend>Show by {name}</legend>{choices}</fieldset>")
    return "".join(fieldsets)


def filter_rules(ledger_lines: Sequence[LedgerLine]) -> str:
    """Return the rules of the style sheet that hide rows of another class than the chosen one.

    Where nothing is left, a sentence says so.
    """
    groups = _groups(ledger_lines)
    values = chain.from_iterable(groups.values())
    hide = [f"body:has(#show-{value}:checked) .summary tbody tr:not(.{value})" for value in values]
    # A sentence is needed only for pairs of choices that leave no row.
    existing = {(_verdict_class(line.entry.verdict), _update_class(line.entry.claim.update)) for line in ledger_lines}
    nothing = []
    for verdict, update in product(groups["verdict"], groups["update"]):
        if (verdict, update) not in existing:
            nothing.append(f"body:has(#show-{verdict}:checked):has(#show-{update}:checked) .nothing")
    rules = f"@media screen {{ {', '.join(hide)} {{ display: none; }} }}\n"
    return rules + (f"{', '.join(nothing)} {{ display: block; }}\n" if nothing else "")


def _groups(ledger_lines: Sequence[LedgerLine]) -> dict[str, dict[str, str]]:
    """Return, for each filter, the class of a row and what it is called, for every value that occurs."""
    verdicts = counts([line.entry for line in ledger_lines])
    updates = dict.fromkeys(line.entry.claim.update for line in ledger_lines)
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
