"""Steps as training takes them, for figures of how narrow the bounds are: policies, directions and step sizes.

Not for the search of violations: that has ``cases``, where every float64 may come up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from qae_theory import advantages, entropy_change, probabilities, update_direction
from tests.qae_theory.enclosure.cases import Array

LEAST_STEP, LARGEST_STEP = 1e-3, 2.0
GROUP_SIZE = 16
Draw = Callable[[np.random.Generator, int], Array]


def flat(rng: np.random.Generator, arms: int) -> Array:
    """Return logits of a nearly uniform policy, normal with standard deviation 0.1, ``[n]``."""
    return 0.1 * rng.normal(size=arms)


def zipf(rng: np.random.Generator, arms: int) -> Array:
    """Return logits -a log(rank) in random order, with a uniform in [1/2, 2], ``[n]``."""
    return -rng.uniform(0.5, 2.0) * np.log(rng.permutation(arms) + 1.0)


def peaked(rng: np.random.Generator, arms: int) -> Array:
    """Return normal logits, one of them raised so that its probability is uniform in [0.9, 0.999], ``[n]``."""
    logits = rng.normal(size=arms)
    top, probability = int(rng.integers(arms)), rng.uniform(0.9, 0.999)
    others = np.delete(logits, top)
    logits[top] = np.log(np.exp(others).sum()) + np.log(probability / (1 - probability))
    return logits


def sampled_group(rng: np.random.Generator, logits: Array) -> Array:
    """Return GRPO's step on one group, (1/G) sum of A_i (e_{y_i} - pi), G = 16, ``[n]``.

    Each response is right with probability 1/2, by its identity; groups in which nothing moves are drawn again.
    """
    policy = probabilities(logits)
    while True:
        right = rng.random(len(policy)) < 0.5
        responses = rng.choice(len(policy), size=GROUP_SIZE, p=policy / policy.sum())
        weights = advantages(right[responses].astype(np.float64), "grpo")
        direction = update_direction(logits, right, "sampled_group", responses=responses, advantages=weights)
        if np.ptp(direction) > 0:
            return direction
        if policy.max() > 1 - 1e-6:
            raise ValueError("the policy is too peaked for groups of two kinds")


def dense(rng: np.random.Generator, logits: Array) -> Array:
    """Return a step that moves every logit, independently and normal with standard deviation 1, ``[n]``."""
    return rng.normal(size=len(logits))


POLICIES: Mapping[str, Draw] = {"flat": flat, "Zipf": zipf, "peaked": peaked}
DIRECTIONS: Mapping[str, Callable[[np.random.Generator, Array], Array]] = {
    "sampled group": sampled_group,
    "dense": dense,
}
STEP_SIZES: Mapping[str, Callable[[np.random.Generator], float]] = {
    "log-uniform": lambda rng: float(np.exp(rng.uniform(np.log(LEAST_STEP), np.log(LARGEST_STEP)))),
    "uniform": lambda rng: float(rng.uniform(LEAST_STEP, LARGEST_STEP)),
}


def step_that_moves(logits: Array, direction: Array, change: float) -> float | None:
    """Return the least step size found at which entropy has moved by ``change`` nats in size, or None below 1e6.

    By doubling and halving: an entropy that moved further in between and came back is passed over.
    """
    high = 1e-6
    while abs(float(entropy_change(logits, direction, high))) < change:
        high *= 2
        if high > 1e6:
            return None
    low = high / 2
    for _ in range(40):
        middle = (low + high) / 2
        if abs(float(entropy_change(logits, direction, middle))) < change:
            low = middle
        else:
            high = middle
    return high
