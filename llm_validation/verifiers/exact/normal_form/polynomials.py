"""Polynomials over exact generators, the stuff of normal forms: sums of rational multiples of monomials.

A monomial is a product of powers of generators with rational exponents. Three kinds of generator know their own powers:
``p:2`` is a prime, whose whole powers are numbers; ``u`` is the unit exp(i pi), whose square is 1 and whose root is i.
All others (``x:`` names, ``pi``, ``e``, functions) are free here.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor, gcd, lcm

from llm_validation.verifiers.exact.expressions.effort import Effort

Monomial = tuple[tuple[str, Fraction], ...]  # sorted by generator, no exponent 0
Polynomial = dict[Monomial, Fraction]  # no coefficient 0

UNIT = "u"
PRIME = "p:"
EMPTY: Monomial = ()


def constant(value: Fraction | int) -> Polynomial:
    """Return the polynomial of one number."""
    return {EMPTY: Fraction(value)} if value else {}


def generator(name: str, exponent: Fraction | int = 1) -> Polynomial:
    """Return the polynomial of one power of a generator, reduced."""
    return dict([reduced(((name, Fraction(exponent)),), Fraction(1))]) if exponent else constant(1)


def as_number(polynomial: Polynomial) -> Fraction | None:
    """Return the number that the polynomial is, if it has no generators."""
    if not polynomial:
        return Fraction(0)
    return polynomial[EMPTY] if len(polynomial) == 1 and EMPTY in polynomial else None


def added(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the sum."""
    total = dict(left)
    for monomial, coefficient in right.items():
        value = total.get(monomial, 0) + coefficient
        if value:
            total[monomial] = value
        else:
            del total[monomial]
    return total


def scaled(polynomial: Polynomial, factor: Fraction) -> Polynomial:
    """Return the product with a number."""
    return {monomial: coefficient * factor for monomial, coefficient in polynomial.items()} if factor else {}


def multiplied(left: Polynomial, right: Polynomial, effort: Effort) -> Polynomial:
    """Return the product.

    Raises:
        OutOfReach: it costs more than the effort has left.
    """
    effort.spend(len(left) * len(right))
    total: Polynomial = {}
    for first, a in left.items():
        for second, b in right.items():
            monomial, coefficient = reduced(joined(first, second), a * b)
            effort.hold(coefficient.numerator.bit_length() + coefficient.denominator.bit_length())
            value = total.get(monomial, 0) + coefficient
            if value:
                total[monomial] = value
            else:
                total.pop(monomial, None)
    return total


def raised(polynomial: Polynomial, exponent: int, effort: Effort) -> Polynomial:
    """Return the power with an exponent >= 0.

    Raises:
        OutOfReach: it costs more than the effort has left.
    """
    if len(polynomial) == 1:
        ((monomial, coefficient),) = polynomial.items()
        size = max(coefficient.numerator.bit_length(), coefficient.denominator.bit_length())
        effort.hold(exponent * size if size > 1 else 0)
        powers = tuple((name, power * exponent) for name, power in monomial) if exponent else EMPTY
        hold_exponents(powers, effort)
        return dict([reduced(powers, coefficient**exponent)])
    result, square = constant(1), polynomial
    effort.spend(exponent.bit_length())
    while exponent:
        if exponent & 1:
            result = multiplied(result, square, effort)
        exponent >>= 1
        if exponent:
            square = multiplied(square, square, effort)
    return result


def hold_exponents(monomial: Monomial, effort: Effort) -> None:
    """Refuse powers of primes that would be too large as numbers.

    Raises:
        OutOfReach: one is.
    """
    for name, exponent in monomial:
        if name.startswith(PRIME):
            effort.hold(floor(abs(exponent)) * int(name.removeprefix(PRIME)).bit_length())


def joined(left: Monomial, right: Monomial) -> Monomial:
    """Return the product of two monomials, not reduced."""
    if not left or not right:
        return left or right
    exponents = dict(left)
    for name, exponent in right:
        exponents[name] = exponents.get(name, Fraction(0)) + exponent
    return tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))


def reduced(monomial: Monomial, coefficient: Fraction) -> tuple[Monomial, Fraction]:
    """Return the monomial and its coefficient with whole powers of primes and of the unit as numbers."""
    kept = []
    for name, exponent in monomial:
        if name == UNIT:
            whole = floor(exponent)
            coefficient = -coefficient if whole % 2 else coefficient
            exponent -= whole
        elif name.startswith(PRIME):
            whole = floor(exponent)
            coefficient *= Fraction(int(name.removeprefix(PRIME))) ** whole
            exponent -= whole
        if exponent:
            kept.append((name, exponent))
    return tuple(kept), coefficient


def content(polynomial: Polynomial) -> Fraction:
    """Return the greatest positive rational number that all coefficients are whole multiples of."""
    above, below = 0, 1
    for coefficient in polynomial.values():
        above = gcd(above, coefficient.numerator)
        below = lcm(below, coefficient.denominator)
    return Fraction(above, below)
