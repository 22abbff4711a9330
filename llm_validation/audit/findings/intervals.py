"""Compute shares of groups with exact intervals, pooled over all steps."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import binom

from qae_theory.curves.statistics import proportion_interval


@dataclass(frozen=True)
class Share:
    """Hold ``count`` of ``total``, and the interval of Clopper and Pearson at ``level``."""

    count: int
    total: int
    low: float
    high: float
    level: float

    @property
    def value(self) -> float:
        """Return the share itself."""
        return self.count / self.total

    def record(self) -> dict[str, float]:
        """Return it in JSON's types."""
        return {"count": self.count, "total": self.total, "share": self.value, "low": self.low, "high": self.high}


def pooled(count: int, total: int, level: float = 0.95) -> Share:
    """Return a share with its interval; it holds if the groups are independent.

    Args:
        count: how many groups are of the kind.
        total: of how many, at least 1.
        level: confidence level, two-sided.

    Source: Clopper and Pearson, Biometrika 26 (1934).

    >>> share = pooled(8, 10)
    >>> round(share.low, 3), round(share.high, 3)
    (0.444, 0.975)
    """
    interval = proportion_interval(count, total, level=level)
    return Share(count, total, interval.low, interval.high, level)


def exceeds(count: int, total: int, threshold: float, error: float) -> bool:
    """Return whether the share is above a threshold: exact one-sided binomial test at this error rate.

    >>> exceeds(60, 100, 0.5, 0.05), exceeds(55, 100, 0.5, 0.05)
    (True, False)
    """
    return total > 0 and float(binom.sf(count - 1, total, threshold)) <= error
