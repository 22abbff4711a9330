"""Is the growth of entropy led by samples with negative advantage (Figs. 4a, 5b)? In both readings.

First reading: their part of the one-step first-order change, where a seed's entropy grows. Second: the entropy averaged
over the tokens of negative samples against that over positive ones, its level and its growth; this moves by composition
too. Both are read off the first pass of an update, where nothing is clipped yet: passes and clipping act through the
policies that they lead to. Beside them `sign-share-law`: the negative part is V times the whole, in expectation, under
on-policy GRPO; so that negative samples can lead only where entropy grows on queries with V > 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from qae_theory._exact import Array
from qae_theory.claims.model import Kind
from qae_theory.claims.statements import Statement
from qae_theory.statistics import bonferroni, mean_interval
from simulators.experiments.base import Cell, ClaimEvidence, Experiment, Record, RuleName
from simulators.experiments.conditions import Condition, TrainingConfig, run_training, training_cell
from simulators.experiments.fields import Level
from simulators.experiments.shares import in_records
from simulators.experiments.trajectories import Family, Trajectory, alternated, from_records
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
LAW_SUCCESS = 0.3  # V of every query of the check of the law; not 1/2, where V and 1 - V are the same


class SignSplitConfig(TrainingConfig):
    """Rules and conditions; ``law_queries`` queries of one success probability for the check of the law."""

    k: Level
    rules: tuple[RuleName, ...] = Field(min_length=1)
    law_queries: int = Field(ge=1)


def cells(config: SignSplitConfig) -> list[Cell]:
    """One cell for each condition and rule, and one on-policy GRPO update for the law."""
    families: tuple[Family, ...] = ("state", "change", "samples")
    listed = [
        training_cell(config, condition, {"rule": rule}, families=families, only=CURVES, method=rule, options=options)
        for condition in config.conditions
        for rule in config.rules
        for options in [{"k": config.k} if rule == "qae" else {}]
    ]
    return [*listed, _law_cell(config)]


def _law_cell(config: SignSplitConfig) -> Cell:
    """A stream of its own, after those of the conditions."""
    at_v = Difficulty(low=LAW_SUCCESS, high=LAW_SUCCESS + 1e-9)
    world = World(queries=config.law_queries, arms=8, spread=2.0, difficulty=at_v)
    law = Condition(name=LAW, update={"step_size": 0.01}, world=world)
    alone = TrainingConfig(conditions=(law,), seeds=config.seeds, steps=1, every=1)
    cell = training_cell(alone, law, {"rule": "grpo"}, families=("change",), only=CURVES[2:5], method="grpo")
    return Cell(cell.name, cell.settings, stream=len(config.conditions))


def analyse(config: SignSplitConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Both readings by condition and rule, the same with the signs exchanged, and the law."""
    pairs = [(condition.name, rule) for condition in config.conditions for rule in config.rules]
    level = bonferroni(config.level, 3 * len(pairs) + 1)
    runs = {pair: from_records(records, CURVES, condition=pair[0], rule=pair[1]) for pair in pairs}
    law = from_records(records, CURVES[2:5], condition=LAW, rule="grpo")
    analysis = {
        "level": config.level,
        "found": [_readings(pair, run, level) for pair, run in runs.items()],
        "control": [_readings(pair, exchanged(run), level) for pair, run in runs.items()],
        "law": {
            "V": LAW_SUCCESS,
            "negative_minus_V_times_all": law_difference(law, LAW_SUCCESS, level),
            "control_with_1_minus_V": law_difference(law, 1 - LAW_SUCCESS, level),
        },
    }
    return {**analysis, "statements": in_records([*lead_statements(analysis), *entropy_statements(analysis)])}


def exchanged(run: Trajectory) -> Trajectory:
    """The run with the labels of positive and negative samples exchanged in every other seed."""
    curves = dict(run.curves)
    for suffix in ("", "_sample_entropy"):
        one, other = f"positive{suffix}", f"negative{suffix}"
        curves[one], curves[other] = run.curves[other], run.curves[one]
    return alternated(run, Trajectory(run.steps, curves))


def _readings(pair: tuple[str, str], run: Trajectory, level: float) -> dict[str, Any]:
    curves = run.curves
    gap = curves["negative_sample_entropy"] - curves["positive_sample_entropy"]
    growing = curves["entropy_change"] > 0
    return {
        "condition": pair[0],
        "rule": pair[1],
        "entropy_start_end": [float(curves["sequence_entropy"][:, i].mean()) for i in (0, -1)],
        "updates_with_growth": int(growing.sum()),
        "lead": _interval(_seed_means(curves["negative"] - curves["positive"], growing), level),
        "level_gap": _interval(_seed_means(gap, np.isfinite(gap)), level),
        "growth_gap": _interval(np.array([_trend(run.steps, row) for row in gap]), level),
    }


def _seed_means(values: Array, chosen: Array) -> Array:
    """Mean of each seed's chosen entries, ``[S, records] -> [S]``; NaN where none is chosen."""
    count = chosen.sum(axis=1)
    total = np.where(chosen, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def _trend(steps: Array, row: Array) -> float:
    """Least-squares slope of one seed's curve, in nats per update; NaN with fewer than two entries."""
    there = np.isfinite(row)
    return float(np.polyfit(steps[there], row[there], 1)[0]) if there.sum() > 1 else float("nan")


def _interval(by_seed: Array, level: float) -> dict[str, Any] | None:
    """Over the seeds that have a figure; None with fewer than two."""
    there = by_seed[np.isfinite(by_seed)]
    return mean_interval(there, level=level).record() if len(there) > 1 else None


def law_difference(law: Trajectory, share: float, level: float) -> dict[str, Any]:
    """Negative part less ``share`` times the whole, at the first update: 0 in expectation at ``share`` V."""
    difference = law.curves["negative"][:, 0] - share * law.curves["first_order"][:, 0]
    return mean_interval(difference, level=level).record()


def lead_statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """First reading, in every condition and for every rule."""
    return [_statement(analysis, "lead", "where entropy grows, negative samples have the larger part of the change")]


def entropy_statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Second reading, in every condition and for every rule: level and growth."""
    return [
        _statement(analysis, "level_gap", "negative samples hold more entropy than positive ones"),
        _statement(analysis, "growth_gap", "the entropy of negative samples grows faster than that of positive ones"),
    ]


def _statement(analysis: Mapping[str, Any], reading: str, says: str) -> Statement:
    found, detail = _everywhere(analysis["found"], reading)
    control, control_detail = _everywhere(analysis["control"], reading)
    return Statement(
        says=f"{says}, in every condition",
        found=found,
        detail=detail,
        planted="the labels of positive and negative samples exchanged in every other seed",
        control_found=control,
        control_detail=control_detail,
    )


def _everywhere(rows: Sequence[Mapping[str, Any]], reading: str) -> tuple[bool, str]:
    """A condition without growth says nothing of the first reading; there must be one that does."""
    told = [row for row in rows if row[reading] is not None]
    said = "; ".join(
        f"{row['rule']}, {row['condition']} {row[reading]['estimate']:.2g}"
        f" [{row[reading]['low']:.2g}, {row[reading]['high']:.2g}]"
        for row in told
    )
    silent = ", ".join(f"{row['rule']}, {row['condition']}" for row in rows if row[reading] is None)
    return bool(told) and all(row[reading]["low"] > 0 for row in told), said + (f"; silent: {silent}" if silent else "")


EXPERIMENT = Experiment(
    name="sign-split",
    summary="do negative-advantage samples lead entropy growth? both readings, on- and off-policy, clipped or not",
    config=SignSplitConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    claims=(
        ClaimEvidence("shape-negative-samples-lead-growth", "lead", Kind.TRAINING, lead_statements),
        ClaimEvidence("shape-negative-samples-hold-more-entropy", "entropy", Kind.TRAINING, entropy_statements),
    ),
)
