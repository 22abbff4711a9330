"""Intervals cover as often as they say, and no interval is had from too little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from qae_theory.curves.statistics import Interval, bonferroni, mean_interval, proportion_interval

# Of each binomial test on a number of covering intervals; fixed before looking, three tests in all.
ERROR_RATE = 1e-4
REPEATS = 2000


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_student_covers_exactly(level: float) -> None:
    """Normal data, where Student's coverage is exact; a normal quantile on 5 draws covers too rarely and is caught."""
    rng = np.random.default_rng(1)
    samples = 3 + 2 * rng.standard_normal((REPEATS, 5))
    covered = sum(not mean_interval(x, level=level).excludes(3) for x in samples)
    assert stats.binomtest(covered, REPEATS, level).pvalue >= ERROR_RATE
    half = stats.norm.ppf(0.5 + level / 2) * samples.std(axis=1, ddof=1) / np.sqrt(5)
    too_narrow = int((np.abs(samples.mean(axis=1) - 3) <= half).sum())
    assert stats.binomtest(too_narrow, REPEATS, level).pvalue < ERROR_RATE


@pytest.mark.parametrize("trials", [1, 5, 40])
@pytest.mark.parametrize("level", [0.8, 0.99])
def test_clopper_pearson_covers_at_least(trials: int, level: float) -> None:
    """Coverage computed, not sampled: at every p of a grid the binomial mass of the covering outcomes."""
    intervals = [proportion_interval(m, trials, level=level) for m in range(trials + 1)]
    for p in np.linspace(0.001, 0.999, 211):
        covering = [m for m, interval in enumerate(intervals) if not interval.excludes(p)]
        assert stats.binom.pmf(covering, trials, p).sum() >= level - 1e-12


def test_wald_does_not_cover() -> None:
    """Control: the same computation for the textbook's normal interval falls short."""
    worst = 1.0
    for p in np.linspace(0.001, 0.999, 211):
        m = np.arange(41)
        half = stats.norm.ppf(0.995) * np.sqrt(m / 40 * (1 - m / 40) / 40)
        worst = min(worst, float(stats.binom.pmf(m[np.abs(m / 40 - p) <= half], 40, p).sum()))
    assert worst < 0.5


def test_clopper_pearson_at_the_ends() -> None:
    none, all_of_them = proportion_interval(0, 10, level=0.95), proportion_interval(10, 10, level=0.95)
    assert none.low == 0
    assert all_of_them.high == 1
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 10), rel=1e-9)  # scipy's root finder


def test_mean_interval_of_a_constant_is_a_point() -> None:
    assert mean_interval(np.full(4, 0.5)) == Interval(0.5, 0.5, 0.5, 0.99, 4)


def test_record_and_text() -> None:
    interval = mean_interval(np.array([0.0, 1.0, 2.0]), level=0.9)
    assert set(interval.record()) == {"estimate", "low", "high", "level", "draws"}
    assert str(interval).startswith("1 [")
    assert "n = 3" in str(interval)
    assert interval.excludes(9)
    assert not interval.excludes(1)


def test_bonferroni_holds_together() -> None:
    """Twenty independent intervals at once: all cover with probability 0.9 at least; uncorrected ones do not."""
    rng = np.random.default_rng(2)
    samples = rng.standard_normal((400, 20, 6))

    def together(level: float) -> int:
        return sum(all(not mean_interval(x, level=level).excludes(0) for x in rows) for rows in samples)

    assert stats.binomtest(together(bonferroni(0.9, 20)), 400, 0.9, alternative="less").pvalue >= ERROR_RATE
    assert stats.binomtest(together(0.9), 400, 0.9, alternative="less").pvalue < ERROR_RATE
    assert bonferroni(0.99, 1) == pytest.approx(0.99)


@pytest.mark.parametrize("sample", [[], [1.0]])
def test_too_few_draws_are_refused(sample: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^sample must have at least 2"):
        mean_interval(np.array(sample))


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 3), (4, 3)])
def test_bad_proportions_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=r"^successes must be"):
        proportion_interval(successes, trials)
