"""Read the remainders of the experiment `second-order`: their slopes, and the curvature of sampled groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Record
from simulators.experiments.common.shares import grouped, in_json, in_records

# What tells the enumerated bandits apart.
SIZES = ("estimator", "arms", "group_size")
# Within the window the next order adds to a remainder a share of at most about the largest step fitted, which bends the
# slope by as much. Leaving out the second order makes the slope 2, ten times as far away.
TOLERANCE = 0.1
LEAST_STEPS = 4  # a fit has two unknowns, so that fewer points would fit almost any line
# Expected changes are computed to some 1e-15 of the sizes summed, which are about a step size at most. A remainder a
# thousand times above that bends the slope by less than 1e-3.
ROUND_OFF = 1e-15
CLEAR = 1e3
PLANTED_ERROR = 0.05  # of the predicted curvature; the check of sampled groups must see an error of this size


class Fitted(Protocol):
    """Name the part of the configuration that an analysis reads."""

    level: float
    largest_fitted: float


def analyse(config: Fitted, records: Sequence[Record]) -> dict[str, Any]:
    """Return slopes by estimator and size, and sampled curvatures by estimator, with intervals.

    Intervals hold together with the configuration's level. ``violations`` counts slopes that are not shown to be at
    least 3 less the tolerance, and sampled curvatures whose interval leaves out the prediction.

    Args:
        config: says which steps a slope is fitted over.
        records: remainders of the enumerated bandits by seed and step size, and sampled curvatures by block.
    """
    enumerated = grouped([record for record in records if "remainder" in record], *SIZES)
    sampled = grouped([record for record in records if "measured" in record], "estimator")
    level = bonferroni(config.level, len(enumerated) + len(sampled))
    slopes = [_slope(key, of_size, config.largest_fitted, level=level) for key, of_size in enumerated.items()]
    curvatures = [_curvature(key[0], blocks, level) for key, blocks in sampled.items()]
    return {
        "slopes": slopes,
        "sampled": curvatures,
        "rows": len(slopes) + len(curvatures),
        "violations": _failures("passed", [*slopes, *curvatures]),
        "control_violations": _failures("control_passed", [*slopes, *curvatures]),
        "statements": in_records([_slopes_are_three(slopes), _curvatures_agree(curvatures)]),
    }


def window(steps: Array, remainder: Array, largest: float) -> Array:
    """Return which step sizes a slope is fitted over: at most ``largest``, with a remainder clear of round-off.

    The rule was fixed before any slope was seen, and is the same for every estimator and for the control.

    Args:
        steps: step sizes, ``[E]``.
        remainder: its size at each step, ``[E]``.
        largest: the largest step size fitted.

    Returns:
        ``[E]``, boolean.
    """
    return np.asarray((steps <= largest * (1 + 1e-9)) & (remainder > CLEAR * ROUND_OFF * steps))


def seed_slopes(records: Sequence[Record], field: str, largest: float) -> Array:
    """Return the fitted slope of log remainder in log step size of each seed, ``[S]``.

    Args:
        records: of one size, with seed and step size.
        field: which remainder.
        largest: the largest step size fitted.

    Returns:
        ``[S]``; NaN where the window has too few steps.
    """
    slopes = []
    for of_seed in grouped(records, "seed").values():
        steps = np.array([record["step_size"] for record in of_seed])
        remainder = np.array([record[field] for record in of_seed])
        chosen = window(steps, remainder, largest)
        if chosen.sum() < LEAST_STEPS:
            slopes.append(np.nan)
        else:
            slope, _ = np.polyfit(np.log(steps[chosen]), np.log(remainder[chosen]), 1)
            slopes.append(slope)
    return np.array(slopes)


def _slope(key: tuple[Any, ...], records: Sequence[Record], largest: float, *, level: float) -> Record:
    """Return the slope of one size, and that of the control, which lacks the second-order term."""
    slope = _interval(seed_slopes(records, "remainder", largest), level)
    control = _interval(seed_slopes(records, "remainder_without", largest), level)
    return {
        **dict(zip(SIZES, key, strict=True)),
        "slope": None if slope is None else in_json(slope),
        "slope_without_second_order": None if control is None else in_json(control),
        "passed": slope is not None and slope.low >= 3 - TOLERANCE,
        "control_passed": control is not None and control.low >= 3 - TOLERANCE,
    }


def _interval(sample: Array, level: float) -> Interval | None:
    """Return the mean over seeds with its interval; None where some seed has no slope."""
    return mean_interval(sample, level=level) if np.all(np.isfinite(sample)) else None


def _curvature(estimator: str, blocks: Sequence[Record], level: float) -> Record:
    """Return the mean error of the prediction over blocks, and the same with an error planted in the prediction."""
    predicted = np.array([block["predicted"] for block in blocks])
    measured = np.array([block["measured"] for block in blocks])
    error = mean_interval(measured - predicted, level=level)
    # An interval that also held a prediction with this error would be too wide to say anything.
    planted = mean_interval(measured - (1 + PLANTED_ERROR) * predicted, level=level)
    return {
        "estimator": estimator,
        "predicted": float(predicted.mean()),
        "error": in_json(error),
        "error_with_planted": in_json(planted),
        "passed": not error.excludes(0.0),
        "control_passed": not planted.excludes(0.0),
    }


def _failures(side: str, checks: Sequence[Record]) -> int:
    return sum(not check[side] for check in checks)


def _slopes_are_three(slopes: Sequence[Record]) -> Statement:
    """Return the statement that what the second order leaves is of third order."""
    return Statement(
        says=f"What the second-order prediction leaves of E[dH] falls with a slope of at least {3 - TOLERANCE:g}.",
        found=bool(slopes) and all(slope["passed"] for slope in slopes),
        detail=_extremes(slopes, "slope"),
        planted="the second-order term left out",
        control_found=all(slope["control_passed"] for slope in slopes),
        control_detail=_extremes(slopes, "slope_without_second_order"),
    )


def _extremes(slopes: Sequence[Record], field: str) -> str:
    """Return how many slopes could be fitted, and the ends of their intervals."""
    fitted = [slope[field] for slope in slopes if slope[field] is not None]
    if not fitted:
        return "no slope"
    low, high = min(interval["low"] for interval in fitted), max(interval["high"] for interval in fitted)
    return f"{len(fitted)} of {len(slopes)} slopes fitted, their intervals in [{low:.4f}, {high:.4f}]"


def _curvatures_agree(curvatures: Sequence[Record]) -> Statement:
    """Return the statement that the curvature of sampled groups is the predicted one."""

    def misses(side: str) -> str:
        missed = _failures(side, curvatures)
        return f"{missed} of {len(curvatures)} estimators' intervals exclude the prediction"

    return Statement(
        says="Where groups are too many to enumerate, the sampled curvature is the predicted one.",
        found=bool(curvatures) and all(curvature["passed"] for curvature in curvatures),
        detail=misses("passed"),
        planted=f"an error of {PLANTED_ERROR:.0%} in the prediction",
        control_found=all(curvature["control_passed"] for curvature in curvatures),
        control_detail=misses("control_passed"),
    )
