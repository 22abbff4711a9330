"""Rigorous enclosures of expressions: balls of Arb that hold the true value.

An enclosure may show that two values differ, or which is larger. It never shows that they are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.tree import (
    Apply,
    Constant,
    Expression,
    Name,
    Number,
    OutOfReach,
    Power,
    Product,
    Sum,
)

Ball = Any  # flint.acb
FIRST_PRECISION = 64  # bits; most different answers differ much earlier
_LARGEST_FACTORIAL = 10**6


def precisions(effort: Effort) -> Iterator[int]:
    """Yield the precisions to try, in bits, each four times the one before."""
    precision = FIRST_PRECISION
    while precision <= effort.bits:
        yield precision
        precision *= 4


def enclosure(expression: Expression, *, precision: int, values: Mapping[str, Fraction] | None = None) -> Ball:
    """Return a ball that holds the value, or None where this cannot be computed.

    Args:
        expression: without calculus.
        precision: in bits.
        values: of the names; without one a name has no value.
    """
    from flint import ctx

    with ctx.workprec(precision):
        try:
            ball = _ball(expression, values or {})
        except (_NoValue, OverflowError, ValueError):
            return None
        return ball if ball.is_finite() else None


def whole_part(expression: Apply, effort: Effort) -> int:
    """Return the value of a ``floor`` or ``ceiling`` of a real constant.

    Raises:
        OutOfReach: the enclosures do not decide it.
    """
    for precision in precisions(effort):
        ball = enclosure(expression.arguments[0], precision=precision)
        if ball is None or not ball.imag.contains(0):
            break
        whole = (ball.real.floor() if expression.function == "floor" else ball.real.ceil()).unique_fmpz()
        if whole is not None:
            return int(whole)
    raise OutOfReach("the whole part is not decided")


class _NoValue(Exception):  # noqa: N818 - it ends the evaluation of an expression that has no enclosure
    """The expression cannot be enclosed."""


def _ball(expression: Expression, values: Mapping[str, Fraction]) -> Ball:
    if isinstance(expression, Number):
        return _rational(expression.value)
    if isinstance(expression, Constant):
        return _constant(expression.name)
    if isinstance(expression, Name):
        if expression.name not in values:
            raise _NoValue
        return _rational(values[expression.name])
    if isinstance(expression, Sum):
        total = _ball(expression.terms[0], values)
        for term in expression.terms[1:]:
            total = total + _ball(term, values)
        return total
    if isinstance(expression, Product):
        total = _ball(expression.factors[0], values)
        for factor in expression.factors[1:]:
            total = total * _ball(factor, values)
        return total
    if isinstance(expression, Power):
        return _power(expression, values)
    arguments = [_ball(argument, values) for argument in expression.arguments]
    if expression.function == "root":
        return _root(arguments[0], expression.arguments[1])
    if expression.function not in _FUNCTIONS:
        raise _NoValue
    return _FUNCTIONS[expression.function](*arguments)


def _rational(value: Fraction) -> Ball:
    from flint import acb, fmpq

    return acb(fmpq(value.numerator, value.denominator))


def _constant(name: str) -> Ball:
    from flint import acb

    if name == "pi":
        return acb.pi()
    if name == "e":
        return acb(1).exp()
    if name == "i":
        return acb(0, 1)
    raise _NoValue


def _power(expression: Power, values: Mapping[str, Fraction]) -> Ball:
    base, exponent = _ball(expression.base, values), expression.exponent
    if isinstance(exponent, Number):
        if exponent.value.denominator == 1:
            return base ** int(exponent.value)
        return _root(base, Number(Fraction(exponent.value.denominator))) ** int(exponent.value.numerator)
    if isinstance(expression.base, Constant) and expression.base.name == "e":
        return _ball(exponent, values).exp()
    return base ** _ball(exponent, values)


def _root(radicand: Ball, degree: Expression) -> Ball:
    """Return the principal root; the real one of what is certainly a negative number under an odd degree."""
    if not isinstance(degree, Number) or degree.value.denominator != 1 or degree.value == 0:
        raise _NoValue
    n = int(degree.value)
    if n == 2:
        return radicand.sqrt()
    if n % 2 and radicand.imag == 0 and radicand.real < 0:
        return -((-radicand) ** (_rational(Fraction(1, n))))
    return radicand ** _rational(Fraction(1, n))


def _factorial(ball: Ball) -> Ball:
    whole = ball.unique_fmpz()
    if whole is None or not 0 <= whole <= _LARGEST_FACTORIAL:
        raise _NoValue
    return (ball + 1).gamma()


def _binomial(above: Ball, below: Ball) -> Ball:
    n, k = above.unique_fmpz(), below.unique_fmpz()
    if n is None or k is None or not 0 <= k <= n <= _LARGEST_FACTORIAL:
        raise _NoValue
    return (above + 1).gamma() / ((below + 1).gamma() * (above - below + 1).gamma())


def _real(function: Callable[[Any], Any]) -> Callable[[Ball], Ball]:
    """Return the function on real numbers only."""

    def applied(ball: Ball) -> Ball:
        from flint import acb

        if ball.imag != 0:
            raise _NoValue
        return acb(function(ball.real))

    return applied


def _absolute(ball: Ball) -> Ball:
    from flint import acb

    return acb(abs(ball))


def _log(argument: Ball, base: Ball) -> Ball:
    return argument.log() / base.log()


_FUNCTIONS: dict[str, Callable[..., Ball]] = {
    "abs": _absolute,
    "degrees": lambda ball: ball * _constant("pi") / 180,
    "unit": lambda ball: ball.exp_pi_i(),
    "exp": lambda ball: ball.exp(),
    "ln": lambda ball: ball.log(),
    "log": _log,
    "sin": lambda ball: ball.sin(),
    "cos": lambda ball: ball.cos(),
    "tan": lambda ball: ball.tan(),
    "cot": lambda ball: ball.cot(),
    "sec": lambda ball: ball.sec(),
    "csc": lambda ball: ball.csc(),
    "sinh": lambda ball: ball.sinh(),
    "cosh": lambda ball: ball.cosh(),
    "tanh": lambda ball: ball.tanh(),
    "arcsin": lambda ball: ball.asin(),
    "arccos": lambda ball: ball.acos(),
    "arctan": lambda ball: ball.atan(),
    "factorial": _factorial,
    "binomial": _binomial,
    "floor": _real(lambda real: real.floor()),
    "ceiling": _real(lambda real: real.ceil()),
}
