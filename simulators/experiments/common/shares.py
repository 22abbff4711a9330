"""Turn counts into shares, and draws into quantiles, with intervals that assume no distribution.

Independent draws give Clopper and Pearson's interval (``qae_theory.curves.statistics``). Draws that depend on each
other within a seed are averaged first: the seeds are then what is independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.stats import binom

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, mean_interval, proportion_interval
from qae_theory.runs.plain import finite_or_none
from simulators.experiments.base import Record
from simulators.tabular.groups import Generators


def generators(seeds: np.random.SeedSequence, count: int) -> Generators:
    """Return a generator for each of ``count`` seeds."""
    return [np.random.default_rng(child) for child in seeds.spawn(count)]


def grouped(records: Iterable[Record], *keys: str) -> dict[tuple[Any, ...], list[Record]]:
    """Return the records by the values of ``keys``, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        group = tuple(record[key] for key in keys)
        groups.setdefault(group, []).append(record)
    return groups


def total(records: Iterable[Record], field: str) -> int:
    """Return the sum of a count over records."""
    return sum(int(record[field]) for record in records)


def pooled_share(records: Sequence[Record], hits: str, draws: str = "rows", *, level: float) -> Interval:
    """Return the share of independent draws that are hits, with Clopper and Pearson's interval.

    Args:
        records: each with both counts.
        hits: name of the count of hits.
        draws: name of the count of draws.
        level: of the interval.
    """
    return proportion_interval(total(records, hits), total(records, draws), level=level)


def seed_share(hits: object, draws: object, *, level: float) -> Interval:
    """Return the mean share over seeds with Student's interval, for draws that depend on each other within a seed.

    Where all seeds have the same share c, Student's interval would have no width. Let L be the Clopper-Pearson lower
    bound of the probability that a seed has share c, all of S seeds having it (one-sided error). The mean of shares in
    [0, 1] then lies between L c and L c + 1 - L.

    Args:
        hits: counts ``[S]``, S >= 2.
        draws: counts ``[S]``, positive.
        level: of the interval.

    Returns:
        The interval, cut to [0, 1].
    """
    shares = np.asarray(hits, dtype=np.float64) / np.asarray(draws, dtype=np.float64)
    if np.ptp(shares) > 0:
        student = mean_interval(shares, level=level)
        return student._replace(low=max(student.low, 0.0), high=min(student.high, 1.0))
    # With S hits in S draws the lower bound of a probability is the S-th root of the error rate.
    likely, same = (1 - level) ** (1 / len(shares)), float(shares[0])
    return Interval(estimate=same, low=likely * same, high=1 - likely * (1 - same), level=level, draws=len(shares))


def quantile_interval(sample: Array, q: float, *, level: float) -> Interval:
    """Return the q-quantile of independent draws with order statistics around it as its interval.

    Of N draws, binomially many lie below the quantile, whatever the distribution.

    Args:
        sample: the draws, of any shape.
        q: in (0, 1).
        level: of the interval.

    Returns:
        The interval; an end is infinite where there are too few draws.
    """
    x = np.sort(np.asarray(sample, dtype=np.float64).ravel())
    tail = (1 - level) / 2
    # With k the binomial quantile, at least k draws lie below the quantile with probability 1 - tail. The k-th smallest
    # draw, at index k - 1, is therefore a lower end; an upper end follows in the same way.
    below = int(binom.ppf(tail, len(x), q)) - 1
    above = int(binom.ppf(1 - tail, len(x), q))
    low = float(x[below]) if below >= 0 else -np.inf
    high = float(x[above]) if above < len(x) else np.inf
    middle = float(np.quantile(x, q, method="inverted_cdf"))
    return Interval(estimate=middle, low=low, high=high, level=level, draws=len(x))


def in_json(interval: Interval) -> dict[str, float | int | None]:
    """Return an interval as a record, with None where an end is infinite."""
    record: dict[str, float | int | None] = finite_or_none(interval.record())
    return record


def in_records(statements: Iterable[Statement]) -> list[dict[str, Any]]:
    """Return statements as an analysis stores them."""
    return [asdict(statement) for statement in statements]


def read_statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Return the statements that an analysis stores."""
    return [Statement(**record) for record in analysis["statements"]]


def rounding(log_probs: Array, direction: Array, step_size: Array | float) -> Array:
    """Return the size beyond which two entropy changes of a step differ by more than rounding, ``[...]`` in nats.

    The terms that an entropy change sums are at most (step x spread of the direction) x (1 + largest gap of
    log-probabilities) in size, and for n arms it is accurate to some n units in the last place of them. The factor
    1e-12 leaves a margin of ten at a thousand arms.

    Args:
        log_probs: ``[..., n]``.
        direction: ``[..., n]``.
        step_size: a number, or an array that broadcasts against ``[...]``.
    """
    return 1e-12 * np.abs(step_size) * np.ptp(direction, axis=-1) * (1 + np.ptp(log_probs, axis=-1))
