"""Do the guaranteed bounds hold, how tight are they, and what does Prop. 4.2's interval cover?

Over random policies for each of the four updates, and along training for every registered method, under SGD and Adam,
on bandits and on a token tree; on-policy throughout. What the analysis says of it is in ``bounds_analysis``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from qae_theory import update_direction
from qae_theory.arrays import Array
from qae_theory.runs.settings import Positive
from qae_theory.softmax import expectation, log_softmax
from simulators.engine import Step, initial_state, train, update_once
from simulators.environments import Environment, environment
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.bounds.analysis import analyse
from simulators.experiments.bounds.held_bounds import Checked, by_seed, checked, coverage
from simulators.experiments.common.fields import Arms, Some, Spread
from simulators.experiments.common.shares import generators
from simulators.groups import Generators
from simulators.measures import displacement, paper_interval, rule_gain
from simulators.methods import method_names
from simulators.policy import policy, response_log_probs
from simulators.trees import token_tree
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

POPULATION = ("uncentred", "policy_gradient", "natural_gradient")
GROUP_RULES = ("grpo", "qae")  # of `sampled_group` over random policies
OPTIMISERS = ("sgd", "adam")


class BoundsConfig(Config):
    """Sizes. ``methods``: all that are registered if left empty. ``planted_scale``: of the brackets in the control."""

    seeds: int = Field(16, ge=2)
    planted_scale: float = Field(0.1, gt=0, lt=1)
    group_size: int = Field(16, ge=2)
    spreads: Some[Spread] = (0.5, 2.0)
    arms: Some[Arms] = (4, 16, 64)
    policies: int = Field(128, ge=1)  # a seed
    step_sizes: Some[Positive] = (0.01, 0.1, 1.0, 10.0)
    methods: tuple[RuleName, ...] = ()
    steps: int = Field(100, ge=1)
    queries: int = Field(8, ge=1)
    train_arms: int = Field(16, ge=2)
    symbols: int = Field(2, ge=1)
    max_length: int = Field(3, ge=1)
    sgd_step: Positive = 1.0
    adam_step: Positive = 0.05


def cells(config: BoundsConfig) -> list[Cell]:
    """Random policies by arms and spread; training by method, optimiser and world."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "spreads", "arms", "methods"})
    random = [
        Cell(f"policies arms={arms} spread={spread:g}", {**common, "arms": arms, "spread": spread}, stream=2 + stream)
        for stream, (arms, spread) in enumerate(product(config.arms, config.spreads))
    ]
    runs = product(config.methods or method_names(), OPTIMISERS, enumerate(("bandit", "tree")))
    return random + [
        Cell(
            f"{method} {optimiser} {world}",
            {**common, "method": method, "optimiser": optimiser, "world": world},
            stream=stream,
        )
        for method, optimiser, (stream, world) in runs
    ]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Counts and widths by seed, for each update and step size of random policies, or for a whole run of training."""
    rngs = generators(seeds, settings["seeds"])
    return _training(settings, rngs) if "method" in settings else _policies(settings, rngs)


def random_trees(symbols: int, max_length: int, queries: int, rngs: Generators) -> Start:
    """Token trees with standard normal logits; half of each query's responses are right, rounded up."""
    tree = token_tree(symbols, max_length)
    rewards = [np.argsort(rng.random((queries, tree.responses)), axis=-1) < tree.responses / 2 for rng in rngs]
    logits = [rng.standard_normal((queries, tree.nodes, tree.actions)) for rng in rngs]
    return Start(environment(tree, np.stack(rewards).astype(np.float64)), np.stack(logits))


def _policies(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    world = World(queries=settings["policies"], arms=settings["arms"], spread=settings["spread"])
    start = random_bandits(world, rngs)
    labels = {"part": "policies", "arms": settings["arms"], "spread": settings["spread"]}
    records = []
    for step_size in settings["step_sizes"]:
        for name, one_step in _updates(start, settings, rngs).items():
            found, covered = one_step(step_size)
            records += [{**labels, "update": name, "step_size": step_size, **row} for row in by_seed(found, covered)]
    return records


Covered = dict[str, tuple[Array, Array]]  # whether changes are inside an interval, and changes at all
OneStep = Callable[[float], tuple[Checked, Covered]]


def _updates(start: Start, settings: Mapping[str, Any], rngs: Generators) -> dict[str, OneStep]:
    """Every update of the same policies, as a function of the step size."""
    log_probs, rewards = log_softmax(start.logits), start.env.arm_rewards
    success = expectation(np.exp(log_probs), rewards)
    baselines = np.stack([np.zeros_like(success), success, np.ones_like(success)])

    def population(rule: str) -> OneStep:
        direction = update_direction(log_probs, rewards, rule, baseline=baselines)

        def one_step(step_size: float) -> tuple[Checked, Covered]:
            found = checked(log_probs, direction, step_size, planted_scale=settings["planted_scale"])
            at_mean = found.change[1]  # at b = 0 and 1 the interval's ends are the first-order change itself
            return found, {"paper_covered": coverage(at_mean, *paper_interval(log_probs, rewards, step_size))}

        return one_step

    def sampled(rule: str) -> OneStep:
        def one_step(step_size: float) -> tuple[Checked, Covered]:
            update = _update(rule, settings, step_size=step_size, aggregation="token_sum")
            step = update_once(initial_state(start.logits, start.env), start.env, update, rngs)
            return check_step(step, start.env, update, planted_scale=settings["planted_scale"])

        return one_step

    return {
        **{rule: population(rule) for rule in POPULATION},
        **{f"sampled_group {rule}": sampled(rule) for rule in GROUP_RULES},
    }


def check_step(step: Step, env: Environment, update: Update, *, planted_scale: float) -> tuple[Checked, Covered]:
    """An update's actual displacement of the responses, held against the bounds and the interval, ``[S, ..., Q]``.

    ``paper_covered``: by the interval of the paper's identity; ``covered``: by the same times the rule's gain w.
    """
    log_probs = response_log_probs(policy(step.before.logits).log_probs, env.tree)
    found = checked(log_probs, displacement(step, env), 1.0, planted_scale=planted_scale)
    low, high = paper_interval(log_probs, env.arm_rewards, update.step_size)
    gain = rule_gain(expectation(np.exp(log_probs), env.arm_rewards), update)
    return found, {
        "paper_covered": coverage(found.change, low, high),
        "covered": coverage(found.change, gain * low, gain * high),
    }


def _training(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    start = _start(settings, rngs)
    size = settings[f"{settings['optimiser']}_step"]
    update = _update(settings["method"], settings, step_size=size, optimiser=settings["optimiser"])
    state = initial_state(start.logits, start.env)
    checks = [
        check_step(step, start.env, update, planted_scale=settings["planted_scale"])
        for step in train(state, start.env, update, settings["steps"], rngs)
    ]
    found = Checked(*(np.stack(values) for values in zip(*(check for check, _ in checks), strict=True)))
    covered: Covered = {
        name: (np.stack([cover[name][0] for _, cover in checks]), np.stack([cover[name][1] for _, cover in checks]))
        for name in checks[0][1]
    }
    labels = {name: settings[name] for name in ("method", "optimiser", "world")}
    return [{"part": "training", **labels, **row} for row in by_seed(found, covered)]


def _start(settings: Mapping[str, Any], rngs: Generators) -> Start:
    if settings["world"] == "tree":
        return random_trees(settings["symbols"], settings["max_length"], settings["queries"], rngs)
    return random_bandits(World(queries=settings["queries"], arms=settings["train_arms"]), rngs)


def _update(rule: str, settings: Mapping[str, Any], **switches: Any) -> Update:
    """On-policy: one pass over groups that the policy itself has sampled."""
    return Update(method=rule, group_size=settings["group_size"], epochs=1, behaviour_lag=1, **switches)


EXPERIMENT = Experiment(
    name="bounds",
    summary="coverage and tightness of the guaranteed bounds and of Prop. 4.2's interval, per update and per method",
    config=BoundsConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
