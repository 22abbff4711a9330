"""Runs of verl that ``qae cluster collect`` has stored: rows of the paper by name, their curves and evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from paper_figures.curves import Curve, Shown, curve
from paper_figures.runs import NOT_RUN, Results, Run
from qae_theory.curves.statistics import mean_interval
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import Columns, MissingError

LEVEL = 0.95  # of collect's intervals
LENGTH = ("response_length/mean",)
WORDS = ("recomputed/rollouts/anthropomorphic_words",)


def runs_of_row(results: Results, name: str) -> list[Collected]:
    """The runs that are this row of the paper.

    Raises:
        MissingError: there is none.
    """
    found = [run for run in results.collected() if run.row == name]
    if not found:
        raise MissingError(f"{NOT_RUN}qae cluster launch {name}")
    return found


def estimates(run: Collected, benchmark: str, k: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Return step and pass@k, with its interval, of every evaluation on a benchmark that has them."""
    return [
        (int(evaluation["step"]), evaluation["pass_at_k"][str(k)])
        for evaluation in run.evaluated(benchmark)
        if str(k) in evaluation["pass_at_k"] and evaluation["step"] is not None
    ]


def metric_table(runs: Sequence[Collected], metrics: Sequence[str]) -> Columns:
    """``seed``, ``step`` and ``value``: of each run the first of these metrics that it has.

    Raises:
        MissingError: a run has none of them.
    """
    rows = []
    for seed, run in enumerate(runs):
        metric = next((name for name in metrics if any(line.get(name) is not None for line in run.lines)), None)
        if metric is None:
            raise MissingError(f"{run.named} has not logged {' or '.join(metrics)}")
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


def models_of(groups: Iterable[Sequence[Collected]]) -> str:
    """Which models were trained."""
    return " and ".join(dict.fromkeys(run.model for group in groups for run in group))


def accuracy_label(benchmark: str, k: int) -> str:
    """Of the axis."""
    return f"{benchmark} pass@{k} (%)"


def accuracy_curve(runs: Sequence[Collected], benchmark: str, k: int) -> Curve:
    """Of one run with its own intervals over questions, of several with Student's over the runs.

    Raises:
        MissingError: fewer than two evaluations.
    """
    if len(runs) > 1:
        rows = [(seed, *one) for seed, run in enumerate(runs) for one in estimates(run, benchmark, k)]
        table = {
            "seed": np.array([row[0] for row in rows]),
            "step": np.array([row[1] for row in rows]),
            "value": np.array([100 * row[2]["estimate"] for row in rows]),
        }
        return curve(table, "value")
    found = estimates(runs[0], benchmark, k)
    if len(found) < 2:
        raise MissingError(
            f"{runs[0].named} has {len(found)} evaluations on {benchmark}, of which a curve has at least 2"
        )
    mean, low, high = (np.array([_per_cent(one[end]) for _, one in found]) for end in ("estimate", "low", "high"))
    band = f"one run and its {LEVEL:.0%} interval over questions"
    return Curve(np.array([step for step, _ in found]), mean, low, high, 1, band)


def last_accuracy(runs: Sequence[Collected], benchmark: str, k: int) -> tuple[float, float, float]:
    """The last evaluation in per cent, with its interval: the run's own, or over several runs.

    Raises:
        MissingError: a run has no evaluation.
    """
    last = []
    for run in runs:
        found = estimates(run, benchmark, k)
        if not found:
            raise MissingError(f"{run.named} has no evaluation on {benchmark}")
        last.append(found[-1][1])
    if len(last) > 1:
        over = mean_interval(np.array([100 * one["estimate"] for one in last]), level=LEVEL)
        return over.estimate, over.low, over.high
    return _per_cent(last[0]["estimate"]), _per_cent(last[0]["low"]), _per_cent(last[0]["high"])


def _per_cent(share: float | None) -> float:
    return float("nan") if share is None else 100 * share


def _all(groups: Iterable[Sequence[Collected]]) -> tuple[Run, ...]:
    return tuple(run for group in groups for run in group)
