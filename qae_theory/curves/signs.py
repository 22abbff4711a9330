"""Is the growth of entropy led by samples with negative advantage (Figs. 4a, 5b)? In both readings.

First reading: their part of the one-step first-order change, where a seed's entropy grows. Second: the entropy averaged
over negative samples against that over positive ones, its level and its growth; this moves by composition too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.families import mean_where
from qae_theory.curves.statistics import mean_interval
from qae_theory.curves.trajectories import Trajectory, alternated


def exchanged(run: Trajectory) -> Trajectory:
    """Return the run with the labels of positive and negative samples exchanged in every other seed."""
    curves = dict(run.curves)
    for suffix in ("", "_sample_entropy"):
        one, other = f"positive{suffix}", f"negative{suffix}"
        curves[one], curves[other] = run.curves[other], run.curves[one]
    return alternated(run, Trajectory(run.steps, curves))


def sign_readings(pair: tuple[str, str], run: Trajectory, level: float) -> dict[str, Any]:
    """Return both readings of one condition and rule; None where fewer than two seeds have a figure."""
    curves = run.curves
    gap = curves["negative_sample_entropy"] - curves["positive_sample_entropy"]
    growing = curves["entropy_change"] > 0
    return {
        "condition": pair[0],
        "rule": pair[1],
        "entropy_start_end": [float(curves["sequence_entropy"][:, i].mean()) for i in (0, -1)],
        "updates_with_growth": int(growing.sum()),
        "lead": _interval(mean_where(curves["negative"] - curves["positive"], growing), level),
        "level_gap": _interval(mean_where(gap, np.isfinite(gap)), level),
        "growth_gap": _interval(np.array([_trend(run.steps, row) for row in gap]), level),
    }


def _trend(steps: Array, row: Array) -> float:
    """Return the least-squares slope of one seed's curve, in nats per update; NaN with fewer than two entries."""
    there = np.isfinite(row)
    return float(np.polyfit(steps[there], row[there], 1)[0]) if there.sum() > 1 else float("nan")


def _interval(by_seed: Array, level: float) -> dict[str, Any] | None:
    """Return the interval over the seeds that have a figure; None with fewer than two."""
    there = by_seed[np.isfinite(by_seed)]
    return mean_interval(there, level=level).record() if len(there) > 1 else None
