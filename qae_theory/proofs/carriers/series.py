"""Differentiate the shipped functions as they are, with truncated power series in the step (forward mode).

A series takes the place of a number in an exact array. Coefficients are floats or flint balls; no proof rests on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.carriers.opaque import Opaque, is_elementwise


class Series(Opaque):
    """Stand for c_0 + c_1 eta + c_2 eta^2 + ..., cut off after as many terms as are given; it answers no question."""

    __slots__ = ("coefficients",)

    def __init__(self, coefficients: Sequence[Any]) -> None:
        """Start from the coefficients, lowest power first."""
        self.coefficients = tuple(coefficients)

    def __add__(self, other: Any) -> Any:
        if is_elementwise(other):
            return NotImplemented
        return Series([a + b for a, b in zip(self.coefficients, self._lift(other), strict=True)])

    def __neg__(self) -> Series:
        return Series([-a for a in self.coefficients])

    def __sub__(self, other: Any) -> Any:
        if is_elementwise(other):
            return NotImplemented
        return Series([a - b for a, b in zip(self.coefficients, self._lift(other), strict=True)])

    def __mul__(self, other: Any) -> Any:
        if is_elementwise(other):
            return NotImplemented
        a, b = self.coefficients, self._lift(other)
        return Series([sum(a[i] * b[k - i] for i in range(k + 1)) for k in range(len(a))])

    __radd__ = __add__
    __rmul__ = __mul__

    def exp(self) -> Series:
        """Return the exponential e of a series a, whose coefficients follow from e' = a' e."""
        a = self.coefficients
        e = [_apply("exp", a[0])]
        for k in range(1, len(a)):
            e.append(sum(i * a[i] * e[k - i] for i in range(1, k + 1)) / k)
        return Series(e)

    def log(self) -> Series:
        """Return the natural logarithm l of a series a, whose coefficients follow from a l' = a'."""
        a = self.coefficients
        logs = [_apply("log", a[0])]
        for k in range(1, len(a)):
            logs.append((a[k] - sum(i * logs[i] * a[k - i] for i in range(1, k)) / k) / a[0])
        return Series(logs)

    def _lift(self, other: Any) -> tuple[Any, ...]:
        """Return the coefficients of a series, or those of a number: itself and zeros."""
        if isinstance(other, Series):
            return other.coefficients
        return (other, *(0 for _ in self.coefficients[1:]))


def moving_logits(logits: Sequence[Any], direction: Sequence[Any], terms: int) -> Array:
    """Return z + eta d as an exact array of series, for the shipped functions to run on.

    Args:
        logits: z, one number per response.
        direction: d, one number per response.
        terms: how many coefficients each series has, at least 2.
    """
    array = np.empty(len(logits), dtype=object)
    for place, (z, d) in enumerate(zip(logits, direction, strict=True)):
        # 0 * d is a zero of d's own type: a float or a ball.
        array[place] = Series((z, d, *(0 * d for _ in range(terms - 2))))
    return array


def first_coefficients(result: Any) -> tuple[Any, ...]:
    """Return the coefficients of a result of rank 0, lowest power first.

    They are its value, its first derivative at eta = 0, half the second, and so on.
    """
    series: Series = np.asarray(result, dtype=object).item()
    return series.coefficients


def _apply(name: str, x: Any) -> Any:
    """Return a function of a number by the number's own method (a ball), or by ``math`` (a float)."""
    return getattr(x, name)() if hasattr(x, name) else getattr(math, name)(x)
