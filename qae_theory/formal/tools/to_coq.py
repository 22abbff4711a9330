"""Write Python's numbers and SymPy's expressions as terms of Coq.

A term is written with every bracket, so that it reads the same whatever notations are open.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy


def rational(x: Fraction) -> str:
    """Return a fraction as an element of ``Q``.

    >>> rational(Fraction(-3, 4))
    '(-3 # 4)'
    """
    return f"({x.numerator} # {x.denominator})"


def real(x: Fraction) -> str:
    """Return a fraction, a float's exact value for example, as a real number.

    >>> real(Fraction(-3, 4))
    '(-3 / 4)'
    """
    return f"({x.numerator} / {x.denominator})"


def expression(value: Any, names: Mapping[Any, str]) -> str:
    """Return a sum of products of powers, numbers and named terms as a real number.

    Args:
        value: a SymPy expression; every part that is not a sum, a product, an integer power or a rational number has a
            name.
        names: what each symbol or function of symbols is called in Coq.

    Raises:
        ValueError: for any other part.

    >>> x = sympy.Symbol("x")
    >>> expression(1 - x**2 / 3, {x: "a"})
    '(1 + ((-1) * (1 / 3) * (a ^ 2)))'
    """
    value = sympy.sympify(value, strict=True)  # a text would be evaluated
    # Named parts first: a function of symbols is not taken apart.
    if value in names:
        return names[value]
    if value.is_Rational:
        # A negative number needs brackets, or its sign would be read as a subtraction.
        numerator = str(value.p) if value.p >= 0 else f"({value.p})"
        return numerator if value.q == 1 else f"({numerator} / {value.q})"
    if value.is_Add or value.is_Mul:
        parts = [expression(part, names) for part in value.as_ordered_terms() if value.is_Add] or [
            expression(part, names) for part in value.as_ordered_factors()
        ]
        return "(" + (" + " if value.is_Add else " * ").join(parts) + ")"
    if value.is_Pow and value.exp.is_Integer:
        base = expression(value.base, names)
        # Coq's division is multiplication by the inverse, and field knows both.
        if value.exp == -1:
            return f"(/ {base})"
        return f"({base} ^ {value.exp})" if value.exp > 0 else f"(/ {base} ^ {-value.exp})"
    raise ValueError(f"no term of Coq for {value}")
