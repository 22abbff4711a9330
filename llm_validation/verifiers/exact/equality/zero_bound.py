r"""How close to 0 an algebraic number that is not 0 can be.

An expression of whole numbers, sums, products, quotients, roots and roots of unity is a quotient U/L of algebraic
integers. All conjugates of U are at most u in size and those of L at most l, and the degree of U is at most D, the
product of the degrees of the roots. Where U is not 0, its norm is a whole number other than 0, so that

.. math:: |U/L| \ge u^{-(D-1)} \, l^{-1}.

An enclosure that lies below this bound therefore shows that the number is 0. Source: Burnikel, Funke, Mehlhorn, Schirra
and Schmitt, "A separation bound for real algebraic expressions" (2001), Theorem 1; here with logarithms rounded up.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from llm_validation.verifiers.exact.expressions.tree import (
    Apply,
    Constant,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    walk,
)

_LARGEST_DEGREE = 1 << 16
_LARGEST_EXPONENT = 1 << 20


class _Size(NamedTuple):
    """Binary logarithms of u and l, rounded up."""

    above: int
    below: int


class _Transcendental(Exception):  # noqa: N818 - it ends the search for a bound
    """The expression has parts that need not be algebraic."""


def zero_bound(expression: Expression) -> int | None:
    """Return b such that the value is 0 or at least 2**-b in size; None where the expression has no such bound."""
    try:
        degree = _degree(expression)
        size = _size(expression)
    except _Transcendental:
        return None
    return None if degree > _LARGEST_DEGREE else (degree - 1) * size.above + size.below


def _degree(expression: Expression) -> int:
    """Return the product of the degrees of all different roots in the expression."""
    radicals: set[Expression] = set()
    degree = 1
    for node in walk(expression):
        if node in radicals:
            continue
        step = _own_degree(node)
        if step > 1:
            radicals.add(node)
            degree *= step
        if degree > _LARGEST_DEGREE:
            break
    return degree


def _own_degree(node: Expression) -> int:
    if isinstance(node, Constant) and node.name == "i":
        return 2
    if isinstance(node, Power) and isinstance(node.exponent, Number):
        return node.exponent.value.denominator
    if isinstance(node, Apply) and node.function == "root":
        return _whole(node.arguments[1])
    if isinstance(node, Apply) and node.function == "unit":
        # exp(i pi p/q) is a root of unity of an order that divides 2 q.
        return 2 * _fraction(node.arguments[0]).denominator
    return 1


def _size(node: Expression) -> _Size:
    if isinstance(node, Number):
        return _Size(node.value.numerator.bit_length(), node.value.denominator.bit_length())
    if isinstance(node, Constant) and node.name == "i":
        return _Size(0, 0)
    if isinstance(node, Sum):
        return _of_sum([_size(term) for term in node.terms])
    if isinstance(node, Product):
        sizes = [_size(factor) for factor in node.factors]
        return _Size(sum(size.above for size in sizes), sum(size.below for size in sizes))
    if isinstance(node, Power):
        return _of_power(_size(node.base), _fraction(node.exponent))
    if isinstance(node, Apply) and node.function == "root":
        return _of_power(_size(node.arguments[0]), Fraction(1, _whole(node.arguments[1])))
    if isinstance(node, Apply) and node.function == "unit":
        return _Size(0, 0)
    raise _Transcendental


def _of_sum(sizes: list[_Size]) -> _Size:
    total = sizes[0]
    for size in sizes[1:]:
        # u = u1 l2 + l1 u2 and l = l1 l2.
        above = max(total.above + size.below, total.below + size.above) + 1
        total = _Size(above, total.below + size.below)
    return total


def _of_power(size: _Size, exponent: Fraction) -> _Size:
    if abs(exponent) > _LARGEST_EXPONENT or exponent.denominator > _LARGEST_DEGREE:
        raise _Transcendental
    if exponent < 0:
        size = _Size(size.below, size.above)
    k = exponent.denominator
    if k > 1:
        # The root of U/L is that of U L^(k-1) over L, or U over that of U^(k-1) L.
        if size.above >= size.below:
            size = _Size(-(-(size.above + (k - 1) * size.below) // k), size.below)
        else:
            size = _Size(size.above, -(-((k - 1) * size.above + size.below) // k))
    times = abs(exponent.numerator)
    return _Size(times * size.above, times * size.below)


def _fraction(node: Expression) -> Fraction:
    if not isinstance(node, Number):
        raise _Transcendental
    return node.value


def _whole(node: Expression) -> int:
    value = _fraction(node)
    if value.denominator != 1 or value < 1:
        raise _Transcendental
    return int(value)
