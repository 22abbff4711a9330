"""Training with QAE at K from .1 to .9 from the same starts: entropy, success and pass@k against K (Fig. 9's shape).

The paper compares at equal steps. K also changes how fast success is gained, so equal progress stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from qae_theory.claims.model import Kind
from qae_theory.curves.rises_with_k import slope_readings, statements
from qae_theory.curves.statistics import bonferroni, mean_interval
from qae_theory.curves.trajectories import from_records
from simulators.experiments.base import Cell, ClaimEvidence, Experiment, Record
from simulators.experiments.common.conditions import TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.common.shares import in_records

CURVES = ("sequence_entropy", "success", "pass@1", "pass@16")


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
    runs = {name: {k: from_records(records, CURVES, condition=name, k=k) for k in config.ks} for name in names}
    each = bonferroni(config.level, len(names) * len(config.ks) * len(CURVES))
    analysis: dict[str, Any] = {
        "level": config.level,
        "finals": [
            {"condition": name, "k": k}
            | {curve: mean_interval(run.curves[curve][:, -1], level=each).record() for curve in CURVES}
            for name, by_k in runs.items()
            for k, run in by_k.items()
        ],
        **slope_readings(runs, config.level),
    }
    return {**analysis, "statements": in_records(statements(analysis))}


EXPERIMENT = Experiment(
    name="k-sweep",
    summary="trajectories for K in .1 ... .9: entropy, success, pass@1, pass@16, at equal steps and equal progress",
    config=KSweepConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(ClaimEvidence("shape-entropy-rises-with-k", "k-sweep", Kind.TRAINING, statements),),
)
