"""Tags around an answer: ``<answer>...</answer>``."""

from __future__ import annotations

import re

from llm_validation.verifiers.extraction.joined import Span

_TAG = re.compile(r"<(/?)\s*(?:final_)?answer\s*>", re.IGNORECASE)
_HINTS = ("answer", "ANSWER", "Answer")


def tagged(text: str) -> list[Span]:
    """Return the tagged answers of a text in their order; one that is not closed has no content.

    >>> [span.content for span in tagged("<answer>7</answer> <answer>8")]
    ['7', None]
    """
    if "<" not in text or not any(hint in text for hint in _HINTS):
        return []
    found: list[Span] = []
    opened: tuple[int, int] | None = None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag.span()
        elif opened is not None:
            found.append(Span(opened[0], tag.end(), text[opened[1] : tag.start()]))
            opened = None
    if opened is not None:
        found.append(Span(opened[0], len(text), None))
    return found
