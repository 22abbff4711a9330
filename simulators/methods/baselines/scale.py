"""Divide rewards less a baseline by their group's standard deviation, as the standardised rules do."""

from __future__ import annotations

import numpy as np

from qae_theory import baselines
from qae_theory.arrays import Array


def over_std(numerator: Array, rewards: Array, *, std: str, eps: float) -> Array:
    r"""Return numerator over std + eps, and 0 in a degenerate group.

    Args:
        numerator: reward less baseline, ``[..., G]``.
        rewards: checked, ``[..., G]``; a group is degenerate if they are all equal.
        std: ``population``, ``bessel``, or ``none`` for the numerator itself, in degenerate groups too.
        eps: what is added to the standard deviation, >= 0.

    Returns:
        ``[..., G]``.
    """
    if std == "none":
        return numerator
    degenerate = rewards.max(axis=-1, keepdims=True) == rewards.min(axis=-1, keepdims=True)
    deviation = np.sqrt(baselines.group_variance(rewards, None, std))[..., None]
    return np.where(degenerate, 0.0, numerator / np.where(degenerate, 1.0, deviation + eps))
