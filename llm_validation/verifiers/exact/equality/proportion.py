"""Whether one expression is a multiple of another, and whether one is linear in a name: by normal forms."""

from __future__ import annotations

from fractions import Fraction

from llm_validation.verifiers.exact.equality.decide import Verdict
from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import (
    Expression,
    Name,
    Number,
    OutOfReach,
    Power,
    Product,
    Sum,
    children,
    names,
)
from llm_validation.verifiers.exact.normal_form.build import NormalForms
from llm_validation.verifiers.exact.normal_form.polynomials import Polynomial, scaled
from llm_validation.verifiers.exact.normal_form.quotients import polynomial_in_names

Line = tuple[Expression, Expression]  # slope and intercept


def proportion(left: Expression, right: Expression, effort: Effort) -> tuple[Verdict, Fraction | None]:
    """Return whether ``left = c right`` for a number c other than 0, and that number.

    Only the numerators of the normal forms are compared: an equation keeps its solutions when it is multiplied.
    """
    forms = NormalForms(effort)
    try:
        first, second = forms.of(left), forms.of(right)
    except OutOfReach:
        return Verdict.UNDECIDED, None
    factor = _factor(first.above, second.above)
    if factor is not None and first.below == second.below:
        return Verdict.EQUAL, factor
    if factor is not None:
        return Verdict.EQUAL, None
    exact = polynomial_in_names(first) and polynomial_in_names(second)
    return (Verdict.UNEQUAL if exact else Verdict.UNDECIDED), None


def _factor(left: Polynomial, right: Polynomial) -> Fraction | None:
    if not left or left.keys() != right.keys():
        return None
    some = next(iter(left))
    factor = left[some] / right[some]
    return factor if left == scaled(right, factor) else None


def linear_in(expression: Expression, name: str, effort: Effort) -> Line | None:
    """Return slope and intercept of an expression that is linear in the name, without the name; None for others."""
    effort.spend(1)
    if name not in names(expression):
        return Number(Fraction(0)), expression
    if expression == Name(name):
        return Number(Fraction(1)), Number(Fraction(0))
    if isinstance(expression, Sum):
        return _of_sum(expression, name, effort)
    if isinstance(expression, Product):
        return _of_product(expression, name, effort)
    if isinstance(expression, Power) and expression.exponent == Number(Fraction(1)):
        return linear_in(children(expression)[0], name, effort)
    return None


def _of_sum(expression: Sum, name: str, effort: Effort) -> Line | None:
    slopes, intercepts = [], []
    for term in expression.terms:
        line = linear_in(term, name, effort)
        if line is None:
            return None
        slopes.append(line[0])
        intercepts.append(line[1])
    return Sum(tuple(slopes)), Sum(tuple(intercepts))


def _of_product(expression: Product, name: str, effort: Effort) -> Line | None:
    """Only one factor may have the name in it."""
    others: list[Expression] = []
    line: Line | None = None
    for factor in expression.factors:
        if name not in names(factor):
            others.append(factor)
        elif line is not None:
            return None
        else:
            line = linear_in(factor, name, effort)
            if line is None:
                return None
    if line is None:
        return None
    return Product((*others, line[0])), Product((*others, line[1]))
