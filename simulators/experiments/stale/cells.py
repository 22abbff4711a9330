"""`stale`: learning from an old policy. The phase transition at b = V_mu, and on which side of it the rules lie.

Four parts. ``flow``: the expected update under a fixed behaviour policy, against its limit. ``sampled``: the same from
sampled groups. ``sides``: the rules under a fixed behaviour policy, against the constant baseline that they amount to.
``lag``: a behaviour policy renewed every L updates, with and without importance ratio.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from qae_theory.arrays import Array
from qae_theory.runs.settings import Positive
from qae_theory.softmax import expectation
from simulators import kernels
from simulators.effective_baseline import effective_baseline
from simulators.engine import initial_state, train
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.common.trajectories import trajectory
from simulators.experiments.stale import asymmetric
from simulators.experiments.stale.analysis import analyse
from simulators.groups import Generators
from simulators.measures import per_seed
from simulators.update import Update
from simulators.worlds import Difficulty, Start, World, random_bandits

Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
SPREADS = {"distinct": 1.0, "tied": 0.0}  # of the logits: right arms of different probability, or of one
# Runs with a constant baseline start this far from the behaviour policy: b = 1 gives right arms no noise of their own,
# and exact ties would be kept by symmetry alone.
NUDGE = 0.1


class StaleConfig(Config):
    """Sizes; ``offsets`` are b - V_mu, at V_mu = ``success``; ``values`` the V_mu of the rules' sides."""

    seeds: Annotated[int, Field(ge=2)] = 16
    queries: Count = 8
    arms: Annotated[int, Field(ge=3)] = 8
    correct_share: Probability = 0.5
    success: Probability = 0.5
    offsets: tuple[float, ...] = (-0.5, -0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
    flow_steps: Count = 20000
    flow_step_size: Positive = 2.0
    rules: tuple[RuleName, ...] = ("grpo", "dr_grpo", "psr", "nsr")
    levels: tuple[str, ...] = ("0.2", "0.4", "0.6", "0.8")
    values: tuple[Probability, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    group_size: Annotated[int, Field(ge=2)] = 16
    steps: Count = 2000
    step_size: Positive = 0.5
    lags: tuple[Count, ...] = (1, 2, 4, 8, 16, 32, 64)
    lag_steps: Count = 512
    lag_step_size: Positive = 0.5


def rules(config: StaleConfig) -> list[dict[str, Any]]:
    """The named rules, and QAE at each level: label, method and options."""
    quantiles = [{"rule": f"qae K={k}", "method": "qae", "options": {"k": k}} for k in config.levels]
    return [*({"rule": name, "method": name, "options": {}} for name in config.rules), *quantiles]


def cells(config: StaleConfig) -> list[Cell]:
    """One cell a world (``flow``), world and offset, rule and V_mu, or rule, lag and ratio."""
    sizes = config.model_dump(mode="json")
    flow = [Cell(f"flow {world}", {"part": "flow", "world": world, **sizes}, 0) for world in SPREADS]
    sampled = [
        Cell(f"sampled {world} b - V = {offset:g}", {"part": "sampled", "world": world, "offset": offset, **sizes}, 1)
        for world in SPREADS
        for offset in config.offsets
    ]
    sides = [
        Cell(f"sides {rule['rule']} V = {value:g}", {"part": "sides", "value": value, **rule, **sizes}, 2)
        for rule in rules(config)
        for value in config.values
    ]
    lag = [
        Cell(f"lag {rule['rule']} {lag} {name}", {"part": "lag", "lag": lag, "ratio": ratio, **rule, **sizes}, 3)
        for rule in rules(config)
        if rule["method"] in ("grpo", "qae")
        for lag in config.lags
        for ratio, name in ((True, "ratio"), (False, "no ratio"))
    ]
    return [*flow, *sampled, *sides, *lag]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Records of one cell, one a seed (and offset)."""
    config = StaleConfig.model_validate({name: settings[name] for name in StaleConfig.model_fields})
    rngs = [np.random.default_rng(s) for s in seeds.spawn(config.seeds)]
    part = {"flow": flow_records, "sampled": sampled_records, "sides": side_records, "lag": lag_records}
    return part[settings["part"]](config, settings, rngs)


def flow_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """The flow's entropy at the end, the predicted one, that of the wrong theory, and the error that time allows."""
    start = _start(config, config.success, SPREADS[settings["world"]], rngs)
    logits = _nudged(start, rngs)
    return [row for offset in config.offsets for row in _flow_at(config, start, logits, offset, settings["world"])]


def sampled_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Entropy and success after sampled updates with b = V_mu + offset, and the limit's entropy."""
    world, offset = settings["world"], settings["offset"]
    start = _start(config, config.success, SPREADS[world], rngs)
    update = _frozen(config, {"method": "constant", "options": {"baseline": config.success + offset}})
    baseline = np.full(start.logits.shape[:-1], config.success + offset)
    return _rows(
        {"part": "sampled", "world": world, "offset": offset},
        _ends(start, _nudged(start, rngs), update, baseline, config.steps, rngs),
    )


def side_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Entropy and success after a rule's sampled updates; its effective baseline and the limit that this predicts."""
    start = _start(config, settings["value"], SPREADS["distinct"], rngs)
    success = expectation(np.exp(start.logits), start.env.arm_rewards)
    found = effective_baseline(success, config.group_size, settings["method"], **settings["options"])
    ends = _ends(start, start.logits, _frozen(config, settings), found.baseline, config.steps, rngs)
    ends["effective_offset"] = per_seed(found.baseline - success)
    return _rows({"part": "sides", "rule": settings["rule"], "value": settings["value"]}, ends)


def lag_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Entropy and success at the end of a run on uniform difficulty; counts of bound violations along it."""
    world = World(queries=config.queries, arms=config.arms, correct_share=config.correct_share)
    update = Update.model_validate(
        {
            "method": settings["method"],
            "options": settings["options"],
            "group_size": config.group_size,
            "step_size": config.lag_step_size,
            "behaviour_lag": settings["lag"],
            "importance_ratio": settings["ratio"],
        }
    )
    every = max(d for d in range(1, config.lag_steps // 4 + 2) if config.lag_steps % d == 0)
    names = ("sequence_entropy", "success", "bound_violations", "rows")
    run = trajectory(
        random_bandits(world, rngs),
        update,
        config.lag_steps,
        rngs,
        every=every,
        families=("state", "change"),
        only=names,
    )
    ends = {"entropy": run.curves["sequence_entropy"][:, -1], "success": run.curves["success"][:, -1]}
    counts = {name: run.curves[name].sum(axis=1) for name in ("bound_violations", "rows")}
    labels = {"part": "lag", "rule": settings["rule"], "lag": settings["lag"], "ratio": settings["ratio"]}
    return _rows(labels, {**ends, **counts})


def _start(config: StaleConfig, success: float, spread: float, rngs: Generators) -> Start:
    """Bandits whose queries all have that success probability, to nine digits."""
    around = Difficulty(low=success - 1e-9, high=success + 1e-9)
    world = World(
        queries=config.queries,
        arms=config.arms,
        correct_share=config.correct_share,
        spread=spread,
        difficulty=around,
    )
    return random_bandits(world, rngs)


def _flow_at(config: StaleConfig, start: Start, logits: Array, offset: float, world: str) -> list[Record]:
    mu, rewards = np.exp(start.logits), start.env.arm_rewards
    b = np.full(mu.shape[:-1], config.success + offset)
    end = asymmetric.follow(logits, mu, rewards, b, steps=config.flow_steps, step_size=config.flow_step_size)
    probs = kernels.log_softmax(end)[1]
    time = config.flow_steps * config.flow_step_size
    room = np.asarray(max(float(np.abs(offset)), 1e-9))
    farthest = -kernels.log_softmax(logits)[0].min()
    distance = asymmetric.distance_allowed(config.arms, room, time, farthest)
    entropy = asymmetric.entropy_of(probs)
    found = {
        "entropy": per_seed(entropy),
        "predicted": per_seed(asymmetric.limit_entropy(mu, rewards, b)),
        "error": _largest(entropy - asymmetric.limit_entropy(mu, rewards, b)),
        "control_error": _largest(entropy - asymmetric.exchanged_entropy(mu, rewards, b)),
        "allowed": np.full(len(mu), asymmetric.entropy_allowed(config.arms, distance)),
        "success": per_seed(expectation(probs, rewards)),
    }
    return _rows({"part": "flow", "world": world, "offset": offset}, found)


def _frozen(config: StaleConfig, rule: Mapping[str, Any]) -> Update:
    """Sampled from the initial policy for ever, as if on-policy."""
    return Update.model_validate(
        {
            "method": rule["method"],
            "options": rule["options"],
            "group_size": config.group_size,
            "step_size": config.step_size,
            "behaviour_lag": 0,
            "importance_ratio": False,
        }
    )


def _nudged(start: Start, rngs: Generators) -> Array:
    return start.logits + NUDGE * np.stack([rng.standard_normal(start.logits.shape[1:]) for rng in rngs])


def _ends(
    start: Start, logits: Array, update: Update, baseline: Array, steps: int, rngs: Generators
) -> dict[str, Array]:
    """Where runs from ``logits`` that sample from the start's policy end, and where two theories say they do."""
    behaviour = initial_state(start.logits, start.env).behaviour
    state = initial_state(logits, start.env)._replace(behaviour=behaviour)
    for step in train(state, start.env, update, steps, rngs):
        state = step.after
    probs = kernels.log_softmax(state.logits[..., 0, :])[1]
    mu, rewards = np.exp(start.logits), start.env.arm_rewards
    return {
        "entropy": per_seed(asymmetric.entropy_of(probs)),
        "predicted": per_seed(asymmetric.limit_entropy(mu, rewards, baseline)),
        "exchanged": per_seed(asymmetric.exchanged_entropy(mu, rewards, baseline)),
        "success": per_seed(expectation(probs, rewards)),
    }


def _largest(values: Array) -> Array:
    return np.asarray(np.abs(values).reshape(len(values), -1).max(axis=1))


def _rows(labels: Mapping[str, Any], values: Mapping[str, Array]) -> list[Record]:
    seeds = len(next(iter(values.values())))
    return [{**labels, "seed": s, **{name: float(x[s]) for name, x in values.items()}} for s in range(seeds)]


EXPERIMENT = Experiment(
    name="stale",
    summary="an old behaviour policy: the phase transition at b = V_mu, and where the rules lie",
    config=StaleConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
