"""Show the bottom line on top of the report, each verdict in it as the report's own ledger has it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape

from paper_figures.report.html import badge
from qae_theory.claims.model import Verdict
from qae_theory.claims.readme import CITED, bottom_line
from qae_theory.claims.text import HtmlText

_ITEM = re.compile(r"^\* ", re.MULTILINE)


def findings(verdicts: Mapping[str, Verdict], text: HtmlText) -> str:
    """Return the bottom line as a list in HTML.

    Args:
        verdicts: of the report's ledger, by claim. The text's own verdicts are those of the ledger that is shipped;
            beside each claim stands the verdict of the ledger that is reported.
        text: turns Markdown into HTML.
    """
    items = [" ".join(item.split()) for item in _ITEM.split(bottom_line())[1:]]
    return f'<ul class="findings">{"".join(f"<li>{_item(item, verdicts, text)}</li>" for item in items)}</ul>'


def _item(item: str, verdicts: Mapping[str, Verdict], text: HtmlText) -> str:
    """Return an item with its claims as links."""
    parts, end = [], 0
    for found in CITED.finditer(item):
        parts += [text.inline(item[end : found.start()]), _cited(found.group(1), verdicts)]
        end = found.end()
    return "".join([*parts, text.inline(item[end:])])


def _cited(claim: str, verdicts: Mapping[str, Verdict]) -> str:
    """Return a claim as a link with its verdict; a claim that the ledger lacks as its id alone."""
    name = f"<code>{escape(claim)}</code>"
    if claim not in verdicts:
        return name
    return f'<a href="#claim-{escape(claim)}">{name}</a> {badge(verdicts[claim])}'
