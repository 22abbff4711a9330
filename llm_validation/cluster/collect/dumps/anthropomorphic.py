"""Count the anthropomorphic words of a response.

The paper counts such words in Figs. 2 and 7 without a list of them. The list here is this project's choice, and is
named wherever a count is shown.
"""

from __future__ import annotations

from collections.abc import Iterator

WORDS = ("wait", "hmm", "aha", "oh", "okay", "let me", "let's", "maybe", "perhaps", "actually", "alternatively")


def anthropomorphic(text: str) -> int:
    """Return how often one of ``WORDS`` stands in a text as a word of its own, in capitals or not.

    >>> anthropomorphic("Wait, let me check: hmm. The weight is awaited.")
    3
    """
    lower = text.lower()
    count = 0
    for word in WORDS:
        count += sum(_stands_alone(lower, at, len(word)) for at in _occurrences(lower, word))
    return count


def _occurrences(text: str, word: str) -> Iterator[int]:
    """Yield where a word occurs. Over a long text, a search for each word is several times faster than one for all."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def _stands_alone(text: str, at: int, length: int) -> bool:
    """Return whether no letter, digit or underscore touches the word, so that "wait" is not found in "awaited"."""
    around = text[at - 1 : at] + text[at + length : at + length + 1]
    return not any(character.isalnum() or character == "_" for character in around)
