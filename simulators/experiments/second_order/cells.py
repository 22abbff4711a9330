r"""Predicted against actual expected entropy change of a sampled group's step, to second order.

Small bandits: the actual change by enumeration of every group, and the slope of what is left,
:math:`E[ΔH] - ηh_1 - \tfrac{η^2}{2}h_2`, in the step size: 3 or more if the prediction is right, 2 without its second
order. Larger ones: sampled groups. What the analysis says of it is in ``second_order_analysis``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
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
from simulators.groups import Generators
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits


class SecondOrderConfig(Config):
    """Sizes. ``shapes``: arms and group size of the enumerated bandits; ``sampled_*`` of those that are not.

    Slopes are fitted over the step sizes from ``step_low`` to ``step_high``, ``steps_a_decade`` a decade, that pass the
    rule of ``second_order_analysis.window`` with ``largest_fitted``.
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
    blocks: int = Field(32, ge=2)  # independent draws of the same bandits' mean
    block_groups: int = Field(64, ge=1)  # groups a query and block

    @model_validator(mode="after")
    def _ascending(self) -> SecondOrderConfig:
        if self.step_high <= self.step_low:
            raise ValueError(f"step_high must be above step_low = {self.step_low}; got {self.step_high}")
        return self


def cells(config: SecondOrderConfig) -> list[Cell]:
    """One for each estimator and size, and one for each estimator's sampled groups."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "shapes", "largest_fitted"})
    exact = [
        Cell(
            f"{name} arms={arms} G={size}",
            {**common, "estimator": name, "arms": arms, "group_size": size},
            stream=1 + stream,
        )
        for name, (stream, (arms, size)) in product(estimator_names(), enumerate(config.shapes))
    ]
    return exact + [Cell(f"{name} sampled", {**common, "estimator": name}, stream=0) for name in estimator_names()]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Remainders by seed and step size, or the sampled curvature by block."""
    rngs = generators(seeds, settings["seeds"])
    return _enumerated(settings, rngs) if "group_size" in settings else _sampled(settings, rngs)


def _enumerated(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Root mean squares over a seed's queries: single remainders can pass through zero, and have no slope there."""
    arms, size, name = settings["arms"], settings["group_size"], settings["estimator"]
    start = random_bandits(World(queries=settings["queries"], arms=arms, spread=settings["spread"]), rngs)
    first, second = _predictions(start, size, name)
    records = []
    for step in _steps(settings):
        actual = _each_query(start, size, name, step)
        line = step * first
        left = {
            "actual": actual,
            "remainder": actual - line - 0.5 * step**2 * second,
            "remainder_without": actual - line,
        }
        sizes = {key: np.sqrt(np.square(value).mean(axis=1)) for key, value in left.items()}
        records += [
            {
                "estimator": name,
                "arms": arms,
                "group_size": size,
                "seed": seed,
                "step_size": step,
                **{key: float(value[seed]) for key, value in sizes.items()},
            }
            for seed in range(len(actual))
        ]
    return records


def _steps(settings: Mapping[str, Any]) -> list[float]:
    decades = np.log10(settings["step_high"] / settings["step_low"])
    count = round(decades * settings["steps_a_decade"]) + 1
    return [float(step) for step in np.geomspace(settings["step_low"], settings["step_high"], count)]


def _predictions(start: Start, group_size: int, estimator: str) -> tuple[Array, Array]:
    """Expected first- and second-order change of every query, ``[S, Q]`` each."""
    of = start.logits, start.env.arm_rewards, group_size, estimator
    return expected_first_order_change(*of), expected_second_order_change(*of)


def _each_query(start: Start, group_size: int, estimator: str, step: float) -> Array:
    """Exact expected change, one query at a time as enumeration wants it, ``[S, Q]``."""
    shape, arms = start.logits.shape[:-1], start.logits.shape[-1]
    rows = zip(start.logits.reshape(-1, arms), start.env.arm_rewards.reshape(-1, arms), strict=True)
    return np.array([expected_entropy_change(z, r, group_size, estimator, step) for z, r in rows]).reshape(shape)


def _sampled(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Mean curvature of each block of sampled groups, against its prediction for the same bandits."""
    name, size = settings["estimator"], settings["sampled_group_size"]
    world = World(queries=settings["sampled_queries"], arms=settings["sampled_arms"], spread=settings["spread"])
    start = random_bandits(world, rngs)
    update = Update(method=name, group_size=size, step_size=settings["sampled_step"], aggregation="token_sum")
    predicted = float(_predictions(start, size, name)[1].mean())
    return [
        {
            "estimator": name,
            "block": block,
            "groups": settings["block_groups"],
            "predicted": predicted,
            "measured": sampled_curvature(start, update, settings["block_groups"], rngs),
        }
        for block in range(settings["blocks"])
    ]


def sampled_curvature(start: Start, update: Update, groups: int, rngs: Generators) -> float:
    r"""Mean of :math:`(ΔH - η h_1(d)) / (η^2/2)` over ``groups`` sampled groups of every query of every seed.

    Its expectation is the queries' mean expected curvature, up to a term of the order of the step size. The first-order
    change, whose expectation is known, is taken off each group's own, so that its noise is gone.
    """
    state, env = _copies(start, groups)
    step = update_once(state, env, update, rngs)
    logits, direction = step.before.logits[..., 0, :], step.direction[..., 0, :]
    line = update.step_size * first_order_entropy_change(logits, direction)
    curved = entropy_change(logits, direction, update.step_size) - line
    return float(curved.mean() / (update.step_size**2 / 2))


def _copies(start: Start, count: int) -> tuple[State, Environment]:
    """State and environment with an axis of copies after the seeds', ``[S, count, Q, ...]``."""
    logits, rewards = (np.repeat(array[:, None], count, axis=1) for array in (start.logits, start.env.arm_rewards))
    env = bandit(rewards)
    return initial_state(logits, env), env


EXPERIMENT = Experiment(
    name="second-order",
    summary="predicted against actual expected entropy change to second order, by enumeration and by sampling",
    config=SecondOrderConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
