"""Tune every rule on the same number of trials, and try what half and twice its own hyper-parameter cost.

A trial is a step size and a value of the rule's own hyper-parameter. A rule without one spends its trials on more step
sizes. The best trial is the one with the largest mean success over the run, on tuning seeds; fresh seeds then judge it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from simulators.experiments.league.own import own_option, variants

OWN_FACTORS = (0.5, 1.0, 2.0)
SPAN = 4.0  # step sizes run from a quarter to four times the condition's
TRIALS = 9


class Trial(NamedTuple):
    """Hold one trial: multiples of the condition's step size and of the own default, and the options of the latter."""

    step_factor: float
    own_factor: float
    options: Mapping[str, Any]


def trials(rule: str) -> list[Trial]:
    """Return the trials of a rule: nine step sizes, or three step sizes times three values of its own.

    A rule that refuses a multiple of its own default has fewer trials.
    """
    if own_option(rule) is None:
        factors = np.geomspace(1 / SPAN, SPAN, TRIALS)
        return [Trial(float(factor), 1.0, {}) for factor in factors]
    own = variants(rule, OWN_FACTORS)
    listed = []
    for step_factor in (1 / SPAN, 1.0, SPAN):
        for own_factor, options in own.items():
            listed.append(Trial(step_factor, own_factor, options))
    return listed


def best(tried: Sequence[tuple[Trial, float]]) -> Trial:
    """Return the trial with the largest score; of equal ones the first, which has the smaller step."""
    return max(tried, key=lambda pair: pair[1])[0]


def misjudged(rule: str, chosen: Trial) -> dict[str, Trial]:
    """Return the chosen trial with its own hyper-parameter at half and at twice the value, where the rule takes it."""
    found = {}
    for name, factor in (("half", 0.5), ("double", 2.0)):
        wanted = chosen.own_factor * factor
        options = variants(rule, (wanted,)).get(wanted)
        # At a factor of 1 the default itself is what was misjudged; its options are empty but it is there.
        if options is not None and own_option(rule) is not None:
            found[name] = Trial(chosen.step_factor, wanted, options)
    return found
