"""Rounding errors of the float64 functions, in units of 2^-53 of the sizes of the terms that they are sums of.

Each figure is an upper bound: exact values are balls, and a ball too wide to tell the error is computed again with more
bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np

from qae_theory import (
    entropy_change,
    first_order_entropy_change,
    second_order_entropy_change,
    self_covariance,
)
from tests.qae_theory.enclosure import truth
from tests.qae_theory.enclosure.cases import LARGEST, SMALLEST, Batch
from tests.qae_theory.enclosure.formulas import after, covariance_by_pairs, log_probs, mean, product, query

UNIT = 2.0**-53
# Probabilities below this vanish in float64, and products below it lose digits. This much may be lost: of the
# direction's range for the first order, of its square for the second, and as it stands for the other two.
FLOOR = 1e-300
# The docstrings promise 2e-13 of the sizes, which is 1801 units.
PROMISED = 2e-13 / UNIT
# 192 bits settle most of a vocabulary; 4,500 hold the sum of a float64 and a product of two without rounding.
PRECISIONS = (192, 1200, 4500)
# From this many arms on the sum over pairs would take too long.
MOST_PAIRED_ARMS = 64
Exact = tuple[Any, Any]


@dataclass
class Errors:
    """Hold the largest error of each function in units, over how many values, and how many calls were refused."""

    units: dict[str, float] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


def change(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """Return the entropy change, and sum |pi' - pi| |log pi + H| + KL(pi' || pi)."""
    q = query(z, d, eta)
    new, log_partition = after(q)
    moved = [abs(x - y) for x, y in zip(new, q.probs, strict=True)]
    divergence = truth.total(p * (q.tau * x - log_partition) for p, x in zip(new, q.move, strict=True))
    size = mean(moved, [abs(x) for x in q.surprise]) + divergence
    return truth.change_at_this_precision(z, d, eta), size


def first_order(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """Return -Cov(log pi, d), and the expectation of its terms' sizes."""
    q = query(z, d, 1.0)
    terms = product(q.surprise, q.move)
    return -mean(q.probs, terms), mean(q.probs, [abs(x) for x in terms])


def second_order(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """Return -E[(1 + S) (d - E d)^2], and the expectation of its terms' sizes."""
    q = query(z, d, 1.0)
    squares = product(q.move, q.move)
    value = -mean(q.probs, product([1 + s for s in q.surprise], squares))
    return value, mean(q.probs, product([1 + abs(s) for s in q.surprise], squares))


def covariance(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """Return C(pi) = E[pi log pi] - E[pi] E[log pi] twice: it is its own size, as no term is negative.

    Up to MOST_PAIRED_ARMS it is the sum over pairs, in which nothing cancels.
    """
    logs = log_probs([flint.arb(x) for x in z])
    probs = [x.exp() for x in logs]
    if len(z) > MOST_PAIRED_ARMS:
        value = mean(probs, product(probs, logs)) - mean(probs, probs) * mean(probs, logs)
        return value, value
    value = covariance_by_pairs(z, probs)
    return value, value


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Exact]]] = {
    "entropy_change": (entropy_change, change),
    "first_order": (lambda z, d, eta: first_order_entropy_change(z, d), first_order),
    "second_order": (lambda z, d, eta: second_order_entropy_change(z, d), second_order),
    "self_covariance": (lambda z, d, eta: self_covariance(z), covariance),
}


def largest(batches: Iterable[Batch], names: Sequence[str] = tuple(FUNCTIONS)) -> Errors:
    """Return the largest error of each function over the instances.

    It is infinite for NaN, for a covariance below 0, and for a derivative refused although float64 could hold it.
    """
    result = Errors(dict.fromkeys(names, 0.0), dict.fromkeys(names, 0), dict.fromkeys(names, 0))
    for batch in batches:
        for z, d, eta in zip(*(part.tolist() for part in batch), strict=True):
            for name in names:
                result.units[name] = max(result.units[name], _measure(name, z, d, eta, result))
    return result


def _measure(name: str, z: list[float], d: list[float], eta: float, result: Errors) -> float:
    """Return the error of one call, and count it."""
    function, exact = FUNCTIONS[name]
    try:
        value = float(function(z, d, eta))
    except ValueError:
        result.refused[name] += 1
        with flint.ctx.workprec(PRECISIONS[-1]):
            return 0.0 if name == "entropy_change" or _beyond_float64(*exact(z, d, eta)) else np.inf
    result.values[name] += 1
    return in_units(name, value, z, d, eta)


def in_units(name: str, value: float, z: Sequence[float], d: Sequence[float], eta: float) -> float:
    """Return an upper bound on the error of a value, in units of 2^-53 of its terms' sizes, beyond what may be lost."""
    if np.isnan(value) or (name == "self_covariance" and value < 0):
        return np.inf
    units = np.inf
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            spread = flint.arb(max(d)) - flint.arb(min(d))
            lost = FLOOR * {"first_order": spread, "second_order": spread**2}.get(name, flint.arb(1)) + SMALLEST
            right, size = FUNCTIONS[name][1](z, d, eta)
            unit = UNIT * size.abs_lower() + lost
            units = float((abs(flint.arb(value) - right) / unit).upper())
            if max(right.rad(), UNIT * size.rad()) <= unit / 100:
                break
    return units


def _beyond_float64(right: Any, size: Any) -> bool:
    """Return whether a derivative, with the error that it may have, is too large for a float64."""
    return bool(abs(right) + PROMISED * UNIT * size > LARGEST)
