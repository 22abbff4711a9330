"""The normal form of an expression: a quotient of two polynomials over exact generators.

Two expressions are equal if the numerator of the normal form of their difference is empty. The rules that bring this
about are identities: exponentials split over sums, sines and cosines are exponentials of i times their argument, roots
of numbers split over primes, special angles are roots, logarithms of numbers split over primes, other roots satisfy
their own equation. What no rule knows stays a generator of its own, so that a normal form may fail to show an
equality and never shows a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable

from llm_validation.verifiers.exact.expressions.effort import Effort
from llm_validation.verifiers.exact.expressions.enclosure import whole_part
from llm_validation.verifiers.exact.expressions.tree import (
    CALCULUS,
    PI,
    Apply,
    Constant,
    Expression,
    Name,
    Number,
    OutOfReach,
    Power,
    Product,
    Sum,
    UndefinedError,
    difference,
    number,
)
from llm_validation.verifiers.exact.normal_form.angles import IMAGINARY, share_of_pi
from llm_validation.verifiers.exact.normal_form.functions import FUNCTIONS
from llm_validation.verifiers.exact.normal_form.polynomials import constant, generator, scaled
from llm_validation.verifiers.exact.normal_form.quotients import NAME, Form, Quotients, number_of
from llm_validation.verifiers.exact.normal_form.whole_numbers import value_of_numbers

_FORWARD = {"arcsin": "sin", "arccos": "cos", "arctan": "tan"}


class NormalForms:
    """The normal forms of one comparison.

    Args:
        effort: what may be spent.
    """

    def __init__(self, effort: Effort) -> None:
        self.quotients = Quotients(effort)
        self._known: dict[Expression, Form] = {}

    def of(self, expression: Expression) -> Form:
        """Return the normal form.

        Raises:
            OutOfReach: it costs too much, or has calculus in it.
            UndefinedError: a division by zero, or arithmetic with infinity.
        """
        if expression not in self._known:
            self._known[expression] = self._made(expression)
        return self._known[expression]

    def is_zero(self, expression: Expression) -> bool:
        """Whether the expression is shown to be 0; one that is not may still be."""
        return self.quotients.is_zero(self.of(expression))

    def _made(self, expression: Expression) -> Form:
        if isinstance(expression, Number):
            self.quotients.effort.hold(expression.value.numerator.bit_length())
            return Form(constant(expression.value))
        if isinstance(expression, Name):
            return Form(generator(NAME + expression.name))
        if isinstance(expression, Constant):
            return _of_constant(expression)
        if isinstance(expression, Sum):
            return self._folded(expression.terms, self.quotients.add)
        if isinstance(expression, Product):
            return self._folded(expression.factors, self.quotients.multiply)
        if isinstance(expression, Power):
            return self.quotients.power(self.of(expression.base), self.of(expression.exponent))
        return self._applied(expression)

    def _folded(self, parts: tuple[Expression, ...], operation: Callable[[Form, Form], Form]) -> Form:
        total = self.of(parts[0])
        for part in parts[1:]:
            total = operation(total, self.of(part))
        return total

    def _applied(self, expression: Apply) -> Form:
        if expression.function in CALCULUS:
            raise OutOfReach("calculus")
        arguments = [self.of(argument) for argument in expression.arguments]
        numbers = [number_of(argument) for argument in arguments]
        value = value_of_numbers(expression.function, numbers)
        if value is not None:
            return Form(constant(value))
        if expression.function in ("floor", "ceiling") and all(_is_constant(argument) for argument in arguments):
            return Form(constant(whole_part(expression, self.quotients.effort)))
        known = FUNCTIONS[expression.function](self.quotients, arguments) if expression.function in FUNCTIONS else None
        if known is None and expression.function in _FORWARD:
            known = self._angle(expression)
        if known is not None:
            return known
        keys = [self.quotients.key(argument) for argument in arguments]
        return Form(generator(self.quotients.named(expression.function, *keys)))

    def _angle(self, expression: Apply) -> Form | None:
        """Return the value of an inverse function that the function itself shows to be a multiple of pi."""
        share = share_of_pi(expression.function, expression.arguments[0])
        if share is None:
            return None
        # Numerics put the multiple inside the range of the inverse, where the function is one to one.
        forward = Apply(_FORWARD[expression.function], (Product((number(share), PI)),))
        if not self.is_zero(difference(forward, expression.arguments[0])):
            return None
        return Form(scaled(generator("pi"), share))


def _of_constant(expression: Constant) -> Form:
    if expression.name == "i":
        return Form(IMAGINARY)
    if expression.name == "infinity":
        raise UndefinedError("arithmetic with infinity")
    return Form(generator(expression.name))


def _is_constant(form: Form) -> bool:
    """Whether no name occurs among the generators at the top."""
    for monomial in (*form.above, *form.below):
        if any(name.startswith(NAME) or "#" in name for name, _ in monomial):
            return False
    return True
