"""Which update keeps Prop. 4.2's order of entropy changes, at which step sizes; certified steps beside the actual ones.

Population updates are compared between baselines of one policy, sampled groups between rules, by the exact expectation
over every group. Every policy is an independent draw. What the analysis says of it is in ``ordering_analysis``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from qae_theory.arrays import Array
from qae_theory.checks import quantile_level
from qae_theory.runs.settings import Positive
from qae_theory.softmax import expectation, log_softmax
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.experiments.common.fields import Arms, Level, Some, Spread
from simulators.experiments.common.shares import generators
from simulators.experiments.ordering.analysis import analyse
from simulators.experiments.ordering.changes import (
    Order,
    certificate,
    in_order,
    order_of_baselines,
    population_changes,
    sampled_changes,
)
from simulators.groups import Generators
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

POPULATION = ("uncentred", "policy_gradient", "natural_gradient")
# Preferred rule and rule that it is held against: the gate against the mean and against the constant baselines; the
# last is the constant baseline b_K of the query against the other one, without standardisation.
SAMPLED = (("qae", "grpo"), ("qae", "psr"), ("qae", "nsr"), ("constant", "constant"))
RULES = ("qae", "grpo", "psr", "nsr")
GATED = {"qae"}  # rules with the option k


class OrderingConfig(Config):
    """Sizes; ``arms`` for the population updates, ``sampled_arms`` for groups of ``group_size``, all enumerated."""

    k: Level = "0.4"
    seeds: int = Field(8, ge=1)
    queries: int = Field(64, ge=1)
    arms: Some[Arms] = (2, 4, 16, 64)
    sampled_arms: Some[Arms] = (2, 3, 5)
    spreads: Some[Spread] = (0.5, 1.0, 2.0)
    group_size: int = Field(6, ge=2)
    step_low: Positive = 0.01
    step_high: Positive = 1000.0
    steps_a_decade: int = Field(2, ge=1)
    scan_a_decade: int = Field(20, ge=1)
    baselines: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    stretch: float = Field(10.0, gt=1)  # the control: certified steps times this are certified by nothing

    @model_validator(mode="after")
    def _ascending(self) -> OrderingConfig:
        if self.step_high <= self.step_low:
            raise ValueError(f"step_high must be above step_low = {self.step_low}; got {self.step_high}")
        return self


class Policies(NamedTuple):
    """A cell's policies as rows: logits and rewards ``[P, n]``, success and whether the query is hard ``[P]``."""

    logits: Array
    arm_rewards: Array
    success: Array
    hard: Array


def cells(config: OrderingConfig) -> list[Cell]:
    """One for each update's kind, number of arms and spread."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "arms", "sampled_arms", "spreads"})
    kinds = (("population", config.arms), ("certified", config.arms), ("sampled", config.sampled_arms))
    return [
        Cell(
            f"{kind} arms={arms} spread={spread:g}",
            {**common, "kind": kind, "arms": arms, "spread": spread},
            stream=stream,
        )
        for kind, counts in kinds
        for stream, (arms, spread) in enumerate(product(counts, config.spreads))
    ]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Counts by update, comparison, regime and step size; for certified steps, one record a policy and pair."""
    start = _start(settings, generators(seeds, settings["seeds"]))
    found = _KINDS[settings["kind"]](start, settings)
    labels = {name: settings[name] for name in ("kind", "arms", "spread")}
    return [{**labels, **row} for row in found]


def policies(start: Start, k: str) -> Policies:
    """The rows of a start; a query is hard where V <= 1 - K."""
    arms = start.logits.shape[-1]
    logits, rewards = start.logits.reshape(-1, arms), start.env.arm_rewards.reshape(-1, arms)
    success = expectation(np.exp(log_softmax(logits)), rewards)
    return Policies(logits, rewards, success, success <= 1 - float(quantile_level(k)))


def step_grid(settings: Mapping[str, Any], per_decade: int) -> Array:
    """Step sizes evenly spaced in their logarithm."""
    decades = np.log10(settings["step_high"] / settings["step_low"])
    return np.geomspace(settings["step_low"], settings["step_high"], round(decades * per_decade) + 1)


def _start(settings: Mapping[str, Any], rngs: Generators) -> Start:
    world = World(queries=settings["queries"], arms=settings["arms"], spread=settings["spread"])
    return random_bandits(world, rngs)


def _population(start: Start, settings: Mapping[str, Any]) -> list[Record]:
    rows = policies(start, settings["k"])
    steps = [0.0, *step_grid(settings, settings["steps_a_decade"]).tolist()]
    grid = sorted({0.0, 1.0, *settings["baselines"]})
    every = np.vstack([np.broadcast_to(np.array(grid)[:, None], (len(grid), len(rows.success))), rows.success])
    mean_alone = np.stack([np.where(rows.hard, 0.0, 1.0), rows.success])
    records = []
    for update, (name, baselines) in product(POPULATION, (("every baseline", every), ("the mean", mean_alone))):
        changes = population_changes(rows.logits, rows.arm_rewards, update, baselines, steps)
        order = order_of_baselines(*changes, baselines, rows.hard)
        records += _counts(order, rows.hard, steps, update=update, against=name)
    return records


def _sampled(start: Start, settings: Mapping[str, Any]) -> list[Record]:
    rows = policies(start, settings["k"])
    steps = [0.0, *step_grid(settings, settings["steps_a_decade"]).tolist()]
    found = {rule: sampled_changes(start, _update(rule, settings), steps) for rule in RULES}
    gate, against = (_constants(found, hard) for hard in (rows.hard, ~rows.hard))
    records = []
    for preferred, other in SAMPLED:
        one, two = (found[preferred], found[other]) if preferred != "constant" else (gate, against)
        order = in_order(one[0], two[0], np.maximum(one[1], two[1]), rows.hard)
        records += _counts(order, rows.hard, steps, update=f"sampled_group {preferred}", against=other)
    return records


def _constants(found: Mapping[str, tuple[Array, Array]], zero: Array) -> tuple[Array, Array]:
    """Changes and rounding under the constant baseline 0 (PSR) where ``zero``, 1 (NSR) elsewhere."""
    (psr, psr_slack), (nsr, nsr_slack) = found["psr"], found["nsr"]
    return np.where(zero, psr, nsr), np.where(zero, psr_slack, nsr_slack)


def _update(rule: str, settings: Mapping[str, Any]) -> Update:
    options = {"k": settings["k"]} if rule in GATED else {}
    return Update(method=rule, options=options, group_size=settings["group_size"], aggregation="token_sum")


def _certified(start: Start, settings: Mapping[str, Any]) -> list[Record]:
    rows = policies(start, settings["k"])
    scan = step_grid(settings, settings["scan_a_decade"])
    zero, one = np.zeros_like(rows.success), np.ones_like(rows.success)
    mean = np.where(rows.hard, zero, rows.success), np.where(rows.hard, rows.success, one)
    records = []
    for pair, (low, high) in (("0 and 1", (zero, one)), ("b_K and the mean", mean)):
        found = certificate(rows.logits, rows.arm_rewards, low, high, scan, stretch=settings["stretch"])
        records += [
            {
                "pair": pair,
                "regime": _regime(bool(hard)),
                "certified": _finite(certified),
                "actual": _finite(actual),
                "failures": int(failures) + int(certified > actual),
                "stretched_failures": int(stretched),
            }
            for hard, certified, actual, failures, stretched in zip(rows.hard, *found, strict=True)
        ]
    return records


def _counts(order: Order, hard: Array, steps: Sequence[float], **labels: str) -> list[Record]:
    """Rows and how many keep the order, by regime and step size; order ``[E, P]``."""
    return [
        {
            **labels,
            "regime": _regime(regime),
            "step_size": step,
            "rows": int((hard == regime).sum()),
            "holds": int(order.weak[i, hard == regime].sum()),
            "strict": int(order.strict[i, hard == regime].sum()),
        }
        for i, step in enumerate(steps)
        for regime in (True, False)
    ]


def _regime(hard: bool) -> str:
    return "hard" if hard else "easy"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


_KINDS = {"population": _population, "sampled": _sampled, "certified": _certified}

EXPERIMENT = Experiment(
    name="ordering",
    summary="which update keeps Prop. 4.2's order, by step size; certified steps beside the actual ones",
    config=OrderingConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
