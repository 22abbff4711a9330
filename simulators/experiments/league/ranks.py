"""Rank rules with intervals that hold together: who is told from whom, on the same seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from qae_theory.arrays import Array
from qae_theory.curves.statistics import bonferroni


class Rank(NamedTuple):
    """Hold a rule's place by its mean, from 1, and the places between which its true place lies."""

    place: int
    best: int
    worst: int


def ranks(columns: Mapping[str, Array], *, level: float, larger_is_better: bool = True) -> dict[str, Rank]:
    r"""Return the rank of each rule with an interval; all intervals hold together with probability ``level`` at least.

    All pairs of rules are compared by Student's interval of their paired differences, at Bonferroni's level for
    :math:`M(M-1)/2` of them. Of M rules of which a are told to be better than a rule and b to be worse, the rule's true
    place lies in [1 + a, M - b].

    Args:
        columns: one number for each of the same S >= 2 seeds, ``[S]`` by rule, all finite.
        level: confidence level of all intervals together.
        larger_is_better: which end is place 1.

    Returns:
        Ranks by rule, in the order of the places.

    Raises:
        ValueError: there is one seed only, or the rules have different numbers of them; the message names ``columns``.

    Source: Klein, Wright and Wieczorek, J. R. Stat. Soc. A 183 (2020), "A joint confidence region for an overall
    ranking of populations"; here with paired differences.
    """
    seeds = {len(column) for column in columns.values()}
    if len(seeds) != 1 or min(seeds) < 2:
        raise ValueError(f"columns must have the same two or more seeds for every rule; got {sorted(seeds)}")
    values = np.stack(list(columns.values())) * (1 if larger_is_better else -1)
    above = told_above(values, level=level)
    better, worse = above.sum(axis=0), above.sum(axis=1)  # how many are told above a rule, and how many below it
    order = np.argsort(-values.mean(axis=1), kind="stable")
    names = list(columns)
    found = {}
    for place, row in enumerate(order, start=1):
        found[names[row]] = Rank(place, best=int(1 + better[row]), worst=int(len(names) - worse[row]))
    return found


def told_above(values: Array, *, level: float) -> Array:
    """Return which rules are told to lie above which, ``[M, M]`` of bool: row above column.

    Args:
        values: ``[M, S]``.
        level: of all comparisons together.
    """
    count, seeds = values.shape
    difference = values[:, None, :] - values[None, :, :]
    centre = difference.mean(axis=-1)
    error = difference.std(axis=-1, ddof=1) / np.sqrt(seeds)
    pairs = max(1, count * (count - 1) // 2)
    quantile = stats.t.ppf(0.5 + bonferroni(level, pairs) / 2, seeds - 1)
    return np.asarray(centre > quantile * error)
