"""Counts as shares, and quantiles, with intervals that ask for no distribution; starts of a cell's seeds.

Independent rows give Clopper and Pearson's interval (``qae_theory.curves.statistics``). Rows that hang together within
a seed are averaged first: the seeds are then the draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np
from scipy.stats import binom

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, mean_interval, proportion_interval
from simulators.experiments.base import Record
from simulators.groups import Generators


def generators(seeds: np.random.SeedSequence, count: int) -> Generators:
    """One generator for each of ``count`` seeds."""
    return [np.random.default_rng(child) for child in seeds.spawn(count)]


def grouped(records: Iterable[Record], *keys: str) -> dict[tuple[Any, ...], list[Record]]:
    """Records by the values of ``keys``, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for row in records:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def total(records: Iterable[Record], field: str) -> int:
    """Sum of a count over records."""
    return sum(int(row[field]) for row in records)


def pooled_share(records: Sequence[Record], hits: str, rows: str = "rows", *, level: float) -> Interval:
    """Share of independent rows, from counts that records hold."""
    return proportion_interval(total(records, hits), total(records, rows), level=level)


def seed_share(hits: object, rows: object, *, level: float) -> Interval:
    """Interval for a share whose rows hang together within a seed: Student's over the seeds' own shares.

    Where all seeds have one and the same share c, Student's would have no width. With L the Clopper-Pearson bound for
    "a seed has c" (one-sided error, all of S seeds), the mean of shares in [0, 1] is between L c and L c + 1 - L.

    Args:
        hits: ``[S]`` counts, S >= 2.
        rows: ``[S]`` counts, positive.
        level: of the interval.
    """
    shares = np.asarray(hits, dtype=np.float64) / np.asarray(rows, dtype=np.float64)
    if np.ptp(shares) > 0:
        found = mean_interval(shares, level=level)
        return found._replace(low=max(found.low, 0.0), high=min(found.high, 1.0))
    likely, same = (1 - level) ** (1 / len(shares)), float(shares[0])
    return Interval(same, likely * same, 1 - likely * (1 - same), level, len(shares))


def quantile_interval(sample: Array, q: float, *, level: float) -> Interval:
    """Order statistics around the q-quantile of independent draws; infinite where there are too few draws.

    Of N draws, binomially many lie below the quantile.
    """
    x = np.sort(np.asarray(sample, dtype=np.float64).ravel())
    tail = (1 - level) / 2
    below = int(binom.ppf(tail, len(x), q)) - 1
    above = int(binom.ppf(1 - tail, len(x), q))
    low = float(x[below]) if below >= 0 else -np.inf
    high = float(x[above]) if above < len(x) else np.inf
    return Interval(float(np.quantile(x, q, method="inverted_cdf")), low, high, level, len(x))


def in_json(interval: Interval) -> dict[str, float | int | None]:
    """An interval as a record; None where a bound is infinite."""
    return {key: value if isfinite(value) else None for key, value in interval.record().items()}


def in_records(statements: Iterable[Statement]) -> list[dict[str, Any]]:
    """Statements as an analysis stores them."""
    return [asdict(statement) for statement in statements]


def read_statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """The statements that an analysis stores."""
    return [Statement(**row) for row in analysis["statements"]]


def rounding(log_probs: Array, direction: Array, step_size: Array | float) -> Array:
    """Beyond this two entropy changes of a step differ by more than rounding, ``[...]``.

    The terms that an entropy change sums are at most (step x spread of the direction) x (1 + largest gap of
    log-probabilities) in size, and it is accurate to some n units in the last place of them; 1e-12 leaves a factor of
    ten at a thousand arms.
    """
    return 1e-12 * np.abs(step_size) * np.ptp(direction, axis=-1) * (1 + np.ptp(log_probs, axis=-1))
