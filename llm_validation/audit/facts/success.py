"""Return success rate and entropy by step, from responses where there are any, else from the metrics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_validation.audit.checks.steps.onset import series_of
from llm_validation.audit.model.log import Log
from llm_validation.audit.model.responses import mean_by_step
from qae_theory.arrays import Array


class Course(NamedTuple):
    """Hold success rate and entropy by step, ``[T]`` each, NaN where unknown. ``of`` says what success is."""

    step: Array
    success: Array
    entropy: Array
    of: str


def course(log: Log) -> Course:
    """Return how success and entropy went."""
    step, success, of = _success(log)
    entropy = np.full(len(step), np.nan)
    logged, series = log.steps.step, log.steps.series("entropy")
    if series is None:
        logged, found = series_of(log)
        series = found.get("entropy")
    if series is not None:
        _, here, there = np.intersect1d(step, logged, return_indices=True)
        entropy[here] = series[there]
    return Course(step, success, entropy, of)


def _success(log: Log) -> tuple[Array, Array, str]:
    main = log.table("correct", grouped=True)
    if main is not None and main.has_steps and main.role == "training":
        return *mean_by_step(main, "correct"), "share of right responses"
    for name in ("success", "reward"):
        series = log.steps.series(name)
        if series is not None:
            return log.steps.step, series, str(log.steps.name_of(name))
    return log.steps.step, np.full(len(log.steps), np.nan), "unknown"
