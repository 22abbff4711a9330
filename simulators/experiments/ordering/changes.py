"""Compute entropy changes under every baseline of one policy, and whether they stand in Prop. 4.2's order.

Arrays of P policies have logits and arm rewards ``[P, n]``. A step size of 0 stands for the first-order change per unit
step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from qae_theory import entropy_change, first_order_entropy_change, safe_step_size, update_direction
from qae_theory.arrays import Array
from simulators.engine import initial_state, update_on_all_groups
from simulators.experiments.common.shares import rounding
from simulators.tabular.policy import policy, response_log_probs
from simulators.update import Update
from simulators.worlds import Start

# Every step up to a certified one is certified too; the order is tried at these fractions of it.
FRACTIONS = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.01)


class Order(NamedTuple):
    """Hold whether the order holds, and whether it holds strictly, ``[...]`` each."""

    weak: Array
    strict: Array


def changes_at(logits: Array, direction: Array, steps: Sequence[float]) -> tuple[Array, Array]:
    """Return the entropy change of each step size, first order where it is 0, and the change's rounding.

    Args:
        logits: ``[P, n]``.
        direction: ``[..., P, n]``.
        steps: E step sizes.

    Returns:
        Changes and their rounding in nats, ``[E, ..., P]`` each.
    """
    changes, slack = [], []
    for step in steps:
        if step == 0:
            changes.append(first_order_entropy_change(logits, direction))
            slack.append(rounding(logits, direction, 1.0))
        else:
            changes.append(entropy_change(logits, direction, step))
            slack.append(rounding(logits, direction, step))
    return np.stack(changes), np.stack(slack)


def population_changes(
    logits: Array, arm_rewards: Array, rule: str, *, baselines: Array, steps: Sequence[float]
) -> tuple[Array, Array]:
    """Return changes and rounding under one of the population updates, at every baseline.

    Args:
        logits: ``[P, n]``.
        arm_rewards: ``[P, n]``.
        rule: a name that ``qae_theory.update_direction`` takes.
        baselines: ``[B, P]``.
        steps: E step sizes.

    Returns:
        ``[E, B, P]`` each, in nats.
    """
    direction = update_direction(logits, arm_rewards, rule, baseline=baselines)
    return changes_at(logits, direction, steps)


def sampled_changes(start: Start, update: Update, steps: Sequence[float]) -> tuple[Array, Array]:
    """Return expected changes over every possible group of a rule, and their rounding.

    Args:
        start: bandits of S seeds with Q queries each.
        update: the rule; its groups are enumerated.
        steps: E step sizes.

    Returns:
        ``[E, S Q]`` each, in nats.
    """
    step, weights = update_on_all_groups(initial_state(start.logits, start.env), start.env, update)
    log_probs = response_log_probs(policy(step.before.logits).log_probs, start.env.tree)
    changes, slack = changes_at(log_probs, step.direction[..., 0, :], steps)
    # A mean over groups rounds no worse than the worst of them.
    expected, worst = (weights * changes).sum(axis=1), slack.max(axis=1)
    return expected.reshape(len(steps), -1), worst.reshape(len(steps), -1)


def in_order(preferred: Array, other: Array, *, slack: Array, hard: Array) -> Order:
    """Return whether the preferred baseline's change is at most the other's on hard queries, and at least on easy ones.

    Args:
        preferred: change under the baseline that Prop. 4.2 prefers, ``[...]``.
        other: change under another baseline.
        slack: their rounding; the weak order forgives it, the strict one demands more.
        hard: whether the query is hard.

    Returns:
        ``[...]`` each.
    """
    # Prop. 4.2 wants the lowest entropy on hard queries and the highest on easy ones.
    margin = np.where(hard, other - preferred, preferred - other)
    return Order(np.asarray(margin >= -slack), np.asarray(margin > slack))


def order_of_baselines(changes: Array, slack: Array, *, baselines: Array, hard: Array) -> Order:
    """Return whether Prop. 4.2 holds against every baseline: b_K, 0 on hard queries and 1 on easy ones, is extreme.

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
    order = in_order(at_quantile, changes, slack=slack.max(axis=1, keepdims=True), hard=hard)
    # b_K is not strictly before itself, and need not be.
    return Order(np.asarray(order.weak.all(axis=1)), np.asarray((order.strict | itself).all(axis=1)))


def margin(logits: Array, arm_rewards: Array, *, low: Array, high: Array, step: Array) -> Array:
    """Return how far the ``uncentred`` update keeps the order, :math:`ΔH(high) - ΔH(low)`, plus rounding.

    Args:
        logits: ``[P, n]``.
        arm_rewards: ``[P, n]``.
        low: the lower baseline, ``[P]``.
        high: the higher one, ``[P]``.
        step: step sizes, ``[..., P]``.

    Returns:
        ``[..., P]`` in nats; below 0 where the order fails by more than rounding.
    """
    changes, slacks = [], []
    for baseline in (low, high):
        direction = update_direction(logits, arm_rewards, "uncentred", baseline=baseline)
        changes.append(entropy_change(logits, direction, step))
        slacks.append(rounding(logits, direction, step))
    return np.asarray(changes[1] - changes[0] + np.maximum(*slacks))


def largest_step(
    logits: Array, arm_rewards: Array, *, low: Array, high: Array, scan: Array, halvings: int = 60
) -> Array:
    """Return the first step size at which the order of two baselines fails.

    A failure that comes and goes between two steps of the scan is not seen. The first step of the scan that fails is
    narrowed down by bisection; 60 halvings exhaust the digits of float64.

    Args:
        logits: ``[P, n]``.
        arm_rewards: ``[P, n]``.
        low: the lower baseline, ``[P]``.
        high: the higher one, ``[P]``.
        scan: step sizes that are tried, ascending, ``[E]``.
        halvings: of the interval in which the order first fails.

    Returns:
        ``[P]``; infinite where no step of the scan fails.
    """
    fails = margin(logits, arm_rewards, low=low, high=high, step=scan[:, None]) < 0
    first = fails.argmax(axis=0)
    above = scan[first]
    # Where already the first step of the scan fails, the failure is sought between 0 and that step.
    below = np.where(first > 0, scan[np.maximum(first - 1, 0)], 0.0)
    for _ in range(halvings):
        middle = (below + above) / 2
        failed = margin(logits, arm_rewards, low=low, high=high, step=middle) < 0
        below, above = np.where(failed, below, middle), np.where(failed, middle, above)
    return np.where(fails.any(axis=0), above, np.inf)


class Certificate(NamedTuple):
    """Certified and actual largest step, and at how many of the tried steps the order fails, ``[P]`` each.

    ``stretched_failures`` is the same count for the certified step times a factor, which nothing certifies: the
    control.
    """

    certified: Array
    actual: Array
    failures: Array
    stretched_failures: Array


def certificate(
    logits: Array, arm_rewards: Array, *, low: Array, high: Array, scan: Array, stretch: float
) -> Certificate:
    """Hold the certified step of two baselines against the order that there is.

    Args:
        logits: ``[P, n]``.
        arm_rewards: ``[P, n]``.
        low: the lower baseline, ``[P]``.
        high: the higher one, ``[P]``.
        scan: step sizes for the actual largest step, ascending, ``[E]``.
        stretch: the factor of the control.

    Returns:
        ``[P]`` each.
    """
    certified = safe_step_size(logits, arm_rewards, low=low, high=high)
    actual = largest_step(logits, arm_rewards, low=low, high=high, scan=scan)
    # An infinite certified step is tried up to the end of the scan.
    tried = np.outer(FRACTIONS, np.minimum(certified, scan[-1]))

    def failures(steps: Array) -> Array:
        return np.asarray((margin(logits, arm_rewards, low=low, high=high, step=steps) < 0).sum(axis=0))

    return Certificate(
        certified=certified,
        actual=actual,
        failures=failures(1.0 * tried),
        stretched_failures=failures(stretch * tried),
    )
