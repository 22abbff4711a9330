r"""Learn from a fixed behaviour policy without importance ratios: the flow, where it ends, and its phase transition.

When groups are sampled from mu with a constant baseline b, the expected update is :math:`\mu(r - b) - \pi(V_\mu - b)`.
For b below :math:`V_\mu` it pulls pi back and ends at :math:`(\mu(r - b) - \tau)_+/(V_\mu - b)`, where tau makes it sum
to 1. For b above :math:`V_\mu` it pushes pi away and ends at one arm.

Source: arXiv 2506.20520 (AsymRE).
"""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators.tabular import kernels


def flow(behaviour: Array, probs: Array, arm_rewards: Array, baseline: Array) -> Array:
    r"""Return the expected update per unit step, :math:`\mu(r - b) - \pi(V_\mu - b)`, ``[..., n]``.

    Args:
        behaviour: mu, ``[..., n]``.
        probs: pi, ``[..., n]``.
        arm_rewards: r, ``[..., n]``.
        baseline: b, ``[...]``.
    """
    b = np.asarray(baseline)[..., None]
    return behaviour * (arm_rewards - b) - probs * (expectation(behaviour, arm_rewards)[..., None] - b)


def follow(
    logits: Array, behaviour: Array, arm_rewards: Array, baseline: Array, *, steps: int, step_size: float
) -> Array:
    """Return the logits after Euler steps of the flow, ``[..., n]``.

    Args:
        logits: where the flow starts, ``[..., n]``.
        behaviour: mu, ``[..., n]``.
        arm_rewards: r, ``[..., n]``.
        baseline: b, ``[...]``.
        steps: number of steps.
        step_size: time that each step takes.
    """
    z = logits
    for _ in range(steps):
        _, probs = kernels.log_softmax(z)
        z = z + step_size * flow(behaviour, probs, arm_rewards, baseline=baseline)
    return z


def limit(behaviour: Array, arm_rewards: Array, baseline: Array) -> Array:
    r"""Return the policy at which the flow ends for b < V_mu: :math:`(\mu(r - b) - \tau)_+/(V_\mu - b)`.

    Args:
        behaviour: mu, ``[..., n]``.
        arm_rewards: r, ``[..., n]``.
        baseline: b, ``[...]``.

    Returns:
        ``[..., n]``; NaN for b >= V_mu, where the flow ends at one arm and the start decides at which.
    """
    b = np.asarray(baseline)[..., None]
    room = expectation(behaviour, arm_rewards)[..., None] - b
    return np.where(room > 0, water_filling(behaviour * (arm_rewards - b), room) / np.where(room > 0, room, 1), np.nan)


def water_filling(weights: Array, room: Array) -> Array:
    """Return ``(weights - tau)_+`` with the tau that makes it sum to ``room``.

    Args:
        weights: ``[..., n]``.
        room: ``[..., 1]``, > 0.

    Returns:
        ``[..., n]``, non-negative.
    """
    ordered = -np.sort(-weights, axis=-1)
    count = np.arange(1, weights.shape[-1] + 1)
    taus = (np.cumsum(ordered, axis=-1) - room) / count
    # tau would be taus[k] if the k + 1 largest weights were kept. Those that are kept lie above it, and come first.
    kept = (ordered > taus).sum(axis=-1, keepdims=True)
    tau = np.take_along_axis(taus, np.maximum(kept, 1) - 1, axis=-1)
    return np.maximum(weights - tau, 0.0)


def limit_entropy(behaviour: Array, arm_rewards: Array, baseline: Array) -> Array:
    """Return the entropy at the end of the flow: that of :func:`limit` below V_mu, and 0 from V_mu on.

    Args:
        behaviour: mu, ``[..., n]``.
        arm_rewards: r, ``[..., n]``.
        baseline: b, ``[...]``.

    Returns:
        ``[...]`` in nats.
    """
    return entropy_of(np.nan_to_num(limit(behaviour, arm_rewards, baseline)))


def exchanged_entropy(behaviour: Array, arm_rewards: Array, baseline: Array) -> Array:
    """Return the entropy of a wrong theory, for controls: :func:`limit_entropy` with b and V_mu exchanged.

    Args:
        behaviour: mu, ``[..., n]``.
        arm_rewards: r, ``[..., n]``.
        baseline: b, ``[...]``.

    Returns:
        ``[...]`` in nats.
    """
    b = np.asarray(baseline)
    value = expectation(behaviour, arm_rewards)
    # V_mu now stands where b stood, and the room is the distance by which b exceeds it.
    room = (b - value)[..., None]
    filled = water_filling(behaviour * (arm_rewards - value[..., None]), np.abs(room) + (room == 0))
    return entropy_of(np.where(room > 0, filled / np.where(room > 0, room, 1), 0.0))


def entropy_of(probs: Array) -> Array:
    """Return the entropy of probabilities that may be 0, ``[..., n] -> [...]`` in nats.

    Probabilities that are all 0 have entropy 0.
    """
    return -(probs * np.log(np.where(probs > 0, probs, 1.0))).sum(axis=-1)


def distance_allowed(arms: int, room: Array, time: float, start: Array) -> Array:
    r"""Return how far from its limit the policy can still be at a time, summed over the arms, ``[...]``.

    An arm at the edge of the support obeys :math:`\dot p = -c\,p\,(p - p^*)` with :math:`c = V_\mu - b`. It is within
    :math:`1/(ct)` of :math:`p^*` once it has covered its initial log-distance, which takes at most that distance over
    c.

    Args:
        arms: n.
        room: c > 0.
        time: t.
        start: the initial log-distance: the largest -log of an initial probability.
    """
    return arms * (1 + start) / (room * time)


def entropy_allowed(arms: int, distance: Array) -> Array:
    r"""Return the largest entropy difference of two policies at an L1 distance, ``[...]`` in nats.

    It is :math:`t\log(n-1) + h(t)` at :math:`t = \min(\|p-q\|_1/2,\ 1 - 1/n)`, with h the binary entropy.

    Args:
        arms: n >= 2.
        distance: the L1 distance, ``[...]``.

    Source: Audenaert, arXiv quant-ph/0610146.

    >>> float(entropy_allowed(2, np.array(0.0)))
    0.0
    """
    half = np.minimum(np.asarray(distance) / 2, 1 - 1 / arms)
    return half * np.log(arms - 1) + entropy_of(np.stack([half, 1 - half], axis=-1))
