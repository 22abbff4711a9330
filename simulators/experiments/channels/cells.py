"""`channels`: the entropy gap between two rules, attributed to the ways in which their updates differ.

Each channel is a switch of the simulator (``simulators.experiments.channels.switches``); every subset of them is a
cell, in which both rules train from the same policies on the same random numbers. The gap is rule A's entropy less
rule B's, after equally many updates and at equal gain of success.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from qae_theory.arrays import Array
from qae_theory.claims.model import Kind
from qae_theory.curves.trajectories import at_gain
from qae_theory.paper.overlong import Overlong
from qae_theory.runs.settings import Positive
from simulators.engine import initial_state
from simulators.environments import bandit
from simulators.experiments.base import Cell, ClaimEvidence, Config, Experiment, Record, RuleName
from simulators.experiments.channels.analysis import analyse, statements
from simulators.experiments.channels.shapley import subsets
from simulators.experiments.channels.switches import CHANNELS, Gains, Plan, channel_step, rule_gains
from simulators.groups import Generators
from simulators.measures import state_measures
from simulators.methods import Method, get_method
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits

SEPARATOR = " + "


class ChannelsConfig(Config):
    """Sizes. ``lengths``: tokens of the arms, equally often, the right arms being the shorter.

    ``options``: of each rule, for instance ``{k = "0.2"}``. ``replicas``: groups averaged where the expected update has
    no closed form. The clip range is the same for both rules unless ``clip_low`` and ``clip_high`` are null.
    """

    rules: tuple[RuleName, RuleName] = ("qae", "grpo")
    options: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    seeds: Annotated[int, Field(ge=2)] = 16
    world: World = World(queries=16, arms=9)
    lengths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (2, 4, 8)
    overlong: Overlong = Overlong(max_length=8, cache=4)
    group_size: Annotated[int, Field(ge=2)] = 8
    steps: Annotated[int, Field(ge=1)] = 24
    epochs: Annotated[int, Field(ge=2)] = 4
    clip_low: Annotated[float, Field(ge=0, le=1)] | None = 0.2
    clip_high: Annotated[float, Field(ge=0)] | None = 0.28
    step_size: Positive = 0.2
    adam_step_size: Positive = 0.02
    max_grad_norm: Positive = 0.5
    replicas: Annotated[int, Field(ge=2)] = 32

    @model_validator(mode="after")
    def _rules_can_be_compared(self) -> ChannelsConfig:
        gains(self)
        return self


def methods(config: ChannelsConfig) -> tuple[Method, Method]:
    """The two rules, A and B."""
    one, other = (get_method(name, **options) for name, options in zip(config.rules, config.options, strict=True))
    return one, other


def gains(config: ChannelsConfig) -> tuple[Gains, Gains]:
    """The gains of the two rules at the group size in use."""
    one, other = (
        rule_gains(name, options, config.group_size) for name, options in zip(config.rules, config.options, strict=True)
    )
    return one, other


def channels(config: ChannelsConfig) -> tuple[str, ...]:
    """The pair's channels: ``rewards`` only where both take others than 0/1, ``tokens`` where a rule looks at them."""
    pair = methods(config)
    left_out = set()
    if any(rule.binary_only for rule in pair):
        left_out.add("rewards")
    if all(rule.token_weights is None and rule.token_penalty is None for rule in pair):
        left_out.add("tokens")
    return tuple(name for name in CHANNELS if name not in left_out)


def idle_channels(config: ChannelsConfig) -> tuple[str, ...]:
    """Channels in which this pair cannot differ: equal limit gains, or equal finite-group factors; all for one rule."""
    one, other = gains(config)
    p = np.linspace(0.01, 0.99, 99)
    if config.rules[0] == config.rules[1] and config.options[0] == config.options[1]:
        return channels(config)
    factor_a, factor_b = (rule.at_group(p) / rule.at_limit(p) for rule in (one, other))
    idle = {
        "weighting": np.allclose(one.at_limit(p), other.at_limit(p), rtol=1e-9),
        "coupling": np.allclose(factor_a, factor_b, rtol=1e-9),
    }
    return tuple(name for name, same in idle.items() if same)


def cells(config: ChannelsConfig) -> list[Cell]:
    """One cell for each subset of the channels, all on the same random numbers."""
    sizes = config.model_dump(mode="json")
    return [Cell(SEPARATOR.join(on) or "none", {**sizes, "on": list(on)}) for on in subsets(channels(config))]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """One record a seed: the gap of entropy at equal steps and at equal progress, and that of success."""
    config = ChannelsConfig.model_validate({name: settings[name] for name in ChannelsConfig.model_fields})
    worlds, draws = (sequence.spawn(config.seeds) for sequence in seeds.spawn(2))
    start = bandits_with_lengths(config, [np.random.default_rng(s) for s in worlds])
    runs = [
        curves(config, start, plan(config, frozenset(settings["on"]), which), [np.random.default_rng(s) for s in draws])
        for which in (0, 1)
    ]
    (entropy_a, success_a), (entropy_b, success_b) = runs
    progress = entropy_at_common_gain(success_a, entropy_a, success_b, entropy_b)
    return [
        {
            "on": SEPARATOR.join(settings["on"]),
            "seed": s,
            "gap": float(entropy_a[s, -1] - entropy_b[s, -1]),
            "gap_progress": float(progress[s]),
            "success_gap": float(success_a[s, -1] - success_b[s, -1]),
        }
        for s in range(config.seeds)
    ]


def curves(config: ChannelsConfig, start: Start, rule: Plan, rngs: Generators) -> tuple[Array, Array]:
    """A rule's entropy and success before each update and after the last, ``[S, steps + 1]`` each."""
    state, found = initial_state(start.logits, start.env), []
    for _ in range(config.steps + 1):  # what the last one does is not looked at
        step = channel_step(state, start.env, rule, rngs)
        found.append(state_measures(step, start.env, ks=()))
        state = step.after
    entropy, success = (np.stack([row[name] for row in found], axis=1) for name in ("sequence_entropy", "success"))
    return entropy, success


def plan(config: ChannelsConfig, on: frozenset[str], which: int) -> Plan:
    """The update of one rule with the channels that are on."""
    pair, found = methods(config), gains(config)
    passes = config.epochs if "clipping" in on else 1
    adam = "optimiser" in on
    update = Update(
        method=config.rules[which],
        options=config.options[which],
        group_size=config.group_size,
        step_size=(config.adam_step_size if adam else config.step_size) * config.epochs / passes,
        epochs=passes,
        clip_low=config.clip_low,
        clip_high=config.clip_high,
        aggregation="sequence_mean" if "lengths" in on else "token_sum",
        signed_rewards="rewards" in on,
        overlong=config.overlong if "rewards" in on else None,
        optimiser="adam" if adam else "sgd",
        max_grad_norm=config.max_grad_norm if "norm_clip" in on else None,
    )
    return Plan(pair[which], update, on, found[which], found[1 - which], config.replicas)


def bandits_with_lengths(config: ChannelsConfig, rngs: Generators) -> Start:
    """Random bandits whose right arms come first and so are the shorter ones, as in language models."""
    env, logits = random_bandits(config.world, rngs)
    order = np.argsort(-env.arm_rewards, axis=-1, kind="stable")
    rewards, sorted_logits = (np.take_along_axis(x, order, axis=-1) for x in (env.arm_rewards, logits))
    return Start(bandit(rewards, np.sort(np.resize(config.lengths, config.world.arms))), sorted_logits)


def entropy_at_common_gain(success_a: Array, entropy_a: Array, success_b: Array, entropy_b: Array) -> Array:
    """Gap of entropy where both runs of a seed have the gain of success that the slower one reaches, ``[S]``."""
    common = np.minimum(*((s - s[:, :1]).max(axis=1) for s in (success_a, success_b)))
    gaps = [
        at_gain(success_a[[s]], entropy_a[[s]], [gain])[0, 0] - at_gain(success_b[[s]], entropy_b[[s]], [gain])[0, 0]
        for s, gain in enumerate(common)
    ]
    return np.asarray(gaps)


EXPERIMENT = Experiment(
    name="channels",
    summary="the entropy gap between two rules as a Shapley value over the channels that they differ in",
    config=ChannelsConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=lambda config, records: analyse(config, records, channels(config), idle_channels(config)),
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(ClaimEvidence("channels", "Shapley values over the lattice of switches", Kind.TRAINING, statements),),
)
