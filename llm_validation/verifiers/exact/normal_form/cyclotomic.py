"""When a combination of roots of unity is 0."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from llm_validation.verifiers.exact.normal_form.polynomials import UNIT, Monomial, Polynomial

_LARGEST_ORDER = 400


def vanishes_in_roots_of_unity(polynomial: Polynomial) -> bool:
    """Whether all coefficients, taken as numbers of a cyclotomic field, are 0.

    Powers of the unit exp(i pi) with denominators up to N are a basis only modulo the cyclotomic polynomial of order
    2 N.
    """
    common = 1
    for monomial in polynomial:
        common = lcm(common, dict(monomial).get(UNIT, Fraction(0)).denominator)
    if common <= 2 or 2 * common > _LARGEST_ORDER:
        return False
    from flint import fmpq, fmpq_poly, fmpz_poly

    groups: dict[Monomial, list[Fraction]] = {}
    for monomial, coefficient in polynomial.items():
        exponents = dict(monomial)
        power = int(exponents.pop(UNIT, Fraction(0)) * common)
        values = groups.setdefault(tuple(sorted(exponents.items())), [Fraction(0)] * common)
        values[power] += coefficient
    modulus = fmpq_poly(fmpz_poly.cyclotomic(2 * common))
    for values in groups.values():
        found = fmpq_poly([fmpq(value.numerator, value.denominator) for value in values])
        if any((found % modulus).coeffs()):
            return False
    return True
