"""Return the advantages of responses: the logged ones, else what the run's estimator makes of the rewards."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import Responses, blocks
from llm_validation.audit.model.settings import AuditSettings
from qae_theory.advantages import advantages, get_estimator
from qae_theory.arrays import Array

LOGGED = "as logged"


class Made(NamedTuple):
    """Hold ``values`` ``[N]``, and in ``source`` what they are."""

    values: Array
    source: str


def advantages_of(log: Log, responses: Responses) -> Made:
    """Return the advantages of responses, which are grouped unless the log has their advantages.

    Those of the log; else those of the configured estimator, if it takes these rewards; else rewards minus the group's
    mean, which have the zeros and the signs of GRPO's.
    """
    if responses.has("advantage"):
        return Made(np.nan_to_num(responses.column("advantage")), LOGGED)
    settings = log.settings
    if settings.estimator is not None:
        try:
            values = by_rule(responses, settings.estimator, options_of(settings))
            return Made(values, f"computed with {settings.estimator}, as configured")
        except ValueError:  # a rule of 0 and 1 on other rewards
            pass
    return Made(by_rule(responses, "dr_grpo", {}), "computed as reward minus the group's mean")


def options_of(settings: AuditSettings) -> dict[str, Any]:
    """Return the options of the configured estimator that are known and that it has."""
    defaults = get_estimator(settings.estimator or "grpo").defaults
    known = {"k": settings.k, "eps": settings.eps, "std": settings.std}
    usable = {name: value for name, value in known.items() if value is not None and name in defaults}
    if usable.get("std") not in (None, "population", "bessel"):
        std = usable.pop("std")
        # A divisor changes no sign, and no zero unless the rule has none of its own: PSR divided by a batch's standard
        # deviation gives equal rewards nothing, as PSR divided by the group's.
        if std == "batch" and defaults["std"] == "none":
            usable["std"] = "population"
    return usable


def by_rule(responses: Responses, estimator: str, options: dict[str, Any]) -> Array:
    """Return the advantages ``[N]`` of a registered rule; 0 in groups that are too small for it.

    Raises:
        ValueError: the rule does not take these rewards.
    """
    made = np.zeros(len(responses))
    for size, rows in blocks(responses).items():
        if size >= max(2, get_estimator(estimator).least_group):
            rewards = responses.reward[rows]
            made[rows] = advantages(rewards, estimator, mask=np.isfinite(rewards), **options)
    return made
