"""POS-MASK and NEG-MASK against QAE under weak and strong clipping (Fig. 6b, c's shape), 16 passes.

What "tracks" and "leads" mean is in ``qae_theory.curves.masks``. A mask also changes the size of the step (its
gain w is larger than QAE's where nothing is masked), so under SGD each is run at QAE's step size and at one that
matches the mean gain over the initial difficulties; Adam takes the scale out by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory import expected_gain
from qae_theory.claims.model import Kind
from qae_theory.curves.masks import READINGS, exchanged, mask_readings, statements
from qae_theory.curves.statistics import bonferroni, mean_interval
from qae_theory.curves.trajectories import Trajectory, from_records
from qae_theory.runs.settings import Positive
from simulators.experiments.base import Cell, ClaimEvidence, Experiment, Record
from simulators.experiments.common.conditions import Condition, TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.common.shares import in_records
from simulators.update import Update
from simulators.worlds import success_probs

RULES = ("qae", "pos_mask", "neg_mask")
CURVES = ("sequence_entropy", "success")
SCALES = ("QAE's step size", "matched gain")
MATCHING_DRAWS = 4096  # success probabilities over which gains are averaged: an error below 1 %


class MasksConfig(TrainingConfig):
    """Conditions, the gate's level and the two upper clip bounds."""

    k: Level
    weak: Positive
    strong: Positive


def cells(config: MasksConfig) -> list[Cell]:
    """One cell for each condition, clip bound, scale and rule; QAE's own step needs no matching."""
    return [
        training_cell(
            config,
            condition,
            {"clip": clip, "scale": scale, "rule": rule},
            families=("state",),
            only=CURVES,
            method=rule,
            options={"k": config.k},
            clip_high=getattr(config, clip),
            step_size=step_size(condition, rule, scale, config.k),
        )
        for condition in config.conditions
        for clip in ("weak", "strong")
        for scale in scales(condition)
        for rule in RULES
    ]


def scales(condition: Condition) -> tuple[str, ...]:
    """Step sizes that are compared: under Adam there is one."""
    return SCALES if Update(**condition.update).optimiser == "sgd" else SCALES[:1]


def step_size(condition: Condition, rule: str, scale: str, k: str) -> float:
    """The condition's step size, or times mean gain of QAE over mean gain of the rule."""
    update = Update(**condition.update)
    if scale != "matched gain" or rule == "qae":
        return update.step_size
    p = success_probs(condition.world.difficulty, MATCHING_DRAWS, np.random.default_rng(0))
    qae, own = (float(expected_gain(p, update.group_size, name, k=k).mean()) for name in ("qae", rule))
    return update.step_size * qae / own


def analyse(config: MasksConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Every reading for each condition and scale, and again with the two masks exchanged in every other seed."""
    compared = [(condition.name, scale) for condition in config.conditions for scale in scales(condition)]
    level = bonferroni(config.level, len(READINGS) * len(compared))

    def run(name: str, clip: str, scale: str, rule: str) -> Trajectory:
        return from_records(records, CURVES, condition=name, clip=clip, scale=scale, rule=rule)

    tables: dict[str, list[dict[str, Any]]] = {"found": [], "control": []}
    for name, scale in compared:
        weak, strong = ([run(name, clip, scale, rule) for rule in RULES] for clip in ("weak", "strong"))
        label = {"condition": name, "scale": scale}
        tables["found"].append(label | mask_readings(weak, strong, level))
        tables["control"].append(label | mask_readings(exchanged(weak), exchanged(strong), level))
    each = bonferroni(config.level, len(compared) * 2 * len(RULES) * len(CURVES))
    finals = [
        {"condition": name, "clip": clip, "scale": scale, "rule": rule}
        | {
            curve: mean_interval(run(name, clip, scale, rule).curves[curve][:, -1], level=each).record()
            for curve in CURVES
        }
        for name, scale in compared
        for clip in ("weak", "strong")
        for rule in RULES
    ]
    analysis = {"level": config.level, "finals": finals, **tables}
    return {**analysis, "statements": in_records(statements(analysis))}


EXPERIMENT = Experiment(
    name="masks",
    summary="does NEG-MASK track QAE under weak clipping and POS-MASK lead under strong, with and without matched step",
    config=MasksConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(ClaimEvidence("shape-mask-ordering", "masks", Kind.TRAINING, statements),),
)
