r"""Four outcomes of an effect under one condition, and the power to tell them apart.

A line asks whether a mean over seeds is beyond a smallest effect of interest s, fixed before looking. With a
confidence interval [low, high]:

* **found**: low > s; **opposite**: high < -s;
* **absent**: -s < low and high < s, evidence of no effect that would matter;
* **undecided**: any other, with the number of seeds that would decide.

The power is the probability to find an effect of 2 s, which lies as far beyond the margin s as no effect lies within
it; every line repeats itself on its own residuals with such an effect planted, and with none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf, isfinite, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from qae_theory.arrays import Array
from qae_theory.checks import refuse
from qae_theory.claims.model import Answer
from qae_theory.curves.statistics import Interval
from qae_theory.runs.plain import finite_or_none

LEVEL = 0.95  # of each line by itself
PLANTED = 2.0  # times the smallest effect of interest
MOST_SEEDS = 9999  # beyond it a line says that seeds are not what it lacks


class Moments(NamedTuple):
    """Hold what Student's interval needs of the effects of some seeds.

    Attributes:
        n: number of seeds.
        mean: over them; NaN where there is none.
        spread: their standard deviation, with n - 1; NaN of fewer than two.
    """

    n: int
    mean: float
    spread: float

    def interval(self, level: float) -> Interval:
        """Return Student's interval for the mean; the whole line of fewer than two seeds."""
        if self.n < 2:
            return Interval(self.mean, -inf, inf, level, self.n)
        half = _critical(level, self.n) * self.spread / sqrt(self.n)
        return Interval(self.mean, self.mean - half, self.mean + half, level, self.n)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One claim under one condition.

    Attributes:
        claim: id of the family.
        condition: ``<substrate>/<condition>``.
        says: what would be found, in a sentence.
        unit: of the effect.
        n: seeds, or clusters.
        effect: the estimate; NaN where there is none.
        low: lower end of its interval; minus infinity with fewer than two seeds.
        high: upper end.
        level: of the interval.
        smallest_effect: s, in the same unit.
        power: probability to find an effect of 2 s with so many seeds that spread so much.
        planted: outcome on the residuals with an effect of 2 s planted.
        control: outcome on the residuals alone.
        deciding: seeds that would decide an undecided line, if estimate and spread stay; None where it is decided.
        outcome: what was found.
    """

    claim: str
    condition: str
    says: str
    unit: str
    n: int
    effect: float
    low: float
    high: float
    level: float
    smallest_effect: float
    power: float
    planted: Answer
    control: Answer
    deciding: int | None
    outcome: Answer

    @property
    def id(self) -> str:
        """Return the line's id, ``<claim>@<substrate>/<condition>``."""
        return f"{self.claim}@{self.condition}"

    def record(self) -> dict[str, Any]:
        """Return the line in JSON's types, with None for what is not finite."""
        return {
            key: str(value) if isinstance(value, Answer) else finite_or_none(value)
            for key, value in asdict(self).items()
        }


def read_line(record: Mapping[str, Any]) -> Line:
    """Return the line of which :meth:`Line.record` is the record."""
    answers = {name: Answer(record[name]) for name in ("planted", "control", "outcome")}
    ends = {
        name: empty if record[name] is None else float(record[name])
        for name, empty in (("effect", nan), ("low", -inf), ("high", inf))
    }
    return Line(**{**record, **answers, **ends})


def outcome_of(low: float, high: float, smallest_effect: float) -> Answer:
    """Return what an interval says.

    Args:
        low: lower end; NaN or minus infinity where there is none.
        high: upper end.
        smallest_effect: s > 0.

    Raises:
        ValueError: s is not positive and finite.

    >>> [str(outcome_of(low, high, 0.1)) for low, high in ((0.2, 0.3), (-0.05, 0.05), (-0.3, -0.2), (0.0, 0.2))]
    ['found', 'absent', 'opposite', 'undecided']
    """
    if not 0 < smallest_effect < inf:
        refuse("smallest_effect", smallest_effect, "positive and finite")
    if low > smallest_effect:
        return Answer.FOUND
    if high < -smallest_effect:
        return Answer.OPPOSITE
    if -smallest_effect < low and high < smallest_effect:
        return Answer.ABSENT
    return Answer.UNDECIDED


def line(
    sample: object, smallest_effect: float, *, claim: str, condition: str, says: str, unit: str, level: float = LEVEL
) -> Line:
    """Return the line of a mean over seeds, by Student's interval.

    Args:
        sample: [S] the effect of each seed, of which those that are not finite are left out; or their ``Moments``.
        smallest_effect: s, fixed before looking.
        claim: id of the family.
        condition: ``<substrate>/<condition>``.
        says: what would be found, in a sentence.
        unit: of the effect.
        level: of the interval.

    Raises:
        ValueError: s is not positive and finite.
    """
    moments = sample if isinstance(sample, Moments) else moments_of(np.asarray(sample, dtype=np.float64).ravel())
    found = moments.interval(level)
    planted, control = (
        _outcome(moments._replace(mean=shift).interval(level), smallest_effect)
        for shift in (PLANTED * smallest_effect, 0.0)
    )
    outcome = _outcome(found, smallest_effect)
    undecided = outcome is Answer.UNDECIDED
    return Line(
        claim=claim,
        condition=condition,
        says=says,
        unit=unit,
        n=moments.n,
        effect=found.estimate,
        low=found.low,
        high=found.high,
        level=level,
        smallest_effect=smallest_effect,
        power=power(moments.n, moments.spread, smallest_effect, level),
        planted=planted,
        control=control,
        deciding=seeds_to_decide(found.estimate, moments.spread, smallest_effect, level) if undecided else None,
        outcome=outcome,
    )


def interval_of(drawn: Array, level: float) -> Interval:
    """Return Student's interval for the mean over seeds.

    Args:
        drawn: one number for each seed, ``[S]``.
        level: confidence level.

    Returns:
        The interval; the whole line where there are fewer than two seeds, since nothing is known then.
    """
    return moments_of(drawn).interval(level)


def moments_of(sample: Array) -> Moments:
    """Return the moments of the effects ``[S]`` that are finite."""
    drawn = sample[np.isfinite(sample)]
    mean = float(drawn.mean()) if len(drawn) else nan
    return Moments(len(drawn), mean, float(drawn.std(ddof=1)) if len(drawn) > 1 else nan)


def moments_of_line(line: Line) -> Moments:
    r"""Return the moments from which a line was made: its spread is :math:`(high - effect)\sqrt n / t_{n-1}`."""
    if line.n < 2:
        return Moments(line.n, line.effect, nan)
    return Moments(line.n, line.effect, (line.high - line.effect) * sqrt(line.n) / _critical(line.level, line.n))


def pooled(parts: Sequence[Moments]) -> Moments:
    r"""Return the moments of all seeds of several samples that have no seed in common.

    The mean is :math:`\bar x = \sum n_i\bar x_i/n`, and the spread
    :math:`(n - 1)\hat\sigma^2 = \sum[(n_i - 1)\hat\sigma_i^2 + n_i(\bar x_i - \bar x)^2]`: exactly what
    :func:`moments_of` finds in all of them together.

    Args:
        parts: moments of each sample; one of no seeds adds nothing.
    """
    parts = [part for part in parts if part.n]
    n = sum(part.n for part in parts)
    if n < 2:
        return parts[0] if parts else Moments(0, nan, nan)
    mean = sum(part.n * part.mean for part in parts) / n
    within = sum((part.n - 1) * part.spread**2 for part in parts if part.n > 1)
    between = sum(part.n * (part.mean - mean) ** 2 for part in parts)
    return Moments(n, mean, sqrt((within + between) / (n - 1)))


def power(seeds: int, spread: float, smallest_effect: float, level: float = LEVEL) -> float:
    r"""Return the probability that an effect of 2 s is found: that :math:`\bar x - t\,\hat\sigma/\sqrt n > s`.

    The statistic :math:`(\bar x - s)\sqrt n/\hat\sigma` has a non-central t distribution with the non-centrality
    :math:`s\sqrt n/\sigma`, for normal seeds.

    Args:
        seeds: n.
        spread: standard deviation over seeds.
        smallest_effect: s.
        level: of the interval.

    >>> round(power(8, 0.05, 0.05), 2), round(power(8, 0.02, 0.05), 2)
    (0.68, 1.0)
    """
    if seeds < 2 or not isfinite(spread):
        return 0.0
    if spread == 0:
        return 1.0
    return float(stats.nct.sf(_critical(level, seeds), seeds - 1, smallest_effect * sqrt(seeds) / spread))


def seeds_to_decide(estimate: float, spread: float, smallest_effect: float, level: float = LEVEL) -> int:
    """Return how many seeds would put the interval on one side of each margin, if estimate and spread stay.

    At most ``MOST_SEEDS``: an estimate that lies on a margin is decided by no number of seeds.

    >>> seeds_to_decide(0.3, 0.2, 0.1)
    7
    """
    if not (isfinite(estimate) and isfinite(spread)):
        return MOST_SEEDS
    distance = abs(abs(estimate) - smallest_effect)
    seeds = np.arange(2, MOST_SEEDS + 1)
    half = stats.t.ppf(0.5 + level / 2, seeds - 1) * spread / np.sqrt(seeds)
    enough = np.flatnonzero(half < distance)
    return int(seeds[enough[0]]) if len(enough) else MOST_SEEDS


def _critical(level: float, seeds: int) -> float:
    """Return Student's critical value, two-sided, for a mean over seeds."""
    return float(stats.t.ppf(0.5 + level / 2, seeds - 1))


def _outcome(interval: Interval, smallest_effect: float) -> Answer:
    return outcome_of(interval.low, interval.high, smallest_effect)
