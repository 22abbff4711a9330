"""Expressions exchanged everywhere in an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from llm_validation.verifiers.exact.expressions.tree import (
    Apply,
    Constant,
    Expression,
    Name,
    Number,
    Power,
    Product,
    Sum,
    number,
)

_EXPRESSIONS = (Number, Name, Constant, Sum, Product, Power, Apply)
NO_BASE = "log of no base"


def mapped(part: Any, function: Callable[[Expression], Expression]) -> Any:
    """Return a part of an answer with the function applied to each of its expressions."""
    if isinstance(part, _EXPRESSIONS):
        return function(part)
    if isinstance(part, tuple):
        return tuple(mapped(item, function) for item in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: mapped(getattr(part, field.name), function) for field in fields(part)})
    return part


def rebuilt(expression: Expression, function: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with the function applied to each of its parts, one level down."""
    if isinstance(expression, Sum):
        return Sum(tuple(function(term) for term in expression.terms))
    if isinstance(expression, Product):
        return Product(tuple(function(factor) for factor in expression.factors))
    if isinstance(expression, Power):
        return Power(function(expression.base), function(expression.exponent))
    if isinstance(expression, Apply):
        return Apply(expression.function, tuple(function(argument) for argument in expression.arguments))
    return expression


def with_logarithms(expression: Expression, *, natural: bool) -> Expression:
    r"""Return the expression with every ``\log`` without a base as the natural or as the decimal logarithm."""
    inside = rebuilt(expression, lambda part: with_logarithms(part, natural=natural))
    if not isinstance(inside, Apply) or inside.function != NO_BASE:
        return inside
    return Apply("ln", inside.arguments) if natural else Apply("log", (*inside.arguments, number(10)))
