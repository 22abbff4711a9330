"""Compute figures of the ladder that a few large rows cannot decide: rank correlation, trimmed slope, median error.

With x predicted and y measured: Spearman's rank correlation of x and y; the least-squares slope of y on x without the
tenth of the rows with the smallest and with the largest x; the median over rows of |x - y| / |y|. Intervals are by
bootstrap over probes, each with all of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy import stats

from llm_validation.common.resampling import Resampling, interval
from llm_validation.study.analysis.ladder import FLOOR, Rows
from qae_theory.arrays import Array

RESAMPLES = 200  # each sorts all rows; the ends of a 95 % interval are then its fifth and sixth largest
TRIMMED = 0.1  # of the rows at each end, in the order of their predictions
LEVEL = 0.95


def rank_correlation(predicted: Array, measured: Array) -> float:
    """Return Spearman's rank correlation, Pearson's correlation of the ranks.

    Args:
        predicted: ``[rows]``, in nats.
        measured: ``[rows]``, in nats.

    Returns:
        A number in [-1, 1]; NaN where one of the two does not vary.
    """
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return float("nan")
    ranks = stats.rankdata(predicted), stats.rankdata(measured)
    return float(np.corrcoef(*ranks)[0, 1])


def trimmed_slope(predicted: Array, measured: Array) -> float:
    """Return the slope of measured on predicted without extreme predictions; NaN where the others do not vary."""
    order = np.argsort(predicted, kind="stable")
    aside = int(TRIMMED * len(order))
    kept = order[aside : len(order) - aside]
    x, y = predicted[kept], measured[kept]
    if len(x) < 2 or np.ptp(x) < FLOOR:
        return float("nan")
    centred = x - x.mean()
    return float(centred @ y / (centred @ centred))


def median_relative_error(predicted: Array, measured: Array) -> float:
    """Return the median of :math:`|x - y|/|y|` for x predicted and y measured.

    Args:
        predicted: ``[rows]``, in nats.
        measured: ``[rows]``, in nats; rows whose change may be rounding are left out.

    Returns:
        A number without unit; NaN where no row is left.
    """
    size = np.abs(measured)
    above = size > FLOOR
    return float(np.median(np.abs(predicted - measured)[above] / size[above])) if above.any() else float("nan")


STATISTICS: Mapping[str, Callable[[Array, Array], float]] = MappingProxyType(
    {"rank": rank_correlation, "trimmed_slope": trimmed_slope, "median_relative_error": median_relative_error}
)


def robust(rows: Rows, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return every statistic with its interval over probes, in JSON's types.

    Args:
        rows: predictions and measurements.
        rng: draws the probes.
        resamples: how many draws.
    """
    known = np.isfinite(rows.predicted) & np.isfinite(rows.measured)
    x, y, clusters = rows.predicted[known], rows.measured[known], rows.clusters[known]
    distinct = np.unique(clusters)
    rows_of = [np.flatnonzero(clusters == cluster) for cluster in distinct]
    drawn: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for _ in range(resamples if len(distinct) > 1 else 0):  # one probe drawn anew is itself: no interval
        chosen = np.concatenate([rows_of[i] for i in rng.integers(len(distinct), size=len(distinct))])
        for name, statistic in STATISTICS.items():
            drawn[name].append(statistic(x[chosen], y[chosen]))
    record: dict[str, Any] = {}
    for name, statistic in STATISTICS.items():
        record[name] = interval(statistic(x, y), np.array(drawn[name]), len(distinct), LEVEL)
    return {**record, "rows": len(x), "probes": len(distinct)}


def fresh(seed: int = 20261128) -> np.random.Generator:
    """Return a generator at its start, so that each record has the same figures whatever is computed before it."""
    return np.random.default_rng(seed)


def how(level: float = LEVEL) -> Resampling:
    """Return how the statistics that are sums are resampled."""
    return Resampling(fresh(), level=level)
