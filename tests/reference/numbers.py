"""Exact numbers: rationals as they were written, square roots to sixty digits, balls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import wraps
from math import inf, isqrt, nextafter
from typing import Any

import flint

DIGITS = 110  # outlasts what cancels in the plan's cells: log(1 + e^-150) has 45 digits left


def precise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as one that works at ``DIGITS`` digits, or at its caller's if those are more."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with flint.ctx.workdps(max(DIGITS, flint.ctx.dps)):
            return function(*args, **kwargs)

    return wrapper


def as_written(x: Any) -> Fraction:
    """Return a level or a regulariser as the rational that its user wrote: of a float, the decimal it prints as."""
    return Fraction(str(x)) if isinstance(x, float) else Fraction(x)


def root(x: Fraction) -> Fraction:
    """Return the square root of a rational, to 60 digits; exactly where it is a rational."""
    top, bottom = isqrt(x.numerator), isqrt(x.denominator)
    if top * top == x.numerator and bottom * bottom == x.denominator:
        return Fraction(top, bottom)
    scale = 10**60
    return Fraction(isqrt(x.numerator * x.denominator * scale**2), x.denominator * scale)


def ball(x: Any) -> flint.arb:
    """Return a number as a ball; a float is the binary number that it is."""
    if isinstance(x, flint.arb):
        return x
    x = x if isinstance(x, (int, float)) else Fraction(x)
    return flint.arb(x.numerator) / x.denominator if isinstance(x, Fraction) else flint.arb(x)


def nearest(x: Any) -> float:
    """Return a rational or the middle of a ball as a float; 0 for a ball that cannot be told from it.

    Raises:
        ArithmeticError: a ball without an end, which says nothing, and contains 0 too.
    """
    if not isinstance(x, flint.arb):
        return float(x)
    if not x.is_finite():
        raise ArithmeticError(f"the reference has no value: {x}")
    return 0.0 if x.contains(0) else float(x.mid())


@precise
def neighbours(x: flint.arb) -> tuple[float, float]:
    """Return the largest float not above a number and the smallest not below it; of what may be 0, 0 twice."""
    value = nearest(x)
    if value == 0.0 and x.contains(0):
        return 0.0, 0.0
    below = value if not flint.arb(value) > x else nextafter(value, -inf)
    above = value if not flint.arb(value) < x else nextafter(value, inf)
    return below, above


def power(x: flint.arb, k: int) -> flint.arb:
    """Return x^k by products: flint's own power of a ball with midpoint 0 and a radius is nan."""
    return powers(x, k)[k]


def powers(x: flint.arb, k: int) -> list[flint.arb]:
    """Return x^0..x^k, by products."""
    results = [flint.arb(1)]
    for _ in range(k):
        results.append(results[-1] * x)
    return results


def total(terms: Iterable[Any]) -> flint.arb:
    """Return the sum of balls."""
    return sum(terms, flint.arb(0))


def tallied(*columns: Sequence[Any]) -> list[tuple[tuple[Any, ...], int]]:
    """Return the distinct rows of some columns, each with how often it occurs, in order of appearance.

    A sum over 150,000 responses of which a hundred differ is a sum of a hundred products. Balls are never equal for
    certain: only one and the same object counts as equal.
    """
    if not any(column and isinstance(column[0], flint.arb) for column in columns):
        return list(Counter(zip(*columns, strict=True)).items())
    keys = [[id(x) if isinstance(x, flint.arb) else x for x in column] for column in columns]
    first: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for key, row in zip(zip(*keys, strict=True), zip(*columns, strict=True), strict=True):
        first.setdefault(key, row)
    counts = Counter(zip(*keys, strict=True))
    return [(row, counts[key]) for key, row in first.items()]
