"""Bounds on the entropy change of a step, and the step that keeps Prop. 4.2's order: theory's formulas in balls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import flint

from .changes import centred, stepped
from .numbers import ball, power, precise
from .policies import atoms, mean, surprises

METHODS = ("brackets", "ratio-box", "cross-entropy", "third-order")


class Range(NamedTuple):
    """Hold a lower and an upper bound."""

    low: flint.arb
    high: flint.arb


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
def bare_bounds(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> dict[str, Range]:
    """Return the bounds of each method by itself and, as ``ends``, -H and log n - H."""
    policy = atoms(logits, direction)
    h = -mean(policy, [atom.log_prob for atom in policy])
    return {
        "ends": Range(-h, flint.arb(len(logits)).log() - h),
        "brackets": _brackets(logits, direction, step),
        "ratio-box": _ratio_box(logits, direction, step),
        "cross-entropy": _cross_entropy(logits, direction, step),
        "third-order": _third_order(logits, direction, step),
    }


def _brackets(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> Range:
    policy, s, delta = centred(logits, direction)
    eta, rho = ball(step), ball(max(direction)) - ball(min(direction))
    first = -eta * mean(policy, [x * y for x, y in zip(s, delta, strict=True)])
    below, above = curvature_brackets(len(logits))
    return Range(first - power(eta * rho, 2) * below / 2, first + power(eta * rho, 2) * above / 2)


def _ratio_box(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> Range:
    policy = atoms(logits, direction)
    h = -mean(policy, [atom.log_prob for atom in policy])
    ratios = [(log_p - atom.log_prob).exp() for (_, log_p), atom in zip(stepped(policy, step), policy, strict=True)]
    least, most = ratios[0], ratios[0]
    for x in ratios[1:]:
        least, most = least.min(x), most.max(x)
    return Range(h * (least - 1), h * (most - 1))


def _cross_entropy(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> Range:
    policy = atoms(logits, direction)
    low, high = flint.arb(0), flint.arb(0)
    for (p, log_p), atom in zip(stepped(policy, step), policy, strict=True):
        low -= (p - atom.prob) * log_p * atom.count
        high -= (p - atom.prob) * atom.log_prob * atom.count
    return Range(low, high)


def _third_order(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> Range:
    eta = ball(step)
    tau = abs(eta)
    policy, s, delta = centred(logits, direction)
    d = [x if eta >= 0 else -x for x in delta]
    grown = [(tau * x).exp() if x > 0 else flint.arb(1) for x in d]
    a = [mean(policy, [w * power(abs(x), k) for w, x in zip(grown, d, strict=True)]) for k in range(5)]
    sized = list(zip(grown, s, d, strict=True))
    b = [mean(policy, [w * abs(y) * power(abs(x), k) for w, y, x in sized]) for k in range(4)]
    m = (tau * a[2]).min(a[1])
    # |E_t S| along the path: at most s_0, and at most what a covariance with d adds to 0 by then.
    e = b[0].min(tau * (b[1] + m * b[0]))
    third = a[3] + 3 * m * a[2] + 3 * power(m, 2) * a[1] + power(m, 3)
    fourth = a[4] + 4 * m * a[3] + 6 * power(m, 2) * a[2] + 4 * power(m, 3) * a[1] + power(m, 4)
    tied = b[3] + 3 * m * b[2] + 3 * power(m, 2) * b[1] + power(m, 3) * b[0]
    b3 = 2 * third + tied + e * third + tau * fourth + 3 * a[2] * (b[1] + m * b[0] + tau * a[2])
    first = -mean(policy, [y * x for y, x in zip(s, delta, strict=True)])
    second = -mean(policy, [(1 + y) * x * x for y, x in zip(s, delta, strict=True)])
    middle, room = eta * first + eta**2 * second / 2, tau**3 * b3 / 6
    return Range(middle - room, middle + room)


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
