"""Which update keeps Prop. 4.2's order of entropy changes, and at which step sizes?

Population updates are compared between baselines of one policy, and sampled groups between rules, by the exact
expectation over every group. Certified steps stand beside the actual ones. Every policy is an independent draw.
``ordering.analysis`` says what the records mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from qae_theory.checks import quantile_level
from qae_theory.runs.plain import finite_or_none
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
from simulators.tabular.groups import Generators
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

POPULATION = ("uncentred", "policy_gradient", "natural_gradient")
# Each pair is the rule that Prop. 4.2 prefers and the rule that it is held against: the gate against the mean, then
# against the constant baselines 0 (PSR) and 1 (NSR). The last pair is the constant baseline b_K of the query against
# the other constant one, without standardisation.
SAMPLED = (("qae", "grpo"), ("qae", "psr"), ("qae", "nsr"), ("constant", "constant"))
RULES = ("qae", "grpo", "psr", "nsr")
GATED = {"qae"}  # the rules that have the option k


class OrderingConfig(Config):
    """Sizes of the experiment.

    ``arms`` are those of the population updates, ``sampled_arms`` those of groups of ``group_size``, which are all
    enumerated. ``steps_a_decade`` is the grid on which shares are counted, and ``scan_a_decade`` the finer one on which
    actual largest steps are sought. The control tries certified steps times ``stretch``, which nothing certifies.
    """

    k: Level = DEFAULT_K
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
    stretch: float = Field(10.0, gt=1)

    @model_validator(mode="after")
    def _ascending(self) -> OrderingConfig:
        """Refuse a grid of step sizes that does not ascend."""
        if self.step_high <= self.step_low:
            raise ValueError(f"step_high must be above step_low = {self.step_low}; got {self.step_high}")
        return self


class Policies(NamedTuple):
    """Hold a cell's policies: logits and rewards ``[P, n]``, success and whether the query is hard ``[P]``."""

    logits: Array
    arm_rewards: Array
    success: Array
    hard: Array


def cells(config: OrderingConfig) -> list[Cell]:
    """Return a cell for each kind of update, number of arms and spread."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "arms", "sampled_arms", "spreads"})
    kinds = (("population", config.arms), ("certified", config.arms), ("sampled", config.sampled_arms))
    listed = []
    for kind, counts in kinds:
        for stream, (arms, spread) in enumerate(product(counts, config.spreads)):
            settings = {**common, "kind": kind, "arms": arms, "spread": spread}
            listed.append(Cell(f"{kind} arms={arms} spread={spread:g}", settings, stream=stream))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return counts by update, comparison, regime and step size, or a record for each certified step."""
    start = _start(settings, generators(seeds, settings["seeds"]))
    labels = {name: settings[name] for name in ("kind", "arms", "spread")}
    return [{**labels, **record} for record in _KINDS[settings["kind"]](start, settings)]


def policies(start: Start, k: str) -> Policies:
    """Return the policies of a start in one batch; a query is hard where V <= 1 - K."""
    arms = start.logits.shape[-1]
    logits, rewards = start.logits.reshape(-1, arms), start.env.arm_rewards.reshape(-1, arms)
    success = expectation(np.exp(log_softmax(logits)), rewards)
    hard = success <= 1 - float(quantile_level(k))
    return Policies(logits=logits, arm_rewards=rewards, success=success, hard=hard)


def step_grid(settings: Mapping[str, Any], per_decade: int) -> Array:
    """Return step sizes evenly spaced in their logarithm, ``per_decade`` for each power of ten."""
    decades = np.log10(settings["step_high"] / settings["step_low"])
    return np.geomspace(settings["step_low"], settings["step_high"], round(decades * per_decade) + 1)


def _start(settings: Mapping[str, Any], rngs: Generators) -> Start:
    """Return random bandits of the cell's size."""
    world = World(queries=settings["queries"], arms=settings["arms"], spread=settings["spread"])
    return random_bandits(world, rngs)


def _population(start: Start, settings: Mapping[str, Any]) -> list[Record]:
    """Return the counts of the population updates: against every baseline on a grid, and against the mean alone."""
    batch = policies(start, settings["k"])
    steps = [0.0, *step_grid(settings, settings["steps_a_decade"]).tolist()]
    grid = sorted({0.0, 1.0, *settings["baselines"]})
    constants = np.broadcast_to(np.array(grid)[:, None], (len(grid), len(batch.success)))
    every = np.vstack([constants, batch.success])
    # Prop. 4.2's own baseline b_K, and the mean that it replaces.
    mean_alone = np.stack([np.where(batch.hard, 0.0, 1.0), batch.success])
    records = []
    for update, (name, baselines) in product(POPULATION, (("every baseline", every), ("the mean", mean_alone))):
        changes, slack = population_changes(batch.logits, batch.arm_rewards, update, baselines=baselines, steps=steps)
        order = order_of_baselines(changes, slack, baselines=baselines, hard=batch.hard)
        records += _counts(order, batch.hard, steps, update=update, against=name)
    return records


def _sampled(start: Start, settings: Mapping[str, Any]) -> list[Record]:
    """Return the counts of sampled groups: each preferred rule against another, in expectation over all groups."""
    batch = policies(start, settings["k"])
    steps = [0.0, *step_grid(settings, settings["steps_a_decade"]).tolist()]
    by_rule = {rule: sampled_changes(start, _update(rule, settings), steps) for rule in RULES}
    gate, opposite_gate = _constants(by_rule, batch.hard), _constants(by_rule, ~batch.hard)
    records = []
    for preferred, other in SAMPLED:
        constant = preferred == "constant"
        changes, slack = gate if constant else by_rule[preferred]
        other_changes, other_slack = opposite_gate if constant else by_rule[other]
        order = in_order(changes, other_changes, slack=np.maximum(slack, other_slack), hard=batch.hard)
        records += _counts(order, batch.hard, steps, update=f"sampled_group {preferred}", against=other)
    return records


def _constants(by_rule: Mapping[str, tuple[Array, Array]], zero: Array) -> tuple[Array, Array]:
    """Return changes and rounding under the constant baseline 0 (PSR) where ``zero``, and 1 (NSR) elsewhere."""
    (psr, psr_slack), (nsr, nsr_slack) = by_rule["psr"], by_rule["nsr"]
    return np.where(zero, psr, nsr), np.where(zero, psr_slack, nsr_slack)


def _update(rule: str, settings: Mapping[str, Any]) -> Update:
    """Return the update of a rule on sampled groups.

    A bandit's responses have one token, so that the three aggregations agree.
    """
    options = {"k": settings["k"]} if rule in GATED else {}
    return Update(method=rule, options=options, group_size=settings["group_size"], aggregation="token_sum")


def _certified(start: Start, settings: Mapping[str, Any]) -> list[Record]:
    """Return a record for each policy and pair of baselines: certified step, actual step, and failures of the order."""
    batch = policies(start, settings["k"])
    scan = step_grid(settings, settings["scan_a_decade"])
    zeros, ones = np.zeros_like(batch.success), np.ones_like(batch.success)
    # The widest pair of baselines, and the pair of the proposition, of which b_K is the lower one on hard queries.
    pairs = {
        "0 and 1": (zeros, ones),
        "b_K and the mean": (
            np.where(batch.hard, zeros, batch.success),
            np.where(batch.hard, batch.success, ones),
        ),
    }
    records = []
    for pair, (low, high) in pairs.items():
        steps = certificate(batch.logits, batch.arm_rewards, low=low, high=high, scan=scan, stretch=settings["stretch"])
        for hard, certified, actual, failures, stretched in zip(batch.hard, *steps, strict=True):
            records.append(
                {
                    "pair": pair,
                    "regime": _regime(bool(hard)),
                    "certified": finite_or_none(float(certified)),
                    "actual": finite_or_none(float(actual)),
                    # A certified step beyond the actual one is a failure, whether or not a tried step shows it.
                    "failures": int(failures) + int(certified > actual),
                    "stretched_failures": int(stretched),
                }
            )
    return records


def _counts(order: Order, hard: Array, steps: Sequence[float], **labels: str) -> list[Record]:
    """Return how many policies there are and how many keep the order ``[E, P]``, by regime and step size."""
    records = []
    for i, step in enumerate(steps):
        for regime in (True, False):
            chosen = hard == regime
            records.append(
                {
                    **labels,
                    "regime": _regime(regime),
                    "step_size": step,
                    "rows": int(chosen.sum()),
                    "holds": int(order.weak[i, chosen].sum()),
                    "strict": int(order.strict[i, chosen].sum()),
                }
            )
    return records


def _regime(hard: bool) -> str:
    return "hard" if hard else "easy"


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
