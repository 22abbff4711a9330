"""Tokens cut at signs that stand outside all brackets."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from llm_validation.verifiers.grammar.cursor import CLOSING, OPENING, matching
from llm_validation.verifiers.reading.tokens import Token, UnreadableError


def split(tokens: Sequence[Token], signs: Collection[str]) -> tuple[list[list[Token]], list[str]]:
    """Return the parts between the signs, and the signs; signs inside brackets do not count.

    Raises:
        UnreadableError: a bracket closes that was not opened.
    """
    parts: list[list[Token]] = [[]]
    found: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token.text in OPENING) - (token.text in CLOSING)
        if depth < 0:
            raise UnreadableError("brackets that do not match")
        if depth == 0 and token.text in signs:
            parts.append([])
            found.append(token.text)
        else:
            parts[-1].append(token)
    return parts, found


def enclosed(tokens: Sequence[Token]) -> bool:
    """Whether the first token is a bracket that the last one closes."""
    if len(tokens) < 2 or tokens[0].text not in OPENING or tokens[-1].text not in CLOSING:
        return False
    try:
        return matching(tokens, 0) == len(tokens) - 1
    except UnreadableError:
        return False


def without_braces(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens without the braces of TeX around all of them."""
    kept = list(tokens)
    while enclosed(kept) and kept[0].text == "{" and kept[-1].text == "}":
        kept = kept[1:-1]
    return kept
