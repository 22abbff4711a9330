"""Train with QAE at K from .1 to .9 from the same starts: entropy, success and pass@k against K, as in Fig. 9.

The paper compares at equal steps. K also changes how fast success is gained, so that the comparison at equal progress
stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from qae_theory.curves.families import READINGS, RISES, rise_with_k
from qae_theory.curves.rises_with_k import slope_readings
from qae_theory.curves.statistics import bonferroni, mean_interval
from qae_theory.curves.trajectories import Trajectory, from_records
from simulators.experiments.base import Cell, Experiment, Record
from simulators.experiments.common.conditions import TrainingConfig, run_training, training_cell
from simulators.experiments.common.fields import Level
from simulators.experiments.condition_lines import Lines

CURVES = ("sequence_entropy", "success", "pass@1", "pass@16")


class KSweepConfig(TrainingConfig):
    """Levels K and conditions."""

    ks: tuple[Level, ...] = Field(min_length=2)


def cells(config: KSweepConfig) -> list[Cell]:
    """Return a cell for each condition and K."""
    listed = []
    for condition in config.conditions:
        for k in config.ks:
            rule = {"method": "qae", "options": {"k": k}}
            listed.append(training_cell(config, condition, {"k": k}, families=("state",), only=CURVES, **rule))
    return listed


def analyse(config: KSweepConfig, records: Sequence[Record]) -> dict[str, Any]:
    """Return final figures by K, and the slope of entropy in K at equal steps and at equal progress, by condition."""
    runs: dict[str, dict[str, Trajectory]] = {}
    for condition in config.conditions:
        name = condition.name
        runs[name] = {k: from_records(records, CURVES, condition=name, k=k) for k in config.ks}
    level = bonferroni(config.level, len(runs) * len(config.ks) * len(CURVES))
    finals = []
    for name, by_k in runs.items():
        for k, run in by_k.items():
            finals.append({"condition": name, "k": k, **_final_figures(run, level)})
    return {"level": config.level, "finals": finals, **slope_readings(runs, config.level), **_lines(runs)}


def _lines(runs: Mapping[str, Mapping[str, Trajectory]]) -> dict[str, list[dict[str, Any]]]:
    """Return a line for each condition and reading."""
    found = Lines()
    for name, by_k in runs.items():
        for reading in READINGS:
            found.add(RISES, f"{name} {reading}", rise_with_k(by_k, reading), by_k)
    return found.records()


def _final_figures(run: Trajectory, level: float) -> dict[str, Any]:
    """Return the mean over seeds of every curve's last value, with its interval."""
    return {curve: mean_interval(run.curves[curve][:, -1], level=level).record() for curve in CURVES}


EXPERIMENT = Experiment(
    name="k-sweep",
    summary="trajectories for K in .1 ... .9: entropy, success, pass@1, pass@16, at equal steps and equal progress",
    config=KSweepConfig,
    cells=cells,
    run_cell=run_training,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
