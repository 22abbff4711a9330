"""Tell how exactly the logged advantages were computed and written, from the numbers themselves.

float32 and below are recognised by their bits, rounding in text by its decimals. The levels are tried from the finest
on: values such as 3/4 are exact at every one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array

# Roundings of a mean, a standard deviation and a quotient over some dozens of numbers, in units of the last place.
ROUNDINGS = 8
MOST_DECIMALS = 6


class Precision(NamedTuple):
    """Hold a rounding: ``relative`` to advantage and rewards over the divisor, ``absolute`` for text."""

    name: str
    relative: float
    absolute: float = 0.0

    def tolerance(self, made: Array, condition: Array) -> Array:
        """Return the deviation that is allowed, ``[M, G]``.

        Args:
            made: the candidate's advantages.
            condition: largest reward over the divisor, ``[M, 1]``: what subtracting rounded rewards costs.
        """
        return ROUNDINGS * self.relative * (np.abs(made) + condition) + self.absolute


def precisions(logged: Array) -> list[Precision]:
    """Return the levels at which the logged numbers can stand, the finest first.

    Args:
        logged: advantages, ``[N]``; NaN is passed over.

    >>> [level.name for level in precisions(np.array([0.33203125]))]
    ['float64', 'float32', 'float16', 'bfloat16']
    """
    values = logged[np.isfinite(logged) & (logged != 0)]
    float32 = np.asarray(values, dtype=np.float32)
    found = [Precision("float64", 2.0**-53), Precision("float32", 2.0**-24)]
    decimals = _decimals(values)
    if decimals is not None:
        found.append(Precision(f"{decimals} decimals", 2.0**-24, 0.5001 * 10.0**-decimals))
    if len(values) and (float32.astype(np.float64) == values).all():
        with np.errstate(over="ignore"):
            if (float32.astype(np.float16).astype(np.float32) == float32).all():
                found.append(Precision("float16", 2.0**-11))
        if not (float32.view(np.uint32) & 0xFFFF).any():
            found.append(Precision("bfloat16", 2.0**-8))
    return found


def _decimals(values: Array) -> int | None:
    """Return the fewest decimals, at most ``MOST_DECIMALS``, that write all values as they are; None without."""
    for places in range(1, MOST_DECIMALS + 1):
        if len(values) and np.allclose(np.round(values, places), values, rtol=0, atol=1e-12):
            return places
    return None
