"""A formula as it stands in Markdown, between dollars, as HTML."""

from __future__ import annotations

import html
import logging
import re

from qae_theory.claims.text import mathml, pieces

INLINE = r"(?<![\\$\w])\$(?![\s$])([^$]*[^\s$\\]|[^\s$])\$(?![\w$])"
DISPLAY = r"\$\$([^$]+)\$\$"
WIDE = 24  # characters: what a phone holds on a line
_NAME = re.compile(r"\\texttt\{[^}]*\}")  # in names of code the converter takes an underscore as it is
_TAG = re.compile(r"<[^>]*>")


def html_of(written: str) -> str:
    """Return a formula as MathML; one that has none as it is written, with a warning, which a strict build refuses."""
    latex = _NAME.sub(lambda found: found.group().replace(r"\_", "_"), " ".join(written.strip("$").split()))
    try:
        if written.startswith("$$"):
            return f'<span class="math block" tabindex="0">{mathml(latex, display=True)}</span>'
        return "<wbr>".join(map(_inline, pieces(latex)))
    except ValueError as error:
        logging.getLogger("mkdocs.formulas").warning("%s", error)
        return f"<code>{html.escape(latex)}</code>"


def _inline(formula: str) -> str:
    """Return a formula that does not break; one that a phone cannot hold on a line scrolls in a box of its own."""
    if len(_TAG.sub("", formula)) <= WIDE:
        return f'<span class="math inline">{formula}</span>'
    return f'<span class="math inline wide" tabindex="0">{formula}</span>'
