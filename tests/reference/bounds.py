"""The brackets of entropy's curvature, and the step that keeps Prop. 4.2's order: theory's formulas in balls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flint

from .numbers import ball, power, precise
from .policies import atoms, mean, surprises


@precise
def curvature_brackets(arms: int) -> tuple[flint.arb, flint.arb]:
    """Return L_- = G(1 + 1/e, log n) and L_+ = G(-1, log(n/c) - 1) + c, c = 1/(6 sqrt 3), of claim `remainder`."""
    c = 1 / (6 * flint.arb(3).sqrt())
    log_arms = flint.arb(arms).log()
    return _largest(1 + flint.arb(-1).exp(), log_arms), _largest(flint.arb(-1), log_arms - c.log() - 1) + c


def _largest(a: flint.arb, t: flint.arb) -> flint.arb:
    """Return max over s in [0, 1] of (1 - s^2)(a + t s)/4; the derivative has its root where 3 t s^2 + 2 a s = t."""
    s = ((a * a + 3 * t * t).sqrt() - a) / (3 * t) if t != 0 else flint.arb(0)
    return (1 - s * s) * (a + t * s) / 4


@precise
def safe_step_size(logits: Sequence[Any], arm_rewards: Sequence[Any], low: Any, high: Any) -> flint.arb | None:
    """Return the larger of claim `safe-step`'s two step sizes; None where no step moves the policy."""
    if min(logits) == max(logits) and min(arm_rewards) == max(arm_rewards):
        return None
    policy = atoms(logits, arm_rewards)
    b1, b2 = ball(low), ball(high)
    rewards = [ball(atom.rest[0]) for atom in policy]
    below, above = curvature_brackets(len(logits))
    covariance = mean(policy, [s * atom.prob for s, atom in zip(surprises(policy), policy, strict=True)])
    pushes = [[atom.prob * (r - b) for atom, r in zip(policy, rewards, strict=True)] for b in (b1, b2)]
    rho = [_range(push) for push in pushes]
    curvature = power(rho[1], 2) * below + power(rho[0], 2) * above
    by_remainder = 2 * (b2 - b1) * covariance / curvature if curvature > 0 else flint.arb(0)
    by_order = 2 / b2
    for wrong, r in zip(policy, rewards, strict=True):
        for right, other in zip(policy, rewards, strict=True):
            if r == 0 and other == 1 and wrong.prob > right.prob:
                scale = b2 * wrong.prob + (1 - b2) * right.prob
                by_order = by_order.min((wrong.log_prob - right.log_prob) / scale)
    return by_remainder.max(by_order)


def _range(values: Sequence[flint.arb]) -> flint.arb:
    least, most = values[0], values[0]
    for x in values[1:]:
        least, most = least.min(x), most.max(x)
    return most - least
