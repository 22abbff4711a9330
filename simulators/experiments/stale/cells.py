"""Learn from an old policy: the phase transition at b = V_mu, and on which side of it the rules lie.

There are four parts. ``flow`` follows the expected update under a fixed behaviour policy and compares its end with the
predicted limit. ``sampled`` does the same from sampled groups. ``sides`` trains the rules under a fixed behaviour
policy and compares them with the constant baseline that they amount to. ``lag`` renews the behaviour policy every L
updates, with and without importance ratio.
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
from simulators.effective_baseline import effective_baseline
from simulators.engine import initial_state, train
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.common.trajectories import trajectory
from simulators.experiments.stale import asymmetric
from simulators.experiments.stale.analysis import analyse
from simulators.measures import per_seed
from simulators.tabular import kernels
from simulators.tabular.groups import Generators
from simulators.update import Update
from simulators.worlds import Difficulty, Start, World, random_bandits

Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
SPREADS = {"distinct": 1.0, "tied": 0.0}  # spread of the logits: correct arms of different probability, or of equal
# Runs with a constant baseline start this far from the behaviour policy. At b = 1 correct arms get no noise of their
# own, so that exact ties would be kept by symmetry alone.
NUDGE = 0.1
# Streams of the four parts: the cells of a part share their starts and random numbers.
STREAMS = {"flow": 0, "sampled": 1, "sides": 2, "lag": 3}


class StaleConfig(Config):
    """Sizes of the experiment.

    ``offsets`` are the values of b - V_mu at V_mu = ``success``. ``values`` are the V_mu at which the sides of the
    rules are sought, and ``levels`` the K of QAE.
    """

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
    """Return the named rules, and QAE at each level, each with its label, method and options."""
    named = [{"rule": name, "method": name, "options": {}} for name in config.rules]
    quantiles = [{"rule": f"qae K={k}", "method": "qae", "options": {"k": k}} for k in config.levels]
    return [*named, *quantiles]


def cells(config: StaleConfig) -> list[Cell]:
    """Return a cell for each world (``flow``), world and offset, rule and V_mu, or rule, lag and ratio."""
    sizes = config.model_dump(mode="json")

    def cell(part: str, name: str, **labels: Any) -> Cell:
        return Cell(f"{part} {name}", {"part": part, **labels, **sizes}, stream=STREAMS[part])

    listed = [cell("flow", world, world=world) for world in SPREADS]
    for world in SPREADS:
        for offset in config.offsets:
            listed.append(cell("sampled", f"{world} b - V = {offset:g}", world=world, offset=offset))
    for rule in rules(config):
        for value in config.values:
            listed.append(cell("sides", f"{rule['rule']} V = {value:g}", value=value, **rule))
    for rule in rules(config):
        if rule["method"] in ("grpo", "qae"):
            for lag in config.lags:
                for ratio, ratio_name in ((True, "ratio"), (False, "no ratio")):
                    name = f"{rule['rule']} {lag} {ratio_name}"
                    listed.append(cell("lag", name, lag=lag, ratio=ratio, **rule))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return the records of one cell: one for each seed, and for each offset in the part ``flow``."""
    config = StaleConfig.model_validate({name: settings[name] for name in StaleConfig.model_fields})
    rngs = [np.random.default_rng(s) for s in seeds.spawn(config.seeds)]
    records_of = {"flow": flow_records, "sampled": sampled_records, "sides": side_records, "lag": lag_records}
    return records_of[settings["part"]](config, settings, rngs)


def flow_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return the flow's entropy at the end, both theories' entropies, and the error that the time allows."""
    world = settings["world"]
    start = _start(config, config.success, spread=SPREADS[world], rngs=rngs)
    logits = _nudged(start, rngs)
    records = []
    for offset in config.offsets:
        labels = {"part": "flow", "world": world, "offset": offset}
        records += _records(labels, _flow_end(config, start, logits, offset=offset))
    return records


def sampled_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return entropy and success after sampled updates with b = V_mu + offset, beside the limit's entropy."""
    world, offset = settings["world"], settings["offset"]
    start = _start(config, config.success, spread=SPREADS[world], rngs=rngs)
    update = _frozen(config, {"method": "constant", "options": {"baseline": config.success + offset}})
    baseline = np.full(start.logits.shape[:-1], config.success + offset)
    ends = _ends(start, _nudged(start, rngs), update, baseline=baseline, steps=config.steps, rngs=rngs)
    return _records({"part": "sampled", "world": world, "offset": offset}, ends)


def side_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return entropy and success after a rule's sampled updates, and the limit that its effective baseline predicts."""
    start = _start(config, settings["value"], spread=SPREADS["distinct"], rngs=rngs)
    success = expectation(np.exp(start.logits), start.env.arm_rewards)
    effective = effective_baseline(success, config.group_size, settings["method"], **settings["options"])
    update = _frozen(config, settings)
    ends = _ends(start, start.logits, update, baseline=effective.baseline, steps=config.steps, rngs=rngs)
    ends["effective_offset"] = per_seed(effective.baseline - success)
    return _records({"part": "sides", "rule": settings["rule"], "value": settings["value"]}, ends)


def lag_records(config: StaleConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return entropy and success at the end of a run on uniform difficulty, and counts of bound violations along it."""
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
    # Measuring costs more than training: about four records of a run will do for its bounds.
    every = max(d for d in range(1, config.lag_steps // 4 + 2) if config.lag_steps % d == 0)
    names = ("sequence_entropy", "success", "bound_violations", "rows")
    run = trajectory(
        random_bandits(world, rngs),
        update,
        steps=config.lag_steps,
        rngs=rngs,
        every=every,
        families=("state", "change"),
        only=names,
    )
    ends = {"entropy": run.curves["sequence_entropy"][:, -1], "success": run.curves["success"][:, -1]}
    counts = {name: run.curves[name].sum(axis=1) for name in ("bound_violations", "rows")}
    labels = {"part": "lag", "rule": settings["rule"], "lag": settings["lag"], "ratio": settings["ratio"]}
    return _records(labels, {**ends, **counts})


def _start(config: StaleConfig, success: float, *, spread: float, rngs: Generators) -> Start:
    """Return bandits whose queries all have that success probability, to nine digits."""
    # A uniform distribution needs some width.
    around = Difficulty(low=success - 1e-9, high=success + 1e-9)
    world = World(
        queries=config.queries,
        arms=config.arms,
        correct_share=config.correct_share,
        spread=spread,
        difficulty=around,
    )
    return random_bandits(world, rngs)


def _flow_end(config: StaleConfig, start: Start, logits: Array, *, offset: float) -> dict[str, Array]:
    """Return the end of the flow with b = V_mu + offset, and both theories' errors, ``[S]`` each."""
    mu, rewards = np.exp(start.logits), start.env.arm_rewards
    b = np.full(mu.shape[:-1], config.success + offset)
    end = asymmetric.follow(
        logits,
        behaviour=mu,
        arm_rewards=rewards,
        baseline=b,
        steps=config.flow_steps,
        step_size=config.flow_step_size,
    )
    _, probs = kernels.log_softmax(end)
    time = config.flow_steps * config.flow_step_size
    room = np.asarray(max(float(np.abs(offset)), 1e-9))  # on the edge itself nothing is claimed; 0 would divide
    log_probs, _ = kernels.log_softmax(logits)
    distance = asymmetric.distance_allowed(config.arms, room, time=time, start=-log_probs.min())
    entropy = asymmetric.entropy_of(probs)
    return {
        "entropy": per_seed(entropy),
        "predicted": per_seed(asymmetric.limit_entropy(mu, rewards, b)),
        "error": _largest(entropy - asymmetric.limit_entropy(mu, rewards, b)),
        "control_error": _largest(entropy - asymmetric.exchanged_entropy(mu, rewards, b)),
        "allowed": np.full(len(mu), asymmetric.entropy_allowed(config.arms, distance)),
        "success": per_seed(expectation(probs, rewards)),
    }


def _frozen(config: StaleConfig, rule: Mapping[str, Any]) -> Update:
    """Return the update of a rule that samples from the initial policy for ever.

    Without importance ratio its groups count as if they were on-policy.
    """
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
    """Return the start's logits with a little noise on each."""
    return start.logits + NUDGE * np.stack([rng.standard_normal(start.logits.shape[1:]) for rng in rngs])


def _ends(
    start: Start, logits: Array, update: Update, *, baseline: Array, steps: int, rngs: Generators
) -> dict[str, Array]:
    """Return where runs end that sample from the start's policy, and where two theories say they do, ``[S]`` each.

    Args:
        start: the environment and the behaviour policy's logits.
        logits: where the trained policy starts, ``[S, Q, n]``.
        update: the rule; it never renews the behaviour policy.
        baseline: the constant baseline that the rule amounts to, ``[S, Q]``.
        steps: number of updates.
        rngs: S generators.
    """
    behaviour = initial_state(start.logits, start.env).behaviour
    # The trained policy starts at ``logits``, while groups keep coming from the start's own policy.
    state = initial_state(logits, start.env)._replace(behaviour=behaviour)
    for step in train(state, start.env, update, steps=steps, rngs=rngs):
        state = step.after
    _, probs = kernels.log_softmax(state.logits[..., 0, :])
    mu, rewards = np.exp(start.logits), start.env.arm_rewards
    return {
        "entropy": per_seed(asymmetric.entropy_of(probs)),
        "predicted": per_seed(asymmetric.limit_entropy(mu, rewards, baseline)),
        "exchanged": per_seed(asymmetric.exchanged_entropy(mu, rewards, baseline)),
        "success": per_seed(expectation(probs, rewards)),
    }


def _largest(values: Array) -> Array:
    """Return the largest size of a value over all axes but the first, ``[S, ...] -> [S]``."""
    return np.asarray(np.abs(values).reshape(len(values), -1).max(axis=1))


def _records(labels: Mapping[str, Any], values: Mapping[str, Array]) -> list[Record]:
    """Return a record for each seed, from values ``[S]``."""
    records = []
    for seed in range(len(next(iter(values.values())))):
        of_seed = {name: float(value[seed]) for name, value in values.items()}
        records.append({**labels, "seed": seed, **of_seed})
    return records


EXPERIMENT = Experiment(
    name="stale",
    summary="an old behaviour policy: the phase transition at b = V_mu, and where the rules lie",
    config=StaleConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
