"""Runs of several seeds as curves: what is recorded along them, at equal steps and at equal progress.

Every curve is ``[S, records]``: a seed a row. Statistics over seeds are in ``qae_theory.statistics``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import nan
from typing import Any, Literal, NamedTuple

import numpy as np

from qae_theory import _checks
from qae_theory._exact import Array
from qae_theory.statistics import Interval, mean_interval
from simulators.engine import Step, initial_state, train
from simulators.environments import Environment
from simulators.experiments.base import Record
from simulators.groups import Generators
from simulators.measures import change_measures, group_measures, sample_entropy_measures, state_measures
from simulators.update import Update
from simulators.worlds import Start

Family = Literal["state", "group", "change", "samples"]

_FAMILIES: dict[Family, Callable[[Step, Environment, Update], dict[str, Array]]] = {
    "state": lambda step, env, update: state_measures(step, env),
    "group": lambda step, env, update: group_measures(step),
    "change": change_measures,
    "samples": lambda step, env, update: sample_entropy_measures(step, env),
}


class Trajectory(NamedTuple):
    """Updates done at each record, ``[records]``, and each measure's curve, ``[S, records]``."""

    steps: Array
    curves: dict[str, Array]


def trajectory(
    start: Start,
    update: Update,
    steps: int,
    rngs: Generators,
    *,
    every: int = 1,
    families: Sequence[Family] = ("state",),
    only: Iterable[str] | None = None,
) -> Trajectory:
    """Train every seed and record before updates 0, ``every``, ``2 every``, ... and after the last.

    What describes an update (``group``, ``change``, ``samples``) is that of the update that starts there; the record
    after the last update therefore takes one more, which nothing else sees.

    Args:
        start: environment and logits of S seeds.
        update: the rule.
        steps: number of updates, >= 1; a multiple of ``every``.
        rngs: S generators.
        every: updates between records, >= 1.
        families: which dictionaries of ``simulators.measures`` to record.
        only: names of the measures to keep; all by default.

    Raises:
        ValueError: naming ``every`` where it does not divide ``steps``, or ``only`` where a name is in no family.
    """
    if every < 1 or steps < every or steps % every:
        _checks.refuse("every", every, f"a divisor of steps = {steps}")
    names = None if only is None else tuple(only)
    state = initial_state(start.logits, start.env)
    records = [
        _measured(step, start.env, update, families, names)
        for count, step in enumerate(train(state, start.env, update, steps + 1, rngs))
        if count % every == 0
    ]
    curves = {name: np.stack([record[name] for record in records], axis=1) for name in records[0]}
    return Trajectory(np.arange(0, steps + 1, every), curves)


def _measured(
    step: Step, env: Environment, update: Update, families: Sequence[Family], only: tuple[str, ...] | None
) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for family in families:
        found |= _FAMILIES[family](step, env, update)
    if only is None:
        return found
    for name in only:
        if name not in found:
            _checks.refuse("only", name, f"names among {sorted(found)}")
    return {name: found[name] for name in only}


def to_records(run: Trajectory, **labels: Any) -> list[Record]:
    """One record for each seed and recorded update, with ``labels`` on each; NaN as None, JSON's only way."""
    seeds = len(next(iter(run.curves.values())))
    return [
        {**labels, "seed": s, "step": int(t), **{name: _or_none(curve[s, i]) for name, curve in run.curves.items()}}
        for s in range(seeds)
        for i, t in enumerate(run.steps)
    ]


def from_records(records: Iterable[Mapping[str, Any]], names: Sequence[str], **labels: Any) -> Trajectory:
    """The run with these labels, from records of any number of runs in any order.

    Raises:
        ValueError: naming ``records`` where the run is missing or has not every update of every seed exactly once.
    """
    chosen = [row for row in records if all(row[label] == value for label, value in labels.items())]
    steps = sorted({row["step"] for row in chosen})
    seeds = sorted({row["seed"] for row in chosen})
    places = {(row["seed"], row["step"]): row for row in chosen}
    if not chosen or len(places) != len(chosen) or len(chosen) != len(steps) * len(seeds):
        _checks.refuse("records", len(chosen), f"each seed's every update once for {labels}")
    curves = {
        name: np.array([[_or_nan(places[seed, step][name]) for step in steps] for seed in seeds]) for name in names
    }
    return Trajectory(np.asarray(steps), curves)


def at_gain(success: Array, curve: Array, gains: object) -> Array:
    """A curve where a seed has first gained so much success over its start: equal progress, not equal time.

    Linear between records; first passage, so that a fall of success later does not matter.

    Args:
        success: ``[S, records]``.
        curve: ``[S, records]``.
        gains: ``[L]``, >= 0.

    Returns:
        ``[S, L]``; NaN where the seed never gains so much.
    """
    targets = np.asarray(gains, dtype=np.float64)
    best = np.maximum.accumulate(success - success[:, :1], axis=1)
    return np.stack([_first_passage(b, c, targets) for b, c in zip(best, curve, strict=True)])


def common_gains(successes: Iterable[Array], count: int = 3) -> Array:
    """Evenly spaced gains of success that every seed of every run reaches, the largest included, ``[count]``."""
    reach = min(float((success.max(axis=1) - success[:, 0]).min()) for success in successes)
    return np.linspace(0.0, max(reach, 0.0), count + 1)[1:]


def alternated(one: Trajectory, other: Trajectory) -> Trajectory:
    """The seeds 0, 2, ... of one run and the seeds 1, 3, ... of the other, of the same starts.

    What tells the two runs apart averages out between a run made so and its counterpart: data for a control.
    """
    odd = np.arange(len(next(iter(one.curves.values())))) % 2 == 1
    curves = {name: np.where(odd[:, None], other.curves[name], curve) for name, curve in one.curves.items()}
    return Trajectory(one.steps, curves)


def mean_level(steps: Array, curve: Array) -> Array:
    """Area under each seed's curve over the updates it spans, ``[S, records] -> [S]``."""
    return np.asarray(np.trapezoid(curve, steps, axis=1) / (steps[-1] - steps[0]))


def path_distance(steps: Array, one: Array, other: Array) -> Array:
    """Mean absolute distance of two curves of the same seeds, ``[S]``."""
    return mean_level(steps, np.abs(one - other))


def paired_difference(one: Array, other: Array, *, level: float) -> Interval:
    """Interval for the mean of ``one - other`` over seeds that share their randomness, ``[S]`` each."""
    return mean_interval(np.asarray(one) - np.asarray(other), level=level)


def _first_passage(best: Array, curve: Array, targets: Array) -> Array:
    """Of one seed: ``best`` non-decreasing from 0."""
    after = np.searchsorted(best, targets, side="left")
    inside = np.minimum(after, len(best) - 1)
    before = np.maximum(inside - 1, 0)
    rise = best[inside] - best[before]
    share = np.divide(targets - best[before], rise, out=np.ones_like(targets), where=rise > 0)
    values = curve[before] + share * (curve[inside] - curve[before])
    return np.where(after < len(best), values, nan)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _or_nan(value: float | None) -> float:
    return nan if value is None else value
