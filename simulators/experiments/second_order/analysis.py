"""What the ``second-order`` experiment's remainders say: their slope, and the curvature of sampled groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Record
from simulators.experiments.common.shares import grouped, in_json, in_records

# Over the window the next order adds to a remainder a share of at most about the largest step fitted, and bends its
# slope by as much. Leaving out the second order makes the slope 2, ten times as far away.
TOLERANCE = 0.1
LEAST_STEPS = 4  # of a window; the fit has two unknowns
# Expected changes are computed to some 1e-15 of the sizes summed, which are about a step size at most; a remainder a
# thousand times above that bends the slope by less than 1e-3.
ROUND_OFF = 1e-15
CLEAR = 1e3
PLANTED_ERROR = 0.05  # of the predicted curvature


class Fitted(Protocol):
    """The part of the configuration that an analysis reads."""

    level: float
    largest_fitted: float


def analyse(config: Fitted, records: Sequence[Record]) -> dict[str, Any]:
    """Slopes with intervals over seeds, by estimator and size; sampled curvatures by estimator.

    Intervals hold together with the configuration's level. ``violations``: slopes that are not shown to be at least
    3 less the tolerance, and sampled curvatures whose interval leaves out the prediction.
    """
    enumerated = grouped((row for row in records if "remainder" in row), "estimator", "arms", "group_size")
    sampled = grouped((row for row in records if "measured" in row), "estimator")
    level = bonferroni(config.level, len(enumerated) + len(sampled))
    tables = [_slope(key, rows, config.largest_fitted, level) for key, rows in enumerated.items()]
    checks = [_curvature(key[0], rows, level) for key, rows in sampled.items()]
    slopes_fail, curvatures_fail = (
        {side: sum(not row[side] for row in table) for side in ("passed", "control_passed")}
        for table in (tables, checks)
    )
    return {
        "slopes": tables,
        "sampled": checks,
        "rows": len(tables) + len(checks),
        "violations": slopes_fail["passed"] + curvatures_fail["passed"],
        "control_violations": slopes_fail["control_passed"] + curvatures_fail["control_passed"],
        "statements": in_records([_slopes_told(tables), _curvatures_told(checks)]),
    }


def window(steps: Array, remainder: Array, largest: float) -> Array:
    """Which step sizes a slope is fitted over: at most ``largest``, with a remainder clear of round-off.

    The rule was fixed before any slope was seen, and is the same for every estimator and for the control.
    """
    return np.asarray((steps <= largest * (1 + 1e-9)) & (remainder > CLEAR * ROUND_OFF * steps))


def seed_slopes(rows: Sequence[Record], field: str, largest: float) -> Array:
    """Fitted slope of log remainder in log step size of each seed; NaN where the window is too short."""
    slopes = []
    for seed_rows in grouped(rows, "seed").values():
        steps, left = (np.array([row[name] for row in seed_rows]) for name in ("step_size", field))
        chosen = window(steps, left, largest)
        enough = chosen.sum() >= LEAST_STEPS
        slopes.append(np.polyfit(np.log(steps[chosen]), np.log(left[chosen]), 1)[0] if enough else np.nan)
    return np.array(slopes)


def _slope(key: tuple[Any, ...], rows: Sequence[Record], largest: float, level: float) -> Record:
    slopes, without = (seed_slopes(rows, field, largest) for field in ("remainder", "remainder_without"))
    found, control = (_interval(sample, level) for sample in (slopes, without))
    return {
        **dict(zip(("estimator", "arms", "group_size"), key, strict=True)),
        "slope": None if found is None else in_json(found),
        "slope_without_second_order": None if control is None else in_json(control),
        "passed": found is not None and found.low >= 3 - TOLERANCE,
        "control_passed": control is not None and control.low >= 3 - TOLERANCE,
    }


def _interval(sample: Array, level: float) -> Interval | None:
    return mean_interval(sample, level=level) if np.all(np.isfinite(sample)) else None


def _curvature(estimator: str, rows: Sequence[Record], level: float) -> Record:
    """The mean error over blocks, and the same with an error planted in the prediction."""
    predicted, measured = (np.array([row[name] for row in rows]) for name in ("predicted", "measured"))
    error = mean_interval(measured - predicted, level=level)
    planted = mean_interval(measured - (1 + PLANTED_ERROR) * predicted, level=level)
    return {
        "estimator": estimator,
        "predicted": float(predicted.mean()),
        "error": in_json(error),
        "error_with_planted": in_json(planted),
        "passed": not error.excludes(0.0),
        "control_passed": not planted.excludes(0.0),
    }


def _slopes_told(tables: Sequence[Record]) -> Statement:
    return Statement(
        says=f"What the second-order prediction leaves of E[dH] falls with a slope of at least {3 - TOLERANCE:g}.",
        found=bool(tables) and all(row["passed"] for row in tables),
        detail=_extremes(tables, "slope"),
        planted="the second-order term left out",
        control_found=all(row["control_passed"] for row in tables),
        control_detail=_extremes(tables, "slope_without_second_order"),
    )


def _extremes(tables: Sequence[Record], field: str) -> str:
    slopes = [row[field] for row in tables if row[field] is not None]
    if not slopes:
        return "no slope"
    low, high = min(row["low"] for row in slopes), max(row["high"] for row in slopes)
    return f"{len(slopes)} of {len(tables)} slopes fitted, their intervals in [{low:.4f}, {high:.4f}]"


def _curvatures_told(checks: Sequence[Record]) -> Statement:
    def misses(field: str) -> str:
        return f"{sum(not row[field] for row in checks)} of {len(checks)} estimators' intervals exclude the prediction"

    return Statement(
        says="Where groups are too many to enumerate, the sampled curvature is the predicted one.",
        found=bool(checks) and all(row["passed"] for row in checks),
        detail=misses("passed"),
        planted=f"an error of {PLANTED_ERROR:.0%} in the prediction",
        control_found=all(row["control_passed"] for row in checks),
        control_detail=misses("control_passed"),
    )
