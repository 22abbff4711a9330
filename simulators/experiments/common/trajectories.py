"""Runs of several seeds as curves: what is recorded along them.

Every curve is ``[S, records]``: a seed a row. What is read off them is in ``qae_theory.curves``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.curves.trajectories import Trajectory
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
        checks.refuse("every", every, f"a divisor of steps = {steps}")
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
            checks.refuse("only", name, f"names among {sorted(found)}")
    return {name: found[name] for name in only}


def to_records(run: Trajectory, **labels: Any) -> list[Record]:
    """One record for each seed and recorded update, with ``labels`` on each; NaN as None, JSON's only way."""
    seeds = len(next(iter(run.curves.values())))
    return [
        {**labels, "seed": s, "step": int(t), **{name: _or_none(curve[s, i]) for name, curve in run.curves.items()}}
        for s in range(seeds)
        for i, t in enumerate(run.steps)
    ]


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
