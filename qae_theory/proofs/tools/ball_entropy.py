"""Enclose entropy, its change and the bounds on it in ball arithmetic, written from their definitions.

The shipped float64 functions are compared with these. The loops are scalar and share no code with what is checked.
Floats are taken for the exact numbers that they are, and each result is a ball that encloses the true value. Nothing
here is fast. Arguments ``z`` (logits), ``d`` (direction) and ``probs`` are lists of one ball per response.
"""

from __future__ import annotations

from typing import Any

import flint
import numpy as np

Balls = list[Any]
# Second differences lose about twice the digits of the step.
# Cancellation leaves at least half of these digits for steps down to 1e-12.
DIGITS = 100


def balls(values: Any) -> Balls:
    """Return balls of radius 0 around floats, flattened to a list."""
    return [flint.arb(float(value)) for value in np.asarray(values).ravel()]


def log_probs(z: Balls) -> Balls:
    """Return z_i - log sum_j exp z_j for each response.

    The largest logit is taken out first, so that a gap of any size keeps its relative accuracy.
    """
    # A midpoint that is NaN is not equal to itself; it counts as 0, so that max has an order to go by.
    top = max(range(len(z)), key=lambda i: float(z[i].mid()) if float(z[i].mid()) == float(z[i].mid()) else 0.0)
    rest = sum(((z[i] - z[top]).exp() for i in range(len(z)) if i != top), flint.arb(0))
    return [x - z[top] - rest.log1p() for x in z]


def policy(z: Balls) -> tuple[Balls, Balls]:
    """Return the probabilities pi = softmax(z) and their logarithms."""
    logs = log_probs(z)
    return [x.exp() for x in logs], logs


def mean(probs: Balls, x: Balls) -> Any:
    """Return E x = sum_i pi_i x_i."""
    return sum((p * value for p, value in zip(probs, x, strict=True)), flint.arb(0))


def centred(probs: Balls, x: Balls) -> Balls:
    """Return x_i - E x for each response."""
    centre = mean(probs, x)
    return [value - centre for value in x]


def product(*factors: Balls) -> Balls:
    """Return the elementwise product of lists of equal length."""
    result = factors[0]
    for factor in factors[1:]:
        result = [a * b for a, b in zip(result, factor, strict=True)]
    return result


def power(x: Any, k: int) -> Any:
    """Return x^k by products: flint's own power of a ball with midpoint 0 and a radius is nan."""
    result = flint.arb(1)
    for _ in range(k):
        result *= x
    return result


def entropy(z: Balls) -> Any:
    """Return H(pi) = -sum_i pi_i log pi_i, in nats."""
    return -mean(*policy(z))


def entropy_gradient(z: Balls) -> Balls:
    """Return dH/dz_i = -pi_i (log pi_i + H) for each response."""
    probs, logs = policy(z)
    # The mean of the log-probabilities is -H.
    total = mean(probs, logs)
    return [-p * (x - total) for p, x in zip(probs, logs, strict=True)]


def entropy_change(z: Balls, d: Balls, eta: Any) -> Any:
    """Return H(softmax(z + eta d)) - H(softmax(z))."""
    return entropy([a + eta * b for a, b in zip(z, d, strict=True)]) - entropy(z)


def slope(z: Balls, d: Balls) -> Any:
    """Return H' along d at eta = 0: -(E[log pi d] - E[log pi] E[d])."""
    probs, logs = policy(z)
    return mean(probs, logs) * mean(probs, d) - mean(probs, product(logs, d))


def curvature(z: Balls, d: Balls) -> Any:
    """Return H'' along d at eta = 0: -Var(d) - E[(log pi - E log pi)(d - E d)^2]."""
    probs, logs = policy(z)
    # A shift of the direction drops out; centring it first keeps the digits.
    excess = centred(probs, d)
    return -mean(probs, product(excess, excess)) - mean(probs, product(centred(probs, logs), excess, excess))


def self_covariance(z: Balls) -> Any:
    """Return Cov_pi(log pi, pi) as the sum over pairs i < j of pi_i pi_j (pi_i - pi_j)(z_i - z_j).

    Every term of this sum is at least 0, so that nothing cancels (docs/theory.md, "One-step entropy change").
    """
    probs, _ = policy(z)
    pairs = ((i, j) for j in range(len(z)) for i in range(j))
    return sum((probs[i] * probs[j] * (probs[i] - probs[j]) * (z[i] - z[j]) for i, j in pairs), flint.arb(0))


def largest(a: Any, t: Any) -> Any:
    """Return G(a, t), the maximum over s >= 0 of (1 - s^2)(a + t s)/4.

    The derivative vanishes at the positive root of 3 t s^2 + 2 a s = t, and at 0 if t = 0.
    """
    # The formula of the root divides by t.
    if t == 0:
        return a / 4
    s = ((a * a + 3 * t * t).sqrt() - a) / (3 * t)
    return (1 - s * s) * (a + t * s) / 4


def brackets(arms: int) -> tuple[Any, Any]:
    """Return the constants of claim ``remainder`` for a policy on ``arms`` responses.

    They are L_- = G(1 + 1/e, log n) and L_+ = G(-1, log(6 sqrt 3 n) - 1) + 1/(6 sqrt 3).
    """
    c = 1 / (6 * flint.arb(3).sqrt())
    # For one arm t is the integer 0, which takes the branch without a division whatever ball log 1 may be.
    n = flint.arb(arms)
    return largest(1 + flint.arb(-1).exp(), n.log() if arms > 1 else 0), largest(flint.arb(-1), (n / c).log() - 1) + c


def spread(d: Balls) -> Any:
    """Return max d - min d of balls that do not overlap, or that are equal."""
    # Balls have no order of their own where they overlap; their midpoints do.
    values = sorted(d, key=lambda x: x.mid())
    return values[-1] - values[0]


def change_bounds(z: Balls, d: Balls, eta: Any) -> tuple[Any, Any]:
    """Return a lower and an upper bound on the entropy change, without any rounding.

    The bounds are those of claim ``remainder``: eta H' - (eta spread)^2 L_- / 2 and eta H' + (eta spread)^2 L_+ / 2,
    held within [-H, log n - H], the range that an entropy leaves open.
    """
    below, above = brackets(len(z))
    first_order, half_square = eta * slope(z, d), power(eta * spread(d), 2) / 2
    current, largest_entropy = entropy(z), flint.arb(len(z)).log()
    lower = (first_order - half_square * below).max(-current)
    upper = (first_order + half_square * above).min(largest_entropy - current)
    return lower, upper


def close(value: Any, exact: Any, *, relative: float, scale: Any = None) -> bool:
    """Return whether a float is certainly within ``relative`` times ``scale`` of a ball.

    Args:
        value: the float.
        exact: the ball.
        relative: the tolerance.
        scale: what the tolerance is relative to; the exact value unless given.
    """
    # Certainly: the comparison of balls is true only if it holds for every number in them.
    size = abs(exact) if scale is None else scale
    return bool(abs(flint.arb(float(value)) - exact) <= flint.arb(relative) * size)
