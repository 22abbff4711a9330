"""What a scalar expression is: a tree of exact numbers, names and functions. Parsers build it; nothing is evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


class OutOfReach(Exception):  # noqa: N818 - no error: the caller goes on with another means
    """The means at hand do not suffice: too large, or calculus that only the worker can do."""


class UndefinedError(ValueError):
    """An expression without a value, such as a division by zero."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, with its subscript if it has one: ``x``, ``a_1``."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """One of ``pi``, ``e``, ``i``, ``infinity``."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of its terms."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """The product of its factors."""

    factors: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """``base`` to the ``exponent``; a quotient is a product with a power of exponent -1."""

    base: Expression
    exponent: Expression


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of its arguments: ``sqrt`` is ``root`` with the arguments x and 2."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Number | Name | Constant | Sum | Product | Power | Apply

ZERO, ONE, TWO = (Number(Fraction(n)) for n in (0, 1, 2))
MINUS_ONE = Number(Fraction(-1))
PI, EULER, UNIT_I, INFINITY = (Constant(name) for name in ("pi", "e", "i", "infinity"))
# What only SymPy, in the worker, can do.
CALCULUS = frozenset({"integral", "derivative", "sum", "product", "limit"})


def number(value: int | Fraction) -> Number:
    """Return the exact number as an expression."""
    return Number(Fraction(value))


def negative(value: Expression) -> Expression:
    """Return ``-value``, folded where the value is a number."""
    return Number(-value.value) if isinstance(value, Number) else Product((MINUS_ONE, value))


def difference(left: Expression, right: Expression) -> Expression:
    """Return ``left - right``."""
    return Sum((left, negative(right)))


def quotient(above: Expression, below: Expression) -> Expression:
    """Return ``above / below``, folded where both are numbers and the lower one is not 0."""
    if isinstance(above, Number) and isinstance(below, Number) and below.value:
        return Number(above.value / below.value)
    return Product((above, Power(below, MINUS_ONE)))


def root(radicand: Expression, degree: Expression = TWO) -> Expression:
    """Return the principal root; the real one of a negative number under an odd degree."""
    return Apply("root", (radicand, degree))


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that this one is made of, one level down."""
    if isinstance(expression, Sum):
        return expression.terms
    if isinstance(expression, Product):
        return expression.factors
    if isinstance(expression, Power):
        return (expression.base, expression.exponent)
    return expression.arguments if isinstance(expression, Apply) else ()


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield the expression and all its parts."""
    waiting = [expression]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(children(node))


def names(expression: Expression) -> frozenset[str]:
    """Return the variables that occur in it, bound ones among them."""
    return frozenset(node.name for node in walk(expression) if isinstance(node, Name))


def has_calculus(expression: Expression) -> bool:
    """Whether an integral, a derivative, a series or a limit is part of it."""
    return any(isinstance(node, Apply) and node.function in CALCULUS for node in walk(expression))


def has(expression: Expression, part: Expression) -> bool:
    """Whether ``part`` occurs in the expression."""
    return any(node == part for node in walk(expression))
