"""What does the baseline do to the expected response length under the three loss aggregations?

There are three parts. ``exact`` compares the expected update, all joint groups enumerated, with its closed form.
``decay`` holds the token mean's baseline term against the number of responses that share its normaliser. ``train``
follows the expected length along training, for constant baselines and for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from qae_theory.arrays import Array
from qae_theory.claims.model import Kind
from qae_theory.curves.trajectories import at_gain
from qae_theory.runs.settings import Positive, Strict
from simulators.effective_baseline import effective_baseline
from simulators.engine import initial_state, train
from simulators.environments import Environment, bandit, environment
from simulators.experiments.base import Cell, ClaimEvidence, Config, Experiment, Record, RuleName
from simulators.experiments.common.trajectories import or_none
from simulators.experiments.length import length_terms as terms
from simulators.experiments.length.analysis import analyse, statements
from simulators.measures import per_seed
from simulators.tabular.groups import Generators
from simulators.tabular.policy import policy
from simulators.tabular.trees import token_tree
from simulators.update import Update
from simulators.worlds import Start

WORLDS = ("bandit", "tree")
# The cells of a part share their randomness; these are the streams of the three parts.
STREAMS = {"exact": 0, "decay": 1, "train": 2}


class TreeSize(Strict):
    """Token trees of ``queries`` queries; ``symbols`` and ``max_length`` are those of ``token_tree``.

    ``spread`` is the standard deviation of the logits.
    """

    queries: Annotated[int, Field(ge=1)] = 2
    symbols: Annotated[int, Field(ge=1)] = 2
    max_length: Annotated[int, Field(ge=1)] = 2
    spread: Annotated[float, Field(ge=0)] = 1.0


class LengthConfig(Config):
    """Sizes of the experiment.

    ``sharing`` lists numbers of responses that share the token mean's normaliser, over which its slope is fitted.
    ``gain``, of success, is where lengths are compared besides at the end. ``levels`` are the K of QAE.
    """

    baselines: tuple[float, ...] = (0.0, 0.5, 1.0)
    rules: tuple[RuleName, ...] = ("grpo", "psr", "nsr", "dr_grpo")
    levels: tuple[str, ...] = ("0.2", "0.4", "0.6", "0.8")
    arm_lengths: tuple[int, ...] = (1, 2, 4, 8)
    exact_seeds: Annotated[int, Field(ge=2)] = 8
    exact_group: Annotated[int, Field(ge=2)] = 2
    exact_tree: TreeSize = TreeSize()
    sharing: tuple[Annotated[int, Field(ge=4)], ...] = (32, 64, 128, 256)
    seeds: Annotated[int, Field(ge=2)] = 16
    steps: Annotated[int, Field(ge=1)] = 200
    step_size: Positive = 0.5
    gain: Positive = 0.2
    group_size: Annotated[int, Field(ge=2)] = 8
    tree: TreeSize = TreeSize(queries=8, max_length=4)


def rules(config: LengthConfig) -> list[dict[str, Any]]:
    """Return constant baselines, the named rules, and QAE at each level, each with its label, method and options."""
    constants = [{"rule": f"b={b:g}", "method": "constant", "options": {"baseline": b}} for b in config.baselines]
    named = [{"rule": name, "method": name, "options": {}} for name in config.rules]
    quantiles = [{"rule": f"qae K={k}", "method": "qae", "options": {"k": k}} for k in config.levels]
    return [*constants, *named, *quantiles]


def cells(config: LengthConfig) -> list[Cell]:
    """Return a cell for each part, world, aggregation and (for training) rule."""
    sizes = config.model_dump(mode="json")

    def cell(part: str, name: str, **labels: Any) -> Cell:
        return Cell(f"{part} {name}", {"part": part, **labels, **sizes}, stream=STREAMS[part])

    listed = []
    for world, aggregation in product(WORLDS, terms.AGGREGATIONS):
        listed.append(cell("exact", f"{world} {aggregation}", world=world, aggregation=aggregation))
    listed += [cell("decay", world, world=world) for world in WORLDS]
    for aggregation in terms.AGGREGATIONS:
        for rule in rules(config):
            listed.append(cell("train", f"{aggregation} {rule['rule']}", aggregation=aggregation, **rule))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return the records of one cell, as ``exact_records``, ``decay_records`` or ``train_records`` describes them."""
    config = LengthConfig.model_validate({k: settings[k] for k in LengthConfig.model_fields})
    # The exact part is cheap and has a number of seeds of its own.
    count = config.seeds if settings["part"] == "train" else config.exact_seeds
    rngs = [np.random.default_rng(s) for s in seeds.spawn(count)]
    if settings["part"] == "train":
        return train_records(config, settings, rngs)
    start = (
        random_bandits_with_lengths(config, rngs) if settings["world"] == "bandit" else trees(config.exact_tree, rngs)
    )
    return (exact_records if settings["part"] == "exact" else decay_records)(config, settings, start)


def trees(size: TreeSize, rngs: Generators) -> Start:
    """Return token trees with normal logits; half of the responses are correct, at random, of whatever length."""
    tree = token_tree(size.symbols, size.max_length)
    rewards = np.stack([mixed_rewards(size.queries, tree.responses, rng) for rng in rngs])
    shape = (size.queries, tree.nodes, tree.actions)
    noise = np.stack([rng.standard_normal(shape) for rng in rngs])
    return Start(environment(tree, rewards), size.spread * noise)


def random_bandits_with_lengths(config: LengthConfig, rngs: Generators) -> Start:
    """Return bandits whose arms have the configuration's lengths, with normal logits."""
    queries, arms = config.exact_tree.queries, len(config.arm_lengths)
    rewards = np.stack([mixed_rewards(queries, arms, rng) for rng in rngs])
    logits = config.exact_tree.spread * np.stack([rng.standard_normal((queries, 1, arms)) for rng in rngs])
    return Start(bandit(rewards, config.arm_lengths), logits)


def mixed_rewards(queries: int, responses: int, rng: np.random.Generator) -> Array:
    """Return rewards ``[Q, R]`` with half of each query's responses correct, rounded down but at least one."""
    order = np.argsort(rng.random((queries, responses)), axis=-1)
    return (order < max(1, responses // 2)).astype(np.float64)


def exact_records(config: LengthConfig, settings: Mapping[str, Any], start: Start) -> list[Record]:
    """Return, for each rule and seed, the change of E|o| per unit step, and the error of the closed form.

    ``control_error`` is the error of the closed form with 1 - b for b. The token mean has a closed form for constant
    baselines only; for other rules both errors are None.
    """
    records = []
    for rule in rules(config):
        update = _update(settings["aggregation"], rule, group_size=config.exact_group, step_size=config.step_size)
        exact = terms.enumerated_direction(initial_state(start.logits, start.env), start.env, update)
        error, control = _errors(exact, start, update)
        slope = per_seed(terms.length_slope(exact, policy(start.logits), start.env))
        labels = {"part": "exact", "world": settings["world"], "aggregation": update.aggregation, "rule": rule["rule"]}
        for seed in range(len(slope)):
            errors = {"error": error[seed], "control_error": control[seed]}
            records.append({**labels, "seed": seed, "slope": float(slope[seed]), **errors})
    return records


def decay_records(config: LengthConfig, settings: Mapping[str, Any], start: Start) -> list[Record]:
    """Return the term per unit b in the change of E|o|, by number of responses that share the normaliser.

    Both means are recorded; only the token mean has a normaliser that responses share.
    """
    pi, queries = policy(start.logits), start.logits.shape[-3]
    records = []
    aggregations: tuple[terms.Aggregation, ...] = ("token_mean", "sequence_mean")
    for sharing, aggregation in product(config.sharing, aggregations):
        # The closed form is linear in b, so that the difference between b = 1 and b = 0 is the term per unit b.
        direction = partial(
            terms.expected_direction,
            pi=pi,
            env=start.env,
            aggregation=aggregation,
            group_size=sharing // queries,
            gain=1.0,
        )
        term = direction(baseline=1.0) - direction(baseline=0.0)
        size = np.abs(per_seed(terms.length_slope(term, pi, start.env)))
        labels = {"part": "decay", "world": settings["world"], "aggregation": aggregation, "sharing": sharing}
        records += [{**labels, "seed": seed, "size": float(size[seed])} for seed in range(len(size))]
    return records


def train_records(config: LengthConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Return, for each seed, E|o| before and after training and at a given gain of success, and success at the end."""
    start = trees(config.tree, rngs)
    update = _update(settings["aggregation"], settings, group_size=config.group_size, step_size=config.step_size)
    state = initial_state(start.logits, start.env)
    logits = [state.logits]
    for step in train(state, start.env, update, steps=config.steps, rngs=rngs):
        logits.append(step.after.logits)
    lengths = np.stack([per_seed(terms.expected_length(z, start.env)) for z in logits], axis=1)
    success = np.stack([_success(z, start.env) for z in logits], axis=1)
    at_equal_gain = at_gain(success, lengths, [config.gain])[:, 0]
    labels = {"part": "train", "aggregation": update.aggregation, "rule": settings["rule"]}
    records: list[Record] = []
    for seed in range(len(rngs)):
        records.append(
            {
                **labels,
                "seed": seed,
                "first_length": float(lengths[seed, 0]),
                "length": float(lengths[seed, -1]),
                "length_at_gain": or_none(at_equal_gain[seed]),
                "success": float(success[seed, -1]),
            }
        )
    return records


def _update(aggregation: str, rule: Mapping[str, Any], *, group_size: int, step_size: float) -> Update:
    """Return the update of a rule under an aggregation."""
    return Update.model_validate(
        {
            "method": rule["method"],
            "options": rule["options"],
            "group_size": group_size,
            "step_size": step_size,
            "aggregation": aggregation,
        }
    )


def _errors(exact: Array, start: Start, update: Update) -> tuple[list[float | None], list[float | None]]:
    """Return each seed's largest error of the closed form and of the control.

    Both are None for a rule without a closed form.
    """
    # The token mean couples a response's coefficient to the other responses, on which these rules' advantages depend
    # too.
    if update.aggregation == "token_mean" and update.method != "constant":
        return [None] * len(exact), [None] * len(exact)
    pi, group = policy(start.logits), update.group_size
    success = (terms.response_probs(pi, start.env) * start.env.arm_rewards).sum(axis=-1)
    effective = effective_baseline(success, group, update.method, **update.options)

    def error(baseline: Array) -> list[float | None]:
        form = terms.expected_direction(
            pi, start.env, update.aggregation, group_size=group, gain=effective.gain, baseline=baseline
        )
        return np.abs(exact - form).reshape(len(exact), -1).max(axis=1).tolist()

    return error(effective.baseline), error(1 - effective.baseline)


def _success(logits: Array, env: Environment) -> Array:
    """Return the mean success probability of each seed, ``[S]``."""
    return per_seed((terms.response_probs(policy(logits), env) * env.arm_rewards).sum(axis=-1))


EXPERIMENT = Experiment(
    name="length",
    summary="effect of the baseline on expected response length under the three loss aggregations",
    config=LengthConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(
        ClaimEvidence(
            claim="channels",
            name="length normalisation",
            kind=Kind.TRAINING,
            statements=statements,
        ),
    ),
)
