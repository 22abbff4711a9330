"""Lines of a response as answers, and what is taken off around an answer."""

from __future__ import annotations

import re

_MARKS = "*`_ \t\r\n"
_FENCE = re.compile(r"(?:```|~~~)[A-Za-z]*")
_DELIMITERS = (("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)"), ("$", "$"))
_DISPLAYS = {"$$": "$$", r"\[": r"\]", "```": "```"}
_BULLET = re.compile(r"(?:[-*•>]|#{1,6})\s+")


def tidied(text: str) -> str:
    r"""Return an answer without the markup around all of it: emphasis, fences, delimiters of mathematics, a full stop.

    >>> tidied("**$7$.**"), tidied(r"\[ \frac{1}{2} \]")
    ('7', '\\frac{1}{2}')
    """
    before = None
    while text != before:
        before = text
        text = text.strip(_MARKS)
        for opening, closing in _DELIMITERS:
            if text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing):
                inside = text[len(opening) : -len(closing)]
                text = inside if opening not in inside and closing not in inside else text
        text = text.removesuffix("。")
        text = text if text.endswith("..") else text.removesuffix(".")
    return text


def filled_lines(text: str) -> list[str]:
    """Return the lines that are not empty and no fences."""
    lines = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not _FENCE.fullmatch(stripped):
            lines.append(stripped)
    return lines


def first_line(text: str) -> str | None:
    """Return the first line that is not empty; None if all are."""
    stripped = text.lstrip()
    if not stripped:
        return None
    lines = filled_lines(stripped.partition("\n")[0]) or filled_lines(text)
    return tidied(lines[0]) if lines else None


def last_block(text: str) -> str | None:
    """Return the last line that is not empty, or the mathematics or code that ends the text; None if all is empty."""
    lines = filled_lines(text)
    if not lines:
        return None
    if lines[-1] in _DISPLAYS.values() or lines[-1] == "$$":
        start = len(lines) - 2
        while start > 0 and lines[start] not in _DISPLAYS:
            start -= 1
        return tidied(" ".join(lines[start:]))
    return tidied(_BULLET.sub("", lines[-1], count=1))


def following(text: str) -> str:
    """Return what a text begins with: the rest of the line, or the block of mathematics that opens there.

    Empty lines before it do not count.
    """
    rest = text.lstrip(_MARKS + ":=：")
    fence = _FENCE.match(rest)
    if fence:
        rest = rest[fence.end() :].lstrip()
    for opening, closing in _DISPLAYS.items():
        if rest.startswith(opening):
            end = rest.find(closing, len(opening))
            if end >= 0:
                return rest[len(opening) : end].strip()
    return rest.partition("\n")[0]
