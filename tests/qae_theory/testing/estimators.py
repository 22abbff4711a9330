"""Estimators as trainers write them: right ones, and one with a fault for each clause of the kit. No test is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qae_theory import advantages
from qae_theory.arrays import Array

Group = Callable[[Array], Array]


def by_group(rule: Group) -> Callable[[Array, Array], Array]:
    """An estimator that applies a rule to each group."""

    def estimate(rewards: Array, group_ids: Array) -> Array:
        result = np.zeros(len(rewards))
        for group in dict.fromkeys(group_ids.tolist()):
            of_group = group_ids == group
            result[of_group] = rule(rewards[of_group])
        return result

    return estimate


def ours(name: str, **options: Any) -> Callable[[Array, Array], Array]:
    return by_group(lambda rewards: advantages(rewards, name, **options) if len(rewards) > 1 else np.zeros(1))


def quantile(rewards: Array, method: str, level: float = 0.4) -> Array:
    """QAE's advantage with a quantile of NumPy, computed in the rewards' own precision."""
    if rewards.max() == rewards.min():
        return np.zeros(len(rewards))
    return (rewards - np.quantile(rewards, level, method=method)) / (rewards.std() + 1e-6)  # type: ignore[call-overload]


def blocks(rewards: Array, group_ids: Array) -> Array:
    """Groups taken to be neighbours of one size."""
    sizes = len(set(group_ids.tolist()))
    return np.concatenate([np.asarray(ours("qae")(part, part * 0)) for part in np.array_split(rewards, sizes)])


def small_std_is_divided_by(rewards: Array) -> Array:
    """Degenerate groups found by a spread of exactly 0, so that rounding becomes an advantage."""
    spread = rewards.std()
    return (rewards - np.sort(rewards)[0] * 0 - rewards.mean()) / (spread + 1e-6) if spread else rewards * 0


def right_or_wrong(rewards: Array) -> Array:
    """Rewards of more levels taken to be right or wrong."""
    return advantages((rewards > 0).astype(float), "qae") if len(rewards) > 1 else np.zeros(1)


def a_group_of_one_keeps_its_reward(rewards: Array) -> Array:
    return np.asarray(advantages(rewards, "qae")) if len(rewards) > 1 else rewards


def off_by_one_for_many(rewards: Array) -> Array:
    """The quantile's rank is one too small for groups of more than eight."""
    if len(rewards) <= 8 or rewards.max() == rewards.min():
        return np.asarray(advantages(rewards, "qae"))
    rank = int(np.ceil(0.4 * len(rewards))) - 1
    return (rewards - np.sort(rewards)[rank - 1]) / (rewards.std() + 1e-6)


def float_gate(rewards: Array) -> Array:
    """The gate in binary floating point, at the level .55 that it gets wrong."""
    if rewards.max() == rewards.min():
        return np.zeros(len(rewards))
    baseline = np.sort(rewards)[int(np.ceil(0.55 * len(rewards))) - 1]
    return (rewards - baseline) / (rewards.std() + 1e-6)


def single_mean(rewards: Array) -> Array:
    """A mean taken in half precision where the rewards come in single precision."""
    mean = rewards.astype(np.float16).mean() if rewards.dtype == np.float32 else rewards.mean()
    return (rewards - mean) / (rewards.std(ddof=1) + 1e-6) if len(rewards) > 1 else np.zeros(1)
