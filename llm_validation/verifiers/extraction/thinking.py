"""Thinking blocks, which are no part of what is answered."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(/?)\s*(?:think|thinking|thought|reasoning)\s*>", re.IGNORECASE)
_HINTS = ("hink", "HINK", "hought", "HOUGHT", "easoning", "EASONING")


def without_thinking(text: str) -> str:
    """Return the text without its thinking blocks.

    A block that is not closed goes to the end. A closing tag without its opening one, as where the prompt opened the
    block, ends a block that began with the text.

    >>> without_thinking("<think>maybe 3</think> It is 4."), without_thinking("maybe 3</think>4")
    (' It is 4.', '4')
    """
    # A search for the tags costs more than a look for the words in them, which most responses do not have.
    if "<" not in text or not any(hint in text for hint in _HINTS):
        return text
    kept: list[str] = []
    start, depth = 0, 0
    for tag in _TAG.finditer(text):
        if tag[1]:
            if depth == 0:
                kept.clear()
            depth = max(depth - 1, 0)
        else:
            if depth == 0:
                kept.append(text[start : tag.start()])
            depth += 1
        start = tag.end()
    return "".join(kept) + ("" if depth else text[start:])
