"""Train POS-MASK and NEG-MASK beside QAE under weak and strong clipping, with 16 passes, as in Fig. 6b and 6c.

``qae_theory.curves.masks`` defines what "tracks" and "leads" mean. A mask also changes the size of the step, since its
gain w is larger than QAE's where nothing is masked. Under SGD each mask therefore runs at QAE's step size and at one
that matches the mean gain over the initial difficulties; Adam takes the scale out by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory import expected_gain
from qae_theory.curves import families
from qae_theory.curves.masks import READINGS, exchanged, mask_readings
from qae_theory.curves.progress import late_mean
from qae_theory.curves.statistics import bonferroni, mean_interval
from qae_theory.curves.trajectories import Trajectory, from_records
from qae_theory.runs.settings import Positive
from simulators.experiments.base import Cell, Experiment, Record
from simulators.experiments.common.conditions import Condition, TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.condition_lines import Lines
from simulators.update import Update
from simulators.worlds import success_probs

RULES = ("qae", "pos_mask", "neg_mask")
CURVES = ("sequence_entropy", "success")
SCALES = ("QAE's step size", "matched gain")
MATCHING_DRAWS = 4096  # success probabilities over which gains are averaged; their error is below 1 %
CLIPS = ("weak", "strong")  # the fields that hold the two upper clip bounds


class MasksConfig(TrainingConfig):
    """Conditions, the gate's level K, and the two upper clip bounds."""

    k: Level
    weak: Positive
    strong: Positive


def cells(config: MasksConfig) -> list[Cell]:
    """Return a cell for each condition, clip bound, scale and rule; QAE's own step needs no matching."""
    listed = []
    for condition in config.conditions:
        for clip, scale, rule in product(CLIPS, scales(condition), RULES):
            cell = training_cell(
                config,
                condition,
                {"clip": clip, "scale": scale, "rule": rule},
                families=("state",),
                only=CURVES,
                method=rule,
                options={"k": config.k},
                clip_high=getattr(config, clip),
                step_size=step_size(condition, rule, scale, k=config.k),
            )
            listed.append(cell)
    return listed


def scales(condition: Condition) -> tuple[str, ...]:
    """Return the step sizes that are compared; under Adam there is one."""
    return SCALES if Update(**condition.update).optimiser == "sgd" else SCALES[:1]


def step_size(condition: Condition, rule: str, scale: str, *, k: str) -> float:
    """Return the condition's step size, or that times the mean gain of QAE over the mean gain of the rule.

    Args:
        condition: has the step size and the initial difficulties.
        rule: one of ``RULES``.
        scale: one of ``SCALES``.
        k: the level K of the gate.
    """
    update = Update(**condition.update)
    if scale != "matched gain" or rule == "qae":
        return update.step_size
    # The same draws for every rule, so that the ratio of the gains has little noise.
    p = success_probs(condition.world.difficulty, MATCHING_DRAWS, np.random.default_rng(0))
    qae = float(expected_gain(p, update.group_size, "qae", k=k).mean())
    own = float(expected_gain(p, update.group_size, rule, k=k).mean())
    return update.step_size * qae / own


def analyse(config: MasksConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Return every reading for each condition and scale, and again with the two masks exchanged in every other seed.

    The exchange is the control: on average the masks do not differ then. Intervals hold together with the
    configuration's level.
    """
    compared = [(condition.name, scale) for condition in config.conditions for scale in scales(condition)]
    level = bonferroni(config.level, len(READINGS) * len(compared))

    def run(name: str, clip: str, scale: str, *, rule: str) -> Trajectory:
        return from_records(records, CURVES, condition=name, clip=clip, scale=scale, rule=rule)

    tables: dict[str, list[dict[str, Any]]] = {"found": [], "control": []}
    lines = Lines()
    for name, scale in compared:
        weak = [run(name, "weak", scale, rule=rule) for rule in RULES]
        strong = [run(name, "strong", scale, rule=rule) for rule in RULES]
        labels = {"condition": name, "scale": scale}
        _add_lines(lines, f"{name} {scale}", weak, strong)
        tables["found"].append(labels | mask_readings(weak, strong, level))
        tables["control"].append(labels | mask_readings(exchanged(weak), exchanged(strong), level))
    of_finals = bonferroni(config.level, len(compared) * len(CLIPS) * len(RULES) * len(CURVES))
    finals = []
    for (name, scale), clip, rule in product(compared, CLIPS, RULES):
        labels = {"condition": name, "clip": clip, "scale": scale, "rule": rule}
        figures = _final_figures(run(name, clip, scale, rule=rule), of_finals)
        finals.append({**labels, **figures})
    return {"level": config.level, "finals": finals, **tables, **lines.records()}


def _add_lines(lines: Lines, condition: str, weak: Sequence[Trajectory], strong: Sequence[Trajectory]) -> None:
    """Add the lines of one condition and scale; ``weak`` and ``strong`` are the runs of QAE and of both masks."""
    named = dict(zip(RULES, weak, strict=True))
    qae, pos, neg = weak
    lines.add(families.TRACKS, f"{condition} success", families.nearer(qae, pos, neg, "success"), named)
    lines.add(
        families.TRACKS_ENTROPY, f"{condition} entropy", families.nearer(qae, pos, neg, "sequence_entropy"), named
    )
    late = [late_mean(run.steps, run.curves["success"]) for run in strong[1:]]
    lines.add(families.LEADS, f"{condition} lead", late[0] - late[1], dict(zip(RULES, strong, strict=True)))


def _final_figures(run: Trajectory, level: float) -> dict[str, Any]:
    """Return the mean over seeds of every curve's last value, with its interval."""
    return {curve: mean_interval(run.curves[curve][:, -1], level=level).record() for curve in CURVES}


EXPERIMENT = Experiment(
    name="masks",
    summary="does NEG-MASK track QAE under weak clipping and POS-MASK lead under strong, with and without matched step",
    config=MasksConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
