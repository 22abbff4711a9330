"""Share of zero advantages against K and the distribution of difficulty, over training (Fig. 5c's shape).

Counted over all groups, and over mixed groups only, which are what dynamic sampling keeps. What "about 80%" and
"throughout" mean is in ``qae_theory.curves.sparsity``. At the start the share is a binomial sum over the distribution:
it stands beside the simulated one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from qae_theory.arrays import Array
from qae_theory.claims.model import Kind
from qae_theory.curves.sparsity import BAND, READINGS, share_row, statements
from qae_theory.curves.statistics import bonferroni
from qae_theory.curves.trajectories import from_records
from qae_theory.group_expectation import binomial_mean, outcome_advantages
from qae_theory.runs.settings import Strict
from simulators.experiments.base import Cell, ClaimEvidence, Config, Experiment, Record
from simulators.experiments.common.conditions import Condition, TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.common.shares import in_records
from simulators.update import Update
from simulators.worlds import Difficulty, World, success_probs

CURVES = (*READINGS, "mixed_groups", "success")
START_DRAWS = 65536  # success probabilities over which the share at the start is averaged: an error below .002


class NamedDifficulty(Strict):
    """A distribution of difficulty with the name that is shown."""

    name: str
    difficulty: Difficulty


class SparsityConfig(Config):
    """Levels ``ks`` of QAE under every distribution; ``k`` is the tuned one that the statement is about."""

    ks: tuple[Level, ...] = Field(min_length=1)
    k: Level
    difficulties: tuple[NamedDifficulty, ...] = Field(min_length=1)
    update: dict[str, Any]
    world: World
    seeds: int = Field(ge=2)
    steps: int = Field(ge=1)
    every: int = Field(ge=1)


def cells(config: SparsityConfig) -> list[Cell]:
    """One cell for each distribution and K, and GRPO as the control: it leaves no advantage of a mixed group zero."""
    training = _training(config)
    rules: list[tuple[str, dict[str, Any]]] = [(k, {"method": "qae", "options": {"k": k}}) for k in config.ks]
    return [
        training_cell(training, condition, {"k": k}, families=("group", "state"), only=CURVES, **change)
        for condition in training.conditions
        for k, change in [*rules, ("grpo", {"method": "grpo"})]
    ]


def _training(config: SparsityConfig) -> TrainingConfig:
    conditions = tuple(
        Condition(
            name=one.name,
            update=config.update,
            world=config.world.model_copy(update={"difficulty": one.difficulty}),
        )
        for one in config.difficulties
    )
    return TrainingConfig(conditions=conditions, seeds=config.seeds, steps=config.steps, every=config.every)


def analyse(config: SparsityConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Share of zeros at every recorded update, and whether it stays in the band, by distribution, K and reading."""
    updates = config.steps // config.every + 1
    rules = [*config.ks, "grpo"]
    level = bonferroni(config.level, len(config.difficulties) * len(rules) * len(READINGS) * updates)
    runs = {
        (one.name, k): from_records(records, CURVES, condition=one.name, k=k)
        for one in config.difficulties
        for k in rules
    }
    table = [share_row(name, k, curve, run, level) for (name, k), run in runs.items() for curve in READINGS]
    analysis = {
        "level": config.level,
        "band": list(BAND),
        "k": config.k,
        "expected_start": [
            {"difficulty": one.name, "k": k} | expected_start(one.difficulty, k, Update(**config.update).group_size)
            for one in config.difficulties
            for k in config.ks
        ],
        "table": table,
    }
    return {**analysis, "statements": in_records(statements(analysis))}


def expected_start(difficulty: Difficulty, k: str, group_size: int) -> dict[str, float]:
    """Expected share of zeros under QAE before any update, of all groups and of mixed ones."""
    p = success_probs(difficulty, START_DRAWS, np.random.default_rng(0))
    zeros, mixed = zero_share(k, group_size), np.ones(group_size + 1)
    mixed[[0, -1]] = 0
    of_mixed = binomial_mean(p, zeros * mixed).mean() / binomial_mean(p, mixed).mean()
    return {"all groups": float(binomial_mean(p, zeros).mean()), "mixed groups": float(of_mixed)}


def zero_share(k: str, group_size: int) -> Array:
    """Share of zero advantages in a group with m = 0..G right responses under QAE, ``[G + 1]``."""
    table, m = outcome_advantages(group_size, "qae", k=k), np.arange(group_size + 1)
    return np.asarray((m * (table.correct == 0) + (group_size - m) * (table.wrong == 0)) / group_size)


EXPERIMENT = Experiment(
    name="sparsity",
    summary="share of zero advantages against K and the distribution of difficulty, over training",
    config=SparsityConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(ClaimEvidence("shape-sparsity-over-training", "sparsity", Kind.TRAINING, statements),),
)
