"""Compare the safe step with its formula in ball arithmetic: it may lie below the certificate, never above.

Written from claim `safe-step`; nothing of it is imported from the package but the function itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import flint
import numpy as np

from qae_theory import safe_step_size
from tests import oracles
from tests.qae_theory.enclosure import cases
from tests.qae_theory.enclosure.errors import PRECISIONS
from tests.qae_theory.enclosure.formulas import covariance_by_pairs, log_probs


class Query(NamedTuple):
    """Logits, 0/1 rewards and two baselines, 0 <= low < high <= 1."""

    logits: list[float]
    rewards: list[int]
    low: float
    high: float


@dataclass
class SafeSteps:
    """Hold how many queries were looked at, which steps lie above the certificate, and how far below it the others."""

    instances: int = 0
    above: list[tuple[Query, float]] = field(default_factory=list)
    largest_shortfall: float = 0.0  # relative, where the certificate is a normal float64


def adversarial(rng: np.random.Generator, count: int) -> Iterator[Query]:
    """Yield queries with the logits of ``cases.adversarial``, any rewards, and baselines from both ends of [0, 1]."""
    for batch in cases.adversarial(rng, count):
        for z in batch.logits.tolist():
            low, high = _baselines(rng)
            yield Query(z, rng.integers(0, 2, len(z)).tolist(), low, high)


def certificate(query: Query) -> Any:
    """Return the larger of the two certified steps as a ball, at flint's precision; infinite where nothing moves."""
    z, r, low, high = query
    if len(set(z)) == 1 and len(set(r)) == 1:
        return flint.arb("inf")
    logs = log_probs([flint.arb(x) for x in z])
    probs = [x.exp() for x in logs]
    return _by_remainder(z, probs, r, low, high).max(_by_order(z, probs, r, high))


def hold(queries: Iterator[Query], function: Callable[..., Any] = safe_step_size) -> SafeSteps:
    """Compare the step of every query with its certificate."""
    result = SafeSteps()
    for query in queries:
        result.instances += 1
        value = float(function(*query))
        exact = _decided(query, value)
        if not value <= exact:
            result.above.append((query, value))
        elif np.isfinite(value) and exact > 2.0**-1022:
            result.largest_shortfall = max(result.largest_shortfall, float(1 - flint.arb(value) / exact))
    return result


def _decided(query: Query, value: float) -> Any:
    """Return the certificate, at the first precision that tells it from the value."""
    exact = flint.arb("nan")
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            exact = certificate(query)
            if exact.is_finite() and exact.rad() <= 2.0**-60 * abs(exact) and (value <= exact or value > exact):
                break
    return exact


def _by_remainder(z: Sequence[float], probs: list[Any], r: Sequence[int], low: float, high: float) -> Any:
    """Return 2 (b2 - b1) C / (rho2^2 L_- + rho1^2 L_+); 0 where neither direction moves anything."""
    below, above = oracles.curvature_brackets(len(z))
    slope = covariance_by_pairs(z, probs)
    spread_low, spread_high = (
        _spread([p * (x - flint.arb(b)) for p, x in zip(probs, r, strict=True)]) for b in (low, high)
    )
    curvature = spread_high**2 * below + spread_low**2 * above
    if curvature == 0:
        return flint.arb(0)
    return 2 * (flint.arb(high) - flint.arb(low)) * slope / curvature


def _by_order(z: Sequence[float], probs: list[Any], r: Sequence[int], high: float) -> Any:
    """Return the smaller of 2 / b2 and log(pi_i/pi_j) / (b2 pi_i + (1 - b2) pi_j) over wrong i above right j."""
    b2 = flint.arb(high)
    step = 2 / b2
    for i, wrong in enumerate(r):
        for j, right in enumerate(r):
            if wrong == 0 and right == 1 and z[i] > z[j]:
                step = step.min((flint.arb(z[i]) - flint.arb(z[j])) / (b2 * probs[i] + (1 - b2) * probs[j]))
    return step


def _spread(pushes: list[Any]) -> Any:
    largest, smallest = pushes[0], pushes[0]
    for push in pushes[1:]:
        largest, smallest = largest.max(push), smallest.min(push)
    return largest - smallest


def _baselines(rng: np.random.Generator) -> tuple[float, float]:
    """Return two baselines: ordinary ones, neighbours, or numbers down to the smallest float64."""
    tiny = 10.0 ** rng.uniform(-323, -1)
    ordinary = sorted(rng.uniform(0, 1, 2).tolist())
    pairs = [(0.0, 1.0), (0.0, tiny), tuple(ordinary), (ordinary[0], float(np.nextafter(ordinary[0], 1))), (tiny, 1.0)]
    low, high = pairs[int(rng.integers(len(pairs)))]
    return low, high
