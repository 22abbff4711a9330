"""z3 integers that the shipped integer code can run on: Python's ``//`` on top of z3's division.

z3's ``/`` on integers is Euclidean, which is the floor for a positive divisor. All divisors here are assumed positive.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import z3


class SymbolicInt:
    """An integer expression with the operators that the shipped code uses."""

    def __init__(self, term: Any) -> None:
        """Wrap a z3 integer term (or a Python int)."""
        self.term = term

    def __neg__(self) -> SymbolicInt:
        return SymbolicInt(-self.term)

    def __add__(self, other: object) -> SymbolicInt:
        return SymbolicInt(self.term + _term(other))

    def __sub__(self, other: object) -> SymbolicInt:
        return SymbolicInt(self.term - _term(other))

    def __mul__(self, other: object) -> SymbolicInt:
        return SymbolicInt(self.term * _term(other))

    def __floordiv__(self, other: object) -> SymbolicInt:
        return SymbolicInt(self.term / _term(other))

    def __ge__(self, other: object) -> Any:
        return self.term >= _term(other)

    __radd__ = __add__
    __rmul__ = __mul__


class SymbolicLevel(NamedTuple):
    """A quantile level p/q with symbolic integers, in the place of a Fraction."""

    numerator: SymbolicInt
    denominator: SymbolicInt


def _term(value: object) -> Any:
    return value.term if isinstance(value, SymbolicInt) else value


class GroupSymbols(NamedTuple):
    """All groups and levels at once: integers G, m, and K = p/q."""

    group_size: Any
    num_correct: Any
    numerator: Any
    denominator: Any

    @property
    def level(self) -> SymbolicLevel:
        """K, for the shipped functions."""
        return SymbolicLevel(SymbolicInt(self.numerator), SymbolicInt(self.denominator))

    @property
    def domain(self) -> tuple[Any, ...]:
        """G >= 1, 0 <= m <= G, 0 < p < q."""
        return (
            self.group_size >= 1,
            self.num_correct >= 0,
            self.num_correct <= self.group_size,
            self.numerator > 0,
            self.numerator < self.denominator,
        )


def group_symbols() -> GroupSymbols:
    """Fresh symbols G, m, p, q."""
    return GroupSymbols(*z3.Ints("G m p q"))
