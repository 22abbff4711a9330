"""Roots of numbers and of the unit exp(i pi): radicals for multiples of 15 degrees, powers of the unit otherwise."""

from __future__ import annotations

from fractions import Fraction

from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.enclosure import enclosure
from llm_validation.verifiers.exact.expressions.tree import Apply, Constant, Expression
from llm_validation.verifiers.exact.normal_form.factors import prime_powers
from llm_validation.verifiers.exact.normal_form.polynomials import (
    PRIME,
    UNIT,
    Monomial,
    Polynomial,
    added,
    constant,
    generator,
    joined,
    multiplied,
    raised,
    reduced,
    scaled,
)

HALF = Fraction(1, 2)
IMAGINARY = generator(UNIT, HALF)
_POSITIVE = ("pi", "e")  # generators that are positive numbers, besides the primes
_FINEST_ANGLE = 60  # of the inverse functions: multiples of pi/60 are recognised


def is_positive(name: str) -> bool:
    """Whether a generator is a positive number."""
    return name in _POSITIVE or name.startswith(PRIME)


def root_of_constant(monomial: Monomial, coefficient: Fraction, degree: int) -> Polynomial | None:
    """Return the root of a number times powers of positive generators and of the unit; None if it has others."""
    exponents = dict(monomial)
    angle = exponents.pop(UNIT, Fraction(0)) + (1 if coefficient < 0 else 0)
    if not all(is_positive(name) for name in exponents):
        return None
    angle = angle % 2
    angle = angle - 2 if angle > 1 else angle
    powers = [(f"{PRIME}{prime}", Fraction(times)) for prime, times in prime_powers(abs(coefficient)).items()]
    powers += exponents.items()
    inside: Monomial = ()
    for name, exponent in powers:
        inside = joined(inside, ((name, exponent / degree),))
    found = dict([reduced(inside, Fraction(1))])
    if angle == 1 and degree % 2:
        return scaled(found, Fraction(-1))
    turned = _special_unit(angle / degree) or generator(UNIT, angle / degree)
    # Both have one or a few terms: nothing is spent on their product.
    return multiplied(found, turned, Effort(steps=16, bits=1 << 20))


def unit_power(exponent: Fraction, effort: Effort) -> Polynomial:
    """Return exp(i pi exponent): by roots of 2 and 3 for multiples of 15 degrees, else as a power of the unit."""
    effort.hold(exponent.denominator.bit_length())
    return _special_unit(exponent) or generator(UNIT, exponent)


def _special_unit(exponent: Fraction) -> Polynomial | None:
    """Return exp(i pi exponent) by roots of 2 and 3, if the exponent is a multiple of 1/12."""
    if 12 % exponent.denominator:
        return None
    turns = int(exponent * 12) % 24
    # 1/12 = 1/3 - 1/4, so that n/12 = n/3 - n/4.
    effort = Effort(steps=1000, bits=1000)
    third = raised(_THIRD, turns % 6, effort)
    quarter = raised(_MINUS_QUARTER, turns % 8, effort)
    return multiplied(third, quarter, effort)


# exp(i pi/3) = 1/2 + i sqrt(3)/2 and exp(-i pi/4) = sqrt(2)/2 - i sqrt(2)/2.
_ROOT_2, _ROOT_3 = generator(f"{PRIME}2", HALF), generator(f"{PRIME}3", HALF)
_THIRD = added(constant(HALF), scaled(multiplied(_ROOT_3, IMAGINARY, Effort(9, 99)), HALF))
_MINUS_QUARTER = added(scaled(_ROOT_2, HALF), scaled(multiplied(_ROOT_2, IMAGINARY, Effort(9, 99)), -HALF))


def share_of_pi(function: str, argument: Expression) -> Fraction | None:
    """Return the multiple of pi, with a small denominator, that numerics take the value of the inverse function for."""
    from flint import arb

    value = enclosure(Apply(function, (argument,)), precision=64)
    share = None if value is None else value / enclosure(Constant("pi"), precision=64)
    if share is None or not share.is_finite() or not share.imag.contains(0):
        return None
    nearest = (share.real * _FINEST_ANGLE + arb(1) / 2).floor().unique_fmpz()
    return None if nearest is None else Fraction(int(nearest), _FINEST_ANGLE)
