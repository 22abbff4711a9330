"""Runs of several seeds as curves, at equal steps and at equal progress.

Every curve is ``[S, records]``: a seed a row. Statistics over seeds are in ``qae_theory.curves.statistics``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.curves.progress import at_success
from qae_theory.curves.statistics import Interval, mean_interval


class Trajectory(NamedTuple):
    """Updates done at each record, ``[records]``, and each measure's curve, ``[S, records]``."""

    steps: Array
    curves: dict[str, Array]


def from_records(records: Iterable[Mapping[str, Any]], names: Sequence[str], **labels: Any) -> Trajectory:
    """Return the run with these labels, from records of any number of runs in any order.

    Raises:
        ValueError: naming ``records`` where the run is missing or has not every update of every seed exactly once.
    """
    chosen = [row for row in records if _is_labelled(row, labels)]
    steps = sorted({row["step"] for row in chosen})
    seeds = sorted({row["seed"] for row in chosen})
    by_place = {(row["seed"], row["step"]): row for row in chosen}
    if not chosen or len(by_place) != len(chosen) or len(chosen) != len(steps) * len(seeds):
        checks.refuse("records", len(chosen), f"each seed's every update once for {labels}")
    in_order = [by_place[seed, step] for seed in seeds for step in steps]
    curves = {}
    for name in names:
        values = np.array([_or_nan(row[name]) for row in in_order])
        curves[name] = values.reshape(len(seeds), len(steps))
    return Trajectory(np.asarray(steps), curves)


def _is_labelled(row: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    return all(row[label] == value for label, value in labels.items())


def at_gain(success: Array, curve: Array, gains: object) -> Array:
    """Return a curve where a seed has first gained so much success over its start: equal progress, not equal time.

    Linear between records; first passage, so that a fall of success later does not matter.

    Args:
        success: ``[S, records]``.
        curve: ``[S, records]``.
        gains: ``[L]``, >= 0.

    Returns:
        ``[S, L]``; NaN where the seed never gains so much.
    """
    targets = np.asarray(gains, dtype=np.float64)
    return at_success(success - success[:, :1], curve, np.broadcast_to(targets, (len(success), len(targets))))


def common_gains(successes: Iterable[Array], count: int = 3) -> Array:
    """Return evenly spaced gains of success that every seed of every run reaches, ``[count]``.

    The largest common gain is included.
    """
    reach = min(float((success.max(axis=1) - success[:, 0]).min()) for success in successes)
    return np.linspace(0.0, max(reach, 0.0), count + 1)[1:]


def alternated(one: Trajectory, other: Trajectory) -> Trajectory:
    """Return the seeds 0, 2, ... of one run and the seeds 1, 3, ... of the other, of the same starts.

    What tells the two runs apart averages out between a run made so and its counterpart: data for a control.
    """
    odd = np.arange(len(next(iter(one.curves.values())))) % 2 == 1
    curves = {name: np.where(odd[:, None], other.curves[name], curve) for name, curve in one.curves.items()}
    return Trajectory(one.steps, curves)


def mean_level(steps: Array, curve: Array) -> Array:
    """Return the area under each seed's curve over the updates it spans, ``[S, records] -> [S]``."""
    return np.asarray(np.trapezoid(curve, steps, axis=1) / (steps[-1] - steps[0]))


def path_distance(steps: Array, one: Array, other: Array) -> Array:
    """Return the mean absolute distance of two curves over the updates that they span.

    Args:
        steps: the updates done at each record, ``[records]``.
        one: ``[S, records]``.
        other: ``[S, records]``, of the same seeds.

    Returns:
        ``[S]``, in the unit of the curves.
    """
    return mean_level(steps, np.abs(one - other))


def paired_difference(one: Array, other: Array, *, level: float) -> Interval:
    """Return Student's interval for the mean of ``one - other`` over seeds that share their randomness.

    Args:
        one: ``[S]``.
        other: ``[S]``, of the same seeds in the same order.
        level: confidence level.

    Returns:
        The interval, in the unit of the curves.
    """
    return mean_interval(np.asarray(one) - np.asarray(other), level=level)


def _or_nan(value: float | None) -> float:
    return nan if value is None else value
