"""Runs compared at equal success, and at equal steps late in training: one number a seed.

At equal success a seed's runs are compared at the same levels of success, from where they start to the most that each
of them reaches: what tells them apart then is not how fast they learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from qae_theory.arrays import Array
from qae_theory.checks import refuse

LEVELS = 8  # of success, evenly spaced
LATE = 0.25  # share of the training that counts as its end


def late_mean(steps: Array, curve: Array, share: float = LATE) -> Array:
    """Return the mean over the last share of the steps, ``[S, records] -> [S]``; records that are NaN are left out.

    Raises:
        ValueError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        refuse("share", share, "in (0, 1]")
    late = curve[:, steps >= steps[-1] - share * (steps[-1] - steps[0])]
    there = np.isfinite(late)
    count = there.sum(axis=1)
    return np.divide(np.where(there, late, 0).sum(axis=1), count, out=np.full(len(late), np.nan), where=count > 0)


def success_levels(successes: Sequence[Array], count: int = LEVELS) -> Array:
    """Return levels of success that every run of a seed passes, ``[S, count]``, the largest common one included.

    Evenly spaced from the highest start of the seed's runs; NaN for a seed of which a run never rises above that.

    Args:
        successes: of the runs to compare, ``[S, records]`` each.
        count: levels.
    """
    start = np.max([success[:, 0] for success in successes], axis=0)
    reach = np.min([success.max(axis=1) for success in successes], axis=0)
    shares = np.arange(1, count + 1) / count
    # The last level is the reach itself, which rounding must not put beyond it.
    levels = np.minimum(start[:, None] + (reach - start)[:, None] * shares, reach[:, None])
    return np.where((reach > start)[:, None], levels, np.nan)


def at_success(success: Array, curve: Array, levels: Array) -> Array:
    """Return a curve where each seed first reaches each level of success, ``[S, L]``, linear between records.

    First passage: a fall of success later does not matter. NaN where a level is never reached.

    Args:
        success: ``[S, records]``.
        curve: ``[S, records]``.
        levels: ``[S, L]``.
    """
    best = np.maximum.accumulate(success, axis=1)
    rows = zip(best, curve, levels, strict=True)
    return np.stack([_first_passage(reached, values, wanted) for reached, values, wanted in rows])


def mean_at_success(success: Array, curve: Array, levels: Array) -> Array:
    """Return a curve's mean over levels of success, which compares runs at equal progress.

    Args:
        success: ``[S, records]``.
        curve: ``[S, records]``.
        levels: of success, ``[L]``.

    Returns:
        ``[S]``, in the unit of the curve.
    """
    return np.asarray(at_success(success, curve, levels).mean(axis=1))


def gain(success: Array, share: float = LATE, steps: Array | None = None) -> Array:
    """Return late success less success at the start.

    Args:
        success: ``[S, records]``.
        share: of the run that counts as late.
        steps: the updates done at each record, ``[records]``; evenly spaced if not given.

    Returns:
        ``[S]``.
    """
    when = np.arange(success.shape[1]) if steps is None else steps
    return late_mean(when, success, share) - success[:, 0]


def slope(values: Iterable[Array], at: Sequence[float]) -> Array:
    """Return the least-squares slope over several runs of each seed, ``[S]``.

    Args:
        values: one number a seed, ``[S]``, for each run.
        at: where each run lies.
    """
    x = np.asarray(at, dtype=np.float64)
    centred = x - x.mean()
    return np.asarray(centred @ np.stack(list(values)) / (centred @ centred))


def _first_passage(best: Array, values: Array, levels: Array) -> Array:
    """Return a seed's values where its best success so far, which never falls, first reaches each level, ``[L]``."""
    after = np.searchsorted(best, levels, side="left")
    inside = np.minimum(after, len(best) - 1)
    before = np.maximum(inside - 1, 0)
    rise = best[inside] - best[before]
    share = np.divide(levels - best[before], rise, out=np.ones_like(levels), where=rise > 0)
    found = values[before] + share * (values[inside] - values[before])
    return np.where((after < len(best)) & np.isfinite(levels), found, np.nan)
