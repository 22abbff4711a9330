"""Make exact groups of rewards, and compare exact arrays: small helpers that the proofs about groups share.

The module holds no mathematics; the definitions that estimators are compared with are in ``oracle``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from qae_theory.arrays import Array
from qae_theory.claims.model import Finding
from qae_theory.proofs.tools.checking import for_all, rational

# On both sides of 1/2, and such that groups of 5, 10 and 20 meet the threshold 1 - K exactly.
LEVELS = (Fraction(2, 5), Fraction(3, 5), Fraction(1, 10), Fraction(11, 20))


def exact(values: Sequence[Any]) -> Array:
    """Return an exact array of rank 1 whose integers have become Fractions."""
    array = np.empty(len(values), dtype=object)
    array[:] = [Fraction(value) if isinstance(value, int) else value for value in values]
    return array


def binary_group(num_correct: int, group_size: int) -> Array:
    """Return a group of 0/1 rewards as Fractions, the correct responses last.

    Args:
        num_correct: m.
        group_size: G.

    Returns:
        ``[G]``.
    """
    return exact([0] * (group_size - num_correct) + [1] * num_correct)


def mixed_groups(largest: int) -> Iterator[tuple[int, int]]:
    """Return every (m, G) with 0 < m < G <= ``largest``: the groups with correct and wrong responses."""
    return ((m, size) for size in range(2, largest + 1) for m in range(1, size))


def is_zero(value: Any) -> bool:
    """Return whether an exact number made of rationals, roots and logarithms is 0 after SymPy's ``expand``."""
    return bool(value == 0) or (isinstance(value, sympy.Basic) and bool(sympy.expand(value) == 0))


def same(cases: Iterable[tuple[str, Any, Any]], domain: str) -> Finding:
    """Find whether two exact arrays are equal, entry by entry, in every labelled case.

    Args:
        cases: a label and two arrays of Fractions or SymPy numbers; arrays of different shapes are not equal.
        domain: says which cases these are.
    """
    # An exact comparison needs no tolerance: a difference that is not 0 is a counterexample.
    return for_all(((label, _same_arrays(left, right)) for label, left, right in cases), domain)


def close(cases: Iterable[tuple[str, Any, Any]], domain: str, tolerance: float = 1e-12) -> Finding:
    """Find whether two float64 arrays are equal up to rounding in every labelled case.

    The tolerance, absolute and relative, is thousands of times the few dozen roundings that these sums make.
    """

    def are_close(left: Any, right: Any) -> bool:
        # NumPy would broadcast arrays of different shapes, and compare entries that do not belong together.
        same_shape = np.shape(left) == np.shape(right)
        return same_shape and bool(np.allclose(left, right, rtol=tolerance, atol=tolerance))

    return for_all(((label, are_close(left, right)) for label, left, right in cases), domain)


def number(value: Any) -> Any:
    """Return the number in a 0-d array, which NumPy may have unboxed already; a Fraction becomes a SymPy number."""
    value = np.asarray(value).item()
    return rational(value) if isinstance(value, (int, Fraction)) else value


def floats(values: Array) -> Array:
    """Return exact numbers rounded to float64, in the same shape."""
    return np.array([float(value) for value in values.flat]).reshape(values.shape)


def _same_arrays(left: Any, right: Any) -> bool:
    """Return whether two arrays have one shape and exactly equal entries."""
    left, right = np.asarray(left), np.asarray(right)
    return left.shape == right.shape and all(is_zero(a - b) for a, b in zip(left.flat, right.flat, strict=True))
