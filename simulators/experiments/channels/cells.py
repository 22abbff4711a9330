"""Attribute the entropy gap between two rules to the ways in which their updates differ.

Each channel is a switch of the simulator (``simulators.experiments.channels.switches``). Every subset of the channels
is a cell, in which both rules train from the same policies on the same random numbers. The gap is rule A's entropy less
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
from simulators.experiments.channels.analysis import SEPARATOR, analyse, statements
from simulators.experiments.channels.shapley import subsets
from simulators.experiments.channels.switches import CHANNELS, Gains, Plan, channel_step, rule_gains
from simulators.experiments.common.trajectories import stacked
from simulators.measures import state_measures
from simulators.methods import Method, get_method
from simulators.tabular.groups import Generators
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits


class ChannelsConfig(Config):
    """Sizes of the experiment.

    ``lengths`` are the tokens of the arms, each length for equally many arms, with the correct arms the shorter ones.
    ``options`` are those of each rule, for instance ``{k = "0.2"}``. ``replicas`` is the number of groups averaged
    where the expected update has no closed form. The clip range is the same for both rules unless ``clip_low`` and
    ``clip_high`` are null.
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
        """Refuse rules without a positive gain, which the channels divide by."""
        gains(self)
        return self


def methods(config: ChannelsConfig) -> tuple[Method, Method]:
    """Return the two rules, A and B."""
    rule_a, rule_b = (get_method(name, **options) for name, options in zip(config.rules, config.options, strict=True))
    return rule_a, rule_b


def gains(config: ChannelsConfig) -> tuple[Gains, Gains]:
    """Return the gains of the two rules at the group size in use."""
    (name_a, name_b), (options_a, options_b) = config.rules, config.options
    size = config.group_size
    return rule_gains(name_a, options_a, size), rule_gains(name_b, options_b, size)


def channels(config: ChannelsConfig) -> tuple[str, ...]:
    """Return the channels of this pair of rules.

    ``rewards`` is one only where both rules take rewards other than 0 and 1, and ``tokens`` where a rule looks at them.
    """
    pair = methods(config)
    left_out = set()
    if any(rule.binary_only for rule in pair):
        left_out.add("rewards")
    if all(rule.token_weights is None and rule.token_penalty is None for rule in pair):
        left_out.add("tokens")
    return tuple(name for name in CHANNELS if name not in left_out)


def idle_channels(config: ChannelsConfig) -> tuple[str, ...]:
    """Return the channels in which this pair cannot differ: equal limit gains, or equal finite-group factors.

    Where both rules are the same, these are all channels.
    """
    if config.rules[0] == config.rules[1] and config.options[0] == config.options[1]:
        return channels(config)
    gains_a, gains_b = gains(config)
    p = np.linspace(0.01, 0.99, 99)
    limit_a, limit_b = gains_a.at_limit(p), gains_b.at_limit(p)
    factor_a, factor_b = gains_a.at_group(p) / limit_a, gains_b.at_group(p) / limit_b
    # Gains are sums of some G terms, each accurate to 1e-16; a real difference between two rules is larger by far.
    idle = {
        "weighting": np.allclose(limit_a, limit_b, rtol=1e-9),
        "coupling": np.allclose(factor_a, factor_b, rtol=1e-9),
    }
    return tuple(name for name, same in idle.items() if same)


def cells(config: ChannelsConfig) -> list[Cell]:
    """Return a cell for each subset of the channels, all on the same random numbers."""
    sizes = config.model_dump(mode="json")
    return [Cell(SEPARATOR.join(on) or "none", {**sizes, "on": list(on)}) for on in subsets(channels(config))]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return a record for each seed: the gap of entropy at equal steps and at equal progress, and that of success."""
    config = ChannelsConfig.model_validate({name: settings[name] for name in ChannelsConfig.model_fields})
    worlds, draws = (sequence.spawn(config.seeds) for sequence in seeds.spawn(2))
    start = bandits_with_lengths(config, [np.random.default_rng(s) for s in worlds])
    runs = []
    for which in (0, 1):
        # Generators are made anew, so that both rules draw the same numbers.
        rngs = [np.random.default_rng(s) for s in draws]
        runs.append(curves(config, start, plan(config, frozenset(settings["on"]), which), rngs=rngs))
    (entropy_a, success_a), (entropy_b, success_b) = runs
    progress = entropy_at_common_gain(
        success_a=success_a, entropy_a=entropy_a, success_b=success_b, entropy_b=entropy_b
    )
    records: list[Record] = []
    for seed in range(config.seeds):
        records.append(
            {
                "on": SEPARATOR.join(settings["on"]),
                "seed": seed,
                "gap": float(entropy_a[seed, -1] - entropy_b[seed, -1]),
                "gap_progress": float(progress[seed]),
                "success_gap": float(success_a[seed, -1] - success_b[seed, -1]),
            }
        )
    return records


def curves(config: ChannelsConfig, start: Start, rule: Plan, *, rngs: Generators) -> tuple[Array, Array]:
    """Return a rule's entropy and success before each update and after the last, ``[S, steps + 1]`` each."""
    state, records = initial_state(start.logits, start.env), []
    # Measures are those before an update, so that one update more is taken, whose effect nobody looks at.
    for _ in range(config.steps + 1):
        step = channel_step(state, start.env, rule, rngs=rngs)
        records.append(state_measures(step, start.env, ks=()))
        state = step.after
    measures = stacked(records)
    return measures["sequence_entropy"], measures["success"]


def plan(config: ChannelsConfig, on: frozenset[str], which: int) -> Plan:
    """Return the update of one rule with the channels that are on.

    One on-policy pass takes the step of all passes together, so that switching ``clipping`` off leaves the length of
    the step as it is.

    Args:
        config: the sizes.
        on: the channels that are on.
        which: 0 for rule A, 1 for rule B.
    """
    pair, of_pair = methods(config), gains(config)
    # Clipping acts from the second pass on: without repeated passes there is nothing to clip.
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
    return Plan(
        method=pair[which],
        update=update,
        on=on,
        own=of_pair[which],
        rival=of_pair[1 - which],
        replicas=config.replicas,
    )


def bandits_with_lengths(config: ChannelsConfig, rngs: Generators) -> Start:
    """Return random bandits whose correct arms come first and so are the shorter ones, as in language models."""
    env, logits = random_bandits(config.world, rngs)
    # A stable sort keeps the order within each kind, and so the draws.
    order = np.argsort(-env.arm_rewards, axis=-1, kind="stable")
    rewards = np.take_along_axis(env.arm_rewards, order, axis=-1)
    lengths = np.sort(np.resize(config.lengths, config.world.arms))
    return Start(bandit(rewards, lengths), np.take_along_axis(logits, order, axis=-1))


def entropy_at_common_gain(*, success_a: Array, entropy_a: Array, success_b: Array, entropy_b: Array) -> Array:
    """Return the gap of entropy where both runs of a seed have the gain of success that the slower one reaches.

    Args:
        success_a: success of rule A along training, ``[S, steps + 1]``.
        entropy_a: entropy of rule A, in nats.
        success_b: success of rule B.
        entropy_b: entropy of rule B.

    Returns:
        ``[S]`` in nats.
    """
    largest_a, largest_b = (success_a - success_a[:, :1]).max(axis=1), (success_b - success_b[:, :1]).max(axis=1)
    gaps = []
    for seed, gain in enumerate(np.minimum(largest_a, largest_b)):
        at_gain_a = at_gain(success_a[[seed]], entropy_a[[seed]], [gain])[0, 0]
        at_gain_b = at_gain(success_b[[seed]], entropy_b[[seed]], [gain])[0, 0]
        gaps.append(at_gain_a - at_gain_b)
    return np.asarray(gaps)


EXPERIMENT = Experiment(
    name="channels",
    summary="the entropy gap between two rules as a Shapley value over the channels that they differ in",
    config=ChannelsConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=lambda config, records: analyse(config, records, names=channels(config), idle=idle_channels(config)),
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(
        ClaimEvidence(
            claim="channels",
            name="Shapley values over the lattice of switches",
            kind=Kind.TRAINING,
            statements=statements,
        ),
    ),
)
