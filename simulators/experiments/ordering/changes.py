"""Entropy changes under every baseline of one policy, and whether they stand in Prop. 4.2's order.

Policies are rows P: logits and arm rewards ``[P, n]``. A step size of 0 stands for the first-order
change per unit step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qae_theory import entropy_change, first_order_entropy_change, safe_step_size, update_direction
from qae_theory.arrays import Array
from simulators.engine import initial_state, update_on_all_groups
from simulators.experiments.common.shares import rounding
from simulators.policy import policy, response_log_probs
from simulators.update import Update
from simulators.worlds import Start

FRACTIONS = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.01)  # of a certified step, at which the order is tried


class Order(NamedTuple):
    """Whether the order holds, and whether it holds strictly, ``[...]`` each."""

    weak: Array
    strict: Array


def changes_at(logits: Array, direction: Array, steps: Sequence[float]) -> tuple[Array, Array]:
    """Entropy change of each step size, first order where it is 0, and its rounding: ``[E, ..., P]`` each."""
    changes = [
        entropy_change(logits, direction, step) if step else first_order_entropy_change(logits, direction)
        for step in steps
    ]
    slack = [rounding(logits, direction, step or 1.0) for step in steps]
    return np.stack(changes), np.stack(slack)


def population_changes(
    logits: Array, arm_rewards: Array, rule: str, baselines: Array, steps: Sequence[float]
) -> tuple[Array, Array]:
    """Changes and rounding under one of the population updates, baselines ``[B, P]`` to ``[E, B, P]``."""
    direction = update_direction(logits, arm_rewards, rule, baseline=baselines)
    return changes_at(logits, direction, steps)


def sampled_changes(start: Start, update: Update, steps: Sequence[float]) -> tuple[Array, Array]:
    """Expected changes over every possible group of a rule, and rounding, ``[E, S Q]`` each."""
    step, weights = update_on_all_groups(initial_state(start.logits, start.env), start.env, update)
    log_probs = response_log_probs(policy(step.before.logits).log_probs, start.env.tree)
    changes, slack = changes_at(log_probs, step.direction[..., 0, :], steps)
    count = len(steps)
    return (weights * changes).sum(axis=1).reshape(count, -1), slack.max(axis=1).reshape(count, -1)


def in_order(preferred: Array, other: Array, slack: Array, hard: Array) -> Order:
    """Hard queries: the preferred baseline's change is at most the other's; easy ones: at least."""
    margin = np.where(hard, other - preferred, preferred - other)
    return Order(np.asarray(margin >= -slack), np.asarray(margin > slack))


def order_of_baselines(changes: Array, slack: Array, baselines: Array, hard: Array) -> Order:
    """Prop. 4.2 against every baseline ``[B, P]``: b_K, which is 0 on hard queries and 1 on easy ones, is extreme.

    Args:
        changes: ``[E, B, P]``.
        slack: their rounding.
        baselines: ``[B, P]``, with 0 and 1 among them.
        hard: ``[P]``.

    Returns:
        ``[E, P]`` each.
    """
    quantile = np.where(hard, 0.0, 1.0)
    itself = baselines == quantile
    at_quantile = np.take_along_axis(changes, itself.argmax(axis=0)[None, None], axis=1)
    found = in_order(at_quantile, changes, slack.max(axis=1, keepdims=True), hard)
    return Order(np.asarray(found.weak.all(axis=1)), np.asarray((found.strict | itself).all(axis=1)))


def margin(logits: Array, arm_rewards: Array, low: Array, high: Array, step: Array) -> Array:
    """How far the ``uncentred`` update keeps the order, :math:`ΔH(high) - ΔH(low)`, plus rounding: < 0 where it fails.

    Baselines ``[P]``; steps ``[..., P]``.
    """
    changes, slacks = [], []
    for baseline in (low, high):
        direction = update_direction(logits, arm_rewards, "uncentred", baseline=baseline)
        changes.append(entropy_change(logits, direction, step))
        slacks.append(rounding(logits, direction, step))
    return np.asarray(changes[1] - changes[0] + np.maximum(*slacks))


def largest_step(logits: Array, arm_rewards: Array, low: Array, high: Array, scan: Array, halvings: int = 60) -> Array:
    """The first step size at which the order of two baselines fails, ``[P]``; infinite where none of ``scan`` fails.

    ``scan`` ``[E]`` ascends; a failure that comes and goes between two of its steps is not seen. The first step that
    fails is then narrowed down by bisection.
    """
    fails = margin(logits, arm_rewards, low, high, scan[:, None]) < 0
    first = fails.argmax(axis=0)
    above = scan[first]
    below = np.where(first > 0, scan[np.maximum(first - 1, 0)], 0.0)
    for _ in range(halvings):
        middle = (below + above) / 2
        failed = margin(logits, arm_rewards, low, high, middle) < 0
        below, above = np.where(failed, below, middle), np.where(failed, middle, above)
    return np.where(fails.any(axis=0), above, np.inf)


class Certificate(NamedTuple):
    """Certified and actual largest step, and at how many of the tried steps the order fails, ``[P]`` each.

    ``stretched_failures``: the same count for the certified step times a factor, which nothing certifies.
    """

    certified: Array
    actual: Array
    failures: Array
    stretched_failures: Array


def certificate(
    logits: Array, arm_rewards: Array, low: Array, high: Array, scan: Array, *, stretch: float
) -> Certificate:
    """Hold the certified step of two baselines ``[P]`` against the order that there is."""
    certified = safe_step_size(logits, arm_rewards, low, high)
    actual = largest_step(logits, arm_rewards, low, high, scan)
    within = np.minimum(certified, scan[-1])
    failures, stretched = (
        (margin(logits, arm_rewards, low, high, factor * np.outer(FRACTIONS, within)) < 0).sum(axis=0)
        for factor in (1.0, stretch)
    )
    return Certificate(certified, actual, failures, stretched)
