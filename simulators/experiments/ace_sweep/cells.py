"""Sweep what ACE's abstract leaves open: the strength alpha, and whether the confidence shift is divided by the length.

The conditions, starts and measures are the league's. Every setting is compared with alpha = 0, which is GRPO.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from qae_theory.curves.statistics import bonferroni, mean_interval
from qae_theory.runs.settings import Positive
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.experiments.common.columns import seed_columns
from simulators.experiments.common.trajectories import seed_records
from simulators.experiments.league.conditions import LeagueCondition, stored, stream_of, update_of
from simulators.experiments.league.training import Length, measured

GRPO = 0.0  # the alpha at which ACE is GRPO
LABELS = ("condition", "alpha", "length_normalised")


class AceSweepConfig(Config):
    """Conditions and values of alpha; sizes as the league's."""

    conditions: tuple[LeagueCondition, ...] = Field(min_length=1)
    alphas: tuple[Positive, ...] = Field(min_length=1)
    seeds: Annotated[int, Field(ge=2)]
    steps: Annotated[int, Field(ge=1)]
    every: Annotated[int, Field(ge=1)]
    gain: Positive

    @model_validator(mode="after")
    def _fits_together(self) -> AceSweepConfig:
        if self.steps % self.every:
            raise ValueError(f"every must be a divisor of steps = {self.steps}; got {self.every}")
        if len(set(self.alphas)) < len(self.alphas):
            raise ValueError(f"alphas must be different; got {self.alphas}")
        return self


def cells(config: AceSweepConfig) -> list[Cell]:
    """Return a cell for each condition and setting, and one for GRPO in each condition."""
    listed = []
    for condition in config.conditions:
        stream = stream_of(condition, config.conditions)
        for alpha, normalised in [(GRPO, False), *product(config.alphas, (False, True))]:
            settings = {
                **config.model_dump(mode="json", include={"seeds", "steps", "every", "gain"}),
                "condition": stored(condition),
                "options": {"alpha": alpha, "length_normalised": normalised},
            }
            listed.append(Cell(f"{condition.name}: alpha={alpha:g} normalised={normalised}", settings, stream=stream))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return a record for each seed."""
    condition = LeagueCondition.model_validate(settings["condition"])
    update = update_of(condition, "ace", options=settings["options"])
    length = Length(settings["steps"], settings["every"])
    children = seeds.spawn(settings["seeds"])
    figures = measured(condition.questions, update, length, children=children, gains=[settings["gain"]])
    return seed_records(figures, condition=condition.name, **settings["options"])


def analyse(config: AceSweepConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Return each setting's differences to GRPO, paired by seed, with intervals that hold together.

    They are of the success over the run, of the entropy late in it, and of the entropy per success where a run has
    first gained ``gain``; the last is None if a seed never gains so much.
    """
    measures = ("success_mean", "sequence_entropy", f"sequence_per_success_at_{config.gain:g}")
    columns = seed_columns(records, *LABELS)
    level = bonferroni(config.level, len(measures) * 2 * len(config.alphas) * len(config.conditions))
    settings = []
    for (name, alpha, normalised), figures in columns.items():
        if alpha == GRPO:
            continue
        reference = columns[name, GRPO, False]
        found: dict[str, Any] = {"condition": name, "alpha": alpha, "length_normalised": normalised}
        for measure in measures:
            difference = figures[measure] - reference[measure]
            known = not np.isnan(difference).any()
            found[measure] = mean_interval(difference, level=level).record() if known else None
        settings.append(found)
    return {"level": config.level, "settings": settings, "statements": []}


EXPERIMENT = Experiment(
    name="ace-sweep",
    summary="what ACE does at every strength and with or without length normalisation, which its abstract leaves open",
    config=AceSweepConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
