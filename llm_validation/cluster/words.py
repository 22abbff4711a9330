"""Anthropomorphic words of a response. The paper counts them in Figs. 2 and 7; which it counts is not known here.

The list is this project's choice, named so wherever a count is shown.
"""

from __future__ import annotations

import re

WORDS = ("wait", "hmm", "aha", "oh", "okay", "let me", "let's", "maybe", "perhaps", "actually", "alternatively")
_FOUND = re.compile(rf"\b(?:{'|'.join(WORDS)})\b")


def anthropomorphic(text: str) -> int:
    """How often one of ``WORDS`` stands in a text, in capitals or not.

    >>> anthropomorphic("Wait, let me check: hmm. The weight is awaited.")
    3
    """
    return len(_FOUND.findall(text.lower()))
