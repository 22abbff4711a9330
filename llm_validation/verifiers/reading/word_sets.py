"""Sets of words, written as one text."""

from __future__ import annotations


def word_set(*texts: str) -> frozenset[str]:
    """Return the words of the texts, which white space separates."""
    return frozenset(word for text in texts for word in text.split())
