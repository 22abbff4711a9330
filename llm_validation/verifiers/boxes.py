r"""Where a text says its answer: in its last ``\boxed{...}``, after its last "answer is", or as a whole."""

from __future__ import annotations

import re

_BOX = "\\boxed{"
_ANNOUNCED = re.compile(r"answer(?: is)?:? ?", re.IGNORECASE)


def last_box(text: str) -> str | None:
    r"""What the last ``\boxed{...}`` holds; None if there is none or its braces do not close.

    >>> last_box(r"first \boxed{1}, then \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    start = text.rfind(_BOX)
    if start < 0:
        return None
    start += len(_BOX)
    depth = 1
    for place in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):  # an escaped brace is text
        depth += {"{": 1, "}": -1}.get(place[0], 0)
        if depth == 0:
            return text[start : start + place.start()]
    return None


def claimed_answer(text: str) -> str:
    r"""The part of a response that is its answer.

    The last box; else the rest of the line after the last "answer is", "answer is:" or "answer:"; else all of it. Of
    the last two, enclosing white space, ``*``, ``$`` and a final full stop are taken off.
    """
    box = last_box(text)
    if box is not None:
        return box.strip()
    announced = list(_ANNOUNCED.finditer(text))
    rest = text[announced[-1].end() :].partition("\n")[0] if announced else text
    return rest.strip("*$ \t\r\n").removesuffix(".").strip("*$ \t\r\n")
