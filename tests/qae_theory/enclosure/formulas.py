"""The four bounds as their claims state them, in ball arithmetic and without any rounding outward.

Written from the claims `remainder`, `ratio-box`, `cross-entropy-upper` and `third-order`; nothing is imported from the
package. Each returns (lower, upper) before the intersection with [-H, log n - H].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import flint

from tests import oracles
from tests.qae_theory.enclosure import truth
from tests.reference.numbers import power

BITS = 700
Balls = list[Any]


class Query(NamedTuple):
    """A policy, its entropy, and a direction with the sign of the step, all as balls; tau is the step's size."""

    probs: Balls
    logs: Balls
    entropy: Any
    surprise: Balls  # log pi - E log pi
    move: Balls  # d - E d, with the sign of the step
    tau: Any


def query(z: Sequence[float], d: Sequence[float], eta: float) -> Query:
    """The quantities that the formulas are made of."""
    logs = log_probs([flint.arb(x) for x in z])
    probs = [x.exp() for x in logs]
    sign = -1 if eta < 0 else 1
    direction = [sign * flint.arb(x) for x in d]
    mean_log, mean_d = mean(probs, logs), mean(probs, direction)
    return Query(
        probs, logs, -mean_log, [x - mean_log for x in logs], [x - mean_d for x in direction], abs(flint.arb(eta))
    )


def log_probs(z: Balls) -> Balls:
    """Log-probabilities around the largest logit."""
    top = max(range(len(z)), key=lambda i: z[i].mid())
    others = truth.total((x - z[top]).exp() for i, x in enumerate(z) if i != top)
    return [x - z[top] - others.log1p() for x in z]


def mean(probs: Balls, x: Balls) -> Any:
    """E x."""
    return truth.total(p * y for p, y in zip(probs, x, strict=True))


def product(*factors: Balls) -> Balls:
    """Entry by entry."""
    result = factors[0]
    for factor in factors[1:]:
        result = [x * y for x, y in zip(result, factor, strict=True)]
    return result


def covariance_by_pairs(z: Sequence[float], probs: Balls) -> Any:
    """Return C(pi) as the sum of pi_i pi_j (pi_i - pi_j)(z_i - z_j) over pairs, of which none is negative."""
    logits = [flint.arb(x) for x in z]
    terms = []
    for i, j in combinations(range(len(z)), 2):
        terms.append(probs[i] * probs[j] * (probs[i] - probs[j]) * (logits[i] - logits[j]))
    return truth.total(terms)


def brackets(q: Query) -> tuple[Any, Any]:
    """Claim `remainder`."""
    below, above = oracles.curvature_brackets(len(q.probs))
    line = -q.tau * mean(q.probs, product(q.surprise, q.move))
    square = power(q.tau * (max(q.move, key=float) - min(q.move, key=float)), 2) / 2
    return line - square * below, line + square * above


def after(q: Query) -> tuple[Balls, Any]:
    """The policy after the step, and log E e^(tau move)."""
    factors = [(q.tau * x).exp() for x in q.move]
    partition = mean(q.probs, factors)
    return [p * f / partition for p, f in zip(q.probs, factors, strict=True)], partition.log()


def ratio_box(q: Query) -> tuple[Any, Any]:
    """Claim `ratio-box`: the entropy times the least and the greatest pi'/pi, less 1."""
    _, log_partition = after(q)
    ratios = [(q.tau * x - log_partition).exp() - 1 for x in q.move]
    return q.entropy * min(ratios, key=float), q.entropy * max(ratios, key=float)


def cross_entropy(q: Query) -> tuple[Any, Any]:
    """Claim `cross-entropy-upper`, and the same with the roles of the two policies exchanged."""
    new, log_partition = after(q)
    new_logs = [x + q.tau * y - log_partition for x, y in zip(q.logs, q.move, strict=True)]
    change = [x - y for x, y in zip(new, q.probs, strict=True)]
    return -mean(change, new_logs), -mean(change, q.logs)


def third_order(q: Query) -> tuple[Any, Any]:
    """Claim `third-order`."""
    tau, move, surprise = q.tau, q.move, q.surprise
    size, weight = [abs(x) for x in move], [x.exp() if (x := tau * y) > 0 else flint.arb(1) for y in move]
    a = [mean(q.probs, product(weight, [power(x, k) for x in size])) for k in range(5)]
    s = [mean(q.probs, product(weight, [abs(x) for x in surprise], [power(x, k) for x in size])) for k in range(4)]
    m = min(tau * a[2], a[1], key=float)
    third = a[3] + 3 * m * a[2] + 3 * power(m, 2) * a[1] + power(m, 3)
    fourth = a[4] + 4 * m * a[3] + 6 * power(m, 2) * a[2] + 4 * power(m, 3) * a[1] + power(m, 4)
    drift = min(s[0], tau * (s[1] + m * s[0]), key=float)  # of E_t S: it is 0 at the start, Cov_t(S, d) its slope
    b3 = 2 * third + (s[3] + 3 * m * s[2] + 3 * power(m, 2) * s[1] + power(m, 3) * s[0]) + drift * third + tau * fourth
    b3 += 3 * a[2] * (s[1] + m * s[0] + tau * a[2])
    squares = product(move, move)
    middle = -tau * mean(q.probs, product(surprise, move))
    middle -= tau**2 / 2 * (mean(q.probs, squares) + mean(q.probs, product(surprise, squares)))
    return middle - tau**3 / 6 * b3, middle + tau**3 / 6 * b3


FORMULAS: dict[str, Callable[[Query], tuple[Any, Any]]] = {
    "brackets": brackets,
    "ratio-box": ratio_box,
    "cross-entropy": cross_entropy,
    "third-order": third_order,
}
