"""Is the growth of entropy led by samples with negative advantage, as Figs. 4a and 5b suggest? In two readings.

The first reading is their part of the one-step first-order change, in updates where a seed's entropy grows. The second
compares the entropy averaged over the tokens of negative samples with that over positive ones, its level and its
growth; this moves by composition too. Both are read off the first pass of an update, where nothing is clipped yet:
passes and clipping act through the policies that they lead to.

Beside them stands claim `sign-share-law`: under on-policy GRPO the negative part is V times the whole, in expectation.
Negative samples can therefore lead only where entropy grows on queries with V > 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from qae_theory.curves.families import GROWTH_GAP, LEADS_GROWTH, LEVEL_GAP, mean_where, sign_shares
from qae_theory.curves.signs import exchanged, sign_readings
from qae_theory.curves.statistics import bonferroni, mean_interval
from qae_theory.curves.trajectories import Trajectory, from_records
from simulators.experiments.base import Cell, Experiment, Record, RuleName
from simulators.experiments.common.conditions import Condition, TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.common.trajectories import Family
from simulators.experiments.condition_lines import Lines
from simulators.worlds import Difficulty, World

CURVES = (
    "sequence_entropy",
    "entropy_change",
    "first_order",
    "positive",
    "negative",
    "positive_sample_entropy",
    "negative_sample_entropy",
)
LAW = "law"
# V of every query on which the law is checked. At 1/2 the control, with 1 - V in the law, could not fail.
LAW_SUCCESS = 0.3
LAW_CURVES = ("first_order", "positive", "negative")


class SignSplitConfig(TrainingConfig):
    """Rules and conditions; ``law_queries`` is the number of queries on which the law is checked."""

    k: Level
    rules: tuple[RuleName, ...] = Field(min_length=1)
    law_queries: int = Field(ge=1)


def cells(config: SignSplitConfig) -> list[Cell]:
    """Return a cell for each condition and rule, and one with a single on-policy GRPO update for the law."""
    families: tuple[Family, ...] = ("state", "change", "samples")
    listed = []
    for condition in config.conditions:
        for rule in config.rules:
            change = {"method": rule, "options": {"k": config.k} if rule == "qae" else {}}
            labels = {"rule": rule}
            listed.append(training_cell(config, condition, labels, families=families, only=CURVES, **change))
    return [*listed, _law_cell(config)]


def _law_cell(config: SignSplitConfig) -> Cell:
    """Return the cell for the law.

    Its stream comes after those of the conditions, so that it shares no draws with them.
    """
    # A uniform distribution needs some width; this much changes V in the tenth digit only.
    at_v = Difficulty(low=LAW_SUCCESS, high=LAW_SUCCESS + 1e-9)
    world = World(queries=config.law_queries, arms=8, spread=2.0, difficulty=at_v)
    law = Condition(name=LAW, update={"step_size": 0.01}, world=world)
    alone = TrainingConfig(conditions=(law,), seeds=config.seeds, steps=1, every=1)
    cell = training_cell(alone, law, {"rule": "grpo"}, families=("change",), only=LAW_CURVES, method="grpo")
    return Cell(cell.name, cell.settings, stream=len(config.conditions))


def analyse(config: SignSplitConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Return both readings by condition and rule, the same with the signs exchanged as a control, and the law.

    All intervals hold together with the configuration's level.
    """
    pairs = [(condition.name, rule) for condition in config.conditions for rule in config.rules]
    level = bonferroni(config.level, 3 * len(pairs) + 1)  # three intervals for each pair, and one for the law
    runs = {pair: from_records(records, CURVES, condition=pair[0], rule=pair[1]) for pair in pairs}
    law = from_records(records, LAW_CURVES, condition=LAW, rule="grpo")
    return {
        "level": config.level,
        "found": [sign_readings(pair, run, level) for pair, run in runs.items()],
        "control": [sign_readings(pair, exchanged(run), level) for pair, run in runs.items()],
        "law": {
            "V": LAW_SUCCESS,
            "negative_minus_V_times_all": law_difference(law, LAW_SUCCESS, level),
            "control_with_1_minus_V": law_difference(law, 1 - LAW_SUCCESS, level),
        },
        **_lines(runs),
    }


def _lines(runs: Mapping[tuple[str, str], Trajectory]) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of each condition and rule."""
    found = Lines()
    for (condition, rule), run in runs.items():
        name, curves = f"{condition} {rule}", run.curves
        found.add(LEADS_GROWTH, name, sign_shares(curves["positive"], curves["negative"]), {rule: run})
        gap = curves["negative_sample_entropy"] - curves["positive_sample_entropy"]
        gap = gap / curves["sequence_entropy"][:, :1]
        found.add(LEVEL_GAP, f"{name} level", mean_where(gap, np.isfinite(gap)), {rule: run})
        found.add(GROWTH_GAP, f"{name} growth", gap[:, -1] - gap[:, 0], {rule: run})
    return found.records()


def law_difference(law: Trajectory, share: float, level: float) -> dict[str, Any]:
    """Return the mean of the negative part less ``share`` times the whole at the first update, with its interval.

    Its expectation is 0 at ``share`` = V (claim `sign-share-law`).
    """
    difference = law.curves["negative"][:, 0] - share * law.curves["first_order"][:, 0]
    return mean_interval(difference, level=level).record()


EXPERIMENT = Experiment(
    name="sign-split",
    summary="do negative-advantage samples lead entropy growth? both readings, on- and off-policy, clipped or not",
    config=SignSplitConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
