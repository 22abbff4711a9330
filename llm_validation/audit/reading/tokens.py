"""Sum lists of tokens' numbers, as they stand in logs, over a response."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from llm_validation.audit.model.entries import as_number
from llm_validation.audit.model.settings import AuditSettings
from qae_theory.arrays import Array

# Where the clip range is not known, that of DAPO (arXiv 2503.14476).
CLIP_LOW, CLIP_HIGH = 0.2, 0.28


def unwrapped(value: Any) -> Any:
    """Return what stands in a list of length 1, however deep; anything else as it is.

    >>> unwrapped([[3]]), unwrapped([1, 2])
    (3, [1, 2])
    """
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def token_array(value: Any) -> Array | None:
    """Return a list of numbers as an array ``[T]``, also where it stands in a list of length 1; None for another."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if not isinstance(value, list):
        return None
    numbers = [as_number(one) for one in value]
    return np.array([np.nan if one is None else one for one in numbers], dtype=np.float64)


def number_of(value: Any) -> float:
    """Return a number, also in lists of length 1; NaN for anything else."""
    found = as_number(unwrapped(value))
    return math.nan if found is None else found


def one_number(values: Array | None, mask: Array | None = None) -> float:
    """Return the number that all tokens share; NaN where they differ or there is none.

    Args:
        values: ``[T]``.
        mask: ``[T]``, which tokens count in the loss; without one, all do.
    """
    if values is None or not len(values):
        return math.nan
    counted = values if mask is None or len(mask) != len(values) else values[mask.astype(bool)]
    counted = counted[np.isfinite(counted)]
    if not len(counted) or counted.min() != counted.max():
        return math.nan
    return float(counted[0])


def mismatch(rollout: Array, train: Array, mask: Array | None, settings: AuditSettings) -> dict[str, float]:
    """Return a response's sums over its tokens for two sets of log-probabilities, by the names of the model's columns.

    Args:
        rollout: ``[T]``, the sampler's.
        train: ``[T]``, the trainer's, before the update.
        mask: ``[T]``, which tokens count; without one those of which neither number is missing or exactly 0, as
            paddings and prompts are.
        settings: the clip range, DAPO's by default.
    """
    size = min(len(rollout), len(train))
    rollout, train = rollout[:size], train[:size]
    counted = np.isfinite(rollout) & np.isfinite(train)
    if mask is not None and len(mask) >= size:
        counted &= mask[:size].astype(bool)
    else:
        counted &= (rollout != 0) | (train != 0)
    gap = (train - rollout)[counted]
    ratio = np.exp(np.clip(gap, -50, 50))
    low = 1 - (CLIP_LOW if settings.clip_low is None else settings.clip_low)
    high = 1 + (CLIP_HIGH if settings.clip_high is None else settings.clip_high)
    return {
        "tokens": float(counted.sum()),
        "logp_rollout": float(rollout[counted].sum()),
        "logp_train": float(train[counted].sum()),
        "logp_distance": float(np.abs(gap).sum()),
        "ratio_sum": float(ratio.sum()),
        "ratio_squares": float((ratio**2).sum()),
        "ratio_outside": float(((ratio < low) | (ratio > high)).sum()),
    }
