"""Answers that stand side by side: joined in one answer, or apart in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_SPACE = re.compile(r"(?:\s|\\[,;:! ()\[\]]|\\q?quad|\\(?:text|mbox|textrm)(?![A-Za-z])|~|\$|\*\*|[{}])+")
_AND = "and|or|und|oder|y|o|et|ou|或|和|及|与"
_FILLER = "also|maybe|perhaps|possibly|equivalently|alternatively|either|both|even|else|simply|just|it is|it's"
# What joins two answers: a comma, "and", "or" and the like, with at most a name for the next one.
_JOINER = re.compile(
    rf"(?:[,;&/|，、；=(]|\\\\)? ?(?:(?:{_AND})(?![A-Za-z]))?,? ?(?:(?:{_FILLER})(?![A-Za-z]))?,? ?[(:]? ?"
    r"(?:[A-Za-z](?:_[A-Za-z0-9])? ?=)?",
    re.IGNORECASE,
)
MOST_BETWEEN = 80  # characters that a joiner may have
MOST_JOINED = 64  # answers that are looked at, from the last


class Span(NamedTuple):
    """One answer in a text, and where it stands with its marks; ``content`` is None where it is not closed."""

    start: int
    end: int
    content: str | None


def joined_to_last(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the last spans, as far back as each is joined to the next.

    Args:
        text: in which they stand.
        spans: in their order, at least one.
    """
    kept = [spans[-1]]
    for span in reversed(spans[:-1]):
        between = text[span.end : kept[0].start]
        if span.content is None or len(between) > MOST_BETWEEN or not is_joiner(between):
            break
        kept.insert(0, span)
    return kept


def is_joiner(between: str) -> bool:
    """Whether what stands between two answers joins them in one answer.

    >>> is_joiner(" or "), is_joiner(r"$, $x_2 = "), is_joiner(". Wait, ")
    (True, True, False)
    """
    return _JOINER.fullmatch(_SPACE.sub(" ", between).strip()) is not None
