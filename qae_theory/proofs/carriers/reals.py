"""Let the shipped code run on z3 reals; each comparison is followed on a path of its own.

NumPy's minimum and maximum ask ``bool(x <= y)``, which a symbolic real answers both ways where both are possible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy
import z3

from qae_theory.arrays import Array
from qae_theory.proofs.carriers.opaque import Opaque, is_elementwise
from qae_theory.proofs.carriers.paths import Path


class SymbolicReal(Opaque):
    """Stand for a real expression with the arithmetic of a field.

    Comparisons and truth fork the path (see ``paths``); conversions raise.
    """

    __slots__ = ("_path", "term")

    def __init__(self, term: Any, path: Path) -> None:
        """Wrap a z3 real term that lives on this path."""
        self.term = term
        self._path = path

    def _make(self, term: Any) -> SymbolicReal:
        return SymbolicReal(term, self._path)

    def __add__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._make(self.term + real_term(other))

    def __sub__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._make(self.term - real_term(other))

    def __rsub__(self, other: object) -> Any:
        return self._make(real_term(other) - self.term)

    def __mul__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._make(self.term * real_term(other))

    def __truediv__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._divide(self.term, real_term(other))

    def __rtruediv__(self, other: object) -> Any:
        return self._divide(real_term(other), self.term)

    def __neg__(self) -> SymbolicReal:
        return self._make(-self.term)

    def __pow__(self, exponent: object) -> SymbolicReal:
        if not isinstance(exponent, int) or isinstance(exponent, bool) or exponent < 1:
            self.refuse("** with an exponent other than a positive integer")
        # z3 decides polynomials better when a power is written as a product.
        return self._make(z3.Product(*[self.term] * exponent))

    def __eq__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._path.decide(self.term == real_term(other))

    def __ne__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._path.decide(self.term != real_term(other))

    def __lt__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._path.decide(self.term < real_term(other))

    def __le__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._path.decide(self.term <= real_term(other))

    def __gt__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._path.decide(self.term > real_term(other))

    def __ge__(self, other: object) -> Any:
        return NotImplemented if is_elementwise(other) else self._path.decide(self.term >= real_term(other))

    def __bool__(self) -> bool:
        return self._path.decide(self.term != 0)

    def __hash__(self) -> int:
        self.refuse("hash")

    def _divide(self, top: Any, bottom: Any) -> SymbolicReal:
        """Return a quotient; the path on which the divisor is 0 raises."""
        # z3 gives a division by zero some value; Python has none.
        if self._path.decide(bottom == 0):
            raise ZeroDivisionError("a symbolic real is divided by what can be 0")
        return self._make(top / bottom)

    __radd__ = __add__
    __rmul__ = __mul__


def symbolic_reals(path: Path, *terms: Any) -> Array:
    """Return an exact array of rank 1 that holds z3 terms living on this path."""
    array = np.empty(len(terms), dtype=object)
    # Filling an empty array keeps NumPy from asking each entry for a length or a number.
    array[:] = [SymbolicReal(term, path) for term in terms]
    return array


def real_term(value: Any) -> Any:
    """Return the z3 term of a symbolic real, an integer, a Fraction or a SymPy number of rationals and square roots.

    Raises:
        TypeError: for a float, which is no exact number, and for anything else.
    """
    if isinstance(value, SymbolicReal):
        return value.term
    # The shipped functions return a number as an array of rank 0.
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return real_term(value.item())
    if isinstance(value, sympy.Mul):
        return z3.Product(*map(real_term, value.args))
    if isinstance(value, sympy.Pow) and value.exp == sympy.Rational(1, 2):
        # z3 knows a square root as an algebraic number, and decides with it exactly.
        return z3.simplify(z3.Sqrt(real_term(value.base)))
    if isinstance(value, (bool, np.bool_, float, np.floating)) or not hasattr(value, "denominator"):
        raise TypeError(f"symbolic reals meet exact numbers only, not a {type(value).__name__}")
    return z3.Q(int(value.numerator), int(value.denominator))
