"""Train several seeds and record measures along the way, as curves ``[S, records]`` with a seed in each row.

``qae_theory.curves`` says what is read off the curves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.curves.trajectories import Trajectory
from simulators.engine import Step, initial_state, train
from simulators.environments import Environment
from simulators.experiments.base import Record
from simulators.measures import change_measures, group_measures, sample_entropy_measures, state_measures
from simulators.tabular.groups import Generators
from simulators.update import Update
from simulators.worlds import Start

Family = Literal["state", "group", "change", "samples"]

# Each family of measures, called alike: some need the environment or the update, others the step alone.

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

    Measures of an update (``group``, ``change``, ``samples``) are those of the update that starts at the record. The
    record after the last update therefore takes one update more, which nothing else sees.

    Args:
        start: environment and logits of S seeds.
        update: the rule and its switches.
        steps: number of updates, >= 1; a multiple of ``every``.
        rngs: S generators.
        every: updates between records, >= 1.
        families: which dictionaries of ``simulators.measures`` to record.
        only: names of the measures to keep; all by default.

    Returns:
        The recorded steps, and one curve ``[S, records]`` for each measure.

    Raises:
        ValueError: ``every`` does not divide ``steps``, or a name in ``only`` is in no family.
    """
    if every < 1 or steps < every or steps % every:
        checks.refuse("every", every, f"a divisor of steps = {steps}")
    names = None if only is None else tuple(only)
    state = initial_state(start.logits, start.env)
    records = []
    for count, step in enumerate(train(state, start.env, update, steps=steps + 1, rngs=rngs)):
        if count % every == 0:
            records.append(_measured(step, start.env, update, families=families, only=names))
    return Trajectory(np.arange(0, steps + 1, every), stacked(records))


def stacked(records: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the measures ``[S]`` of successive records as curves ``[S, records]``, by name."""
    curves = {}
    for name in records[0]:
        curves[name] = np.stack([record[name] for record in records], axis=1)
    return curves


def _measured(
    step: Step, env: Environment, update: Update, *, families: Sequence[Family], only: tuple[str, ...] | None
) -> dict[str, Array]:
    """Return the measures of these families, ``[S]`` each, or those of them that are asked for by name."""
    measures: dict[str, Array] = {}
    for family in families:
        measures |= _FAMILIES[family](step, env, update)
    if only is None:
        return measures
    for name in only:
        if name not in measures:
            checks.refuse("only", name, f"names among {sorted(measures)}")
    return {name: measures[name] for name in only}


def to_records(run: Trajectory, **labels: Any) -> list[Record]:
    """Return a record for each seed and recorded update, with ``labels`` on each.

    A measure that is NaN becomes None, since JSON has no NaN.
    """
    seeds = len(next(iter(run.curves.values())))
    records = []
    for seed in range(seeds):
        for i, step in enumerate(run.steps):
            measures = {name: or_none(curve[seed, i]) for name, curve in run.curves.items()}
            records.append({**labels, "seed": seed, "step": int(step), **measures})
    return records


def seed_records(figures: Mapping[str, Array], **labels: Any) -> list[Record]:
    """Return a record for each seed from figures ``[S]``, with ``labels`` on each; NaN becomes None."""
    seeds = len(next(iter(figures.values())))
    records = []
    for seed in range(seeds):
        of_seed = {name: or_none(figure[seed]) for name, figure in figures.items()}
        records.append({**labels, "seed": seed, **of_seed})
    return records


def or_none(value: float) -> float | None:
    """Return a number as a record may hold it: None for NaN, since JSON has no NaN."""
    return None if np.isnan(value) else float(value)
