"""Declare the probe's settings: how often an update is measured, and how often other estimators make theirs."""

from __future__ import annotations

from dataclasses import dataclass

from llm_validation.verl_engine.configuration.kinds import COUNT_OR_ZERO, NAMES
from llm_validation.verl_engine.configuration.setting import Setting, setting


@dataclass(frozen=True)
class Probe:
    """Settings of the table ``trainer.probe``, which only the trainer of this suite reads."""

    every: Setting[int] = setting("trainer.probe.every", COUNT_OR_ZERO, default=1)
    """Steps between two probes; 0 is never."""
    counterfactual_every: Setting[int] = setting("trainer.probe.counterfactual_every", COUNT_OR_ZERO, default=0)
    """Steps between two counterfactuals; 0 is never."""
    arms: Setting[tuple[str, ...]] = setting("trainer.probe.counterfactual_arms", NAMES, default=())
    """Estimators whose updates are made in a counterfactual."""
