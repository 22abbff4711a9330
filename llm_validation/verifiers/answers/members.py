"""One member of a list or a relation: a quantity, a set, a point, an interval, a matrix, a ratio, words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from llm_validation.verifiers.answers.brackets import read_brackets, read_matrix
from llm_validation.verifiers.answers.kinds import (
    Answer,
    Group,
    NamedSet,
    Quantity,
    Ratio,
    Scalar,
    SetOperation,
)
from llm_validation.verifiers.answers.quantities import Parts, parts_of
from llm_validation.verifiers.answers.splitting import enclosed, split, without_braces
from llm_validation.verifiers.answers.words import is_text, words_of
from llm_validation.verifiers.exact.expressions.tree import Expression
from llm_validation.verifiers.grammar.atoms import base_of
from llm_validation.verifiers.grammar.numerals import in_base
from llm_validation.verifiers.grammar.operators import read_expression
from llm_validation.verifiers.reading.tokens import Token, UnreadableError

_SET_SIGNS = {r"\cup": "union", r"\cap": "intersection", r"\setminus": "minus"}
_NAMED_SETS = {rf"\mathbb{{{name}}}": name for name in "RZQNC"}
_ALL_REALS = (("all", "real", "numbers"), ("all", "reals"), ("the", "real", "numbers"), ("real", "numbers"))
_SIGNS = (r"\pm", r"\mp")
_MOST_SIGNS = 3  # that are both plus and minus, in one member


def read_member(tokens: Sequence[Token], *, letter_units: bool = False) -> Answer:
    """Return what the tokens are.

    Args:
        tokens: of the member.
        letter_units: whether a letter that is spaced off a number is its unit.

    Raises:
        UnreadableError: they are nothing that is known.
    """
    tokens = without_braces(tokens)
    if not tokens:
        raise UnreadableError("a member is empty")
    if is_text(tokens):
        words = words_of(tokens)
        return NamedSet("R") if words.tokens in _ALL_REALS else words
    parts = parts_of(tokens, letter_units=letter_units)
    value = _read_value(parts)
    return Quantity(value, parts.unit, parts.remark) if parts.unit or parts.remark else value


def _read_value(parts: Parts) -> Answer:
    value = _read_bare(without_braces(parts.value))
    if parts.factor is None:
        return value
    if not isinstance(value, Scalar):
        raise UnreadableError("a multiple of what is no number")
    return Scalar(parts.factor(value.value))


def _read_bare(tokens: Sequence[Token]) -> Answer:
    """Return what tokens without unit and remark are."""
    texts = [token.text for token in tokens]
    if texts == [r"\emptyset"] or texts == [r"\{", r"\}"]:
        return Group("set", ())
    if len(texts) == 1 and texts[0] in _NAMED_SETS:
        return NamedSet(_NAMED_SETS[texts[0]])
    operands, signs = split(tokens, _SET_SIGNS)
    if signs:
        return _set_operation(operands, signs)
    if enclosed(tokens) and tokens[0].text != "{":
        found = read_brackets(tokens, _read_item)
        if found is not None:
            return found
    if texts[0] == r"\begin":
        return read_matrix(tokens, read_expression)
    if any(text in _SIGNS for text in texts):
        return _both_signs(tokens)
    digits = _digits_in_base(tokens)
    if digits is not None:
        return Scalar(digits)
    return _ratio_or_scalar(tokens)


def _read_item(tokens: Sequence[Token]) -> Answer:
    """Return an item between brackets, which may be a relation: the last member counts here."""
    equation, signs = split(tokens, ("=",))
    return read_member(equation[-1] if signs and len(equation) == 2 else tokens)


def _set_operation(operands: Sequence[Sequence[Token]], signs: Sequence[str]) -> Answer:
    total = read_member(operands[0])
    for sign, operand in zip(signs, operands[1:], strict=True):
        total = SetOperation(_SET_SIGNS[sign], total, read_member(operand))
    return total


def _both_signs(tokens: Sequence[Token]) -> Answer:
    """Return the list of values of a member with signs ±.

    Two signs ± are independent; with a sign ∓ among them all change together.
    """
    places = [place for place, token in enumerate(tokens) if token.text in _SIGNS]
    if len(places) > _MOST_SIGNS:
        raise UnreadableError("too many signs")
    linked = any(tokens[place].text == r"\mp" for place in places)
    combinations = [("+",) * len(places), ("-",) * len(places)] if linked else product("+-", repeat=len(places))
    values = []
    for signs in combinations:
        written = list(tokens)
        for place, sign in zip(places, signs, strict=True):
            opposite = {"+": "-", "-": "+"}[sign]
            written[place] = Token("sign", opposite if tokens[place].text == r"\mp" else sign)
        values.append(Scalar(read_expression(written)))
    return Group("list", tuple(values))


def _digits_in_base(tokens: Sequence[Token]) -> Expression | None:
    """Return the value of digits and letters with a base of more than ten below them: ``3F_{16}``."""
    places = [place for place, token in enumerate(tokens) if token.text == "_"]
    if len(places) != 1 or places[0] == 0:
        return None
    head, subscript = tokens[: places[0]], without_braces(tokens[places[0] + 1 :])
    text = "".join(token.text for token in head)
    if not text.isalnum() or not text.isascii() or (text.isalpha() and len(text) == 1):
        return None
    try:
        base = base_of(subscript)
        return in_base(text.upper() if base > 10 else text, base)
    except UnreadableError:
        return None


def _ratio_or_scalar(tokens: Sequence[Token]) -> Answer:
    parts, signs = split(tokens, (":",))
    if not signs:
        return Scalar(read_expression(tokens))
    if is_text(parts[0]) and len(parts) == 2:
        return read_member(parts[1])  # a label
    return Ratio(tuple(read_expression(part) for part in parts))
