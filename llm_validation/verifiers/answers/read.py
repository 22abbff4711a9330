"""The readings of the text of an answer: most texts have one, some can be read in several ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from llm_validation.verifiers.answers.choices import choice_of
from llm_validation.verifiers.answers.clocks import clock_of
from llm_validation.verifiers.answers.kinds import Answer, Choice, Quantity, Reading
from llm_validation.verifiers.answers.remarks import cut_at_condition
from llm_validation.verifiers.answers.sequences import read_answer
from llm_validation.verifiers.answers.splitting import without_braces
from llm_validation.verifiers.answers.transform import mapped, with_logarithms
from llm_validation.verifiers.answers.words import (
    has_content,
    without_announcement,
    without_closing_marks,
    words_of,
)
from llm_validation.verifiers.reading.tokens import Token, UnreadableError, has_ambiguous_comma, tokens_of

_LIST_COMMA = re.compile(r"[0-9],\s+[0-9]")
_LOGARITHMS = frozenset((r"\log", "log"))
_DATE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*")


def readings(text: str) -> list[Reading]:
    """Return all ways to read a text as an answer, at least one.

    Args:
        text: of one answer, without what stands around it in a response.

    Raises:
        UnreadableError: there is none.
    """
    if not has_ambiguous_comma(text):
        comma = "list" if _LIST_COMMA.search(text) else None
        return [Reading(answer, comma) for answer in _answers(text, thousands=False)]
    found = [Reading(answer, "list") for answer in _answers(text, thousands=False)]
    if _LIST_COMMA.search(text) is None:
        found += [Reading(answer, "thousands") for answer in _answers(text, thousands=True)]
    return found


def _answers(text: str, *, thousands: bool) -> list[Answer]:
    tokens = without_braces(without_closing_marks(tokens_of(text, thousands=thousands)))
    tokens = without_closing_marks(without_braces(without_announcement(tokens)))
    if not has_content(tokens):
        raise UnreadableError("nothing is said")
    if _DATE.fullmatch(text):
        return [words_of(tokens)]
    value, remark = cut_at_condition(tokens)
    found = _of_value(without_closing_marks(value))
    return [_remarked(answer, remark) for answer in found] if remark else found


def _remarked(answer: Answer, remark: tuple[str, ...]) -> Answer:
    if isinstance(answer, Quantity):
        return Quantity(answer.value, answer.unit, answer.remark + remark)
    return Quantity(answer, (), remark)


def _of_value(tokens: Sequence[Token]) -> list[Answer]:
    """Return what the tokens without a remark may be."""
    found: list[Answer] = []
    time = clock_of(tokens)
    if time is not None:
        found.append(time)
        if time.half is not None:
            return found
    choice = choice_of(tokens)
    if choice is not None:
        letter, beside = choice
        found.append(Choice(letter, _whole(beside) if beside else None))
    found += _with_units(tokens)
    return found


def _with_units(tokens: Sequence[Token]) -> list[Answer]:
    """Return the answer, and others where a letter may be a unit or a logarithm may have either of two bases."""
    plain = _whole(tokens)
    measured = _whole(tokens, letter_units=True)
    found = [plain] if measured == plain else [plain, measured]
    if not any(token.text in _LOGARITHMS for token in tokens):
        return found
    both = [partial(with_logarithms, natural=natural) for natural in (True, False)]
    return [mapped(answer, logarithms) for answer in found for logarithms in both]


def _whole(tokens: Sequence[Token], *, letter_units: bool = False) -> Answer:
    """Return what the tokens say; their words where that is all that can be made of them."""
    try:
        return read_answer(tokens, letter_units=letter_units)
    except UnreadableError:
        return words_of(tokens)
