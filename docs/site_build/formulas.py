"""The extension of Python-Markdown that turns ``$LaTeX$`` into MathML when the site is built: no script draws it."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor

from docs.site_build.mathml import DISPLAY, INLINE, html_of

BETWEEN_CODE_AND_ESCAPES = 185
ESCAPED_TOO = "<|~$"  # what reports escape, as CommonMark has it, and Python-Markdown does not know


class Formulas(Extension):
    """Turn formulas into MathML: in line, and between two dollars each as a line of their own."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Add both patterns, and escapes that are missing."""
        md.ESCAPED_CHARS += [one for one in ESCAPED_TOO if one not in md.ESCAPED_CHARS]
        md.inlinePatterns.register(_Formula(DISPLAY, md), "display formula", BETWEEN_CODE_AND_ESCAPES + 1)
        md.inlinePatterns.register(_Formula(INLINE, md), "formula", BETWEEN_CODE_AND_ESCAPES)


class _Formula(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Element | str, int, int]:  # noqa: N802
        """Return the formula as MathML, put aside so that no other pattern reads it, and where it began and ended."""
        return self.md.htmlStash.store(html_of(m.group())), m.start(0), m.end(0)
