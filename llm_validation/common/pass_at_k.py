"""pass@k from n >= k samples of each question, without bias, and what sampling the questions adds to its error.

Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", arXiv:2107.03374, equation 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from numbers import Integral

import numpy as np
from scipy import stats

from qae_theory.arrays import Array
from qae_theory.checks import refuse
from qae_theory.curves.statistics import Interval


def pass_at_k(samples: int, correct: int, k: int) -> Fraction:
    """Return the share of subsets of ``k`` of the samples with at least one that is correct.

    ``1 - C(n - c, k) / C(n, k)``. Its expectation is ``1 - (1 - p)^k`` when each of the n samples is correct with
    probability p, independently; ``1 - (1 - c/n)^k`` is biased.

    Args:
        samples: n, how many were drawn.
        correct: c of them, in 0..n.
        k: how many may be tried, in 1..n.

    Returns:
        The estimate, exact.

    Raises:
        ValueError: an argument is out of its range.

    >>> pass_at_k(4, 1, 2)
    Fraction(1, 2)
    """
    n = _whole("samples", samples, 1, None)
    c = _whole("correct", correct, 0, n)
    tries = _whole("k", k, 1, n)
    return 1 - Fraction(math.comb(n - c, tries), math.comb(n, tries))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> Fraction:
    """Return the mean of :func:`pass_at_k` over questions, exact.

    Args:
        counts: (samples, correct) of each question; at least one question.
        k: how many may be tried.

    Raises:
        ValueError: no question, or an argument out of its range.

    >>> mean_pass_at_k([(4, 0), (4, 4)], 2)
    Fraction(1, 2)
    """
    if not counts:
        refuse("counts", counts, "(samples, correct) of at least one question")
    return sum((pass_at_k(n, c, k) for n, c in counts), Fraction(0)) / len(counts)


def bootstrap_interval(
    values: Sequence[float] | Sequence[Fraction] | Array,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 9999,
    batch: int = 256,
) -> Interval:
    """Return the expanded percentile interval for the mean of what was measured on each question.

    Questions are drawn anew with replacement, each with all of its samples, so the interval holds for questions like
    these; the samples' own noise is in it. Percentiles are taken at the normal probability of ``sqrt(n / (n - 1))``
    times Student's quantile: the plain percentile interval is too narrow by that much. Values that are all equal give
    a point, whatever the truth is: the bootstrap sees no more than was drawn.

    Source: Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician 69(4).

    Args:
        values: one number a question ``[n]``, n >= 2, such as :func:`pass_at_k`.
        rng: where the resamples come from.
        level: confidence level, strictly between 0 and 1.
        resamples: how many means are drawn, at least 100.
        batch: resamples held in memory at once; never changes the result.

    Returns:
        The mean with its interval; ``draws`` is n.

    Raises:
        ValueError: an argument is out of its range.
    """
    x = np.asarray([float(value) for value in values], dtype=np.float64)
    n = len(x)
    if n < 2 or not np.isfinite(x).all():
        refuse("values", values, "at least 2 finite numbers")
    if not 0 < level < 1:
        refuse("level", level, "strictly between 0 and 1")
    _whole("resamples", resamples, 100, None)
    _whole("batch", batch, 1, None)
    means = np.concatenate(
        [_resampled_means(x, rng, min(batch, resamples - done)) for done in range(0, resamples, batch)]
    )
    wide = math.sqrt(n / (n - 1)) * float(stats.t.ppf(0.5 + level / 2, n - 1))
    tail = float(stats.norm.sf(wide))
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(x.mean()), float(low), float(high), level, n)


def _resampled_means(x: Array, rng: np.random.Generator, count: int) -> Array:
    return x[rng.integers(len(x), size=(count, len(x)))].mean(axis=1)


def _whole(name: str, value: object, least: int, most: int | None) -> int:
    allowed = f"an integer >= {least}" if most is None else f"an integer in {least}..{most}"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        refuse(name, value, allowed)
    number = int(value)
    if number < least or (most is not None and number > most):
        refuse(name, value, allowed)
    return number
