"""Do the guaranteed bounds hold, how tight are they, and what does Prop. 4.2's interval cover?

One part looks at random policies under each of the four updates. The other follows training for every compared
method, under SGD and Adam, on bandits and on a token tree. Both are on-policy throughout. ``bounds.analysis`` says what
the records mean.
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
from simulators.experiments.common.rules import COMPARED
from simulators.experiments.common.shares import generators
from simulators.measures import displacement, paper_interval, rule_gain
from simulators.tabular.groups import Generators
from simulators.tabular.policy import policy, response_log_probs
from simulators.tabular.trees import token_tree
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

POPULATION = ("uncentred", "policy_gradient", "natural_gradient")
GROUP_RULES = ("grpo", "qae")  # the rules whose sampled groups move random policies
OPTIMISERS = ("sgd", "adam")


class BoundsConfig(Config):
    """Sizes of the experiment.

    ``policies`` is the number of random policies per seed. ``methods`` means those of the comparisons if left empty.
    ``planted_scale`` multiplies the curvature brackets in the control.
    """

    seeds: int = Field(16, ge=2)
    planted_scale: float = Field(0.1, gt=0, lt=1)
    group_size: int = Field(16, ge=2)
    spreads: Some[Spread] = (0.5, 2.0)
    arms: Some[Arms] = (4, 16, 64)
    policies: int = Field(128, ge=1)
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
    """Return a cell for each number of arms and spread of random policies, and for each method, optimiser and world."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "spreads", "arms", "methods"})
    listed = []
    # Streams 0 and 1 belong to the two worlds of training, which all methods share.
    for stream, (arms, spread) in enumerate(product(config.arms, config.spreads), start=2):
        settings = {**common, "arms": arms, "spread": spread}
        listed.append(Cell(f"policies arms={arms} spread={spread:g}", settings, stream=stream))
    for method, optimiser in product(config.methods or COMPARED, OPTIMISERS):
        for stream, world in enumerate(("bandit", "tree")):
            settings = {**common, "method": method, "optimiser": optimiser, "world": world}
            listed.append(Cell(f"{method} {optimiser} {world}", settings, stream=stream))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return counts and widths by seed, for every update and step size of random policies or for one training run."""
    rngs = generators(seeds, settings["seeds"])
    return _training(settings, rngs) if "method" in settings else _policies(settings, rngs)


def random_trees(symbols: int, max_length: int, queries: int, rngs: Generators) -> Start:
    """Return token trees with standard normal logits; half of each query's responses are correct, rounded up.

    Args:
        symbols: as in ``simulators.tabular.trees.token_tree``.
        max_length: as in ``simulators.tabular.trees.token_tree``.
        queries: number of queries a seed.
        rngs: S generators.

    Returns:
        The environment, and logits ``[S, Q, N, A]``.
    """
    tree = token_tree(symbols, max_length)
    # Each seed's generator draws its rewards first and then its logits.
    rewards = [np.argsort(rng.random((queries, tree.responses)), axis=-1) < tree.responses / 2 for rng in rngs]
    logits = [rng.standard_normal((queries, tree.nodes, tree.actions)) for rng in rngs]
    return Start(environment(tree, np.stack(rewards).astype(np.float64)), np.stack(logits))


def _policies(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return the records of one step of every update on random policies, at every step size."""
    world = World(queries=settings["policies"], arms=settings["arms"], spread=settings["spread"])
    start = random_bandits(world, rngs)
    labels = {"part": "policies", "arms": settings["arms"], "spread": settings["spread"]}
    records = []
    for step_size in settings["step_sizes"]:
        for name, take_step in _updates(start, settings, rngs).items():
            of_update = {**labels, "update": name, "step_size": step_size}
            records += [{**of_update, **of_seed} for of_seed in by_seed(*take_step(step_size))]
    return records


# By name of an interval: whether changes are inside it, and whether they are changes at all.
Covered = dict[str, tuple[Array, Array]]
OneStep = Callable[[float], tuple[Checked, Covered]]


def _updates(start: Start, settings: Mapping[str, Any], rngs: Generators) -> dict[str, OneStep]:
    """Return every update of the same policies, as a function of the step size."""
    log_probs, rewards = log_softmax(start.logits), start.env.arm_rewards
    success = expectation(np.exp(log_probs), rewards)
    # The extremes and the mean: the bounds must hold at every baseline.
    baselines = np.stack([np.zeros_like(success), success, np.ones_like(success)])

    def population(rule: str) -> OneStep:
        """Return a population update, at the baselines 0, V and 1 together."""
        direction = update_direction(log_probs, rewards, rule, baseline=baselines)

        def take_step(step_size: float) -> tuple[Checked, Covered]:
            checks = checked(log_probs, direction, step_size, planted_scale=settings["planted_scale"])
            # Only the change at the mean is held against the interval, whose ends are the first-order changes at b = 0
            # and at b = 1.
            at_mean = checks.change[1]
            return checks, {"paper_covered": coverage(at_mean, *paper_interval(log_probs, rewards, step_size))}

        return take_step

    def sampled(rule: str) -> OneStep:
        """Return the update of a rule on one sampled group per query."""

        def take_step(step_size: float) -> tuple[Checked, Covered]:
            update = _update(rule, settings, step_size=step_size, aggregation="token_sum")
            step = update_once(initial_state(start.logits, start.env), start.env, update, rngs=rngs)
            return check_step(step, start.env, update, planted_scale=settings["planted_scale"])

        return take_step

    of_population = {rule: population(rule) for rule in POPULATION}
    of_groups = {f"sampled_group {rule}": sampled(rule) for rule in GROUP_RULES}
    return {**of_population, **of_groups}


def check_step(step: Step, env: Environment, update: Update, *, planted_scale: float) -> tuple[Checked, Covered]:
    """Hold an update's actual displacement of the responses against the bounds and the interval.

    Args:
        step: the update.
        env: its environment.
        update: its switches.
        planted_scale: as in ``held_bounds.checked``.

    Returns:
        What the bounds give, ``[S, ..., Q]``, and the coverage ``paper_covered`` by the interval of the paper's
        identity and ``covered`` by the same interval times the rule's gain w.
    """
    log_probs = response_log_probs(policy(step.before.logits).log_probs, env.tree)
    checks = checked(log_probs, displacement(step, env), 1.0, planted_scale=planted_scale)
    low, high = paper_interval(log_probs, env.arm_rewards, update.step_size)
    gain = rule_gain(expectation(np.exp(log_probs), env.arm_rewards), update)
    return checks, {
        "paper_covered": coverage(checks.change, low, high),
        "covered": coverage(checks.change, gain * low, gain * high),
    }


def _training(settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return the records of one training run, counted over all its updates."""
    start = _start(settings, rngs)
    size = settings[f"{settings['optimiser']}_step"]
    update = _update(settings["method"], settings, step_size=size, optimiser=settings["optimiser"])
    state = initial_state(start.logits, start.env)
    checks: list[Checked] = []
    coverages: list[Covered] = []
    for step in train(state, start.env, update, steps=settings["steps"], rngs=rngs):
        of_step, covered_by = check_step(step, start.env, update, planted_scale=settings["planted_scale"])
        checks.append(of_step)
        coverages.append(covered_by)
    of_run = Checked(*(np.stack(values) for values in zip(*checks, strict=True)))
    covered: Covered = {}
    for name in coverages[0]:
        inside, moved = zip(*(of_step[name] for of_step in coverages), strict=True)
        covered[name] = np.stack(inside), np.stack(moved)
    labels = {name: settings[name] for name in ("method", "optimiser", "world")}
    return [{"part": "training", **labels, **of_seed} for of_seed in by_seed(of_run, covered)]


def _start(settings: Mapping[str, Any], rngs: Generators) -> Start:
    """Return where training starts: a token tree or a bandit, as the cell's world says."""
    if settings["world"] == "tree":
        return random_trees(settings["symbols"], settings["max_length"], queries=settings["queries"], rngs=rngs)
    return random_bandits(World(queries=settings["queries"], arms=settings["train_arms"]), rngs)


def _update(rule: str, settings: Mapping[str, Any], **switches: Any) -> Update:
    """Return an on-policy update: one pass over groups that the policy itself has sampled."""
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
