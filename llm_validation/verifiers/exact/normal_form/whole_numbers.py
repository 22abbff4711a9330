"""Functions of exact numbers whose values are exact numbers: factorials, binomials, remainders, whole parts."""

from __future__ import annotations

from fractions import Fraction
from math import comb, factorial, floor, gcd, lcm

from llm_validation.verifiers.exact.expressions.tree import OutOfReach, UndefinedError

_LARGEST_FACTORIAL = 1000  # 8,530 bits


def value_of_numbers(function: str, numbers: list[Fraction | None]) -> Fraction | None:
    """Return the value of a function of exact numbers; None where it is not one of these, or not exact."""
    values = [number for number in numbers if number is not None]
    if len(values) < len(numbers) or not values:
        return None
    if function in ("floor", "ceiling"):
        return Fraction(floor(values[0])) if function == "floor" else Fraction(-floor(-values[0]))
    if function in ("max", "min"):
        return max(values) if function == "max" else min(values)
    whole = [int(value) for value in values if value.denominator == 1]
    if len(whole) < len(values):
        return None
    if function == "factorial":
        return Fraction(_factorial(whole[0]))
    if function == "binomial" and len(whole) == 2:
        return _binomial_number(*whole)
    if function == "mod" and len(whole) == 2:
        if whole[1] == 0:
            raise UndefinedError("a remainder of a division by zero")
        return Fraction(whole[0] % whole[1])
    if function in ("gcd", "lcm"):
        return Fraction(gcd(*whole) if function == "gcd" else lcm(*whole))
    return None


def _factorial(n: int) -> int:
    if n < 0:
        raise UndefinedError("the factorial of a negative number")
    if n > _LARGEST_FACTORIAL:
        raise OutOfReach("too large a factorial")
    return factorial(n)


def _binomial_number(n: int, k: int) -> Fraction | None:
    if n < 0:
        return None
    if min(k, n - k) > _LARGEST_FACTORIAL or n.bit_length() > 64:
        raise OutOfReach("too large a binomial coefficient")
    return Fraction(comb(n, k)) if 0 <= k <= n else Fraction(0)
