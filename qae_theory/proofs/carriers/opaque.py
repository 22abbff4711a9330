"""Define what every carrier is by default: an object that refuses each question whose answer depends on the number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import sympy

# How often a carrier has refused to answer in this process.
_refusals = 0


@contextmanager
def none_swallowed() -> Iterator[None]:
    """Raise if a carrier refuses to answer inside and the code goes on: what it does then, it does for no number.

    Raises:
        TypeError: the code caught a refusal.
    """
    before = _refusals
    yield
    if before != _refusals:
        raise TypeError("the code went on although a carrier had refused to answer")


class Opaque:
    """Raise a ``TypeError`` at comparisons, truth, conversions and descriptions: the base of the carriers.

    Python would otherwise answer some of them by identity (``==``, ``hash``) or by default (``bool``), and code that
    asks would take a branch that is right for some numbers only. A carrier overrides what it can answer for every
    number that it stands for, and defines the arithmetic that it has. Everything else (indexing, iteration, length,
    rounding, ``abs``, ``%``) is left out, so that Python raises too.
    """

    __slots__ = ()

    def refuse(self, question: str) -> NoReturn:
        """Raise, because the answer would hold for some of the numbers only."""
        global _refusals
        _refusals += 1
        raise TypeError(f"{type(self).__name__} stands for many numbers and cannot answer {question!r} for all of them")

    def __eq__(self, other: object) -> Any:
        self.refuse("==")

    def __ne__(self, other: object) -> Any:
        self.refuse("!=")

    def __lt__(self, other: object) -> Any:
        self.refuse("<")

    def __le__(self, other: object) -> Any:
        self.refuse("<=")

    def __gt__(self, other: object) -> Any:
        self.refuse(">")

    def __ge__(self, other: object) -> Any:
        self.refuse(">=")

    def __bool__(self) -> bool:
        self.refuse("bool")

    def __hash__(self) -> int:
        self.refuse("hash")

    def __float__(self) -> float:
        self.refuse("float")

    def __complex__(self) -> complex:
        self.refuse("complex")

    def __int__(self) -> int:
        self.refuse("int")

    def __index__(self) -> int:
        self.refuse("index")

    def __abs__(self) -> Any:
        self.refuse("abs")

    def __repr__(self) -> str:
        self.refuse("repr")

    def __str__(self) -> str:
        self.refuse("str")

    def __format__(self, specification: str) -> str:
        self.refuse("format")

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.refuse("copy or pickle")

    def _sympy_(self) -> Any:
        # SymPy would otherwise read the number from its description, or multiply by its float.
        raise sympy.SympifyError(f"a {type(self).__name__} is no SymPy number")


def is_elementwise(other: object) -> bool:
    """Return whether an operand is an array, whose entries NumPy must visit one by one."""
    return isinstance(other, np.ndarray)
