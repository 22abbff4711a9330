"""Entropy, its change and the bounds on it in ball arithmetic, written from their definitions.

Scalar loops, no code shared with what is checked. Floats are taken for the exact numbers that they are; results are
balls that enclose the true value. Nothing is fast.
"""

from __future__ import annotations

from typing import Any

import flint
import numpy as np

Balls = list[Any]
# Cancellation leaves at least half of these digits for steps down to 1e-12.
DIGITS = 100


def balls(values: Any) -> Balls:
    """Balls of radius 0 around floats."""
    return [flint.arb(float(value)) for value in np.asarray(values).ravel()]


def log_probs(z: Balls) -> Balls:
    """z_i - log sum exp z, the largest logit taken out so that a gap of any size keeps its relative accuracy."""
    top = max(range(len(z)), key=lambda i: float(z[i].mid()) if float(z[i].mid()) == float(z[i].mid()) else 0.0)
    rest = sum(((z[i] - z[top]).exp() for i in range(len(z)) if i != top), flint.arb(0))
    return [x - z[top] - rest.log1p() for x in z]


def policy(z: Balls) -> tuple[Balls, Balls]:
    """Probabilities and their logarithms."""
    logs = log_probs(z)
    return [x.exp() for x in logs], logs


def mean(probs: Balls, x: Balls) -> Any:
    """E x."""
    return sum((p * value for p, value in zip(probs, x, strict=True)), flint.arb(0))


def centred(probs: Balls, x: Balls) -> Balls:
    """x - E x."""
    centre = mean(probs, x)
    return [value - centre for value in x]


def product(*factors: Balls) -> Balls:
    """Elementwise product."""
    result = factors[0]
    for factor in factors[1:]:
        result = [a * b for a, b in zip(result, factor, strict=True)]
    return result


def entropy(z: Balls) -> Any:
    """-sum pi log pi."""
    return -mean(*policy(z))


def entropy_gradient(z: Balls) -> Balls:
    """-pi_i (log pi_i + H)."""
    probs, logs = policy(z)
    total = mean(probs, logs)
    return [-p * (x - total) for p, x in zip(probs, logs, strict=True)]


def entropy_change(z: Balls, d: Balls, eta: Any) -> Any:
    """H(softmax(z + eta d)) - H(softmax(z))."""
    return entropy([a + eta * b for a, b in zip(z, d, strict=True)]) - entropy(z)


def slope(z: Balls, d: Balls) -> Any:
    """H' along d: -(E[log pi d] - E[log pi] E[d])."""
    probs, logs = policy(z)
    return mean(probs, logs) * mean(probs, d) - mean(probs, product(logs, d))


def curvature(z: Balls, d: Balls) -> Any:
    """H'' along d: -Var(d) - E[(log pi - E log pi)(d - E d)^2]."""
    probs, logs = policy(z)
    excess = centred(probs, d)
    return -mean(probs, product(excess, excess)) - mean(probs, product(centred(probs, logs), excess, excess))


def self_covariance(z: Balls) -> Any:
    """The sum over pairs i < j of pi_i pi_j (pi_i - pi_j)(z_i - z_j)."""
    probs, _ = policy(z)
    pairs = ((i, j) for j in range(len(z)) for i in range(j))
    return sum((probs[i] * probs[j] * (probs[i] - probs[j]) * (z[i] - z[j]) for i, j in pairs), flint.arb(0))


def largest(a: Any, t: Any) -> Any:
    """The maximum over s >= 0 of (1 - s^2)(a + t s)/4, at the positive root of 3 t s^2 + 2 a s = t (0 if t = 0)."""
    if t == 0:
        return a / 4
    s = ((a * a + 3 * t * t).sqrt() - a) / (3 * t)
    return (1 - s * s) * (a + t * s) / 4


def brackets(arms: int) -> tuple[Any, Any]:
    """L_- = G(1 + 1/e, log n) and L_+ = G(-1, log(6 sqrt 3 n) - 1) + 1/(6 sqrt 3)."""
    c = 1 / (6 * flint.arb(3).sqrt())
    n = flint.arb(arms)
    return largest(1 + flint.arb(-1).exp(), n.log() if arms > 1 else 0), largest(flint.arb(-1), (n / c).log() - 1) + c


def spread(d: Balls) -> Any:
    """Max d - min d of numbers that balls tell apart, or that are equal."""
    values = sorted(d, key=lambda x: x.mid())
    return values[-1] - values[0]


def change_bounds(z: Balls, d: Balls, eta: Any) -> tuple[Any, Any]:
    """The two-sided bound of claim `remainder`, without any rounding."""
    below, above = brackets(len(z))
    line, square = eta * slope(z, d), (eta * spread(d)) ** 2 / 2
    now, most = entropy(z), flint.arb(len(z)).log()
    return (line - square * below).max(-now), (line + square * above).min(most - now)


def close(value: Any, exact: Any, *, relative: float, scale: Any = None) -> bool:
    """Whether a float is certainly within ``relative`` times ``scale`` (by default the exact value) of a ball."""
    size = abs(exact) if scale is None else scale
    return bool(abs(flint.arb(float(value)) - exact) <= flint.arb(relative) * size)
