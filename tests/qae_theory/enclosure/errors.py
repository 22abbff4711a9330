"""Rounding errors of the float64 functions, in units of 2^-53 of the sizes of the terms that they are sums of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
from tests.qae_theory.enclosure.cases import Batch
from tests.qae_theory.enclosure.formulas import after, log_probs, mean, product, query

UNIT = 2.0**-53
# Probabilities below this vanish in float64, and products below it lose digits: of the direction's size, or its square,
# so much may be lost, and in the change that much itself.
FLOOR = 1e-300
# What the docstrings promise.
PROMISED = 2e-13
Exact = tuple[Any, Any]


def change(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """The entropy change, and sum |pi' - pi| |log pi + H| + KL(pi' || pi)."""
    q = query(z, d, eta)
    new, log_partition = after(q)
    moved = [abs(x - y) for x, y in zip(new, q.probs, strict=True)]
    divergence = truth.total(p * (q.tau * x - log_partition) for p, x in zip(new, q.move, strict=True))
    size = mean(moved, [abs(x) for x in q.surprise]) + divergence
    return truth.change(z, d, eta, lambda ball: bool(ball.rad() <= UNIT * UNIT * abs(ball).mid())), size


def first_order(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """-Cov(log pi, d), and the expectation of its terms' sizes."""
    q = query(z, d, 1.0)
    terms = product(q.surprise, q.move)
    return -mean(q.probs, terms), mean(q.probs, [abs(x) for x in terms])


def second_order(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """-E[(1 + S) (d - E d)^2], and the expectation of its terms' sizes."""
    q = query(z, d, 1.0)
    squares = product(q.move, q.move)
    value = -mean(q.probs, product([1 + s for s in q.surprise], squares))
    return value, mean(q.probs, product([1 + abs(s) for s in q.surprise], squares))


def covariance(z: Sequence[float], d: Sequence[float], eta: float) -> Exact:
    """C(pi) = sum over pairs of pi_i pi_j (pi_i - pi_j)(z_i - z_j), which is its own size."""
    logs = log_probs([flint.arb(x) for x in z])
    probs = [x.exp() for x in logs]
    gaps = [flint.arb(x) - flint.arb(max(z)) for x in z]
    pairs = [(i, j) for i in range(len(z)) for j in range(i)]
    value = truth.total(probs[i] * probs[j] * (probs[i] - probs[j]) * (gaps[i] - gaps[j]) for i, j in pairs)
    return value, value


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Exact]]] = {
    "entropy_change": (entropy_change, change),
    "first_order": (lambda z, d, eta: first_order_entropy_change(z, d), first_order),
    "second_order": (lambda z, d, eta: second_order_entropy_change(z, d), second_order),
    "self_covariance": (lambda z, d, eta: self_covariance(z), covariance),
}


def largest(batches: Iterable[Batch], names: Sequence[str] = tuple(FUNCTIONS), *, bits: int = 1200) -> dict[str, float]:
    """The largest error of each function over the instances, in units; -1 for a self-covariance below 0."""
    worst = dict.fromkeys(names, 0.0)
    with flint.ctx.workprec(bits):
        for batch in batches:
            for z, d, eta in zip(*(field.tolist() for field in batch), strict=True):
                for name in names:
                    worst[name] = max(worst[name], _error(name, z, d, eta))
    return worst


def _error(name: str, z: list[float], d: list[float], eta: float) -> float:
    function, exact = FUNCTIONS[name]
    try:
        value = float(function(z, d, eta))
    except ValueError:  # beyond float64, as the message says
        return 0.0
    if np.isnan(value) or (name == "self_covariance" and value < 0):
        return np.inf
    right, size = exact(z, d, eta)
    spread = flint.arb(max(d)) - flint.arb(min(d))
    lost = FLOOR * {"first_order": 1 + spread, "second_order": 1 + spread**2}.get(name, 1)
    return float(abs(flint.arb(value) - right) / (UNIT * abs(size) + lost))
