"""Arithmetic of normal forms: quotients of polynomials over the generators that both sides of one comparison share."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import NamedTuple

from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import UndefinedError
from llm_validation.verifiers.exact.normal_form.angles import HALF, root_of_constant, unit_power
from llm_validation.verifiers.exact.normal_form.cyclotomic import vanishes_in_roots_of_unity
from llm_validation.verifiers.exact.normal_form.factors import prime_powers
from llm_validation.verifiers.exact.normal_form.polynomials import (
    EMPTY,
    PRIME,
    UNIT,
    Monomial,
    Polynomial,
    added,
    as_number,
    constant,
    content,
    generator,
    multiplied,
    raised,
    reduced,
    scaled,
)

NAME = "x:"
ONE: Polynomial = constant(1)
_TURN: Monomial = (("pi", Fraction(1)), (UNIT, HALF))  # i pi


class Form(NamedTuple):
    """A quotient of two polynomials."""

    above: Polynomial
    below: Polynomial = ONE


class Quotients:
    """The generators of one comparison, and arithmetic over them.

    Args:
        effort: what may be spent.
    """

    def __init__(self, effort: Effort) -> None:
        self.effort = effort
        self._generators: dict[str, str] = {}  # of each key
        self._equations: dict[str, tuple[int, Polynomial]] = {}  # of roots: degree and radicand

    def add(self, left: Form, right: Form) -> Form:
        """Return the sum."""
        if left.below == right.below:
            return Form(added(left.above, right.above), left.below)
        first = multiplied(left.above, right.below, self.effort)
        second = multiplied(right.above, left.below, self.effort)
        return Form(added(first, second), multiplied(left.below, right.below, self.effort))

    def multiply(self, left: Form, right: Form) -> Form:
        """Return the product."""
        above = multiplied(left.above, right.above, self.effort)
        return self._quotient(above, multiplied(left.below, right.below, self.effort))

    def product(self, forms: list[Form]) -> Form:
        """Return the product of all; 1 of none."""
        total = Form(ONE)
        for form in forms:
            total = self.multiply(total, form)
        return total

    def inverted(self, form: Form) -> Form:
        """Return 1 over the form.

        Raises:
            UndefinedError: the form is 0.
        """
        if self.is_zero(form):
            raise UndefinedError("a division by zero")
        return self._quotient(form.below, form.above)

    def is_zero(self, form: Form) -> bool:
        """Whether the form is shown to be 0; one that is not may still be."""
        polynomial = self._rid_of_roots(form.above)
        return not polynomial or vanishes_in_roots_of_unity(polynomial)

    def power(self, base: Form, exponent: Form) -> Form:
        """Return the power: of an exact exponent by roots and products, else split over the terms of the exponent."""
        value = number_of(exponent)
        if value is not None:
            return self._rational_power(base, value)
        if base == Form(generator("e")):
            return self.exponential(exponent)
        if exponent.below != ONE:
            return Form(generator(self.named("pow", self.key(base), self.key(exponent))))
        number = number_of(base)
        if number is not None and number > 0:
            powers = prime_powers(number).items()
            return self.product(
                [self._symbolic_power(f"{PRIME}{prime}", scaled(exponent.above, Fraction(n))) for prime, n in powers]
            )
        return self._symbolic_power(_single_generator(base) or self.named("pow", self.key(base)), exponent.above)

    def exponential(self, exponent: Form) -> Form:
        """Return e to the exponent: whole turns are numbers, and sums are products."""
        if exponent.below != ONE:
            return Form(generator(self.named("exp", self.key(exponent))))
        return self.product([self._exponential_of(*term) for term in exponent.above.items()])

    def root(self, form: Form, degree: int) -> Form:
        """Return the principal root, the real one of a negative number under an odd degree."""
        if not form.above:
            return Form({})
        self.effort.hold(degree)
        if form.below == ONE and len(form.above) == 1:
            ((monomial, coefficient),) = form.above.items()
            simple = root_of_constant(monomial, coefficient, degree)
            if simple is not None:
                return Form(simple)
        return self._opaque_root(form, degree)

    def key(self, form: Form) -> str:
        """Return a text that two forms share only if they are the same."""
        return f"{_key(form.above)}/{_key(form.below)}"

    def named(self, *parts: str) -> str:
        """Return the generator of a key: short, so that nested functions do not double their names."""
        return self._generators.setdefault("|".join(parts), f"{parts[0]}#{len(self._generators)}")

    def _quotient(self, above: Polynomial, below: Polynomial) -> Form:
        if above == below:
            return Form(ONE)
        if len(below) != 1:
            return Form(above, below)
        ((monomial, coefficient),) = below.items()
        inverse = dict([reduced(tuple((name, -exponent) for name, exponent in monomial), 1 / coefficient)])
        return Form(multiplied(above, inverse, self.effort))

    def _rational_power(self, base: Form, exponent: Fraction) -> Form:
        if not base.above:
            if exponent <= 0:
                raise UndefinedError("a power of zero")
            return Form({})
        radical = base if exponent.denominator == 1 else self.root(base, exponent.denominator)
        form = self.inverted(radical) if exponent < 0 else radical
        times = abs(exponent.numerator)
        return Form(raised(form.above, times, self.effort), raised(form.below, times, self.effort))

    def _symbolic_power(self, name: str, exponent: Polynomial) -> Form:
        factors = []
        for monomial, coefficient in exponent.items():
            power = name if monomial == EMPTY else self.named("pow", name, _key({monomial: Fraction(1)}))
            factors.append(Form(generator(power, coefficient)))
        return self.product(factors)

    def _exponential_of(self, monomial: Monomial, coefficient: Fraction) -> Form:
        if monomial == EMPTY:
            return Form(generator("e", coefficient))
        if monomial == _TURN:
            return Form(unit_power(coefficient, self.effort))
        return Form(generator(self.named("exp", _key({monomial: Fraction(1)})), coefficient))

    def _opaque_root(self, form: Form, degree: int) -> Form:
        """Return a root that is a generator with an equation of its own, times what can be taken out of it."""
        outside = content(form.above) / content(form.below)
        above = scaled(form.above, 1 / content(form.above))
        below = scaled(form.below, 1 / content(form.below))
        sign = Fraction(1)
        if degree % 2 and above[max(above)] < 0:
            above, sign = scaled(above, Fraction(-1)), Fraction(-1)
        name = self.named(f"root {degree}", self.key(Form(above, below)))
        if below == ONE:
            self._equations[name] = (degree, above)
        factor = root_of_constant(EMPTY, outside, degree) or ONE
        return Form(multiplied(scaled(factor, sign), generator(name), self.effort))

    def _rid_of_roots(self, polynomial: Polynomial) -> Polynomial:
        """Return a polynomial that is 0 where this one is, without powers of roots that their equation knows."""
        # A root made later may have one made earlier in its radicand, and not the other way round.
        for name, (degree, radicand) in reversed(self._equations.items()):
            least = min((dict(monomial).get(name, Fraction(0)) for monomial in polynomial), default=Fraction(0))
            if least < 0:
                polynomial = multiplied(polynomial, generator(name, -least), self.effort)
            total: Polynomial = {}
            for monomial, coefficient in polynomial.items():
                times, rest = _split(monomial, name, degree)
                piece = multiplied({rest: coefficient}, raised(radicand, times, self.effort), self.effort)
                total = added(total, piece)
            polynomial = total
        return polynomial


def number_of(form: Form) -> Fraction | None:
    """Return the exact number that the form is; None if it has generators."""
    above, below = as_number(form.above), as_number(form.below)
    return None if above is None or not below else above / below


def multiple_of(form: Form, monomial: Monomial) -> Fraction | None:
    """Return the number that the form is a multiple of this monomial by; None if it is none."""
    if not form.above:
        return Fraction(0)
    return form.above[monomial] if form.below == ONE and set(form.above) == {monomial} else None


def polynomial_in_names(form: Form) -> bool:
    """Whether the numerator is made of names to whole powers only: then it is 0 only if it is empty."""
    for monomial in form.above:
        if not all(name.startswith(NAME) and exponent.denominator == 1 for name, exponent in monomial):
            return False
    return True


def _single_generator(form: Form) -> str | None:
    """Return the generator if the form is one, to the power 1."""
    if form.below != ONE or len(form.above) != 1:
        return None
    ((monomial, coefficient),) = form.above.items()
    return monomial[0][0] if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 else None


def _key(polynomial: Polynomial) -> str:
    terms = []
    for monomial, coefficient in sorted(polynomial.items()):
        powers = ",".join(f"{name}^{exponent}" for name, exponent in monomial)
        terms.append(f"{coefficient}*({powers})")
    return "+".join(terms)


def _split(monomial: Monomial, name: str, degree: int) -> tuple[int, Monomial]:
    """Return how many whole times the root's degree is in its exponent, and the monomial without those."""
    exponents = dict(monomial)
    exponent = exponents.get(name, Fraction(0))
    times = floor(exponent / degree)
    exponents[name] = exponent - times * degree
    return times, tuple(sorted((key, value) for key, value in exponents.items() if value))
