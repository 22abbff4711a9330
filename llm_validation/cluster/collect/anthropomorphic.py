"""Anthropomorphic words of a response. The paper counts them in Figs. 2 and 7; which it counts is not known here.

The list is this project's choice, named so wherever a count is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

WORDS = ("wait", "hmm", "aha", "oh", "okay", "let me", "let's", "maybe", "perhaps", "actually", "alternatively")


def anthropomorphic(text: str) -> int:
    """How often one of ``WORDS`` stands in a text, in capitals or not.

    >>> anthropomorphic("Wait, let me check: hmm. The weight is awaited.")
    3
    """
    small = text.lower()
    return sum(_stands_alone(small, at, len(word)) for word in WORDS for at in _places(small, word))


def _places(text: str, word: str) -> Iterator[int]:
    """Where it occurs. A search for each word reads a long text several times faster than one for all of them."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def _stands_alone(text: str, at: int, length: int) -> bool:
    around = text[at - 1 : at] + text[at + length : at + length + 1]
    return not any(character.isalnum() or character == "_" for character in around)
