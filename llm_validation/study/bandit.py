"""Probe a table of logits like a network: the substrate `bandit` of the prediction ladder, in exact arithmetic.

There the sampled group's own direction is the step, so that the rungs ``sampled`` and ``first_order`` are one, and
what the identity misses it misses on the policy that it was written for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.tables import Table, from_rows
from llm_validation.probe import predictions
from llm_validation.probe.arms import Weights, arm_weights, is_scaled
from llm_validation.probe.predictions import Derivatives
from qae_theory.arrays import Array
from qae_theory.entropy_change import entropy_change, entropy_change_bounds
from qae_theory.softmax import log_softmax

SUBSTRATE = TASK = "bandit"
ARMS, GROUP_SIZE, QUERIES = 32, 8, 12  # responses to a query, of a group, and queries of a probe
REFERENCE = "mean"  # the rule by whose step the learning rates are found, as in `probe.stepper`


class World(NamedTuple):
    """Hold the queries of one probe.

    Attributes:
        log_probs: [Q, n] of the responses to each query.
        arm_rewards: [Q, n], each 0 or 1.
        drawn: [Q, G] responses of a sampled group.
    """

    log_probs: Array
    arm_rewards: Array
    drawn: Array

    @property
    def rewards(self) -> Array:
        """Return the rewards of the sampled groups, [Q, G]."""
        return np.take_along_axis(self.arm_rewards, self.drawn, axis=1)


def bandit_probes(arms: Sequence[str], sizes: Sequence[float], *, probes: int, seed: int) -> Table:
    """Return rows like those of a network's probes, one for each size, arm, query and probe.

    Args:
        arms: names of rules.
        sizes: step sizes, as a network's: the root mean square of the predicted change of log pi.
        probes: how many worlds.
        seed: of all of them.
    """
    rows: list[dict[str, Any]] = []
    for number, stream in enumerate(np.random.SeedSequence(seed).spawn(probes)):
        rows += _rows(world(np.random.default_rng(stream)), f"{SUBSTRATE}/{number}", arms, sizes)
    return from_rows(rows)


def world(rng: np.random.Generator) -> World:
    """Return random queries whose success is between .1 and .9, and a sampled group of each."""
    logits = 1.5 * rng.normal(size=(QUERIES, ARMS))
    log_probs = log_softmax(logits)
    right = np.zeros((QUERIES, ARMS))
    # Responses are made right in random order until their mass reaches the wanted success.
    for query, wanted in enumerate(rng.uniform(0.1, 0.9, size=QUERIES)):
        order = rng.permutation(ARMS)
        mass = np.cumsum(np.exp(log_probs[query, order]))
        right[query, order[: max(1, int(np.searchsorted(mass, wanted)))]] = 1.0
    drawn = np.stack([rng.choice(ARMS, size=GROUP_SIZE, p=np.exp(row) / np.exp(row).sum()) for row in log_probs])
    return World(log_probs, right, drawn)


def _rows(world: World, probe: str, arms: Sequence[str], sizes: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield the rows of one probe."""
    spread = _spread(world, _direction(world, arm_weights(REFERENCE, world.rewards)))
    for size in sizes:
        for arm in arms:
            weights = arm_weights(arm, world.rewards)
            table = _measured(world, weights, size / spread)
            facts = {
                "probe": probe,
                "task": TASK,
                "substrate": SUBSTRATE,
                "enumerable": True,
                "run": "world",
                "seed": 0,
                "step": 0,
                "functional": "all responses",
                "optimiser": "sgd",
                "adam_eps": float("nan"),
                "updates": 1,
                "clipped": False,
                "learning_rate": size / spread,
                "size": size,
                "rounding": "none",
                "hold_unsampled": False,
                "per_response": False,
                "arm": arm,
                "scaled": is_scaled(arm),
                "group_size": GROUP_SIZE,
            }
            for query in range(QUERIES):
                yield {**facts, "prompt": query, **{name: column[query].item() for name, column in table.items()}}


def _direction(world: World, weights: Weights) -> Array:
    r"""Return :math:`\frac1G\sum_i A_i (e_{y_i} - \pi)` of each query, [Q, n]."""
    pushed = np.zeros_like(world.log_probs)
    np.add.at(pushed, (np.arange(QUERIES)[:, None], world.drawn), weights.sampled / GROUP_SIZE)
    return pushed - weights.sampled.mean(axis=1, keepdims=True) * np.exp(world.log_probs)


def _spread(world: World, direction: Array) -> float:
    """Return the root mean square of the derivative of log pi along a direction, under pi and over queries."""
    probs = np.exp(world.log_probs)
    first = direction - (probs * direction).sum(axis=1, keepdims=True)
    return float(np.sqrt((probs * first**2).sum(axis=1).mean()))


def _measured(world: World, weights: Weights, step_size: float) -> Mapping[str, Array]:
    """Return the measured and predicted figures of one step, [Q] each, by their column's name."""
    log_probs, probs = world.log_probs, np.exp(world.log_probs)
    step = step_size * _direction(world, weights)
    first = step - (probs * step).sum(axis=1, keepdims=True)
    # log softmax along a straight line of logits bends by its normaliser alone, minus the variance of the step.
    second = np.broadcast_to(-(probs * first**2).sum(axis=1, keepdims=True), first.shape)
    change = entropy_change(log_probs, step, 1.0)
    low, high = entropy_change_bounds(log_probs, step, 1.0)
    rungs = predictions.enumerated(
        log_probs, weights.of(world.arm_rewards), step_size, first, Derivatives(first, np.asarray(second))
    )
    moved = np.abs(np.exp(log_softmax(log_probs + step)) - probs) / 2
    taken = np.zeros_like(probs, dtype=bool)
    np.put_along_axis(taken, world.drawn, values=True, axis=1)
    nothing = np.zeros(QUERIES)
    start = predictions.entropy(log_probs)
    return {
        "entropy": start,
        "change": change,
        "frozen": change,  # a response is one token: there is one context, and it is always visited
        "visiting": nothing,
        "open_mass": nothing,
        "guaranteed_low": low,
        "guaranteed_high": high,
        "box_low": -0.2 * start,
        "box_high": 0.28 * start,
        "moved": moved.sum(axis=1),
        "moved_unsampled": np.where(taken, 0.0, moved).sum(axis=1),
        "success_prob": (probs * world.arm_rewards).sum(axis=1),
        "num_correct": world.rewards.sum(axis=1).astype(int),
        **predictions.columns(rungs),
    }
