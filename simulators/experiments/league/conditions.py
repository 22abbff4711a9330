"""Define the conditions of the league: what is asked, and what every rule's update has in common there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator

from qae_theory.runs.settings import Strict, without_infinity
from simulators.experiments.league.questions import Questions
from simulators.methods import method_defaults
from simulators.update import Update
from simulators.verifier import VerifierNoise

# Rules that correct for a verifier's errors are told its true error rates, under these names of their options.
RATES = ("false_positive", "false_negative")


class LeagueCondition(Strict):
    """Hold one condition: a base, or a base with one factor changed.

    ``factor`` names what differs from the base, and ``base`` names that base; a base names itself. ``update`` has the
    switches that differ from the update's defaults.
    """

    name: str
    factor: Literal["base", "difficulty", "group size", "inner epochs", "clip", "noise", "optimiser", "spread"] = "base"
    base: str
    questions: Questions = Questions()
    update: dict[str, Any] = Field(default_factory=dict)

    @field_validator("update")
    @classmethod
    def _is_an_update(cls, update: dict[str, Any]) -> dict[str, Any]:
        """Refuse fields or values that no update has, and those that the league sets itself."""
        for name in ("method", "options"):
            if name in update:
                raise ValueError(f"{name} must be left out of a condition; the league sets it for every rule")
        Update(**update)
        return update


def update_of(
    condition: LeagueCondition, rule: str, *, step_factor: float = 1.0, options: Mapping[str, Any] | None = None
) -> Update:
    """Return the update of a rule under a condition.

    Args:
        condition: the condition.
        rule: a registered name.
        step_factor: multiple of the condition's step size.
        options: the rule's options that differ from its defaults.
    """
    shared = Update(**condition.update)
    told = dict(options or {})
    known = method_defaults(rule)
    noise = shared.noise or VerifierNoise()
    for rate in RATES:
        if rate in known:
            told.setdefault(rate, getattr(noise, rate))
    changes = {"method": rule, "options": told, "step_size": shared.step_size * step_factor}
    return Update.model_validate({**condition.update, **changes})


def stored(condition: LeagueCondition) -> dict[str, Any]:
    """Return a condition as a cell stores it, in JSON's types."""
    # Pydantic's own JSON has None for infinity, which an update reads as the rule's own clip range.
    kept: dict[str, Any] = without_infinity(condition.model_dump())
    return kept


def stream_of(condition: LeagueCondition, conditions: Sequence[LeagueCondition]) -> int:
    """Return the stream of a condition's randomness: conditions that ask the same questions share their starts."""
    return next(i for i, other in enumerate(conditions) if other.questions == condition.questions)
