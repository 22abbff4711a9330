"""The values of numerals: decimals, powers of ten, repeating decimals, other bases; all exact."""

from __future__ import annotations

import re
from fractions import Fraction

from llm_validation.verifiers.exact.expressions.tree import Expression, Number, Power, Product, number
from llm_validation.verifiers.reading.tokens import UnreadableError

_REPEATING = re.compile(r"([0-9]*)\.([0-9]*)\(([0-9]+)\)")
_SCIENTIFIC = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)[eE]([+-]?[0-9]+)")
_LARGEST_EXPONENT = 400  # of ten, in a number that is written out
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BASE_WORDS = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "sixteen": 16,
}


def numeral(text: str) -> Expression:
    """Return the value of the text of a number token.

    >>> numeral("1.50"), numeral("0.(3)")
    (Number(value=Fraction(3, 2)), Number(value=Fraction(1, 3)))
    """
    repeating = _REPEATING.fullmatch(text)
    if repeating:
        return Number(_repeating_value(*repeating.groups()))
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific is None:
        return Number(Fraction(text))
    mantissa, exponent = Fraction(scientific[1]), int(scientific[2])
    if abs(exponent) <= _LARGEST_EXPONENT:
        return Number(mantissa * Fraction(10) ** exponent)
    return Product((Number(mantissa), Power(number(10), number(exponent))))


def in_base(digits: str, base: int) -> Expression:
    """Return the value of digits in a base from 2 to 36.

    Raises:
        UnreadableError: the base has no such digit, or is none.

    >>> in_base("1010", 2)
    Number(value=Fraction(10, 1))
    """
    if not 2 <= base <= len(_DIGITS) or not digits or any(digit not in _DIGITS[:base] for digit in digits):
        raise UnreadableError("no digits of this base")
    return number(int(digits, base))


def _repeating_value(whole: str, fixed: str, repeated: str) -> Fraction:
    """Return the value of ``whole.fixed repeated repeated ...``."""
    shift = 10 ** len(fixed)
    head = Fraction(int((whole or "0") + fixed), shift)
    return head + Fraction(int(repeated), shift * (10 ** len(repeated) - 1))
