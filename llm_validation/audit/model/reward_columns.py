"""Find the numeric columns that are scores of reward functions, where a log names the functions only.

TRL and ms-swift write a column for every reward function, and whatever else a reward function logged beside them. The
reward is the weighted sum of the scores alone. Every group-centred rule makes advantages that are an affine function of
the rewards within a group, A = a R + c with a >= 0: a sum of which that is not true holds a column too many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array

MOST_COLUMNS = 8  # of more, only all and each alone are tried
AFFINE = 1e-2  # of the advantages' spread that an affine function may leave: bf16 has 8 bits
NO_COLUMN = "no column of numbers could be the scores of a reward function"
NO_SUM = (
    "the advantages do not follow the sum of the reward columns; if they have weights, give these by "
    "--set 'reward_weights={NAME = WEIGHT, ...}'"
)


class Reward(NamedTuple):
    """Hold the reward ``[N]``, the columns that it is made of, and a note where others were left out."""

    reward: Array
    components: dict[str, Array]
    note: str | None


def reward_of(
    components: Mapping[str, Array], advantage: Array | None, group: Array, weights: Mapping[str, float] | None
) -> Reward:
    """Return the reward and its components.

    Args:
        components: numeric columns that may be scores, ``[N]`` each.
        advantage: ``[N]``, if the log has it.
        group: ``[N]``, groups in any order; -1 where unknown.
        weights: of the reward functions, by name; then these are the components.

    Raises:
        ValueError: a weight names no column.
    """
    if not components:
        return Reward(np.full(len(group), np.nan), {}, NO_COLUMN)
    if weights is not None:
        if unknown := sorted(set(weights) - set(components)):
            known = ", ".join(components) or "none"
            raise ValueError(f"reward_weights must name reward columns ({known}); got {', '.join(unknown)}")
        chosen = {name: components[name] for name in weights}
        return Reward(_sum(chosen, weights), chosen, None)
    everything = Reward(_sum(components, {}), dict(components), None)
    nothing_to_tell = advantage is None or not np.nan_to_num(advantage).any() or not (group >= 0).any()
    if advantage is None or nothing_to_tell or len(components) < 2:
        return everything
    for names in _subsets(list(components)):
        chosen = {name: components[name] for name in names}
        reward = _sum(chosen, {})
        if _is_affine(reward, advantage, group):
            left = [name for name in components if name not in names]
            note = f"not counted as rewards, since the advantages do not follow them: {', '.join(left)}"
            return Reward(reward, chosen, note if left else None)
    return everything._replace(note=NO_SUM)


def _sum(components: Mapping[str, Array], weights: Mapping[str, float]) -> Array:
    """Return the weighted sum; a missing score counts as 0, and a row without any score is NaN."""
    parts = np.stack(list(components.values()))
    scale = np.array([weights.get(name, 1.0) for name in components])[:, None]
    return np.where(np.isfinite(parts).any(axis=0), (scale * np.nan_to_num(parts)).sum(axis=0), np.nan)


def _subsets(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield sets of columns, the larger first."""
    sizes = range(len(names), 0, -1) if len(names) <= MOST_COLUMNS else (len(names), 1)
    for size in sizes:
        yield from combinations(names, size)


def _is_affine(reward: Array, advantage: Array, group: Array) -> bool:
    """Return whether the advantages are an increasing affine function of the rewards in every group."""
    rows = np.flatnonzero(np.isfinite(reward) & np.isfinite(advantage) & (group >= 0))
    order = rows[np.argsort(group[rows], kind="stable")]
    start = np.flatnonzero(np.r_[True, np.diff(group[order]) != 0])
    count = np.diff(np.r_[start, len(order)])
    x, y = (_centred(values[order], start, count) for values in (reward, advantage))
    xy, xx, yy = (np.add.reduceat(product, start) for product in (x * y, x * x, y * y))
    slope = np.divide(xy, xx, out=np.zeros_like(xy), where=xx > 0)
    left = np.add.reduceat((y - np.repeat(slope, count) * x) ** 2, start)
    noise = AFFINE**2 * max(float(yy.max()), np.finfo(float).tiny)
    return bool((slope >= 0).all() and (left <= AFFINE**2 * yy + noise * 1e-4).all() and yy.max() > 0)


def _centred(values: Array, start: Array, count: Array) -> Array:
    return values - np.repeat(np.add.reduceat(values, start) / count, count)
