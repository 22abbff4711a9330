"""Train every registered rule under every condition: at equal settings, and after tuning on equal budgets.

The base conditions are one on bandits and one on token trees; every other changes one factor of a base. A full
factorial of rules x difficulty x group size x passes x clip x noise x substrate would be hundreds of times as long and
would answer questions that nobody has about most of its cells; interactions of two factors are therefore not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from qae_theory.arrays import Array
from qae_theory.runs.settings import Positive
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.common.trajectories import seed_records
from simulators.experiments.league.analysis import EQUAL, TUNED, analyse
from simulators.experiments.league.conditions import LeagueCondition, stored, stream_of, update_of
from simulators.experiments.league.situations import Situation
from simulators.experiments.league.training import Length, measured
from simulators.experiments.league.tuning import Trial, best, misjudged, trials
from simulators.methods import method_names

TUNING_STREAM = 1000  # added to a condition's stream: no seed of the comparison at equal settings is tuned on
TRIED = "trial"


class LeagueConfig(Config):
    """Sizes, rules and conditions.

    ``rules`` are all registered ones unless named, and ``reference`` is among them. ``tuned`` names the conditions
    under which every rule is tuned, on ``tuning_seeds`` seeds. ``every`` is the number of updates between records.
    """

    rules: tuple[RuleName, ...] = Field(default_factory=method_names, min_length=2)
    reference: RuleName = "grpo"
    conditions: tuple[LeagueCondition, ...] = Field(min_length=1)
    tuned: tuple[str, ...] = ()
    situations: tuple[Situation, ...] = ()
    seeds: Annotated[int, Field(ge=2)] = 16
    tuning_seeds: Annotated[int, Field(ge=1)] = 4
    steps: Annotated[int, Field(ge=1)] = 60
    every: Annotated[int, Field(ge=1)] = 2
    gains: tuple[Positive, ...] = (0.1,)

    @field_validator("rules")
    @classmethod
    def _distinct(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse a rule that is named twice."""
        if len(set(rules)) < len(rules):
            raise ValueError(f"rules must be different; got {', '.join(rules)}")
        return rules

    @model_validator(mode="after")
    def _fits_together(self) -> LeagueConfig:
        """Refuse a reference that is no rule here, and names of conditions that are unknown or not unique."""
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names):
            raise ValueError(f"conditions must have different names; got {names}")
        if self.reference not in self.rules:
            raise ValueError(f"reference must be one of the rules; got {self.reference!r}")
        if self.steps % self.every:
            raise ValueError(f"every must be a divisor of steps = {self.steps}; got {self.every}")
        asked = [*self.tuned, *(condition.base for condition in self.conditions)]
        for situation in self.situations:
            asked.extend(situation.conditions)
        for name in asked:
            if name not in names:
                raise ValueError(f"conditions must include every one that is named elsewhere; got no {name!r}")
        return self


def cells(config: LeagueConfig) -> list[Cell]:
    """Return a cell for each condition and rule, and one for each tuning."""
    listed = []
    for condition in config.conditions:
        stream = stream_of(condition, config.conditions)
        for rule in config.rules:
            settings = _settings(config, condition, rule)
            listed.append(Cell(f"{condition.name}: {rule}", {**settings, "tune": False}, stream=stream))
            if condition.name in config.tuned:
                tuning = {**settings, "tune": True}
                listed.append(Cell(f"{condition.name}: {rule} tuned", tuning, stream=stream + TUNING_STREAM))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Train one rule under one condition, and return a record for each seed and, when tuning, for each trial."""
    condition = LeagueCondition.model_validate(settings["condition"])
    rule, length = settings["rule"], Length(settings["steps"], settings["every"])
    labels = {"condition": condition.name, "rule": rule}

    def run(trial: Trial, children: Sequence[np.random.SeedSequence]) -> dict[str, Array]:
        """Return the measures of these seeds under the trial's settings, ``[S]`` each."""
        update = update_of(condition, rule, step_factor=trial.step_factor, options=trial.options)
        return measured(condition.questions, update, length, children=children, gains=settings["gains"])

    if not settings["tune"]:
        return seed_records(run(Trial(1.0, 1.0, {}), seeds.spawn(settings["seeds"])), kind=EQUAL, **labels)
    for_tuning = seeds.spawn(settings["tuning_seeds"])
    fresh = seeds.spawn(settings["seeds"])
    tried = []
    records = []
    for trial in trials(rule):
        score = float(run(trial, for_tuning)["success_mean"].mean())
        tried.append((trial, score))
        records.append({**labels, "kind": TRIED, "score": score, **_shown(trial)})
    chosen = best(tried)
    for kind, trial in {TUNED: chosen, **misjudged(rule, chosen)}.items():
        records += seed_records(run(trial, fresh), kind=kind, **labels, **_shown(trial))
    return records


def _settings(config: LeagueConfig, condition: LeagueCondition, rule: str) -> dict[str, Any]:
    """Return what a cell needs to know, in JSON's types."""
    sizes = config.model_dump(mode="json", include={"seeds", "tuning_seeds", "steps", "every", "gains"})
    return {**sizes, "condition": stored(condition), "rule": rule}


def _shown(trial: Trial) -> dict[str, Any]:
    return {"step_factor": trial.step_factor, "own_factor": trial.own_factor}


EXPERIMENT = Experiment(
    name="league",
    summary="all registered rules on equal terms: entropy, success, robustness, ranks with intervals, and after tuning",
    config=LeagueConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
