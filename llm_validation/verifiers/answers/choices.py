"""The letter of a choice: ``B``, ``(B)``, ``B) 12``, ``Option B``."""

from __future__ import annotations

from collections.abc import Sequence

from llm_validation.verifiers.reading.tokens import Token

_LETTERS = frozenset("ABCDEFGHIJ")
_INTRODUCTIONS = frozenset(("option", "choice", "answer"))


def choice_of(tokens: Sequence[Token]) -> tuple[str, list[Token]] | None:
    """Return the letter and the tokens of what is said beside it; None if the tokens are no choice.

    A small letter is one only in parentheses or before one.
    """
    rest = list(tokens)
    introduced = bool(rest) and rest[0].text.lower() in _INTRODUCTIONS
    rest = rest[1:] if introduced else rest
    parenthesised = bool(rest) and rest[0].text == "("
    rest = rest[1:] if parenthesised else rest
    if not rest or rest[0].text.upper() not in _LETTERS or rest[0].kind != "word":
        return None
    letter, mark = rest[0].text, rest[1].text if len(rest) > 1 else ""
    if parenthesised and mark != ")":
        return None
    beside = rest[2:] if mark in (")", ".", ":") else rest[1:]
    if beside and mark not in (")", ".", ":"):
        return None
    if letter.islower() and mark != ")":
        return None
    if any(_begins_choice(beside, place) for place in range(len(beside))):
        return None  # several choices in one answer are none
    return letter.upper(), beside


def _begins_choice(tokens: Sequence[Token], place: int) -> bool:
    """Whether ``(B)`` or ``B)`` stands at this place."""
    texts = [token.text for token in tokens[place : place + 3]]
    in_parentheses = len(texts) == 3 and texts[0] == "(" and texts[1] in _LETTERS and texts[2] == ")"
    return in_parentheses or (len(texts) > 1 and texts[0] in _LETTERS and texts[1] == ")")
