"""Runs of verl that ``qae cluster collect`` has stored: rows of the paper by name, their curves and evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from paper_figures.curves import Curve, CurveSet, curve, differences
from paper_figures.runs import NOT_RUN, Results
from qae_theory.curves.statistics import mean_interval
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import Columns, MissingError

LEVEL = 0.95  # the level of the intervals that ``qae cluster collect`` stores
LENGTH = ("response_length/mean",)
WORDS = ("recomputed/rollouts/anthropomorphic_words",)


def runs_of_row(results: Results, name: str) -> list[Collected]:
    """Return the runs that are this row of the paper.

    Args:
        results: the results folder.
        name: of the row, which is that of its experiment too.

    Raises:
        MissingError: there is none; the message names the command that launches one.
    """
    runs = [run for run in results.collected() if run.row == name]
    if not runs:
        raise MissingError(f"{NOT_RUN}qae cluster launch {name}")
    return runs


def estimates(run: Collected, benchmark: str, k: int) -> list[tuple[int, Mapping[str, Any]]]:
    """Return step and pass@k, with its interval, of every evaluation on a benchmark that has them."""
    return [
        (int(evaluation["step"]), evaluation["pass_at_k"][str(k)])
        for evaluation in run.evaluated(benchmark)
        if str(k) in evaluation["pass_at_k"] and evaluation["step"] is not None
    ]


def metric_table(runs: Sequence[Collected], metrics: Sequence[str]) -> Columns:
    """Return columns ``seed``, ``step`` and ``value``, where each run gives the first of these metrics that it has.

    Args:
        runs: one for each seed.
        metrics: names under which logs may have the metric, the best first.

    Raises:
        MissingError: a run has none of them.
    """
    logged = []
    for seed, run in enumerate(runs):
        metric = _first_logged(run, metrics)
        if metric is None:
            raise MissingError(f"{run.named} has not logged {' or '.join(metrics)}")
        logged += [(seed, line["step"], line[metric]) for line in run.lines if line.get(metric) is not None]
    seeds, steps, values = zip(*logged, strict=True)
    return {"seed": np.array(seeds), "step": np.array(steps), "value": np.array(values, dtype=np.float64)}


def _first_logged(run: Collected, metrics: Sequence[str]) -> str | None:
    """Return the first metric that some step of the run has, or None."""
    for name in metrics:
        if any(line.get(name) is not None for line in run.lines):
            return name
    return None


def metric_curves(
    results: Results,
    row_names: Mapping[str, str],
    metrics: Sequence[str],
    *,
    ylabel: str,
    less: str | None = None,
) -> CurveSet:
    """Return a logged metric of rows of the paper.

    Args:
        results: the results folder.
        row_names: names of the rows by label.
        metrics: names under which logs may have the metric, the best first.
        ylabel: of the axis.
        less: name of the row that is subtracted, run by run; none is if not given.

    Raises:
        MissingError: a row has no run, or a run has not logged the metric.
    """
    runs = {label: runs_of_row(results, name) for label, name in row_names.items()}
    tables = {label: metric_table(of_row, metrics) for label, of_row in runs.items()}
    if less is not None:
        base = metric_table(runs_of_row(results, less), metrics)
        tables = {label: differences(table, base, "value") for label, table in tables.items()}
    return _curve_set({label: curve(table, "value") for label, table in tables.items()}, runs, ylabel)


def accuracy_curves(results: Results, row_names: Mapping[str, str], benchmark: str, k: int = 1) -> CurveSet:
    """Return pass@k in per cent of rows of the paper, whose names are given by label.

    Raises:
        MissingError: a row has no run, or a run has fewer than two evaluations.
    """
    runs = {label: runs_of_row(results, name) for label, name in row_names.items()}
    curves = {label: accuracy_curve(of_row, benchmark, k) for label, of_row in runs.items()}
    return _curve_set(curves, runs, accuracy_label(benchmark, k))


def _curve_set(curves: Mapping[str, Curve], runs: Mapping[str, Sequence[Collected]], ylabel: str) -> CurveSet:
    return CurveSet(
        curves=curves,
        ylabel=ylabel,
        sources=tuple(chain.from_iterable(runs.values())),
        subject=models_of(runs.values()),
    )


def models_of(groups: Iterable[Sequence[Collected]]) -> str:
    """Return the models that were trained, each once."""
    return " and ".join(dict.fromkeys(run.model for run in chain.from_iterable(groups)))


def accuracy_label(benchmark: str, k: int) -> str:
    """Return the label of the axis."""
    return f"{benchmark} pass@{k} (%)"


def accuracy_curve(runs: Sequence[Collected], benchmark: str, k: int) -> Curve:
    """Return the curve of one run with its own intervals over questions, or of several with Student's over the runs.

    Raises:
        MissingError: there are fewer than two evaluations.
    """
    # Runs differ by more than the questions that they share, so that the spread between runs is the one to show.
    if len(runs) > 1:
        evaluations = []
        for seed, run in enumerate(runs):
            evaluations += [(seed, step, 100 * passed["estimate"]) for step, passed in estimates(run, benchmark, k)]
        seeds, steps, values = np.array(evaluations).reshape(-1, 3).T
        return curve({"seed": seeds, "step": steps, "value": values}, "value")
    of_run = estimates(runs[0], benchmark, k)
    if len(of_run) < 2:
        raise MissingError(
            f"{runs[0].named} has {len(of_run)} evaluations on {benchmark}, of which a curve has at least 2"
        )
    return Curve(
        steps=np.array([step for step, _ in of_run]),
        mean=np.array([_per_cent(passed["estimate"]) for _, passed in of_run]),
        low=np.array([_per_cent(passed["low"]) for _, passed in of_run]),
        high=np.array([_per_cent(passed["high"]) for _, passed in of_run]),
        seeds=1,
        # With one run there is no spread over seeds, and its own interval over questions says how sure each point is.
        band=f"one run and its {LEVEL:.0%} interval over questions",
    )


def last_accuracy(runs: Sequence[Collected], benchmark: str, k: int) -> tuple[float, float, float]:
    """Return the last evaluation in per cent with its interval: estimate, low and high.

    The interval is the run's own over questions, or Student's over several runs.

    Raises:
        MissingError: a run has no evaluation.
    """
    last = []
    for run in runs:
        of_run = estimates(run, benchmark, k)
        if not of_run:
            raise MissingError(f"{run.named} has no evaluation on {benchmark}")
        _, passed = of_run[-1]
        last.append(passed)
    if len(last) > 1:
        over = mean_interval(np.array([100 * passed["estimate"] for passed in last]), level=LEVEL)
        return over.estimate, over.low, over.high
    return _per_cent(last[0]["estimate"]), _per_cent(last[0]["low"]), _per_cent(last[0]["high"])


def _per_cent(share: float | None) -> float:
    """Return a share in per cent; NaN for an end of an interval that is not known."""
    return float("nan") if share is None else 100 * share
