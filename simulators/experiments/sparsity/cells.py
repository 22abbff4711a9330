"""Count the share of zero advantages against K and the distribution of difficulty, over training, as in Fig. 5c.

It is counted over all groups, and over mixed groups only, which are what dynamic sampling keeps.
``qae_theory.curves.sparsity`` defines what "about 80%" and "throughout" mean. At the start the share is a binomial sum
over the distribution, which stands beside the simulated share.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from scipy.stats import binom

from qae_theory.arrays import Array
from qae_theory.curves.families import SPARSITY, distance_from_band
from qae_theory.curves.sparsity import BAND, READINGS, share_row
from qae_theory.curves.statistics import bonferroni
from qae_theory.curves.trajectories import from_records
from qae_theory.group_expectation import outcome_advantages
from qae_theory.runs.settings import Strict
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.experiments.common.conditions import Condition, TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.condition_lines import Lines
from simulators.update import Update
from simulators.worlds import Difficulty, World, success_probs

CURVES = (*READINGS, "mixed_groups", "success")
START_DRAWS = 65536  # success probabilities over which the share at the start is averaged; its error is below .002


class NamedDifficulty(Strict):
    """Hold a distribution of difficulty with the name that is shown."""

    name: str
    difficulty: Difficulty


class SparsityConfig(Config):
    """Sizes of the experiment: QAE at levels ``ks`` under every distribution.

    ``k`` is the tuned level, which the statement is about.
    """

    ks: tuple[Level, ...] = Field(min_length=1)
    k: Level
    difficulties: tuple[NamedDifficulty, ...] = Field(min_length=1)
    update: dict[str, Any]
    world: World
    seeds: int = Field(ge=2)
    steps: int = Field(ge=1)
    every: int = Field(ge=1)


def cells(config: SparsityConfig) -> list[Cell]:
    """Return a cell for each distribution and K, and one with GRPO as the control.

    GRPO leaves no advantage of a mixed group zero.
    """
    training = _training(config)
    rules: list[tuple[str, dict[str, Any]]] = [(k, {"method": "qae", "options": {"k": k}}) for k in config.ks]
    rules.append(("grpo", {"method": "grpo"}))
    listed = []
    for condition in training.conditions:
        for k, rule in rules:
            labels = {"k": k}
            listed.append(training_cell(training, condition, labels, families=("group", "state"), only=CURVES, **rule))
    return listed


def _training(config: SparsityConfig) -> TrainingConfig:
    """Return the configuration as training conditions, one for each distribution of difficulty."""
    conditions = []
    for named in config.difficulties:
        world = config.world.model_copy(update={"difficulty": named.difficulty})
        conditions.append(Condition(name=named.name, update=config.update, world=world))
    return TrainingConfig(conditions=tuple(conditions), seeds=config.seeds, steps=config.steps, every=config.every)


def analyse(config: SparsityConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Return the share of zeros at every recorded update, and whether it stays in the band.

    Both are given by distribution, K and reading. All intervals hold together with the configuration's level.
    """
    updates = config.steps // config.every + 1
    rules = [*config.ks, "grpo"]
    level = bonferroni(config.level, len(config.difficulties) * len(rules) * len(READINGS) * updates)
    table: list[dict[str, Any]] = []
    lines = Lines()
    for named in config.difficulties:
        for k in rules:
            run = from_records(records, CURVES, condition=named.name, k=k)
            if k == config.k:
                for curve, reading in READINGS.items():
                    effect = distance_from_band(run.curves[curve])
                    lines.add(SPARSITY, f"{named.name} {reading}", effect, {k: run})
            table += [share_row(named.name, k, curve, run=run, level=level) for curve in READINGS]
    group_size = Update(**config.update).group_size
    starts = []
    for named in config.difficulties:
        for k in config.ks:
            shares = expected_start(named.difficulty, k, group_size)
            starts.append({"difficulty": named.name, "k": k, **shares})
    return {
        "level": config.level,
        "band": list(BAND),
        "k": config.k,
        "expected_start": starts,
        "table": table,
        **lines.records(),
    }


def expected_start(difficulty: Difficulty, k: str, group_size: int) -> dict[str, float]:
    """Return the expected share of zeros under QAE before any update, of all groups and of mixed ones.

    Args:
        difficulty: the distribution of success probabilities.
        k: the quantile level K.
        group_size: G.
    """
    occurs, zeros = _correct_counts(difficulty, group_size), zero_share(k, group_size)
    mixed = slice(1, -1)  # a group is mixed unless none or all of its responses are correct
    # A ratio of means, as in a batch: queries with more mixed groups count more.
    of_mixed = occurs[mixed] @ zeros[mixed] / occurs[mixed].sum()
    return {"all groups": float(occurs @ zeros), "mixed groups": float(of_mixed)}


@cache
def _correct_counts(difficulty: Difficulty, group_size: int) -> Array:
    """Return the probability that m = 0..G responses of a group are correct, over the distribution, ``[G + 1]``."""
    # The draws only average over the distribution; the same ones for every K leave the differences between K exact.
    p = success_probs(difficulty, START_DRAWS, np.random.default_rng(0))
    return np.asarray(binom.pmf(np.arange(group_size + 1), group_size, p[:, None])).mean(axis=0)


def zero_share(k: str, group_size: int) -> Array:
    """Return the share of zero advantages in a group with m = 0..G correct responses under QAE, ``[G + 1]``."""
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
)
