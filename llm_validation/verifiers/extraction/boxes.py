r"""Boxes: ``\boxed{...}``, also with white space before the brace, without the backslash, or of one token."""

from __future__ import annotations

import re

from llm_validation.verifiers.extraction.joined import MOST_JOINED, Span

_BEGINNING = re.compile(r"(?P<command>\\?(?:boxed|fbox))(?P<space>\s*)(?P<next>\{?)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_TOKEN = re.compile(r"[^\s$\\{}]+")
_WORDS = ("boxed", "fbox")


def last_boxes(text: str) -> list[Span]:
    r"""Return the last boxes of a text in their order, at most 64.

    A box that is not closed has no content.

    >>> [span.content for span in last_boxes(r"first \boxed{1}, then \boxed{\frac{1}{2}}. \boxed{")]
    [None]
    """
    found: list[Span] = []
    end = len(text)
    for _ in range(MOST_JOINED):
        end = max(text.rfind(word, 0, end) for word in _WORDS)
        if end < 0:
            break
        span = _box_at(text, end)
        if span is None or (found and found[-1].start < span.end and span.content is not None):
            continue  # no box, or one around the box that was just found, which says the same
        found.append(span)
        if span.content is None:
            break  # what stands before it does not count
    return found[::-1]


def last_box(text: str) -> str | None:
    r"""Return what the last box holds; None if there is none or it is not closed.

    >>> last_box(r"first \boxed{1}, then \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    spans = last_boxes(text)
    return spans[-1].content if spans else None


def _box_at(text: str, start: int) -> Span | None:
    """Return the box whose command has this word; None where the word is no command."""
    begin = start - 1 if start and text[start - 1] == "\\" else start
    found = _BEGINNING.match(text, begin)
    if found is None:
        return None
    is_command = begin < start
    if found["next"]:
        content, end = _in_braces(text, found.end())
        return Span(begin, end, content)
    if not is_command or (begin and text[begin - 1] == "`"):
        return None  # a word, or the name of the command between quotation marks
    # TeX takes the one token that follows.
    token = _TOKEN.match(text, found.end())
    return Span(begin, found.end(), None) if token is None else Span(begin, token.end(), token[0].rstrip(".,;:"))


def _in_braces(text: str, start: int) -> tuple[str | None, int]:
    """Return what stands up to the closing brace, and the place behind it; None where none closes."""
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return text[start : brace.start()], brace.end()
    return None, len(text)
