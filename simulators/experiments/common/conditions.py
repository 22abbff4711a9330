"""Named training conditions, and the cell that trains several seeds under one and records them as curves."""

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
    """A world and what every rule's update has in common there: optimiser, passes, clip range, step size."""

    name: str
    update: dict[str, Any] = Field(default_factory=dict)
    world: World = World()

    @field_validator("update")
    @classmethod
    def _is_an_update(cls, update: dict[str, Any]) -> dict[str, Any]:
        Update(**update)
        return update


class TrainingConfig(Config):
    """Sizes of an experiment that trains under several conditions."""

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
    """One training under a condition, ``change`` put into its update; ``labels`` go on every record.

    Cells of one condition have the same stream: the same starts and the same uniforms.
    """
    names = [one.name for one in config.conditions]
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
    name = " ".join([condition.name, *(f"{key}={value}" for key, value in labels.items())])
    return Cell(name, settings, stream=names.index(condition.name))


def run_training(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """One record for each seed and recorded update."""
    rngs = [np.random.default_rng(child) for child in seeds.spawn(settings["seeds"])]
    start = random_bandits(World(**settings["world"]), rngs)
    run = trajectory(
        start,
        Update(**settings["update"]),
        settings["steps"],
        rngs,
        every=settings["every"],
        families=settings["families"],
        only=settings["only"],
    )
    return to_records(run, **settings["labels"])
