"""Hold what the run was asked to do, from its own configuration or from flags, as far as checks need it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from qae_theory.advantages import estimator_names, get_estimator
from qae_theory.checks import quantile_level
from qae_theory.runs.settings import Positive, Strict

NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=1)]


class AuditSettings(Strict):
    """Hold the settings of a run; None stands for what is not known.

    ``k``, ``std`` and ``eps`` are of the advantage. ``updates_per_batch`` counts optimiser updates on one batch of
    rollouts. ``max_tokens`` is the limit on the length of a response. ``aggregation`` is how the trainer averages the
    entropy over tokens. A response is right if its reward is above ``correct_above``, or its component
    ``correct_column`` is 1. ``reward_weights`` are of the reward functions, 1 each by default.
    """

    estimator: str | None = None
    k: str | None = None
    std: str | None = None
    eps: NonNegative | None = None
    group_size: Whole | None = None
    clip_low: NonNegative | None = None
    clip_high: NonNegative | None = None
    updates_per_batch: Whole | None = None
    entropy_coefficient: float | None = None
    temperature: Positive | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Whole | None = None
    aggregation: str | None = None
    correct_above: float | None = None
    correct_column: str | None = None
    reward_weights: dict[str, float] | None = None

    @field_validator("estimator")
    @classmethod
    def _is_registered(cls, name: str | None) -> str | None:
        if name is not None:
            get_estimator(name)
        return name

    @field_validator("k", mode="before")
    @classmethod
    def _is_a_level(cls, k: Any) -> str | None:
        if k is None:
            return None
        quantile_level(k)
        return str(k)

    def known(self) -> dict[str, Any]:
        """Return what is known, by name."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    def over(self, other: AuditSettings) -> AuditSettings:
        """Return these settings, and what only ``other`` knows.

        What the other's rule is divided by is not taken over to another rule that has no divisor of its own.
        """
        known = other.known()
        is_another = self.estimator is not None and self.estimator != other.estimator
        if is_another and not divides_by_itself(str(self.estimator)):
            known.pop("std", None)
        return AuditSettings.model_validate(known | self.known())


def divides_by_itself(name: str) -> bool:
    """Return whether a registered rule divides by a standard deviation where it is not told what to divide by."""
    return get_estimator(name).defaults.get("std", "none") != "none"


EPS_OF_TRL = 1e-4  # what TRL (1.16.0) adds to the standard deviation
# What a trainer calls an estimator of the registry.
_ALIASES = {
    "grpo": "grpo",
    "grpo_vectorized": "grpo",
    "dapo": "grpo",
    "dr_grpo": "dr_grpo",
    "rloo": "rloo",
    "rloo_vectorized": "rloo",
}
# The values of TRL's ``scale_rewards`` (1.16.0), of which the truth values are the older ones.
_TRL_STDS = {"group": "bessel", "true": "bessel", "batch": "batch", "none": "none", "false": "none"}


def estimator_of(name: Any) -> str | None:
    """Return the registered name of what a trainer calls an estimator; None for one that is not registered.

    >>> estimator_of("grpo_vectorized"), estimator_of("gae")
    ('grpo', None)
    """
    text = str(name).strip().lower()
    known = _ALIASES.get(text, text)
    return known if known in estimator_names() else None


def std_of_trl(scale_rewards: Any) -> str | None:
    """Return what TRL divides advantages by, given its ``scale_rewards`` as an option or as text; None if unknown.

    >>> std_of_trl("group"), std_of_trl(False)
    ('bessel', 'none')
    """
    return _TRL_STDS.get(str(scale_rewards).lower())
