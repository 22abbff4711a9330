"""Intervals for means, proportions and differences. Error rates are the caller's, and are fixed before looking."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from qae_theory.arrays import Array


class Interval(NamedTuple):
    """An estimate with its two-sided confidence interval."""

    estimate: float
    low: float
    high: float
    level: float
    draws: int

    def excludes(self, value: float) -> bool:
        """Return whether ``value`` lies outside the interval."""
        return not self.low <= value <= self.high

    def record(self) -> dict[str, float | int]:
        """Return the interval in JSON's types."""
        return dict(self._asdict())

    def __str__(self) -> str:
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}] ({100 * self.level:g} %, n = {self.draws})"


def mean_interval(sample: Array, *, level: float = 0.99) -> Interval:
    r"""Return Student's interval for the mean of independent draws, :math:`\bar x \pm t_{N-1}s/\sqrt N`.

    Args:
        sample: ``[N]``, N >= 2.
        level: confidence level, two-sided.

    Returns:
        The interval, in the unit of the sample.
    """
    x = np.asarray(sample, dtype=np.float64).ravel()
    if len(x) < 2:
        raise ValueError(f"sample must have at least 2 entries; got {len(x)}")
    centre, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(len(x)))
    half = float(stats.t.ppf(0.5 + level / 2, len(x) - 1)) * error
    return Interval(centre, centre - half, centre + half, level, len(x))


def proportion_interval(successes: int, trials: int, *, level: float = 0.99) -> Interval:
    """Return the exact interval of Clopper and Pearson for a probability.

    Args:
        successes: how many trials succeeded.
        trials: how many there were.
        level: confidence level, two-sided; the interval covers with at least that.

    Returns:
        The interval, within [0, 1].

    Source: Clopper and Pearson, Biometrika 26 (1934).
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"successes must be in 0..trials and trials >= 1; got {successes} of {trials}")
    found = stats.binomtest(int(successes), int(trials)).proportion_ci(level, method="exact")
    return Interval(successes / trials, float(found.low), float(found.high), level, int(trials))


def bonferroni(level: float, comparisons: int) -> float:
    """Return the level :math:`1 - (1 - l)/m` of each of m intervals that hold together with probability l at least.

    Args:
        level: l, of all together.
        comparisons: m.
    """
    return 1 - (1 - level) / comparisons
