"""Training with QAE at K from .1 to .9 from the same starts: entropy, success and pass@k against K (Fig. 9's shape).

The paper compares at equal steps. K also changes how fast success is gained, so equal progress stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import Field

from qae_theory._exact import Array
from qae_theory.claims.model import Kind
from qae_theory.claims.statements import Statement
from qae_theory.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Cell, ClaimEvidence, Experiment, Record
from simulators.experiments.conditions import TrainingConfig, run_training, training_cell
from simulators.experiments.fields import Level
from simulators.experiments.shares import in_records
from simulators.experiments.trajectories import (
    Trajectory,
    alternated,
    at_gain,
    common_gains,
    from_records,
    paired_difference,
)

CURVES = ("sequence_entropy", "success", "pass@1", "pass@16")
READINGS = ("equal steps", "equal progress")


class KSweepConfig(TrainingConfig):
    """Levels and conditions."""

    ks: tuple[Level, ...] = Field(min_length=2)


def cells(config: KSweepConfig) -> list[Cell]:
    """One cell for each condition and K."""
    return [
        training_cell(config, condition, {"k": k}, families=("state",), only=CURVES, method="qae", options={"k": k})
        for condition in config.conditions
        for k in config.ks
    ]


def analyse(config: KSweepConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Final figures by K, and the slope of entropy in K at equal steps and at equal progress, by condition."""
    names = [condition.name for condition in config.conditions]
    level = bonferroni(config.level, len(READINGS) * len(names))
    runs = {name: {k: from_records(records, CURVES, condition=name, k=k) for k in config.ks} for name in names}
    slopes = {name: entropy_slopes(by_k, level) for name, by_k in runs.items()}
    reversed_slopes = {name: entropy_slopes(_reversed(by_k), level) for name, by_k in runs.items()}
    between = bonferroni(config.level, len(READINGS) * len(names) * (len(config.ks) - 1))
    each = bonferroni(config.level, len(names) * len(config.ks) * len(CURVES))
    analysis: dict[str, Any] = {
        "level": config.level,
        "finals": [
            {"condition": name, "k": k}
            | {curve: mean_interval(run.curves[curve][:, -1], level=each).record() for curve in CURVES}
            for name, by_k in runs.items()
            for k, run in by_k.items()
        ],
        "slopes": slopes,
        "neighbours": {name: neighbours(by_k, between) for name, by_k in runs.items()},
        "control": reversed_slopes,
    }
    return {**analysis, "statements": in_records(statements(analysis))}


def _reversed(by_k: Mapping[str, Trajectory]) -> dict[str, Trajectory]:
    """The runs with K's labels reversed in every other seed."""
    pairs = zip(by_k, by_k.values(), reversed(list(by_k.values())), strict=True)
    return {k: alternated(run, opposite) for k, run, opposite in pairs}


def entropy_slopes(by_k: Mapping[str, Trajectory], level: float) -> dict[str, Any]:
    """Least-squares slope of entropy in K by seed, in each reading."""
    ks = np.array([float(k) for k in by_k])
    entropies, gain = entropies_by_reading(by_k)
    slopes = {reading: _slope(ks, values, level).record() for reading, values in entropies.items()}
    return {**slopes, "gain": gain}


def entropies_by_reading(by_k: Mapping[str, Trajectory]) -> tuple[dict[str, Array], float]:
    """Entropies ``[K, S]`` at the end and at the largest gain that all seeds reach, and that gain."""
    gain = common_gains([run.curves["success"] for run in by_k.values()], 1)
    final = np.stack([run.curves["sequence_entropy"][:, -1] for run in by_k.values()])
    equal = np.stack(
        [at_gain(run.curves["success"], run.curves["sequence_entropy"], gain)[:, 0] for run in by_k.values()]
    )
    return dict(zip(READINGS, (final, equal), strict=True)), float(gain[0])


def neighbours(by_k: Mapping[str, Trajectory], level: float) -> dict[str, list[dict[str, Any]]]:
    """Entropy at each K less that at the K before it, in each reading: a slope does not tell a valley from a line."""
    entropies, _ = entropies_by_reading(by_k)
    return {
        reading: [
            {"from": low, "to": high} | paired_difference(values[i + 1], values[i], level=level).record()
            for i, (low, high) in enumerate(pairwise(by_k))
        ]
        for reading, values in entropies.items()
    }


def _slope(ks: Array, entropies_ks: Array, level: float) -> Interval:
    """Of entropies ``[K, S]``, in nats per unit of K."""
    centred = ks - ks.mean()
    return mean_interval((centred @ entropies_ks) / (centred @ centred), level=level)


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Entropy rises with K in every condition; with K's labels reversed in every other seed it does not."""
    return [_rises(analysis, reading) for reading in READINGS]


def _rises(analysis: Mapping[str, Any], reading: str) -> Statement:
    found, detail = _in_every_condition(analysis["slopes"], reading, lambda slope: slope["low"] > 0)
    control, control_detail = _in_every_condition(analysis["control"], reading, lambda slope: slope["low"] > 0)
    return Statement(
        says=f"at {reading}, entropy rises with K in every condition",
        found=found,
        detail=f"slope in nats per unit of K: {detail}; {_falls(analysis['neighbours'], reading)}",
        planted="the labels of K reversed in every other seed",
        control_found=control,
        control_detail=control_detail,
    )


def _falls(neighbours_of: Mapping[str, Any], reading: str) -> str:
    falls = [
        f"{row['from']} to {row['to']} ({name})"
        for name, by_reading in neighbours_of.items()
        for row in by_reading[reading]
        if row["high"] < 0
    ]
    return f"from one K to the next it falls at: {', '.join(falls) or 'none'}"


def _in_every_condition(
    slopes: Mapping[str, Any], reading: str, holds: Callable[[Mapping[str, float]], bool]
) -> tuple[bool, str]:
    shown = {name: slope[reading] for name, slope in slopes.items()}
    said = "; ".join(f"{name} {s['estimate']:.3g} [{s['low']:.3g}, {s['high']:.3g}]" for name, s in shown.items())
    return all(holds(slope) for slope in shown.values()), said


EXPERIMENT = Experiment(
    name="k-sweep",
    summary="trajectories for K in .1 ... .9: entropy, success, pass@1, pass@16, at equal steps and equal progress",
    config=KSweepConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    claims=(ClaimEvidence("shape-entropy-rises-with-k", "k-sweep", Kind.TRAINING, statements),),
)
