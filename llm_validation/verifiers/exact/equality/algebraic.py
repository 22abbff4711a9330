"""Constants rewritten into whole numbers, arithmetic, roots and roots of unity, where that is possible.

Sines and cosines of rational multiples of pi are sums of roots of unity, exponentials of rational multiples of i pi are
roots of unity, absolute values are roots of squares. What is left has a zero bound.
"""

from __future__ import annotations

from fractions import Fraction

from llm_validation.verifiers.exact.expressions.tree import (
    ONE,
    TWO,
    UNIT_I,
    Apply,
    Constant,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    difference,
    number,
    quotient,
    root,
    walk,
)
from llm_validation.verifiers.exact.normal_form.angles import HALF
from llm_validation.verifiers.exact.normal_form.build import NormalForms
from llm_validation.verifiers.exact.normal_form.polynomials import UNIT
from llm_validation.verifiers.exact.normal_form.quotients import multiple_of

_PI = (("pi", Fraction(1)),)
_I_PI = (("pi", Fraction(1)), (UNIT, HALF))
_RATIOS = {"tan": ("sin", "cos"), "cot": ("cos", "sin"), "sec": (None, "cos"), "csc": (None, "sin")}


def algebraic(expression: Expression, forms: NormalForms) -> Expression | None:
    """Return an equal expression of algebraic operations; None if there are parts that none is known for.

    Args:
        expression: a constant.
        forms: the normal forms by which angles are recognised.
    """
    if isinstance(expression, Number):
        return expression
    if isinstance(expression, Constant):
        return UNIT_I if expression.name == "i" else None
    if isinstance(expression, Sum):
        terms = _each(expression.terms, forms)
        return None if terms is None else Sum(terms)
    if isinstance(expression, Product):
        factors = _each(expression.factors, forms)
        return None if factors is None else Product(factors)
    if isinstance(expression, Power):
        return _power(expression, forms)
    return _function(expression, forms) if isinstance(expression, Apply) else None


def _each(parts: tuple[Expression, ...], forms: NormalForms) -> tuple[Expression, ...] | None:
    found = []
    for part in parts:
        rewritten = algebraic(part, forms)
        if rewritten is None:
            return None
        found.append(rewritten)
    return tuple(found)


def _power(expression: Power, forms: NormalForms) -> Expression | None:
    if isinstance(expression.base, Constant) and expression.base.name == "e":
        return _turn(expression.exponent, forms)
    base, exponent = algebraic(expression.base, forms), expression.exponent
    if base is None or not isinstance(exponent, Number):
        return None
    return Power(base, exponent)


def _function(expression: Apply, forms: NormalForms) -> Expression | None:
    name, arguments = expression.function, expression.arguments
    if name == "root":
        radicand = algebraic(arguments[0], forms)
        return None if radicand is None else Apply("root", (radicand, arguments[1]))
    if name == "exp":
        return _turn(arguments[0], forms)
    if name in ("sin", "cos"):
        share = multiple_of(forms.of(arguments[0]), _PI)
        return None if share is None else _wave(name, share)
    if name in _RATIOS:
        above, below = _RATIOS[name]
        first = ONE if above is None else _function(Apply(above, arguments), forms)
        second = _function(Apply(str(below), arguments), forms)
        return None if first is None or second is None else quotient(first, second)
    if name == "abs":
        inside = algebraic(arguments[0], forms)
        return None if inside is None else _absolute(inside)
    return None


def _turn(exponent: Expression, forms: NormalForms) -> Expression | None:
    """Return the root of unity that e to this exponent is, if it is one."""
    share = multiple_of(forms.of(exponent), _I_PI)
    return None if share is None else Apply("unit", (number(share),))


def _wave(name: str, share: Fraction) -> Expression:
    forward, backward = Apply("unit", (number(share),)), Apply("unit", (number(-share),))
    if name == "cos":
        return quotient(Sum((forward, backward)), TWO)
    return Product((difference(forward, backward), Number(-HALF), UNIT_I))


def _absolute(inside: Expression) -> Expression | None:
    """Return the root of the square of what has nothing imaginary in it."""
    return None if any(_may_be_imaginary(part) for part in walk(inside)) else root(Power(inside, TWO))


def _may_be_imaginary(part: Expression) -> bool:
    if isinstance(part, Power):
        return not isinstance(part.exponent, Number) or part.exponent.value.denominator > 1
    if not isinstance(part, Apply):
        return part == UNIT_I
    radicand = part.arguments[0]
    return part.function != "root" or not isinstance(radicand, Number) or radicand.value < 0
