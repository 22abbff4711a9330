"""Let the shipped code run on SymPy expressions that answer a question only where SymPy is certain.

SymPy's own ``==`` compares how expressions are written, and its symbols are true: code that asks would be told what
holds for some numbers only.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from qae_theory.arrays import Array
from qae_theory.proofs.carriers.opaque import Opaque


class Formula(Opaque):
    """Stand for a real SymPy expression in an exact array.

    A comparison is answered if it holds, or fails, for all numbers that the symbols stand for; otherwise it raises.
    """

    __slots__ = ("expression",)

    def __init__(self, expression: Any) -> None:
        """Wrap an exact SymPy expression.

        Raises:
            sympy.SympifyError: for a text, which SymPy would evaluate.
        """
        self.expression = sympy.sympify(expression, strict=True)

    def _make(self, other: object, combine: Any) -> Any:
        """Return the combination with an exact number or another formula."""
        if not is_exact_scalar(other):
            return NotImplemented
        return Formula(combine(self.expression, expression_of(other)))

    def __add__(self, other: object) -> Any:
        return self._make(other, lambda a, b: a + b)

    def __radd__(self, other: object) -> Any:
        return self._make(other, lambda a, b: b + a)

    def __sub__(self, other: object) -> Any:
        return self._make(other, lambda a, b: a - b)

    def __rsub__(self, other: object) -> Any:
        return self._make(other, lambda a, b: b - a)

    def __mul__(self, other: object) -> Any:
        return self._make(other, lambda a, b: a * b)

    def __rmul__(self, other: object) -> Any:
        return self._make(other, lambda a, b: b * a)

    def __truediv__(self, other: object) -> Any:
        return self._make(other, _quotient)

    def __rtruediv__(self, other: object) -> Any:
        return self._make(other, lambda a, b: _quotient(b, a))

    def __neg__(self) -> Formula:
        return Formula(-self.expression)

    def __pow__(self, exponent: object) -> Formula:
        # An integer power of a formula is a polynomial's; another exponent would need its base to be positive.
        if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)):
            self.refuse("** with an exponent that is no integer")
        return Formula(self.expression ** int(exponent)) if exponent >= 0 else 1 / self ** -int(exponent)

    def exp(self) -> Formula:
        """Return the exponential."""
        return Formula(sympy.exp(self.expression))

    def log(self) -> Formula:
        """Return the natural logarithm."""
        return Formula(sympy.log(self.expression))

    def sqrt(self) -> Formula:
        """Return the square root."""
        return Formula(sympy.sqrt(self.expression))

    def __eq__(self, other: object) -> Any:
        return self._ask(other, "==")

    def __ne__(self, other: object) -> Any:
        answer = self._ask(other, "==")
        return answer if answer is NotImplemented else not answer

    def __lt__(self, other: object) -> Any:
        return self._ask(other, "<")

    def __le__(self, other: object) -> Any:
        return self._ask(other, "<=")

    def __gt__(self, other: object) -> Any:
        return self._ask(other, ">")

    def __ge__(self, other: object) -> Any:
        return self._ask(other, ">=")

    def __bool__(self) -> bool:
        return not self._ask(0, "==")

    def __hash__(self) -> int:
        self.refuse("hash")

    def _ask(self, other: object, question: str) -> Any:
        """Return the answer to a comparison if it is the same for all numbers, and refuse it otherwise."""
        if not is_exact_scalar(other):
            # NumPy then compares the entries one by one, each through this method.
            if isinstance(other, np.ndarray):
                return NotImplemented
            self.refuse(f"{question} {type(other).__name__}")
        # SymPy decides the sign of one expression only, so both sides are brought to one; None: it cannot tell.
        gap = sympy.simplify(self.expression - expression_of(other))
        signs = {
            "==": gap.is_zero,
            "<": gap.is_negative,
            "<=": gap.is_nonpositive,
            ">": gap.is_positive,
            ">=": gap.is_nonnegative,
        }
        if signs[question] is None:
            self.refuse(question)
        return signs[question]


def is_exact_scalar(value: object) -> bool:
    """Return whether a value is a number or expression that a formula can meet: exact, and no array.

    A bool is refused: code that adds a comparison's answer to a number would otherwise pass.
    """
    if isinstance(value, sympy.Expr):
        return not value.has(sympy.Float)
    return isinstance(value, (Formula, int, np.integer, Fraction)) and not isinstance(value, bool)


def expression_of(value: Any) -> Any:
    """Return the SymPy expression of a formula, or of an exact number.

    An exact number is an int, a Fraction, a NumPy integer or a SymPy number.

    Raises:
        sympy.SympifyError: for a text, which SymPy would evaluate.
    """
    if isinstance(value, Formula):
        return value.expression
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return sympy.sympify(int(value) if isinstance(value, np.integer) else value, strict=True)


def formulas(expressions: Iterable[Any]) -> Array:
    """Return an exact array of rank 1 that holds SymPy expressions, for the shipped functions to run on."""
    # Filling an empty array keeps NumPy from asking each entry for a length or a number.
    entries = [Formula(expression) for expression in expressions]
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


def scalar(expression: Any) -> Array:
    """Return an exact array of rank 0 that holds one SymPy expression, for the shipped functions to run on."""
    array = np.empty((), dtype=object)
    array[()] = Formula(expression)
    return array


def expressions(array: Any) -> list[Any]:
    """Return the SymPy expressions in an array that the shipped functions returned, in order."""
    return [expression_of(entry) for entry in np.asarray(array, dtype=object).flat]


def expression(result: Any) -> Any:
    """Return the one SymPy expression in a result of rank 0.

    Raises:
        ValueError: if the result holds another number of entries.
    """
    (only,) = expressions(result)
    return only


def _quotient(top: Any, bottom: Any) -> Any:
    """Return a quotient; the divisor must certainly not be 0, whatever numbers its symbols stand for."""
    if bottom.is_zero is not False:
        raise ZeroDivisionError("a formula is divided by what may be 0")
    return top / bottom
