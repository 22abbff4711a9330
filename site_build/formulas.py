"""``$LaTeX$`` in Markdown as MathML, made when the site is built: no script draws it."""

from __future__ import annotations

import html
import logging
import re
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

from qae_theory.claims.text import mathml, pieces

INLINE = r"(?<![\\$\w])\$(?![\s$])([^$]*[^\s$\\]|[^\s$])\$(?![\w$])"
DISPLAY = r"\$\$([^$]+)\$\$"
_NAME = re.compile(r"\\texttt\{[^}]*\}")  # in names of code the converter takes an underscore as it is
WIDE = 24  # characters
_TAG = re.compile(r"<[^>]*>")
BETWEEN_CODE_AND_ESCAPES = 185


class Formulas(Extension):
    """Formulas in line and, between two dollars each, as a line of their own."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Add both patterns."""
        md.inlinePatterns.register(_Formula(DISPLAY, md), "display formula", BETWEEN_CODE_AND_ESCAPES + 1)
        md.inlinePatterns.register(_Formula(INLINE, md), "formula", BETWEEN_CODE_AND_ESCAPES)


class _Formula(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element | str, int, int]:  # type: ignore[override] # noqa: N802
        return self.md.htmlStash.store(_html(m.group())), m.start(0), m.end(0)


def _html(written: str) -> str:
    """A formula between its dollars; what has no MathML is shown as it is written, with a warning."""
    latex = _NAME.sub(lambda found: found.group().replace(r"\_", "_"), " ".join(written.strip("$").split()))
    try:
        if written.startswith("$$"):
            return f'<span class="math block" tabindex="0">{mathml(latex, display=True)}</span>'
        return "<wbr>".join(map(_inline, pieces(latex)))
    except ValueError as error:
        logging.getLogger("mkdocs.formulas").warning("%s", error)
        return f"<code>{html.escape(latex)}</code>"


def _inline(formula: str) -> str:
    """A formula that does not break; one that a phone cannot hold on a line scrolls in a box of its own."""
    wide = len(_TAG.sub("", formula)) > WIDE
    return f'<span class="math inline{" wide" if wide else ""}"{" tabindex=0" if wide else ""}>{formula}</span>'
