"""Baselines and advantages of one group of rewards, from theory's sections 1 to 3, in Fractions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor

from .numbers import root

UNDIVIDED = ("dr_grpo", "rloo", "psr", "nsr")
ESTIMATORS = ("grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask")
MILLIONTH = Fraction(1, 10**6)


def quantile_baseline(group: Sequence[Fraction], k: Fraction, method: str = "inverted_cdf") -> Fraction:
    """Return inf{x : F(x) >= K}, or, by the ``linear`` method, what the released code interpolates at (G - 1) K."""
    return quantile_of(Counter(group), k, method)


def quantile_of(tally: Mapping[Fraction, int], k: Fraction, method: str) -> Fraction:
    """Return the quantile of a group that is given by how often each reward occurs."""
    size = sum(tally.values())
    if method == "inverted_cdf":
        reached = 0
        for value in sorted(tally):
            reached += tally[value]
            if Fraction(reached, size) >= k:
                return value
    position = (size - 1) * k
    below = floor(position)
    low, high = order_statistic(tally, below), order_statistic(tally, min(below + 1, size - 1))
    return low + (position - below) * (high - low)


def order_statistic(tally: Mapping[Fraction, int], place: int) -> Fraction:
    """Return the reward at a place of the ascending group, counted from 0."""
    for value in sorted(tally):
        if place < tally[value]:
            return value
        place -= tally[value]
    raise IndexError(place)


def mean(tally: Mapping[Fraction, int]) -> Fraction:
    """Return the mean reward."""
    return sum((value * count for value, count in tally.items()), Fraction(0)) / sum(tally.values())


def deviation(tally: Mapping[Fraction, int], std: str) -> Fraction:
    """Return the standard deviation, with divisor G or (``bessel``) G - 1; 0 at G = 1."""
    centre, divisor = mean(tally), sum(tally.values()) - (std == "bessel")
    squares = sum(((value - centre) ** 2 * count for value, count in tally.items()), Fraction(0))
    return root(squares / divisor) if divisor else Fraction(0)


def advantages(
    tally: Mapping[Fraction, int],
    estimator: str,
    *,
    k: Fraction = Fraction(2, 5),
    std: str | Fraction | None = None,
    eps: Fraction = MILLIONTH,
) -> dict[Fraction, Fraction]:
    """Return the advantage that each reward of a group gets.

    Args:
        tally: how often each reward occurs among the responses that could be scored.
        estimator: a name of ``ESTIMATORS``.
        k: the quantile level.
        std: ``population``, ``bessel``, ``none``, or the standard deviation of the whole batch; None is the rule's own.
        eps: the regulariser.
    """
    size, baseline = sum(tally.values()), unscaled(tally, estimator, k)
    if size < 2:
        return dict.fromkeys(tally, Fraction(0))
    kind = std if std is not None else own_std(estimator)
    if kind == "none" and estimator in UNDIVIDED:
        return baseline  # of a degenerate group too: under PSR and NSR it is not 0
    if len(tally) == 1:
        return dict.fromkeys(tally, Fraction(0))
    if kind == "none":
        return baseline
    scale = (kind if isinstance(kind, Fraction) else deviation(tally, kind)) + eps
    return {value: number / scale for value, number in baseline.items()}


def own_std(estimator: str) -> str:
    """Return what a rule divides by where nothing else is asked for."""
    if estimator in UNDIVIDED:
        return "none"
    return "bessel" if estimator == "qae_linear" else "population"


def unscaled(tally: Mapping[Fraction, int], estimator: str, k: Fraction) -> dict[Fraction, Fraction]:
    """Return R - b of each reward, or what stands in its place under the two masks."""
    size, one = sum(tally.values()), Fraction(1)
    if estimator in ("grpo", "dr_grpo"):
        centre = mean(tally)
        return {x: x - centre for x in tally}
    if estimator == "rloo":
        whole = mean(tally) * size
        return {x: x - (whole - x) / max(size - 1, 1) for x in tally}
    if estimator in ("qae", "qae_linear"):
        level = quantile_of(tally, k, "inverted_cdf" if estimator == "qae" else "linear")
        return {x: x - level for x in tally}
    if estimator in ("psr", "nsr"):
        return {x: x - (estimator == "nsr") for x in tally}
    hard = Fraction(tally.get(one, 0), size) <= 1 - k
    if estimator == "pos_mask":
        return {x: (x if hard else 0) - (1 - x) for x in tally}
    return {x: x - (0 if hard else 1 - x) for x in tally}
