"""What the training runs of the study say of the paper's qualitative shapes, by the criteria of ``qae_theory.curves``.

A condition is a task with an optimiser; draws are the seeds. A step's figures come from one batch, so curves over steps
are averaged over tenths of the training; entropy by sign is there only where a checkpoint was probed. A shape for which
the study has no runs has no statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.common.tables import Table, matches, need, select
from qae_theory.arrays import Array
from qae_theory.checks import refuse
from qae_theory.claims.statements import Statement
from qae_theory.curves import masks, rises_with_k, signs, sparsity
from qae_theory.curves.statistics import bonferroni
from qae_theory.curves.trajectories import Trajectory

LEVEL = 0.99
WINDOWS = 10
TUNED = 0.4  # the K that the paper's statement on sparsity is about
WEAK, STRONG = 0.28, 0.20  # upper clip ranges
CURVES = {
    "sequence_entropy": "entropy",
    "success": "success",
    "zero_share": "zero_share",
    "zero_share_mixed": "mixed_zero_share",
}
SIGN_CURVES = {
    "sequence_entropy": "entropy",
    "positive": "growth_positive",
    "negative": "growth_negative",
    "positive_sample_entropy": "entropy_positive",
    "negative_sample_entropy": "entropy_negative",
}
COLUMNS = (
    *("task", "run", "estimator", "k", "clip_high", "optimiser", "seed", "step"),
    *CURVES.values(),
    *SIGN_CURVES.values(),
)


def statements(table: Table) -> dict[str, list[Statement]]:
    """The statements that speak for each claim, by the claim's id; none where the study has no runs for it.

    Raises:
        ValueError: a column is missing, or a run lacks a step that another seed of it has.
    """
    need(table, COLUMNS)
    slopes, mask, sign, share = rises(table), mask_order(table), by_sign(table), zero_shares(table)
    return {
        "shape-entropy-rises-with-k": rises_with_k.statements(slopes) if slopes else [],
        "shape-negative-samples-lead-growth": signs.lead_statements(sign) if sign else [],
        "shape-negative-samples-hold-more-entropy": signs.entropy_statements(sign) if sign else [],
        "shape-mask-ordering": masks.statements(mask) if mask else [],
        "shape-sparsity-over-training": sparsity.statements(share) if share else [],
    }


def rises(table: Table) -> dict[str, Any] | None:
    """Slopes of entropy in K of the conditions that have at least two K and two seeds, or None."""
    runs = {}
    for name, rows in conditions(select(table, estimator="qae", clip_high=WEAK)):
        levels = np.unique(rows["k"])
        if len(levels) > 1 and _seeds(rows) > 1:
            runs[name] = {f"{k:g}": trajectory(select(rows, k=float(k)), CURVES) for k in levels}
    return rises_with_k.slope_readings(runs, LEVEL) if runs else None


def mask_order(table: Table) -> dict[str, Any] | None:
    """Readings of the conditions that have QAE and both masks under both clip ranges, or None."""
    compared = {}
    for name, rows in conditions(table):
        for k in np.unique(rows["k"][rows["estimator"] == "pos_mask"]):
            weak, strong = (_three(rows, float(k), clip) for clip in (WEAK, STRONG))
            if weak and strong:
                compared[name] = weak, strong
    level = bonferroni(LEVEL, len(masks.READINGS) * max(len(compared), 1))

    def table_of(change: Callable[[Sequence[Trajectory]], Sequence[Trajectory]]) -> list[dict[str, Any]]:
        return [
            {"condition": name, "scale": "QAE's step size"} | masks.mask_readings(change(weak), change(strong), level)
            for name, (weak, strong) in compared.items()
        ]

    return {"found": table_of(lambda runs: runs), "control": table_of(masks.exchanged)} if compared else None


def by_sign(table: Table) -> dict[str, Any] | None:
    """Both readings of each condition and run of GRPO or QAE that was probed from at least two seeds, or None.

    Entropy grows where the first-order change of both parts together is positive.
    """
    probed = np.isfinite(table["growth_positive"])  # zero, not NaN, where no sample has the sign
    rows = {name: column[probed & matches(table, estimator=("grpo", "qae"))] for name, column in table.items()}
    runs = {}
    for name, of_condition in conditions(rows):
        for run in np.unique(of_condition["run"]):
            of_run = select(of_condition, run=str(run))
            if _seeds(of_run) > 1:
                runs[name, str(run)] = _with_change(trajectory(of_run, SIGN_CURVES, windows=None))
    if not runs:
        return None
    level = bonferroni(LEVEL, 3 * len(runs))
    return {
        "found": [signs.sign_readings(pair, run, level) for pair, run in runs.items()],
        "control": [signs.sign_readings(pair, signs.exchanged(run), level) for pair, run in runs.items()],
    }


def _with_change(run: Trajectory) -> Trajectory:
    """With the first-order change of both parts together; a sign that no sample has changes nothing."""
    parts = {name: np.nan_to_num(run.curves[name]) for name in ("positive", "negative")}
    return Trajectory(run.steps, {**run.curves, **parts, "entropy_change": parts["positive"] + parts["negative"]})


def zero_shares(table: Table) -> dict[str, Any] | None:
    """Share of zero advantages under QAE at each K, and under GRPO as the control, by condition, or None."""
    runs = {}
    for name, rows in conditions(select(table, estimator=("qae", "grpo"), clip_high=WEAK)):
        for rule in sorted(set(zip(rows["estimator"].tolist(), rows["k"].tolist(), strict=True)), key=repr):
            of_rule = select(rows, estimator=rule[0], k=rule[1])
            if _seeds(of_rule) > 1:
                runs[name, "grpo" if rule[0] == "grpo" else f"{rule[1]:g}"] = trajectory(of_rule, CURVES)
    if not any(k == f"{TUNED:g}" for _, k in runs):
        return None
    points = sum(len(run.steps) for run in runs.values())
    level = bonferroni(LEVEL, len(sparsity.READINGS) * points)
    listed = [
        sparsity.share_row(name, k, curve, run, level) for (name, k), run in runs.items() for curve in sparsity.READINGS
    ]
    return {"k": f"{TUNED:g}", "table": listed}


def conditions(table: Table) -> Iterator[tuple[str, dict[str, Array]]]:
    """Each task with each optimiser, and its rows."""
    for task in np.unique(table["task"]):
        for optimiser in np.unique(table["optimiser"][table["task"] == task]):
            yield f"{task}, {optimiser}", select(table, task=str(task), optimiser=str(optimiser))


def trajectory(rows: Table, names: Mapping[str, str], *, windows: int | None = WINDOWS) -> Trajectory:
    """One run's curves, a seed a row, averaged over so many windows of steps where that is asked for.

    Args:
        rows: of one run; every seed has the same steps, each once.
        names: the curve's name, and the column that it is of.
        windows: of equal length, as nearly as that goes; as many as there are steps at most.

    Raises:
        ValueError: a seed lacks a step, or has it twice.
    """
    steps, seeds = np.unique(rows["step"]), np.unique(rows["seed"])
    order = np.lexsort((rows["step"], rows["seed"]))
    if len(order) != len(steps) * len(seeds) or not np.array_equal(rows["step"][order], np.tile(steps, len(seeds))):
        refuse("table", len(order), f"each of {len(seeds)} seeds' {len(steps)} steps once in {np.unique(rows['run'])}")
    shape = (len(seeds), len(steps))
    curves = {name: rows[column][order].reshape(shape).astype(np.float64) for name, column in names.items()}
    if windows is None:
        return Trajectory(steps, curves)
    parts = np.array_split(np.arange(len(steps)), min(windows, len(steps)))
    averaged = {name: np.stack([_mean(curve[:, part]) for part in parts], axis=1) for name, curve in curves.items()}
    return Trajectory(np.array([steps[part].mean() for part in parts]), averaged)


def _mean(curve: Array) -> Array:
    """Of the entries that there are, ``[S, steps] -> [S]``; NaN where there is none."""
    there = np.isfinite(curve)
    total, count = np.where(there, curve, 0.0).sum(axis=1), there.sum(axis=1)
    return np.divide(total, count, out=np.full(len(curve), np.nan), where=count > 0)


def _three(rows: Table, k: float, clip: float) -> list[Trajectory]:
    """Runs of QAE, POS-MASK and NEG-MASK at this K and clip range; none if one of them is not there."""
    found = [select(rows, estimator=name, k=k, clip_high=clip) for name in ("qae", "pos_mask", "neg_mask")]
    return [trajectory(one, CURVES) for one in found] if all(_seeds(one) > 1 for one in found) else []


def _seeds(rows: Table) -> int:
    return len(np.unique(rows["seed"]))
