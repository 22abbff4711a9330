r"""Hold the predicted expected entropy change of a sampled group's step against the actual one, to second order.

On small bandits the actual change comes from enumerating every group. What the prediction leaves of it,
:math:`E[ΔH] - ηh_1 - \tfrac{η^2}{2}h_2`, falls with the step size with slope 3 or more if the prediction is right, and
with slope 2 without its second order. On larger bandits groups are sampled. ``second_order.analysis`` says what the
records mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from qae_theory import entropy_change, estimator_names, expected_entropy_change, first_order_entropy_change
from qae_theory.arrays import Array
from qae_theory.group_expectation import expected_first_order_change, expected_second_order_change
from qae_theory.runs.settings import Positive
from simulators.engine import State, initial_state, update_once
from simulators.environments import Environment, bandit
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.experiments.common.fields import Arms, GroupSize, Some
from simulators.experiments.common.shares import generators
from simulators.experiments.second_order.analysis import analyse
from simulators.tabular.groups import Generators
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits


class SecondOrderConfig(Config):
    """Sizes of the experiment.

    ``shapes`` are arms and group size of the enumerated bandits, and ``sampled_*`` the sizes of those that are sampled:
    ``blocks`` independent draws of the same bandits' mean, with ``block_groups`` groups for each query and block.

    Slopes are fitted over the step sizes from ``step_low`` to ``step_high``, ``steps_a_decade`` a decade, that pass the
    rule of ``second_order.analysis.window`` with ``largest_fitted``.
    """

    seeds: int = Field(16, ge=2)
    queries: int = Field(4, ge=1)
    spread: float = Field(1.0, ge=0)
    shapes: Some[tuple[Arms, GroupSize]] = ((2, 4), (3, 4), (4, 5))
    step_low: Positive = 1e-5
    step_high: Positive = 1.0
    steps_a_decade: int = Field(3, ge=1)
    largest_fitted: Positive = 0.1
    sampled_arms: int = Field(32, ge=2)
    sampled_group_size: int = Field(16, ge=2)
    sampled_queries: int = Field(16, ge=1)
    sampled_step: Positive = 0.003
    blocks: int = Field(32, ge=2)
    block_groups: int = Field(64, ge=1)

    @model_validator(mode="after")
    def _ascending(self) -> SecondOrderConfig:
        """Refuse a grid of step sizes that does not ascend."""
        if self.step_high <= self.step_low:
            raise ValueError(f"step_high must be above step_low = {self.step_low}; got {self.step_high}")
        return self


def cells(config: SecondOrderConfig) -> list[Cell]:
    """Return a cell for each estimator and enumerated size, and one for each estimator's sampled groups."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "shapes", "largest_fitted"})
    enumerated, sampled = [], []
    # Stream 0 belongs to the sampled bandits. Each size has a stream of its own, which all estimators share.
    for name in estimator_names():
        for stream, (arms, size) in enumerate(config.shapes, start=1):
            settings = {**common, "estimator": name, "arms": arms, "group_size": size}
            enumerated.append(Cell(f"{name} arms={arms} G={size}", settings, stream=stream))
        sampled.append(Cell(f"{name} sampled", {**common, "estimator": name}, stream=0))
    return [*enumerated, *sampled]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return remainders by seed and step size, or the sampled curvature by block."""
    rngs = generators(seeds, settings["seeds"])
    return _enumerated(settings, rngs) if "group_size" in settings else _sampled(settings, rngs)


def _enumerated(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return a seed's remainders as root mean squares over its queries.

    A single query's remainder may pass through zero as the step grows, and has no slope there.
    """
    arms, size, name = settings["arms"], settings["group_size"], settings["estimator"]
    # All estimators see the same bandits, so that their slopes differ by the rule alone.
    start = random_bandits(World(queries=settings["queries"], arms=arms, spread=settings["spread"]), rngs)
    first, second = _predictions(start, size, name)
    records = []
    for step in _steps(settings):
        actual = _each_query(start, size, name, step=step)
        linear = step * first
        changes = {
            "actual": actual,
            "remainder": actual - linear - 0.5 * step**2 * second,
            "remainder_without": actual - linear,
        }
        of_seeds = {key: np.sqrt(np.square(change).mean(axis=1)) for key, change in changes.items()}
        for seed in range(len(actual)):
            labels = {"estimator": name, "arms": arms, "group_size": size, "seed": seed, "step_size": step}
            records.append({**labels, **{key: float(change[seed]) for key, change in of_seeds.items()}})
    return records


def _steps(settings: Mapping[str, Any]) -> list[float]:
    """Return the grid of step sizes, evenly spaced in their logarithm."""
    decades = np.log10(settings["step_high"] / settings["step_low"])
    count = round(decades * settings["steps_a_decade"]) + 1
    return [float(step) for step in np.geomspace(settings["step_low"], settings["step_high"], count)]


def _predictions(start: Start, group_size: int, estimator: str) -> tuple[Array, Array]:
    """Return the expected first- and second-order change of every query, ``[S, Q]`` each."""
    arguments = start.logits, start.env.arm_rewards, group_size, estimator
    return expected_first_order_change(*arguments), expected_second_order_change(*arguments)


def _each_query(start: Start, group_size: int, estimator: str, *, step: float) -> Array:
    """Return the exact expected change, ``[S, Q]``, one query at a time, since enumeration takes one policy."""
    arms = start.logits.shape[-1]
    changes = []
    for logits, rewards in zip(start.logits.reshape(-1, arms), start.env.arm_rewards.reshape(-1, arms), strict=True):
        changes.append(expected_entropy_change(logits, rewards, group_size, estimator=estimator, step_size=step))
    return np.array(changes).reshape(start.logits.shape[:-1])


def _sampled(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return the mean curvature of each block of sampled groups, beside its prediction for the same bandits."""
    name, size = settings["estimator"], settings["sampled_group_size"]
    world = World(queries=settings["sampled_queries"], arms=settings["sampled_arms"], spread=settings["spread"])
    start = random_bandits(world, rngs)
    update = Update(method=name, group_size=size, step_size=settings["sampled_step"], aggregation="token_sum")
    predicted = float(_predictions(start, size, name)[1].mean())
    records = []
    for block in range(settings["blocks"]):
        records.append(
            {
                "estimator": name,
                "block": block,
                "groups": settings["block_groups"],
                "predicted": predicted,
                "measured": sampled_curvature(start, update, settings["block_groups"], rngs=rngs),
            }
        )
    return records


def sampled_curvature(start: Start, update: Update, groups: int, rngs: Generators) -> float:
    """Return the mean of :math:`(ΔH - η h_1(d)) / (η^2/2)` over sampled groups of every query of every seed.

    Its expectation is the queries' mean expected curvature, up to a term of the order of the step size. The first-order
    change, whose expectation is known, is taken off each group's own change, so that its noise is gone.

    Args:
        start: the bandits.
        update: the rule and the step size eta.
        groups: number of groups per query.
        rngs: S generators.

    Returns:
        The mean, in nats per unit step squared.
    """
    state, env = _copies(start, groups)
    step = update_once(state, env, update, rngs=rngs)
    logits, direction = step.before.logits[..., 0, :], step.direction[..., 0, :]
    linear = update.step_size * first_order_entropy_change(logits, direction)
    curved = entropy_change(logits, direction, update.step_size) - linear
    return float(curved.mean() / (update.step_size**2 / 2))


def _copies(start: Start, count: int) -> tuple[State, Environment]:
    """Return state and environment with an axis of copies after the seeds' axis, ``[S, count, Q, ...]``."""
    env = bandit(np.repeat(start.env.arm_rewards[:, None], count, axis=1))
    return initial_state(np.repeat(start.logits[:, None], count, axis=1), env), env


EXPERIMENT = Experiment(
    name="second-order",
    summary="predicted against actual expected entropy change to second order, by enumeration and by sampling",
    config=SecondOrderConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
