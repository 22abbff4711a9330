"""Intervals by the cluster bootstrap: whole clusters of rows are drawn anew, through their sums.

A statistic is computed from sums over rows, so each resample is a weighted sum of the clusters' sums, and the rows are
never touched again.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from qae_theory.arrays import Array
from qae_theory.checks import refuse

# Many figures stand side by side in a report: at 99 % few of them exclude the truth by chance.
LEVEL = 0.99
# Twenty resamples then lie beyond each end, so that the end itself moves little from seed to seed.
RESAMPLES = 4000


class Resampling(NamedTuple):
    """How resamples are drawn. ``batch`` resamples are held at once, and it changes no result."""

    rng: np.random.Generator
    resamples: int = RESAMPLES
    level: float = LEVEL
    batch: int = 512


def codes_of(labels: Array) -> tuple[Array, int]:
    """Return clusters numbered from 0, ``[rows]``, and how many there are."""
    distinct, codes = np.unique(labels, return_inverse=True)
    return codes, len(distinct)


def cluster_sums(codes: Array, count: int, columns: Array) -> Array:
    """Return the sum of each column over each cluster's rows.

    Args:
        codes: the cluster of each row, ``[rows]`` integers from 0.
        count: how many clusters there are.
        columns: ``[rows, k]``.

    Returns:
        ``[count, k]``; 0 for a cluster without rows.
    """
    return np.stack([np.bincount(codes, weights=column, minlength=count) for column in columns.T], axis=1)


def resampled_totals(sums: Array, how: Resampling) -> Array:
    """Return totals over clusters that are drawn with replacement, as many as there are.

    The shapes are ``[clusters, k] -> [resamples, k]``.

    Raises:
        ValueError: fewer than 100 resamples, a level outside (0, 1), or a batch below 1.
    """
    if how.resamples < 100:
        refuse("resamples", how.resamples, "at least 100")
    if not 0 < how.level < 1:
        refuse("level", how.level, "strictly between 0 and 1")
    if how.batch < 1:
        refuse("batch", how.batch, "at least 1")
    count = len(sums)
    totals = np.empty((how.resamples, sums.shape[1]))
    for start in range(0, how.resamples, how.batch):
        rows = min(how.batch, how.resamples - start)
        totals[start : start + rows] = how.rng.multinomial(count, np.full(count, 1 / count), size=rows) @ sums
    return totals


def tail(clusters: int, level: float) -> float:
    """Return the probability to leave out on each side of the resamples.

    The plain percentile interval is too narrow by sqrt((n - 1)/n) and by the normal in the place of Student's
    quantile; this widens it by both. Source: Hesterberg 2015, The American Statistician 69(4).
    """
    wide = sqrt(clusters / (clusters - 1)) * stats.t.ppf(0.5 + level / 2, clusters - 1)
    return float(stats.norm.sf(wide))


def interval(estimate: float, resampled: Array, clusters: int, level: float) -> dict[str, float | None]:
    """Estimate and percentile interval in JSON's types; None for what is undefined or has fewer than two clusters.

    A resample in which the statistic is undefined is left out.
    """
    if not isfinite(estimate):
        return {"estimate": None, "low": None, "high": None}
    there = resampled[np.isfinite(resampled)]
    if clusters < 2 or not len(there):
        return {"estimate": float(estimate), "low": None, "high": None}
    aside = tail(clusters, level)
    low, high = np.quantile(there, [aside, 1 - aside])
    return {"estimate": float(estimate), "low": float(low), "high": float(high)}


def at_least(figure: Mapping[str, Any], bound: float) -> bool:
    """Return whether the lower end of the interval reaches ``bound``; never where there is none."""
    return figure["low"] is not None and bool(figure["low"] >= bound)


def shown(figure: Mapping[str, Any], digits: int = 3) -> str:
    """Return ``estimate [low, high]``; a dash where there is none.

    >>> shown({"estimate": 0.5, "low": 0.25, "high": None})
    '0.5 [0.25, -]'
    """
    return "{} [{}, {}]".format(
        *("-" if figure[key] is None else f"{figure[key]:.{digits}g}" for key in ("estimate", "low", "high"))
    )
