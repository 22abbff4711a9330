"""Trees of this project as trees of SymPy, and back. Both are built node by node; no text is parsed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from llm_validation.verifiers.exact.expressions.tree import (
    EULER,
    INFINITY,
    PI,
    UNIT_I,
    Apply,
    Constant,
    Expression,
    Name,
    Number,
    OutOfReach,
    Power,
    Product,
    Sum,
    negative,
    number,
)

_LARGEST_POWER = 4096  # bits of a number that a power may be worked out to
_LARGEST_FACTORIAL = 1000
_SAME_NAME = ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp", "ceiling", "floor", "gamma")


class SympyTrees:
    """The translation of one comparison.

    Args:
        positive: whether names are positive numbers, and not only real ones.
        whole: names that are whole numbers: indices of sums.
    """

    def __init__(self, *, positive: bool = False, whole: frozenset[str] = frozenset()) -> None:
        self._positive, self._whole = positive, whole

    def symbol(self, name: str) -> Any:
        """Return the symbol of a name."""
        from sympy import Symbol

        if name in self._whole:
            return Symbol(name, integer=True, positive=True)
        return Symbol(name, positive=True) if self._positive else Symbol(name, real=True)

    def of(self, expression: Expression) -> Any:
        """Return the tree of SymPy.

        Raises:
            OutOfReach: SymPy would work out too large a number, or the function is not translated.
        """
        from sympy import Add, Mul, Pow, Rational

        if isinstance(expression, Number):
            return Rational(expression.value.numerator, expression.value.denominator)
        if isinstance(expression, Name):
            return self.symbol(expression.name)
        if isinstance(expression, Constant):
            return _constant(expression.name)
        if isinstance(expression, Sum):
            return Add(*[self.of(term) for term in expression.terms])
        if isinstance(expression, Product):
            return Mul(*[self.of(factor) for factor in expression.factors])
        if isinstance(expression, Power):
            base, exponent = self.of(expression.base), self.of(expression.exponent)
            _hold_power(base, exponent)
            return Pow(base, exponent)
        return self._applied(expression)

    def _applied(self, expression: Apply) -> Any:
        import sympy

        name = expression.function
        arguments = [self.of(argument) for argument in expression.arguments]
        if name == "root":
            is_odd_root = arguments[0].is_negative and arguments[1].is_odd
            return -sympy.root(-arguments[0], arguments[1]) if is_odd_root else sympy.root(*arguments)
        if name in ("factorial", "binomial"):
            if any(argument.is_Integer and argument > _LARGEST_FACTORIAL for argument in arguments):
                raise OutOfReach("too large a factorial")
            return getattr(sympy, name)(*arguments)
        if name in _SAME_NAME:
            return getattr(sympy, name)(arguments[0])
        others = {
            "ln": sympy.log,
            "abs": sympy.Abs,
            "arcsin": sympy.asin,
            "arccos": sympy.acos,
            "arctan": sympy.atan,
            "degrees": lambda angle: angle * sympy.pi / 180,
            "log": lambda argument, base: sympy.log(argument) / sympy.log(base),
        }
        if name not in others:
            raise OutOfReach(f"the function {name}")
        return others[name](*arguments)


def tree_of(value: Any) -> Expression:
    """Return the tree of this project for one of SymPy.

    Raises:
        OutOfReach: it has parts that are not translated: what SymPy could not work out, a decimal approximation.
    """
    import sympy

    if value.is_Rational:
        return number(Fraction(int(value.p), int(value.q)))
    if value.is_Symbol:
        return Name(str(value.name))
    constants = {sympy.pi: PI, sympy.E: EULER, sympy.I: UNIT_I, sympy.oo: INFINITY, -sympy.oo: negative(INFINITY)}
    if value in constants:
        return constants[value]
    parts = tuple(tree_of(argument) for argument in value.args)
    if value.is_Add:
        return Sum(parts)
    if value.is_Mul:
        return Product(parts)
    if value.is_Pow:
        return Power(*parts)
    function = type(value).__name__
    others = {"log": "ln", "Abs": "abs", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
    if function in _SAME_NAME or function in others or function in ("factorial", "binomial"):
        return Apply(others.get(function, function), parts)
    raise OutOfReach(f"the function {function}")


def _constant(name: str) -> Any:
    import sympy

    return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infinity": sympy.oo}[name]


def _hold_power(base: Any, exponent: Any) -> None:
    """Refuse a power that SymPy would work out to a number that fills the memory."""
    if not (base.is_Rational and exponent.is_Rational):
        return
    bits = max(int(base.p).bit_length(), int(base.q).bit_length())
    if bits > 1 and abs(exponent) * bits > _LARGEST_POWER:
        raise OutOfReach("too large a power")
