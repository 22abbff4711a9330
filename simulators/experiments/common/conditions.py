"""Define named training conditions, and the cell that trains several seeds under one and records them as curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field, field_validator

from qae_theory.runs.settings import Strict
from simulators.experiments.base import Cell, Config, Record
from simulators.experiments.common.trajectories import Family, to_records, trajectory
from simulators.update import Update
from simulators.worlds import World, random_bandits


class Condition(Strict):
    """Hold a world, and what every rule's update has in common in it: optimiser, passes, clip range, step size."""

    name: str
    update: dict[str, Any] = Field(default_factory=dict)
    world: World = World()

    @field_validator("update")
    @classmethod
    def _is_an_update(cls, update: dict[str, Any]) -> dict[str, Any]:
        """Refuse fields or values that no update has, before any cell runs."""
        # This raises where a field is unknown or its value not allowed.
        Update(**update)
        return update


class TrainingConfig(Config):
    """Sizes of an experiment that trains under several conditions.

    ``every`` is the number of updates between two records.
    """

    conditions: tuple[Condition, ...] = Field(min_length=1)
    seeds: int = Field(ge=2)
    steps: int = Field(ge=1)
    every: int = Field(ge=1)


def training_cell(
    config: TrainingConfig,
    condition: Condition,
    labels: Mapping[str, Any],
    *,
    families: tuple[Family, ...],
    only: tuple[str, ...],
    **change: Any,
) -> Cell:
    """Return the cell that trains under a condition with one rule.

    Cells of one condition have the same stream: the same starts and the same uniform numbers.

    Args:
        config: the sizes; its conditions include this one.
        condition: the condition.
        labels: what goes on every record of the cell, and into its name.
        families: which dictionaries of ``simulators.measures`` to record.
        only: names of the measures to keep.
        **change: fields put into the condition's update.
    """
    names = [listed.name for listed in config.conditions]
    settings = {
        "labels": {"condition": condition.name, **labels},
        "world": condition.world.model_dump(mode="json"),
        "update": {**condition.update, **change},
        "seeds": config.seeds,
        "steps": config.steps,
        "every": config.every,
        "families": list(families),
        "only": list(only),
    }
    shown = [f"{key}={value}" for key, value in labels.items()]
    return Cell(" ".join([condition.name, *shown]), settings, stream=names.index(condition.name))


def run_training(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Train the seeds of one cell and return a record for each seed and recorded update."""
    rngs = [np.random.default_rng(child) for child in seeds.spawn(settings["seeds"])]
    start = random_bandits(World(**settings["world"]), rngs)
    run = trajectory(
        start,
        Update(**settings["update"]),
        steps=settings["steps"],
        rngs=rngs,
        every=settings["every"],
        families=settings["families"],
        only=settings["only"],
    )
    return to_records(run, **settings["labels"])
