"""Make one update of a tabular bandit on a group that given uniform numbers draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from .groups import advantages
from .numbers import ball, nearest, precise
from .policies import probabilities
from .updates import group_direction


@precise
def step(
    logits: Sequence[float],
    arm_rewards: Sequence[float],
    uniforms: Sequence[float],
    estimator: str,
    options: Mapping[str, Any],
    step_size: float,
    *,
    mixed_only: bool = False,
) -> list[float]:
    """Return z + (eta/G) sum_i A_i (e_{y_i} - pi), y_i drawn by inverting the cumulative probabilities.

    With ``mixed_only`` a group of equal rewards moves nothing.
    """
    responses = draws(logits, uniforms)
    rewards = [Fraction(arm_rewards[y]) for y in responses]
    if mixed_only and len(set(rewards)) < 2:
        return list(logits)
    table = advantages(Counter(rewards), estimator, **options)
    direction = group_direction(logits, responses, [table[r] for r in rewards])
    return [nearest(ball(z) + ball(step_size) * d) for z, d in zip(logits, direction, strict=True)]


@precise
def draws(logits: Sequence[float], uniforms: Sequence[float]) -> list[int]:
    """Return, for each uniform number u, the first response whose cumulative probability is above u."""
    reached, cumulative = ball(0), []
    for p in probabilities(logits):
        reached += p
        cumulative.append(reached)
    found = []
    for u in uniforms:
        low, high = 0, len(cumulative) - 1
        while low < high:
            middle = (low + high) // 2
            if cumulative[middle] > ball(u):
                high = middle
            else:
                low = middle + 1
        found.append(low)
    return found
