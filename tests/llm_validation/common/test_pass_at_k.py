"""pass@k against every subset, its lack of bias in exact arithmetic, and how often its interval covers."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from llm_validation.common.pass_at_k import bootstrap_interval, mean_pass_at_k, pass_at_k
from qae_theory.curves.statistics import Interval
from tests.assertions import refuses

# Of each binomial test on a number of covering intervals; fixed before looking.
ERROR_RATE = 1e-4
LARGEST = 8


def by_enumeration(n: int, c: int, k: int) -> Fraction:
    """The share of subsets of ``range(n)`` of size k that hold one of the first c."""
    subsets = list(itertools.combinations(range(n), k))
    return Fraction(sum(any(i < c for i in chosen) for chosen in subsets), len(subsets))


def released(n: int, c: int, k: int) -> float:
    """The product form that the paper prints (its figure 3)."""
    return 1.0 if n - c < k else 1.0 - float(np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def with_replacement(n: int, c: int, k: int) -> Fraction:
    """The biased estimate."""
    return 1 - Fraction(n - c, n) ** k


def expected(estimate: object, n: int, p: Fraction, k: int) -> Fraction:
    """Expectation under n independent samples, each correct with probability p."""
    return sum(
        (math.comb(n, c) * p**c * (1 - p) ** (n - c) * estimate(n, c, k) for c in range(n + 1)),  # type: ignore[operator]
        Fraction(0),
    )


cases = st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


@pytest.mark.parametrize("n", range(1, LARGEST + 1))
def test_every_subset(n: int) -> None:
    for c in range(n + 1):
        for k in range(1, n + 1):
            assert pass_at_k(n, c, k) == by_enumeration(n, c, k)


@pytest.mark.parametrize("n", [2, 5, LARGEST])
@pytest.mark.parametrize("p", [Fraction(1, 7), Fraction(1, 2), Fraction(9, 10)])
def test_unbiased_exactly(n: int, p: Fraction) -> None:
    for k in range(1, n + 1):
        assert expected(pass_at_k, n, p, k) == 1 - (1 - p) ** k


def test_the_estimate_with_replacement_is_biased() -> None:
    """Control: the same computation tells a biased estimate."""
    assert expected(with_replacement, 5, Fraction(1, 2), 3) != 1 - Fraction(1, 2) ** 3


@given(case=cases)
def test_the_printed_product(case: tuple[int, int, int]) -> None:
    # A product of at most 200 factors below one, subtracted from one: 200 units in the last place of one.
    assert abs(float(pass_at_k(*case)) - released(*case)) <= 200 * 2.0**-52


@given(case=cases)
def test_in_its_range_and_monotone(case: tuple[int, int, int]) -> None:
    n, c, k = case
    value = pass_at_k(n, c, k)
    assert 0 <= value <= 1
    assert pass_at_k(n, c, 1) == Fraction(c, n) <= value
    assert (value == 0) == (c == 0)
    assert (value == 1) == (k > n - c)
    if c < n:
        assert value <= pass_at_k(n, c + 1, k)
    if k < n:
        assert value <= pass_at_k(n, c, k + 1)


@given(case=cases)
def test_one_sample_less_is_the_mean_over_which(case: tuple[int, int, int]) -> None:
    """Leaving a random sample out does not move the expectation: what makes it a U-statistic."""
    n, c, k = case
    if k < n:
        less = (n - c) * pass_at_k(n - 1, c, k) if c < n else Fraction(0)
        less += c * pass_at_k(n - 1, c - 1, k) if c else Fraction(0)
        assert less / n == pass_at_k(n, c, k)


def test_where_floats_lose_the_answer() -> None:
    """One correct of ten thousand: the binomials have thousands of digits, the answer is k / n."""
    assert pass_at_k(10_000, 1, 5_000) == Fraction(1, 2)


def test_mean_over_questions() -> None:
    assert mean_pass_at_k([(2, 1), (3, 0), (4, 4)], 2) == Fraction(2, 3)
    assert mean_pass_at_k([(3, 1)], 1) == Fraction(1, 3)


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ((0, 0, 1), "samples", 0),
        ((True, 0, 1), "samples", True),
        ((2.0, 0, 1), "samples", 2.0),
        ((4, 5, 1), "correct", 5),
        ((4, -1, 1), "correct", -1),
        ((4, 1, 5), "k", 5),
        ((4, 1, 0), "k", 0),
        ((4, 1, "2"), "k", "2"),
    ],
)
def test_bad_input(arguments: tuple[int, int, int], name: str, value: object) -> None:
    refuses(lambda: pass_at_k(*arguments), name, value)


def test_bad_input_of_many() -> None:
    rng = np.random.default_rng(0)
    refuses(lambda: mean_pass_at_k([], 1), "counts", [])
    refuses(lambda: bootstrap_interval([0.5], rng=rng), "values", [0.5])
    refuses(lambda: bootstrap_interval([0.5, math.nan], rng=rng), "values", [0.5, math.nan])
    refuses(lambda: bootstrap_interval([0.0, 1.0], rng=rng, level=1.0), "level", 1.0)
    refuses(lambda: bootstrap_interval([0.0, 1.0], rng=rng, resamples=99), "resamples", 99)
    refuses(lambda: bootstrap_interval([0.0, 1.0], rng=rng, batch=0), "batch", 0)


def questions(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Questions of unequal difficulty, 16 samples each; the mean of pass@4 over all questions is ``TRUTH``."""
    return [(16, int(c)) for c in rng.binomial(16, rng.beta(2, 3, size=count))]


# E[1 - (1 - p)^4] for p ~ Beta(2, 3): 1 - B(2, 7) / B(2, 3).
TRUTH = 1 - (3 * 4 * 5 * 6) / (5 * 6 * 7 * 8)
REPEATS = 600


def covered(count: int, level: float, *, wrong_by: float = 0.0) -> int:
    rng = np.random.default_rng([count, 5])
    found = 0
    for _ in range(REPEATS):
        values = [pass_at_k(n, c, 4) for n, c in questions(rng, count)]
        interval = bootstrap_interval(values, rng=rng, level=level, resamples=999)
        found += not interval.excludes(TRUTH + wrong_by)
    return found


@pytest.mark.parametrize("count", [20, 60])
def test_the_interval_covers_the_mean_over_all_questions(count: int) -> None:
    """At least 90 % minus two points: the bootstrap is right only as the number of questions grows."""
    assert stats.binomtest(covered(count, 0.9), REPEATS, 0.88, alternative="less").pvalue >= ERROR_RATE
    # Not by being too wide.
    assert stats.binomtest(covered(count, 0.9), REPEATS, 0.94, alternative="greater").pvalue >= ERROR_RATE


def test_an_interval_about_another_number_does_not_cover() -> None:
    """Control: a shift of a tenth, two standard errors of 20 questions, is seen."""
    assert stats.binomtest(covered(20, 0.9, wrong_by=0.1), REPEATS, 0.88, alternative="less").pvalue < ERROR_RATE


def test_resampling_samples_instead_of_questions_is_too_narrow() -> None:
    """Control: the noise of the samples alone leaves out which questions were asked."""
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(REPEATS):
        counts = questions(rng, 60)
        drawn = np.array([rng.binomial(16, c / 16, size=99) for _, c in counts])
        table = np.array([float(pass_at_k(16, c, 4)) for c in range(17)])
        low, high = np.quantile(table[drawn].mean(axis=0), [0.05, 0.95])
        found += low <= TRUTH <= high
    assert stats.binomtest(found, REPEATS, 0.88, alternative="less").pvalue < ERROR_RATE


def test_batches_do_not_change_the_interval() -> None:
    values = np.random.default_rng(7).random(13)
    intervals = {
        bootstrap_interval(values, rng=np.random.default_rng(8), resamples=500, batch=batch)
        for batch in (1, 7, 500, 10_000)
    }
    assert len(intervals) == 1
    assert intervals != {bootstrap_interval(values, rng=np.random.default_rng(9), resamples=500)}


def test_equal_values_give_a_point() -> None:
    interval = bootstrap_interval([Fraction(1, 4)] * 3, rng=np.random.default_rng(0), level=0.5)
    assert interval == Interval(0.25, 0.25, 0.25, 0.5, 3)
