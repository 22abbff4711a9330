"""Truncated power series in the step: forward-mode differentiation through the shipped functions, as they are.

A series takes the place of a number in an exact array. Coefficients are floats or flint balls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array


class Series:
    """c_0 + c_1 eta + c_2 eta^2 + ..., cut off after as many terms as are given."""

    def __init__(self, coefficients: Sequence[Any]) -> None:
        """Start from the coefficients, lowest power first."""
        self.coefficients = tuple(coefficients)

    def __add__(self, other: Any) -> Series:
        return Series([a + b for a, b in zip(self.coefficients, self._lift(other), strict=True)])

    def __neg__(self) -> Series:
        return Series([-a for a in self.coefficients])

    def __sub__(self, other: Any) -> Series:
        return Series([a - b for a, b in zip(self.coefficients, self._lift(other), strict=True)])

    def __mul__(self, other: Any) -> Series:
        a, b = self.coefficients, self._lift(other)
        return Series([sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))])

    __radd__ = __add__
    __rmul__ = __mul__

    def exp(self) -> Series:
        """The exponential, from e' = a' e."""
        a = self.coefficients
        e = [_apply("exp", a[0])]
        for k in range(1, len(a)):
            e.append(sum(i * a[i] * e[k - i] for i in range(1, k + 1)) / k)
        return Series(e)

    def log(self) -> Series:
        """The natural logarithm, from a l' = a'."""
        a = self.coefficients
        logs = [_apply("log", a[0])]
        for k in range(1, len(a)):
            logs.append((a[k] - sum(i * logs[i] * a[k - i] for i in range(1, k)) / k) / a[0])
        return Series(logs)

    def _lift(self, other: Any) -> tuple[Any, ...]:
        if isinstance(other, Series):
            return other.coefficients
        return (other, *(0 for _ in self.coefficients[1:]))


def _apply(name: str, x: Any) -> Any:
    return getattr(x, name)() if hasattr(x, name) else getattr(math, name)(x)


def moving_logits(logits: Sequence[Any], direction: Sequence[Any], terms: int) -> Array:
    """z + eta d as an exact array of series."""
    array = np.empty(len(logits), dtype=object)
    array[:] = [Series((z, d, *(0 * d for _ in range(terms - 2)))) for z, d in zip(logits, direction, strict=True)]
    return array
