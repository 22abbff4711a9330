"""A member cut into its value, the unit or words behind it, and a remark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from llm_validation.verifiers.answers.kinds import Unit
from llm_validation.verifiers.answers.units import ATTACHED, MULTIPLIERS, REMARKS, SINGLE_LETTERS, is_unit, unit_of
from llm_validation.verifiers.exact.expressions.tree import Expression, Number, Product
from llm_validation.verifiers.grammar.cursor import CLOSING, OPENING
from llm_validation.verifiers.grammar.numerals import BASE_WORDS
from llm_validation.verifiers.grammar.vocabulary import FUNCTIONS, WORDS
from llm_validation.verifiers.reading.tokens import Token, UnreadableError

_CURRENCIES = frozenset((r"\$", "€", "£", "¥", "₹"))
_SYMBOLS = frozenset(("%", "°"))
_LEAST_WORD = 3  # letters that are rather a word than a product, where a space is before them


@dataclass(frozen=True)
class Parts:
    """A member in parts.

    Args:
        value: tokens of the value.
        factor: what makes the value a multiple: ``million``.
        unit: of the value; () for none.
        remark: the words of a remark.
    """

    value: Sequence[Token]
    factor: Callable[[Expression], Expression] | None
    unit: Unit
    remark: tuple[str, ...]


def parts_of(tokens: Sequence[Token], *, letter_units: bool) -> Parts:
    """Return the parts of a member.

    Raises:
        UnreadableError: words follow the value that are neither unit nor remark.
    """
    prefix = list(tokens[:1]) if tokens[0].text in _CURRENCIES else []
    if tokens[0].text == "-" and len(tokens) > 1 and tokens[1].text in _CURRENCIES:
        prefix, tokens = [tokens[1]], [tokens[1], tokens[0], *tokens[2:]]
    body = tokens[len(prefix) :]
    place = _tail(body, letter_units=letter_units)
    tail = list(body[place:])
    base = _base_behind(tail)
    if base is not None:
        return Parts([*body[:place], Token("sign", "_"), *base], None, (), ())
    remark_place = _remark(tail)
    factor, unit_tokens = _multiplier(_unwrapped(tail[:remark_place]))
    unit = unit_of([*unit_tokens, *prefix])
    if unit is None:
        raise UnreadableError("words that are no unit")
    remark = tuple(token.text.lower() for token in tail[remark_place:])
    return Parts(body[:place], factor, unit, remark)


def _tail(tokens: Sequence[Token], *, letter_units: bool) -> int:
    """Return the place where the value ends and words begin."""
    depth = 0
    for place, token in enumerate(tokens):
        if depth == 0 and place and _begins_tail(tokens, place, letter_units=letter_units):
            return place
        depth += (token.text in OPENING) - (token.text in CLOSING)
    return len(tokens)


def _begins_tail(tokens: Sequence[Token], place: int, *, letter_units: bool) -> bool:
    token, before = tokens[place], tokens[place - 1]
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    if token.text in _SYMBOLS:
        if any(before.text.removeprefix("\\") in FUNCTIONS for before in tokens[:place]):
            return False  # an angle is the argument of a function
        return after is None or after.kind == "word" or after.text in ("(", "/")
    if token.text == "(":
        return after is not None and _is_word(after) and not (after.text in WORDS and not after.worded)
    if token.text == r"\pmod":
        return True
    follows_value = before.kind == "number" or before.text in CLOSING or before.text in ("!", "|")
    if token.kind != "word":
        return False
    if len(token.text) == 1:
        as_unit = token.worded or (letter_units and token.spaced)
        return as_unit and token.text in SINGLE_LETTERS and follows_value
    if token.text in WORDS and not token.worded:
        return is_unit(token.text) and before.kind == "number" and (after is None or after.text == "/")
    if token.worded or token.text in ATTACHED:
        return token.worded or follows_value
    return token.spaced and (len(token.text) >= _LEAST_WORD or token.text.lower() in REMARKS)


def _is_word(token: Token) -> bool:
    return token.kind == "word" and (token.worded or len(token.text) >= _LEAST_WORD)


def _remark(tail: Sequence[Token]) -> int:
    """Return the place in the words behind a value where a remark begins."""
    for place, token in enumerate(tail):
        if token.text == r"\pmod":
            return place
        opens = token.text == "(" and not (place == 0 and _closes_at_end(tail))
        ends = token.text.lower() in REMARKS and token.kind == "word" and not (place == 0 and len(tail) == 1)
        if opens or ends or token.text in (",", ":"):
            return place
        if token.text == "(" and place + 1 < len(tail) and tail[place + 1].text.lower() in REMARKS:
            return place
    return len(tail)


def _closes_at_end(tail: Sequence[Token]) -> bool:
    return tail[-1].text == ")"


def _unwrapped(tail: list[Token]) -> list[Token]:
    """Return a unit without the parentheses or braces around it."""
    kept = [token for token in tail if token.text not in ("{", "}") or _is_exponent(tail)]
    return kept[1:-1] if len(kept) > 2 and kept[0].text == "(" and kept[-1].text == ")" else kept


def _is_exponent(tail: Sequence[Token]) -> bool:
    return any(token.text == "^" for token in tail)


def _multiplier(tail: list[Token]) -> tuple[Callable[[Expression], Expression] | None, list[Token]]:
    if not tail or tail[0].text.lower() not in MULTIPLIERS:
        return None, tail
    times = Number(Fraction(10) ** MULTIPLIERS[tail[0].text.lower()])

    def factor(value: Expression) -> Expression:
        return Number(value.value * times.value) if isinstance(value, Number) else Product((value, times))

    return factor, tail[1:]


def _base_behind(tail: Sequence[Token]) -> list[Token] | None:
    """Return the base that the words behind digits name: ``(base 2)``, ``in base two``."""
    texts = [token for token in tail if token.text not in ("(", ")") and token.text.lower() != "in"]
    if len(texts) != 2 or texts[0].text.lower() != "base":
        return None
    named = texts[1].text.lower()
    return [texts[1]] if named.isdigit() or named in BASE_WORDS else None
