"""Remarks and conditions behind an answer: ``x^2 for x > 0``, ``7, since ...``, ``7 (as n goes to infinity)``."""

from __future__ import annotations

from collections.abc import Sequence

from llm_validation.verifiers.grammar.cursor import CLOSING, OPENING
from llm_validation.verifiers.reading.tokens import Token
from llm_validation.verifiers.reading.word_sets import word_set

_CONDITIONS = word_set(
    "as because for given if since such when whenever where which with assuming provided so until while but"
)


def cut_at_condition(tokens: Sequence[Token]) -> tuple[list[Token], tuple[str, ...]]:
    """Return the tokens before the first condition or remark, and the words of it; () where there is none.

    It begins with a word of its own: in a parenthesis, or behind something that is no word.
    """
    depth = 0
    for place, token in enumerate(tokens):
        behind_words = _is_word(tokens[0]) and token.text != "("
        if place and depth == 0 and _begins(tokens, place) and not behind_words:
            end = place - 1 if tokens[place - 1].text in (",", ";") else place
            if end:
                return list(tokens[:end]), tuple(one.text.lower() for one in tokens[place:])
        depth += (token.text in OPENING) - (token.text in CLOSING)
    return list(tokens), ()


def _begins(tokens: Sequence[Token], place: int) -> bool:
    token = tokens[place]
    if token.text == "(" and place + 1 < len(tokens):
        token = tokens[place + 1]
    return token.kind == "word" and token.text.lower() in _CONDITIONS and place + 1 < len(tokens)


def _is_word(token: Token) -> bool:
    return token.kind == "word" and len(token.text) > 1
