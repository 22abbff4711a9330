"""The cluster bootstrap against rows drawn one by one, and how often its intervals cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from llm_validation.common.pass_at_k import bootstrap_interval
from llm_validation.common.resampling import (
    Resampling,
    at_least,
    cluster_sums,
    codes_of,
    interval,
    resampled_totals,
    shown,
    tail,
)
from qae_theory.arrays import Array
from tests.assertions import refuses

ERROR_RATE = 1e-4  # of each binomial test on a number of covering intervals; fixed before looking
REPEATS = 600


def how(seed: int = 0, **options: object) -> Resampling:
    return Resampling(np.random.default_rng(seed), **options)  # type: ignore[arg-type]


def test_sums_of_clusters() -> None:
    codes, count = codes_of(np.array(["b", "a", "b", "c"]))
    assert (codes.tolist(), count) == ([1, 0, 1, 2], 3)
    columns = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    assert cluster_sums(codes, count, columns).tolist() == [[2, 20], [4, 40], [4, 40]]


def test_totals_are_those_of_rows_drawn_cluster_by_cluster() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 5, size=40)
    values = rng.normal(size=(40, 2))
    codes, count = codes_of(labels)
    totals = resampled_totals(cluster_sums(codes, count, values), how(7, resamples=100))
    drawn = np.random.default_rng(7).multinomial(count, np.full(count, 1 / count), size=100)
    for total, times in zip(totals, drawn, strict=True):
        assert times.sum() == count
        by_rows = sum((values[codes == cluster].sum(axis=0) * n for cluster, n in enumerate(times)), np.zeros(2))
        assert np.allclose(total, by_rows, rtol=0, atol=1e-12)  # sums of 40 numbers of size one


def test_batches_change_nothing() -> None:
    sums = np.random.default_rng(1).normal(size=(9, 3))
    one, other = (resampled_totals(sums, how(5, resamples=301, batch=batch)) for batch in (1, 1000))
    # Matrix products of different shapes may add in different orders.
    assert np.allclose(one, other, rtol=0, atol=1e-13)
    assert not np.allclose(one, resampled_totals(sums, how(6, resamples=301)), rtol=0, atol=1e-3)


def test_the_tail_is_that_of_the_expanded_interval() -> None:
    """With every cluster one row, the interval for a mean is `bootstrap_interval`'s, up to the resamples' noise."""
    values = np.random.default_rng(4).normal(size=12)
    sums = np.stack([np.ones(12), values], axis=1)
    totals = resampled_totals(sums, how(resamples=40_000))
    found = interval(float(values.mean()), totals[:, 1] / totals[:, 0], 12, 0.9)
    other = bootstrap_interval(values, rng=np.random.default_rng(1), level=0.9, resamples=40_000)
    # A 5 % quantile of 40,000 draws has an error of about .002 of their range.
    assert found["low"] == pytest.approx(other.low, abs=0.02)
    assert found["high"] == pytest.approx(other.high, abs=0.02)
    assert tail(10**6, 0.9) == pytest.approx(0.05, abs=1e-5)
    assert tail(5, 0.9) < 0.05


def test_what_is_not_defined_has_no_interval() -> None:
    draws = np.array([1.0, 2.0, math.nan])
    assert interval(math.nan, draws, 5, 0.9) == {"estimate": None, "low": None, "high": None}
    assert interval(1.5, draws, 1, 0.9) == {"estimate": 1.5, "low": None, "high": None}
    assert interval(1.5, draws * math.nan, 5, 0.9) == {"estimate": 1.5, "low": None, "high": None}
    found = interval(1.5, draws, 5, 0.9)
    assert found["low"] is not None
    assert 1 <= found["low"] <= 1.1
    assert at_least(found, 1.0)
    assert not at_least(found, 1.5)
    assert not at_least({"low": None}, -math.inf)
    assert shown({"estimate": None, "low": None, "high": None}) == "- [-, -]"


def test_bad_input() -> None:
    sums = np.ones((2, 1))
    refuses(lambda: resampled_totals(sums, how(resamples=99)), "resamples", 99)
    refuses(lambda: resampled_totals(sums, how(level=1.0)), "level", 1.0)
    refuses(lambda: resampled_totals(sums, how(batch=0)), "batch", 0)


def rows_of(rng: np.random.Generator, clusters: int = 25) -> tuple[Array, Array]:
    """Clusters of unequal size whose rows share a shift: mean 0."""
    codes = np.repeat(np.arange(clusters), rng.integers(2, 12, size=clusters))
    return codes, rng.normal(size=clusters)[codes] + 0.3 * rng.normal(size=len(codes))


def covered(*, rows_as_clusters: bool, truth: float = 0.0) -> int:
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(REPEATS):
        codes, values = rows_of(rng)
        codes = np.arange(len(values)) if rows_as_clusters else codes
        count = int(codes.max()) + 1
        sums = cluster_sums(codes, count, np.stack([np.ones(len(values)), values], axis=1))
        totals = resampled_totals(sums, Resampling(rng, resamples=500, level=0.9))
        one = interval(float(values.mean()), totals[:, 1] / totals[:, 0], count, 0.9)
        assert one["low"] is not None
        assert one["high"] is not None
        found += one["low"] <= truth <= one["high"]
    return found


def test_the_interval_covers_the_mean_over_all_clusters() -> None:
    """At least 90 % minus three points: a ratio of sums over 25 clusters of unequal size is right only as they grow."""
    found = covered(rows_as_clusters=False)
    assert stats.binomtest(found, REPEATS, 0.87, alternative="less").pvalue >= ERROR_RATE
    assert stats.binomtest(found, REPEATS, 0.94, alternative="greater").pvalue >= ERROR_RATE


@pytest.mark.slow
def test_controls_rows_for_clusters_are_too_narrow_and_a_shift_is_seen() -> None:
    assert stats.binomtest(covered(rows_as_clusters=True), REPEATS, 0.87, alternative="less").pvalue < ERROR_RATE
    shifted = covered(rows_as_clusters=False, truth=0.5)
    assert stats.binomtest(shifted, REPEATS, 0.87, alternative="less").pvalue < ERROR_RATE
