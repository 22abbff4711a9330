"""Arithmetic in the decimal system, of widely varied difficulty.

``digits`` asks for one digit, so that every response of a character model can be enumerated. ``addition`` and
``products`` ask for whole numbers. ``totals`` asks for several steps, each of which builds on the one before.
"""

from __future__ import annotations

import numpy as np

from llm_validation.tasks.base import Example, Task

TERMS = 5  # of a question of ``totals``


def _number(rng: np.random.Generator, digits: int) -> int:
    """Return a number that is uniform over those of exactly that many digits; 0 is one of the one-digit numbers."""
    return int(rng.integers(0 if digits == 1 else 10 ** (digits - 1), 10**digits))


def _last_digit(rng: np.random.Generator) -> Example:
    """Return a question from ``3+4=`` to ``38*71+94*27=``, each of four levels of difficulty equally often."""
    level = int(rng.integers(4))
    a, b, c, d = (_number(rng, 2 if level == 3 else 1) for _ in range(4))
    prompt, value = (
        (f"{a}+{b}=", a + b),
        (f"{a}*{b}=", a * b),
        (f"{a}+{b}*{c}=", a + b * c),
        (f"{a}*{b}+{c}*{d}=", a * b + c * d),
    )[level]
    return Example(prompt, str(value % 10))


def _sum_or_difference(rng: np.random.Generator) -> Example:
    a, b = (_number(rng, int(rng.integers(1, 4))) for _ in range(2))
    return Example(f"{a}+{b}=", str(a + b)) if rng.integers(2) else Example(f"{a}-{b}=", str(a - b))


def _product(rng: np.random.Generator) -> Example:
    a, b = _number(rng, int(rng.integers(1, 3))), _number(rng, int(rng.integers(1, 4)))
    return Example(f"{a}*{b}=", str(a * b))


def _running_totals(rng: np.random.Generator) -> Example:
    """Return a question such as ``7+5+3+8+6=`` that asks for all running totals; one wrong step makes it wrong."""
    terms = [int(term) for term in rng.integers(1, 10, size=TERMS)]
    totals = np.cumsum(terms)[1:]
    return Example("+".join(map(str, terms)) + "=", "=".join(map(str, totals)))


DIGITS = Task(
    name="digits",
    verifier="integer",
    max_new_tokens=2,  # the digit and the end of text
    enumerable=True,
    summary="last digit of sums and products of one- and two-digit numbers",
    make=_last_digit,
)
ADDITION = Task(
    name="addition",
    verifier="integer",
    max_new_tokens=6,  # 1998 or -999 and the end of text are five
    enumerable=False,
    summary="sums and differences of two numbers of one to three digits",
    make=_sum_or_difference,
)
PRODUCTS = Task(
    name="products",
    verifier="integer",
    max_new_tokens=7,  # 98901 and the end of text are six
    enumerable=False,
    summary="products of a number of one or two digits and one of one to three",
    make=_product,
)
TOTALS = Task(
    name="totals",
    verifier="choice",
    max_new_tokens=12,  # four totals of two digits, three signs between them and the end of text
    enumerable=False,
    summary="all running totals of a sum of five digits",
    make=_running_totals,
)
