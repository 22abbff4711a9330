"""The functions that normal forms know identities of: circular, hyperbolic, logarithms, absolute values, binomials."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import factorial

from llm_validation.verifiers.exact.expressions.tree import UndefinedError
from llm_validation.verifiers.exact.normal_form.angles import HALF, IMAGINARY, is_positive
from llm_validation.verifiers.exact.normal_form.factors import prime_powers
from llm_validation.verifiers.exact.normal_form.polynomials import (
    PRIME,
    UNIT,
    Polynomial,
    added,
    constant,
    generator,
    scaled,
)
from llm_validation.verifiers.exact.normal_form.quotients import NAME, ONE, Form, Quotients, number_of

Function = Callable[[Quotients, list[Form]], Form | None]
_LARGEST_CHOICE = 20  # of k in a binomial coefficient of a name


def _root(forms: Quotients, arguments: list[Form]) -> Form:
    return forms.power(arguments[0], forms.inverted(arguments[1]))


def _absolute(forms: Quotients, arguments: list[Form]) -> Form | None:
    """Return the root of the squares of real and imaginary part; None where these are not known."""
    value = number_of(arguments[0])
    if value is not None:
        return Form(constant(abs(value)))
    if arguments[0].below != ONE:
        return None
    real: Polynomial = {}
    imaginary: Polynomial = {}
    for monomial, coefficient in arguments[0].above.items():
        powers = dict(monomial)
        part = real if powers.pop(UNIT, HALF * 0) == 0 else imaginary
        if dict(monomial).get(UNIT, HALF) != HALF or not all(_is_real(name) for name in powers):
            return None
        part[tuple(sorted(powers.items()))] = coefficient
    squares = [forms.multiply(Form(part), Form(part)) for part in (real, imaginary)]
    return forms.root(forms.add(*squares), 2)


def _is_real(name: str) -> bool:
    return is_positive(name) or name.startswith(NAME)


def _degrees(forms: Quotients, arguments: list[Form]) -> Form:
    return forms.multiply(arguments[0], Form(scaled(generator("pi"), Fraction(1, 180))))


def _exponentials(forms: Quotients, argument: Form, *, turned: bool) -> tuple[Form, Form]:
    """Return exp(c u) and exp(-c u): c is i for the circular functions and 1 for the hyperbolic ones."""
    exponent = forms.multiply(argument, Form(IMAGINARY)) if turned else argument
    return forms.exponential(exponent), forms.exponential(_minus(exponent))


def _minus(form: Form) -> Form:
    return Form(scaled(form.above, Fraction(-1)), form.below)


def _sine(forms: Quotients, arguments: list[Form], *, turned: bool = True) -> Form:
    forward, backward = _exponentials(forms, arguments[0], turned=turned)
    # 1 / (2 i) is -i / 2.
    factor = scaled(IMAGINARY, -HALF) if turned else constant(HALF)
    return forms.multiply(forms.add(forward, _minus(backward)), Form(factor))


def _cosine(forms: Quotients, arguments: list[Form], *, turned: bool = True) -> Form:
    forward, backward = _exponentials(forms, arguments[0], turned=turned)
    return forms.multiply(forms.add(forward, backward), Form(constant(HALF)))


def _tangent(forms: Quotients, arguments: list[Form], *, turned: bool = True) -> Form:
    below = forms.inverted(_cosine(forms, arguments, turned=turned))
    return forms.multiply(_sine(forms, arguments, turned=turned), below)


def _logarithm(forms: Quotients, arguments: list[Form]) -> Form:
    """Return the natural logarithm, split over the factors that are known to be positive and one other."""
    form = arguments[0]
    if not form.above:
        raise UndefinedError("the logarithm of zero")
    if form.below == ONE and len(form.above) == 1:
        ((monomial, coefficient),) = form.above.items()
        others = [(name, exponent) for name, exponent in monomial if not is_positive(name)]
        if coefficient > 0 and (not others or (len(others) == 1 and others[0][1] == 1)):
            return Form(_split_logarithm(forms, coefficient, dict(monomial)))
    return Form(generator(forms.named("ln", forms.key(form))))


def _split_logarithm(forms: Quotients, coefficient: Fraction, powers: dict[str, Fraction]) -> Polynomial:
    total: Polynomial = {}
    for prime, times in prime_powers(coefficient).items():
        total = added(total, scaled(generator(f"ln {PRIME}{prime}"), Fraction(times)))
    for name, exponent in powers.items():
        logarithm = constant(1) if name == "e" else generator(f"ln {name}")
        total = added(total, scaled(logarithm, exponent))
    return total


def _logarithm_to_base(forms: Quotients, arguments: list[Form]) -> Form:
    below = _logarithm(forms, arguments[1:])
    return forms.multiply(_logarithm(forms, arguments[:1]), forms.inverted(below))


def _binomial(forms: Quotients, arguments: list[Form]) -> Form | None:
    """Return n (n - 1) ... (n - k + 1) / k! for a small whole k."""
    k = number_of(arguments[1])
    if k is None or k.denominator != 1 or not 0 <= k <= _LARGEST_CHOICE:
        return None
    factors = [forms.add(arguments[0], Form(constant(-step))) for step in range(int(k))]
    return forms.product([Form(constant(Fraction(1, factorial(int(k))))), *factors])


def _over(function: Function) -> Function:
    """Return 1 over the function."""

    def applied(forms: Quotients, arguments: list[Form]) -> Form | None:
        found = function(forms, arguments)
        return None if found is None else forms.inverted(found)

    return applied


FUNCTIONS: dict[str, Function] = {
    "root": _root,
    "abs": _absolute,
    "degrees": _degrees,
    "exp": lambda forms, arguments: forms.exponential(arguments[0]),
    "ln": _logarithm,
    "log": _logarithm_to_base,
    "binomial": _binomial,
    "sin": _sine,
    "cos": _cosine,
    "tan": _tangent,
    "cot": _over(_tangent),
    "sec": _over(_cosine),
    "csc": _over(_sine),
    "sinh": lambda forms, arguments: _sine(forms, arguments, turned=False),
    "cosh": lambda forms, arguments: _cosine(forms, arguments, turned=False),
    "tanh": lambda forms, arguments: _tangent(forms, arguments, turned=False),
    "unit": lambda forms, arguments: forms.exponential(
        forms.multiply(arguments[0], Form({(("pi", Fraction(1)), (UNIT, HALF)): Fraction(1)}))
    ),
}
