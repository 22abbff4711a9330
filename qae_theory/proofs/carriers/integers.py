"""Let the shipped integer code run on z3 integers, and on rationals made of them.

A group of G responses, m of them correct, and a level K = p/q stand for all groups and all levels at once. Each
comparison is followed on a path of its own; ``//`` is Python's where the divisor is certainly positive.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import z3

from qae_theory.proofs.carriers.opaque import Opaque
from qae_theory.proofs.carriers.paths import Path


class SymbolicInt(Opaque):
    """Stand for an integer expression with ``+``, ``-``, ``*`` and ``//``.

    Comparisons and truth fork the path (see ``paths``); conversions raise.
    """

    __slots__ = ("path", "term")

    def __init__(self, term: Any, path: Path) -> None:
        """Wrap a z3 integer term that lives on this path."""
        self.term = term
        self.path = path

    def __neg__(self) -> SymbolicInt:
        return SymbolicInt(-self.term, self.path)

    def __add__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else SymbolicInt(self.term + _integer_term(other), self.path)

    def __sub__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else SymbolicInt(self.term - _integer_term(other), self.path)

    def __rsub__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else SymbolicInt(_integer_term(other) - self.term, self.path)

    def __mul__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else SymbolicInt(self.term * _integer_term(other), self.path)

    def __floordiv__(self, other: object) -> SymbolicInt:
        divisor = _integer_term(other)
        # z3's integer division is Euclidean, which is the floor for a positive divisor only.
        if not self.path.decide(divisor > 0):
            raise ZeroDivisionError("a symbolic integer is divided by what may be 0 or negative")
        return SymbolicInt(self.term / divisor, self.path)

    def __eq__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else self.path.decide(self.term == _integer_term(other))

    def __ne__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else self.path.decide(self.term != _integer_term(other))

    def __lt__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else self.path.decide(self.term < _integer_term(other))

    def __le__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else self.path.decide(self.term <= _integer_term(other))

    def __gt__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else self.path.decide(self.term > _integer_term(other))

    def __ge__(self, other: object) -> Any:
        return NotImplemented if _knows_better(other) else self.path.decide(self.term >= _integer_term(other))

    def __bool__(self) -> bool:
        return self.path.decide(self.term != 0)

    def __hash__(self) -> int:
        self.refuse("hash")

    __radd__ = __add__
    __rmul__ = __mul__


class SymbolicRatio(Opaque):
    """Stand for a rational number with symbolic integers, in the place of a Fraction.

    A Fraction is in lowest terms, and the result of arithmetic on symbols cannot be brought there. So the numerator and
    denominator of a result are two fresh integers n and d with n/d the value and d > 0: a statement that is proved of
    every such pair is proved of the lowest terms too.
    """

    __slots__ = ("_given", "bottom", "path", "top")

    def __init__(self, top: Any, bottom: Any, path: Path, *, given: bool = False) -> None:
        """Wrap the z3 terms top/bottom, bottom > 0; ``given`` if this very pair stands for all pairs already."""
        self.top = top
        self.bottom = bottom
        self.path = path
        self._given = given

    @property
    def numerator(self) -> SymbolicInt:
        """Return the numerator of one of the ways to write this number."""
        return self._parts()[0]

    @property
    def denominator(self) -> SymbolicInt:
        """Return the denominator that belongs to the numerator."""
        return self._parts()[1]

    def _parts(self) -> tuple[SymbolicInt, SymbolicInt]:
        """Return one pair of numerator and denominator, the same at every call."""
        # The fresh pair is kept: a numerator and a denominator that are asked for one after the other belong together.
        if not self._given:
            top, bottom = self.path.fresh_integers("numerator", "denominator")
            self.path.assume(bottom > 0, top * self.bottom == self.top * bottom)
            self.top, self.bottom, self._given = top, bottom, True
        return SymbolicInt(self.top, self.path), SymbolicInt(self.bottom, self.path)

    def __add__(self, other: object) -> SymbolicRatio:
        top, bottom = _ratio_terms(other)
        return SymbolicRatio(self.top * bottom + top * self.bottom, self.bottom * bottom, self.path)

    def __sub__(self, other: object) -> SymbolicRatio:
        top, bottom = _ratio_terms(other)
        return SymbolicRatio(self.top * bottom - top * self.bottom, self.bottom * bottom, self.path)

    def __rsub__(self, other: object) -> SymbolicRatio:
        top, bottom = _ratio_terms(other)
        return SymbolicRatio(top * self.bottom - self.top * bottom, self.bottom * bottom, self.path)

    def __mul__(self, other: object) -> SymbolicRatio:
        top, bottom = _ratio_terms(other)
        return SymbolicRatio(self.top * top, self.bottom * bottom, self.path)

    def __eq__(self, other: object) -> bool:
        left, right = self._sides(other)
        return self.path.decide(left == right)

    def __ne__(self, other: object) -> bool:
        left, right = self._sides(other)
        return self.path.decide(left != right)

    def __lt__(self, other: object) -> bool:
        left, right = self._sides(other)
        return self.path.decide(left < right)

    def __le__(self, other: object) -> bool:
        left, right = self._sides(other)
        return self.path.decide(left <= right)

    def __gt__(self, other: object) -> bool:
        left, right = self._sides(other)
        return self.path.decide(left > right)

    def __ge__(self, other: object) -> bool:
        left, right = self._sides(other)
        return self.path.decide(left >= right)

    def __bool__(self) -> bool:
        return self.path.decide(self.top != 0)

    def __hash__(self) -> int:
        self.refuse("hash")

    def _sides(self, other: object) -> tuple[Any, Any]:
        """Return both numbers over the product of their denominators, which is positive."""
        top, bottom = _ratio_terms(other)
        # Multiplying an inequality by positive numbers keeps its direction.
        return self.top * bottom, top * self.bottom

    __radd__ = __add__
    __rmul__ = __mul__


class GroupSymbols(NamedTuple):
    """Hold all groups and levels at once, as z3 integers: G, m, and K = p/q.

    Attributes:
        group_size: G.
        num_correct: m.
        numerator: p.
        denominator: q.
    """

    group_size: Any
    num_correct: Any
    numerator: Any
    denominator: Any

    @property
    def domain(self) -> tuple[Any, ...]:
        """Return what G, m, p and q have to obey: G >= 1, 0 <= m <= G, 0 < p < q."""
        return (
            # K is strictly between 0 and 1: p/q with 0 < p < q, not necessarily in lowest terms.
            self.group_size >= 1,
            self.num_correct >= 0,
            self.num_correct <= self.group_size,
            self.numerator > 0,
            self.numerator < self.denominator,
        )

    @property
    def zeros(self) -> Any:
        """Return the number of wrong responses, G - m."""
        return self.group_size - self.num_correct

    @property
    def is_hard(self) -> Any:
        """Return the formula m/G <= 1 - K, multiplied out: (G - m) q >= p G."""
        return self.zeros * self.denominator >= self.numerator * self.group_size

    def size_on(self, path: Path) -> Any:
        """Return G as a number that the shipped functions can run on, on this path."""
        return SymbolicInt(self.group_size, path)

    def correct_on(self, path: Path) -> Any:
        """Return m as a number that the shipped functions can run on, on this path."""
        return SymbolicInt(self.num_correct, path)

    def level_on(self, path: Path) -> Any:
        """Return K as a number that the shipped functions can run on, on this path."""
        return SymbolicRatio(self.numerator, self.denominator, path, given=True)


def group_symbols() -> GroupSymbols:
    """Return the z3 integers G, m, p and q; ``domain`` says what they have to obey."""
    return GroupSymbols(*z3.Ints("G m p q"))


def _knows_better(other: object) -> bool:
    """Return whether the other operand's own operator does the work: a ratio's with an integer, or NumPy's."""
    return isinstance(other, (SymbolicRatio, np.ndarray))


def _integer_term(value: object) -> Any:
    """Return the z3 term of a symbolic or a plain integer."""
    if isinstance(value, SymbolicInt):
        return value.term
    # A bool is refused: code that calculates with a comparison's answer is not what is proved here.
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return z3.IntVal(int(value))
    raise TypeError(f"symbolic integers meet integers only, not a {type(value).__name__}")


def _ratio_terms(value: object) -> tuple[Any, Any]:
    """Return numerator and denominator of a number as z3 terms."""
    if isinstance(value, SymbolicRatio):
        return value.top, value.bottom
    if isinstance(value, Fraction):
        return z3.IntVal(value.numerator), z3.IntVal(value.denominator)
    return _integer_term(value), z3.IntVal(1)
