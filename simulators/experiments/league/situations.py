"""Say what it means that a rule held in a situation; the criterion stands here before any result is looked at.

A situation is what a practitioner sees: entropy that collapses, a verifier that errs. It names conditions, one measure
and which way is better. A rule is compared with the reference on the same seeds in each of the conditions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from qae_theory.arrays import Array
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from qae_theory.runs.settings import Strict

PRICE = "success_mean"  # what a remedy for entropy may cost
FEWEST = 0.5  # share of the seeds that must get so far that entropy at equal progress is compared

Columns = Mapping[str, Mapping[str, Array]]  # measures ``[S]`` by rule
Verdict = Literal["held", "at a price", "in part", "both ways", "no difference", "worse", "not comparable"]


class Situation(Strict):
    """Hold a situation: the conditions that stand for it, the measure that counts, and which way is better."""

    name: str
    conditions: tuple[str, ...] = Field(min_length=1)
    measure: str
    better: Literal["higher", "lower"]


def judged(
    situation: Situation, by_condition: Mapping[str, Columns], *, reference: str, level: float
) -> dict[str, Any]:
    """Return the situation's verdict on every rule, with the figures.

    The intervals of one situation hold together with probability ``level``: over its conditions, all rules, and the
    measure and its price.

    Args:
        situation: what is asked.
        by_condition: the measures of every rule, by condition.
        reference: the rule that the others are compared with.
        level: confidence level.

    Returns:
        ``reference`` with the reference's own interval in each condition; ``rules`` with, for every other rule, its
        ``verdict``, its ``differences`` to the reference and its ``price`` in success by condition.
    """
    rules = [rule for rule in by_condition[situation.conditions[0]] if rule != reference]
    each = bonferroni(level, 2 * len(rules) * len(situation.conditions))
    own = {}
    for condition in situation.conditions:
        own[condition] = mean_or_none(by_condition[condition][reference][situation.measure], level=each)
    found = {}
    for rule in rules:
        differences, prices = {}, {}
        for condition in situation.conditions:
            columns = by_condition[condition]
            differences[condition] = difference(columns, rule, reference, measure=situation.measure, level=each)
            prices[condition] = difference(columns, rule, reference, measure=PRICE, level=each)
        verdict = verdict_of(list(differences.values()), list(prices.values()), better=situation.better)
        found[rule] = {
            "verdict": verdict,
            "differences": _records(differences),
            "price": _records(prices),
        }
    return {**situation.model_dump(mode="json"), "level_each": each, "reference": _records(own), "rules": found}


def verdict_of(
    differences: Sequence[Interval | None], prices: Sequence[Interval | None], *, better: Literal["higher", "lower"]
) -> Verdict:
    """Return the verdict from a rule's differences to the reference, one for each condition.

    ``held``: better in every condition, and success worse in none. ``at a price``: better in every condition, with
    success worse in some. ``in part``: better in some and worse in none. ``both ways``: better in some and worse in
    some. ``worse``: worse in some and better in none. ``no difference``: none is told from the reference. ``not
    comparable``: in no condition do rule and reference get far enough to be compared.

    Args:
        differences: of the measure; None where the runs cannot be compared, which speaks for nothing.
        prices: of success.
        better: which sign is better.
    """
    sign = 1 if better == "higher" else -1
    signs = [_sign(interval) * sign for interval in differences if interval is not None]
    if not signs:
        return "not comparable"
    wins, losses = signs.count(1), signs.count(-1)
    if wins == len(differences):
        dear = any(interval is not None and _sign(interval) < 0 for interval in prices)
        return "at a price" if dear else "held"
    if wins and losses:
        return "both ways"
    if wins:
        return "in part"
    return "worse" if losses else "no difference"


def difference(columns: Columns, rule: str, reference: str, *, measure: str, level: float) -> Interval | None:
    """Return the interval of a rule's measure less the reference's, paired by seed.

    None where fewer than half the seeds have both: a rule that gains little success has no entropy at a larger gain.
    """
    return mean_or_none(columns[rule][measure] - columns[reference][measure], level=level)


def mean_or_none(sample: Array, *, level: float) -> Interval | None:
    """Return Student's interval over the seeds that have a value, None where fewer than half (or than two) do."""
    defined = sample[~np.isnan(sample)]
    if len(defined) < max(2, FEWEST * len(sample)):
        return None
    return mean_interval(defined, level=level)


def _sign(interval: Interval) -> int:
    """Return 1 or -1 where the interval is beyond 0 on that side, else 0."""
    return int(interval.low > 0) - int(interval.high < 0)


def _records(intervals: Mapping[str, Interval | None]) -> dict[str, Any]:
    return {name: None if interval is None else interval.record() for name, interval in intervals.items()}
