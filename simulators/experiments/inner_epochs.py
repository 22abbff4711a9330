"""Repeated passes over the same groups, at several upper clip bounds, under every rule.

Reported at equal steps and at equal progress (where a seed has first gained so much success), since more passes are
first of all more speed. Also counts that the exact gate meets one clip bound only, by regime (claim `clip-sides`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
from pydantic import Field

from qae_theory._checks import quantile_level
from qae_theory._exact import Array
from qae_theory.baselines import is_hard_group
from simulators.engine import Step, initial_state, train
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.trajectories import at_gain, from_records, paired_difference
from simulators.measures import group_measures, state_measures
from simulators.methods import method_names
from simulators.statistics import bonferroni, mean_interval
from simulators.update import Clip, Positive, Update
from simulators.worlds import World, random_bandits

CURVES = ("sequence_entropy", "success", "clip_low_fraction", "clip_high_fraction")
WEAK, STRONG = 0.28, 0.20  # the paper's two upper clip bounds


class InnerEpochsConfig(Config):
    """Sizes; ``gain`` is the success gained at which runs are compared at equal progress."""

    methods: tuple[RuleName, ...] = ()
    epochs: tuple[int, ...] = Field(min_length=1)
    clip_high: tuple[Clip, ...] = Field(min_length=1)
    step_size: Positive
    k: str = "0.4"
    seeds: int = Field(ge=2)
    steps: int = Field(ge=1)
    every: int = Field(ge=1)
    gain: Positive
    world: World


def cells(config: InnerEpochsConfig) -> list[Cell]:
    """One cell for each rule, number of passes and clip bound; all start from the same policies.

    A single pass is on-policy, where no bound can bind: it is run once, without one.
    """
    common = config.model_dump(mode="json", include={"step_size", "k", "seeds", "steps", "every", "world"})
    return [
        Cell(
            f"{method} epochs={epochs} clip_high={_shown(clip)}",
            {**common, "method": method, "epochs": epochs, "clip_high": _shown(clip)},
        )
        for method in config.methods or method_names()
        for epochs in config.epochs
        for clip in (config.clip_high if epochs > 1 else (inf,))
    ]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """One record for each seed and recorded step; ``wrong_side`` counts from the start, the rest is of that step."""
    rngs = [np.random.default_rng(child) for child in seeds.spawn(settings["seeds"])]
    start = random_bandits(World(**settings["world"]), rngs)
    update = Update(
        method=settings["method"],
        epochs=settings["epochs"],
        clip_high=float(settings["clip_high"]),
        step_size=settings["step_size"],
    )
    wrong_side = np.zeros(len(rngs))
    records: list[Record] = []
    labels = {name: settings[name] for name in ("method", "epochs", "clip_high")}
    steps = train(initial_state(start.logits, start.env), start.env, update, settings["steps"] + 1, rngs)
    for count, step in enumerate(steps):
        wrong_side += wrong_side_tokens(step, settings["k"])
        if count % settings["every"] == 0:
            found = {**state_measures(step, start.env), **group_measures(step, k=settings["k"])}
            records += [
                {**labels, "seed": s, "step": count, "wrong_side": float(wrong_side[s])}
                | {name: float(found[name][s]) for name in CURVES}
                for s in range(len(rngs))
            ]
    return records


def wrong_side_tokens(step: Step, k: str) -> Array:
    """Tokens of hard groups that meet the lower bound and of easy groups that meet the upper one, ``[S]``."""
    correct = step.rollouts.correct.sum(axis=-1)
    hard = is_hard_group(correct, step.rollouts.correct.shape[-1], quantile_level(k))[..., None, None]
    wrong = [np.where(hard, one.clipped_low, one.clipped_high) for one in step.passes]
    return np.asarray(np.sum(wrong, axis=(0, *range(2, wrong[0].ndim + 1))), dtype=np.float64)


def analyse(config: InnerEpochsConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Entropy change by condition, at equal steps and at equal progress; what the weaker clip bound adds."""
    conditions = list(dict.fromkeys((row["method"], row["epochs"], row["clip_high"]) for row in records))
    level = bonferroni(config.level, 4 * len(conditions))
    runs = {key: from_records(records, CURVES, **_labels(key)) for key in conditions}
    table = [_condition(key, runs[key].curves, config.gain, level) for key in conditions]
    weaker = [
        _weaker_clip(method, epochs, runs, config.gain, level)
        for method, epochs in dict.fromkeys((method, epochs) for method, epochs, _ in conditions)
        if {(method, epochs, _shown(WEAK)), (method, epochs, _shown(STRONG))} <= runs.keys()
    ]
    last = max((row["step"] for row in records), default=0)
    qae = [row for row in records if row["method"] == "qae"]
    return {
        "level": config.level,
        "gain": config.gain,
        "conditions": table,
        "weak_minus_strong_clip": weaker,
        # A rule with advantages of both signs in a group meets both bounds: the count can be other than 0.
        "clip_sides": {
            "violations": int(sum(row["wrong_side"] for row in qae if row["step"] == last)),
            "clipped": any(row["clip_high_fraction"] + row["clip_low_fraction"] > 0 for row in qae),
            "control_grpo": int(sum(row["wrong_side"] for row in records if _is_control(row, last))),
        },
    }


def _is_control(row: Record, last: int) -> bool:
    return bool(row["method"] == "grpo" and row["step"] == last)


def _condition(key: tuple[str, int, str], curves: Mapping[str, Array], gain: float, level: float) -> dict[str, Any]:
    entropy, success = curves["sequence_entropy"], curves["success"]
    at = at_gain(success, entropy, [gain])[:, 0] - entropy[:, 0]
    reached = np.isfinite(at)
    return {
        **_labels(key),
        "entropy_change": mean_interval(entropy[:, -1] - entropy[:, 0], level=level).record(),
        "success_gain": mean_interval(success[:, -1] - success[:, 0], level=level).record(),
        "reached": int(reached.sum()),
        "entropy_change_at_gain": mean_interval(at[reached], level=level).record() if reached.sum() > 1 else None,
        "clip_low_fraction": float(curves["clip_low_fraction"].mean()),
        "clip_high_fraction": float(curves["clip_high_fraction"].mean()),
    }


def _weaker_clip(method: str, epochs: int, runs: Mapping[Any, Any], gain: float, level: float) -> dict[str, Any]:
    """Entropy under the weak clip bound less that under the strong one, paired by seed."""
    weak, strong = (runs[method, epochs, _shown(clip)].curves for clip in (WEAK, STRONG))
    equal_steps = paired_difference(weak["sequence_entropy"][:, -1], strong["sequence_entropy"][:, -1], level=level)
    one, other = (at_gain(run["success"], run["sequence_entropy"], [gain])[:, 0] for run in (weak, strong))
    both = np.isfinite(one) & np.isfinite(other)
    progress = paired_difference(one[both], other[both], level=level).record() if both.sum() > 1 else None
    return {
        "method": method,
        "epochs": epochs,
        "equal_steps": equal_steps.record(),
        "equal_progress": progress,
        "seeds_compared": int(both.sum()),
    }


def _labels(key: tuple[str, int, str]) -> dict[str, Any]:
    return dict(zip(("method", "epochs", "clip_high"), key, strict=True))


def _shown(clip: float | None) -> str:
    return f"{clip:g}"


EXPERIMENT = Experiment(
    name="inner-epochs",
    summary="1 to 16 passes over the same groups at several clip-high bounds, all rules, at equal steps and progress",
    config=InnerEpochsConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
)
