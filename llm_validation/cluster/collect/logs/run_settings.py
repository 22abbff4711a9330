"""Hold what a collected run was asked to do, as far as reading its logs needs it: estimator, K, sizes, model.

It comes from the record of verl's configuration that the job folder's ``resolved.yaml`` gives, or from the
configuration of ``qae train``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from llm_validation.verl_engine.configuration.record import Configuration, read_flat
from qae_theory.baselines import DEFAULT_K
from qae_theory.checks import quantile_level


@dataclass(frozen=True)
class RunSettings:
    """Hold the settings of a run; None where one is not known.

    ``std``, ``eps`` and ``gate`` are the advantage's. A response is correct whose summed reward is above
    ``correct_above``. ``prompts`` and ``group_size`` are a batch's, ``samples`` are the responses to each question of a
    validation. ``aggregation`` is how verl averages over tokens, ``last_step`` where the run is to end.
    """

    estimator: str | None = None
    k: str | None = None
    std: str | None = None
    eps: float | None = None
    gate: str | None = None
    correct_above: float | None = None
    prompts: int | None = None
    group_size: int | None = None
    samples: int | None = None
    model: str | None = None
    clip_high: float | None = None
    clip_dual: float | None = None
    aggregation: str | None = None
    last_step: int | None = None

    @property
    def level(self) -> Fraction:
        """Return K as a rational, by default that of ``qae_theory``.

        Raises:
            ValueError: it is not in (0, 1).
        """
        return quantile_level(self.k or DEFAULT_K)

    def record(self) -> dict[str, Any]:
        """Return the settings in JSON's types."""
        return asdict(self)

    @property
    def responses(self) -> int | None:
        """Return the responses of a step; None where they are not known."""
        return None if self.prompts is None or self.group_size is None else self.prompts * self.group_size


def settings_of_verl(flat: Mapping[str, Any]) -> RunSettings:
    """Return the settings that a composed configuration of verl states.

    Args:
        flat: its scalars by dotted key.
    """
    return settings_of(read_flat(flat))


def settings_of(run: Configuration) -> RunSettings:
    """Return the settings that the record of a configuration states; what is of another type counts as not known."""
    algorithm = run.algorithm
    return RunSettings(
        estimator=_text(algorithm.estimator.value),
        k=_text(algorithm.quantile_k.value),
        std=algorithm.std,
        eps=_number(algorithm.advantage_eps.value),
        gate=_text(algorithm.advantage_gate.value),
        correct_above=_number(algorithm.correct_above.value),
        prompts=_whole(run.data.prompts.value),
        group_size=_whole(run.rollout.group_size.value),
        samples=_whole(run.rollout.validation_samples.value),
        model=_text(run.model.path.value),
        clip_high=_number(run.actor.clip_high.value),
        clip_dual=_number(run.actor.clip_dual.value),
        aggregation=_text(run.actor.aggregation.value),
        last_step=_whole(run.trainer.steps.value),
    )


def settings_of_own(config: Mapping[str, Any]) -> RunSettings:
    """Return the settings in the configuration of a run of ``qae train``."""
    options = config.get("options") or {}
    return RunSettings(
        estimator=config.get("estimator"),
        k=_text(options.get("k")),
        std=options.get("std"),
        eps=_number(options.get("eps")),
        prompts=_whole(config.get("prompts_per_step")),
        group_size=_whole(config.get("group_size")),
        model=config.get("model"),
        clip_high=_number(config.get("clip_high")),
        last_step=_whole(config.get("steps")),
    )


def _text(value: Any) -> str | None:
    """Return text as it is, and a number as the decimal that it prints as."""
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None
