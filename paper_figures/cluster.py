"""Runs of verl that ``qae cluster collect`` has stored: rows of the paper by name, their curves and evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from paper_figures.curves import Curve, Shown, curve
from paper_figures.runs import NOT_RUN, Columns, MissingError, Results, Run
from qae_theory.curves.statistics import mean_interval

EXPERIMENT = "cluster"
LEVEL = 0.95  # of collect's intervals
ENTROPY = ("actor/entropy", "probe/entropy/before/all", "recomputed/probe/entropy/before/all")
LENGTH = ("response_length/mean",)
WORDS = ("recomputed/rollouts/anthropomorphic_words",)


@dataclass(frozen=True)
class ClusterRun(Run):
    """A collected run. Steps of a branch that a later attempt did not go on from count nowhere."""

    def __str__(self) -> str:
        return f"{self.name}, cluster run {self.folder.name}, to step {self.last_step}"

    @property
    def name(self) -> str:
        """Of the experiment."""
        return str(self.config["name"])

    @property
    def model(self) -> str:
        """The model's own name."""
        model = str(self.config["settings"].get("model") or "model not known")
        return model.rstrip("/").rpartition("/")[2]

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        """The logged steps."""
        return [line for line in self.records if not line["abandoned"]]

    @cached_property
    def evaluations(self) -> list[dict[str, Any]]:
        """All evaluations, in the order of their steps."""
        return [one for one in self.json("evaluations.json")["evaluations"] if not one["abandoned"]]

    @cached_property
    def last_step(self) -> int:
        """The last trained step."""
        return max((line["step"] for line in self.lines if line["attempt"] is not None), default=0)

    def evaluated(self, benchmark: str, k: int) -> list[tuple[int, Mapping[str, Any]]]:
        """Step and estimate, with its interval, of every evaluation."""
        return [
            (int(one["step"]), one["pass_at_k"][str(k)])
            for one in self.evaluations
            if one["benchmark"] == benchmark and str(k) in one["pass_at_k"] and one["step"] is not None
        ]


def collected(results: Results) -> list[ClusterRun]:
    """The collected runs, of each the collection that came furthest."""
    best: dict[tuple[str, str], ClusterRun] = {}
    for run in results.runs(EXPERIMENT):
        one = ClusterRun(run.folder, run.experiment, run.size)
        key = one.name, str(one.config["run"])
        if key not in best or best[key].last_step <= one.last_step:
            best[key] = one
    return [best[key] for key in sorted(best)]


def runs_of_row(results: Results, name: str) -> list[ClusterRun]:
    """The runs that are this row of the paper.

    Raises:
        MissingError: there is none.
    """
    found = [run for run in collected(results) if run.config["row"] == name]
    if not found:
        raise MissingError(f"{NOT_RUN}qae cluster launch {name}")
    return found


def metric_table(runs: Sequence[ClusterRun], metrics: Sequence[str]) -> Columns:
    """``seed``, ``step`` and ``value``: of each run the first of these metrics that it has.

    Raises:
        MissingError: a run has none of them.
    """
    rows = []
    for seed, run in enumerate(runs):
        metric = next((name for name in metrics if any(line.get(name) is not None for line in run.lines)), None)
        if metric is None:
            raise MissingError(f"{run} has not logged {' or '.join(metrics)}")
        rows += [(seed, line["step"], line[metric]) for line in run.lines if line.get(metric) is not None]
    seeds, steps, values = zip(*rows, strict=True)
    return {"seed": np.array(seeds), "step": np.array(steps), "value": np.array(values, dtype=np.float64)}


def metric_curves(results: Results, rows: Mapping[str, str], metrics: Sequence[str], ylabel: str) -> Shown:
    """A logged metric of rows of the paper, by label."""
    runs = {label: runs_of_row(results, name) for label, name in rows.items()}
    curves = {label: curve(metric_table(of, metrics), "value") for label, of in runs.items()}
    return Shown(curves, ylabel, _all(runs.values()), models_of(runs.values()))


def accuracy_curves(results: Results, rows: Mapping[str, str], benchmark: str, k: int = 1) -> Shown:
    """pass@k in per cent of rows of the paper, by label."""
    runs = {label: runs_of_row(results, name) for label, name in rows.items()}
    curves = {label: accuracy_curve(of, benchmark, k) for label, of in runs.items()}
    return Shown(curves, accuracy_label(benchmark, k), _all(runs.values()), models_of(runs.values()))


def models_of(groups: Iterable[Sequence[ClusterRun]]) -> str:
    """Which models were trained."""
    return " and ".join(dict.fromkeys(run.model for group in groups for run in group))


def accuracy_label(benchmark: str, k: int) -> str:
    """Of the axis."""
    return f"{benchmark} pass@{k} (%)"


def accuracy_curve(runs: Sequence[ClusterRun], benchmark: str, k: int) -> Curve:
    """Of one run with its own intervals over questions, of several with Student's over the runs.

    Raises:
        MissingError: fewer than two evaluations.
    """
    if len(runs) > 1:
        rows = [(seed, *one) for seed, run in enumerate(runs) for one in run.evaluated(benchmark, k)]
        table = {
            "seed": np.array([row[0] for row in rows]),
            "step": np.array([row[1] for row in rows]),
            "value": np.array([100 * row[2]["estimate"] for row in rows]),
        }
        return curve(table, "value")
    found = runs[0].evaluated(benchmark, k)
    if len(found) < 2:
        raise MissingError(f"{runs[0]} has {len(found)} evaluations on {benchmark}, of which a curve has at least 2")
    mean, low, high = (np.array([_per_cent(one[end]) for _, one in found]) for end in ("estimate", "low", "high"))
    band = f"one run and its {LEVEL:.0%} interval over questions"
    return Curve(np.array([step for step, _ in found]), mean, low, high, 1, band)


def last_accuracy(runs: Sequence[ClusterRun], benchmark: str, k: int) -> tuple[float, float, float]:
    """The last evaluation in per cent, with its interval: the run's own, or over several runs.

    Raises:
        MissingError: a run has no evaluation.
    """
    last = []
    for run in runs:
        found = run.evaluated(benchmark, k)
        if not found:
            raise MissingError(f"{run} has no evaluation on {benchmark}")
        last.append(found[-1][1])
    if len(last) > 1:
        over = mean_interval(np.array([100 * one["estimate"] for one in last]), level=LEVEL)
        return over.estimate, over.low, over.high
    return _per_cent(last[0]["estimate"]), _per_cent(last[0]["low"]), _per_cent(last[0]["high"])


def _per_cent(share: float | None) -> float:
    return float("nan") if share is None else 100 * share


def _all(groups: Iterable[Sequence[ClusterRun]]) -> tuple[Run, ...]:
    return tuple(run for group in groups for run in group)
