r"""Learning from a fixed behaviour policy without importance ratios: the flow, where it ends, and its phase transition.

Sampled from mu with a constant baseline b, the expected update is :math:`\mu(r - b) - \pi(V_\mu - b)`. Below
:math:`b = V_\mu` it pulls pi back and ends at :math:`(\mu(r - b) - \tau)_+/(V_\mu - b)`, tau making it sum to 1;
above, it pushes pi away and ends at one arm.

Source: arXiv 2506.20520 (AsymRE).
"""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators import kernels


def flow(behaviour: Array, probs: Array, arm_rewards: Array, baseline: Array) -> Array:
    """Expected update per unit step, ``[..., n]``; baseline ``[...]``."""
    b = np.asarray(baseline)[..., None]
    return behaviour * (arm_rewards - b) - probs * (expectation(behaviour, arm_rewards)[..., None] - b)


def follow(
    logits: Array, behaviour: Array, arm_rewards: Array, baseline: Array, *, steps: int, step_size: float
) -> Array:
    """Logits after ``steps`` Euler steps of the flow, ``[..., n]``."""
    z = logits
    for _ in range(steps):
        z = z + step_size * flow(behaviour, kernels.log_softmax(z)[1], arm_rewards, baseline)
    return z


def limit(behaviour: Array, arm_rewards: Array, baseline: Array) -> Array:
    """Where the flow ends for b < V_mu, ``[..., n]``; for b >= V_mu NaN, the flow ending at one arm or another."""
    b = np.asarray(baseline)[..., None]
    room = expectation(behaviour, arm_rewards)[..., None] - b
    return np.where(room > 0, water_filling(behaviour * (arm_rewards - b), room) / np.where(room > 0, room, 1), np.nan)


def water_filling(weights: Array, room: Array) -> Array:
    """``(weights - tau)_+`` with tau such that it sums to ``room`` > 0; ``[..., n]`` and ``[..., 1]``."""
    ordered = -np.sort(-weights, axis=-1)
    count = np.arange(1, weights.shape[-1] + 1)
    taus = (np.cumsum(ordered, axis=-1) - room) / count
    kept = (ordered > taus).sum(axis=-1, keepdims=True)  # a prefix: the largest weights
    tau = np.take_along_axis(taus, np.maximum(kept, 1) - 1, axis=-1)
    return np.maximum(weights - tau, 0.0)


def limit_entropy(behaviour: Array, arm_rewards: Array, baseline: Array) -> Array:
    """Entropy at the end: that of :func:`limit` below V_mu, 0 from V_mu on, ``[...]`` in nats."""
    return entropy_of(np.nan_to_num(limit(behaviour, arm_rewards, baseline)))


def exchanged_entropy(behaviour: Array, arm_rewards: Array, baseline: Array) -> Array:
    """A wrong theory, for controls: :func:`limit_entropy` with b and V_mu exchanged."""
    b = np.asarray(baseline)
    value = expectation(behaviour, arm_rewards)
    room = (b - value)[..., None]
    filled = water_filling(behaviour * (arm_rewards - value[..., None]), np.abs(room) + (room == 0))
    return entropy_of(np.where(room > 0, filled / np.where(room > 0, room, 1), 0.0))


def entropy_of(probs: Array) -> Array:
    """Entropy of probabilities that may be 0, ``[..., n] -> [...]``; an all-zero row has 0."""
    return -(probs * np.log(np.where(probs > 0, probs, 1.0))).sum(axis=-1)


def distance_allowed(arms: int, room: Array, time: float, start: Array) -> Array:
    r"""How far from its limit the policy can still be at a time, summed over the arms, ``[...]``.

    An arm at the edge of the support obeys :math:`\dot p = -c\,p\,(p - p^*)`, :math:`c = V_\mu - b`, and so is within
    :math:`1/(ct)` of :math:`p^*` once it has covered its initial log-distance, which takes at most that over c.

    Args:
        arms: n.
        room: c > 0.
        time: t.
        start: initial log-distance, the largest -log of an initial probability.
    """
    return arms * (1 + start) / (room * time)


def entropy_allowed(arms: int, distance: Array) -> Array:
    r"""Largest entropy difference of two policies over n >= 2 arms at that L1 distance, ``[...]`` in nats.

    :math:`t\log(n-1) + h(t)` at :math:`t = \min(\|p-q\|_1/2,\ 1 - 1/n)`, h the binary entropy.

    Source: Audenaert, arXiv quant-ph/0610146.

    >>> float(entropy_allowed(2, np.array(0.0)))
    0.0
    """
    half = np.minimum(np.asarray(distance) / 2, 1 - 1 / arms)
    return half * np.log(arms - 1) + entropy_of(np.stack([half, 1 - half], axis=-1))
