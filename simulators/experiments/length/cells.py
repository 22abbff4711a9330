"""`length`: what the baseline does to the expected response length under the three loss aggregations.

Three parts. ``exact``: the expected update, all joint groups enumerated, against its closed form. ``decay``: the token
mean's baseline term against the number of responses that share its normaliser. ``train``: expected length along
training, for constant baselines and for the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from simulators.experiments.length import length_terms as terms
from simulators.experiments.length.analysis import analyse, statements
from simulators.groups import Generators
from simulators.measures import per_seed
from simulators.policy import policy
from simulators.trees import token_tree
from simulators.update import Update
from simulators.worlds import Start


class TreeSize(Strict):
    """Token trees of ``queries`` queries; ``symbols`` and ``max_length`` as in ``simulators.trees.token_tree``."""

    queries: Annotated[int, Field(ge=1)] = 2
    symbols: Annotated[int, Field(ge=1)] = 2
    max_length: Annotated[int, Field(ge=1)] = 2
    spread: Annotated[float, Field(ge=0)] = 1.0


class LengthConfig(Config):
    """Sizes. ``sharing``: numbers of responses that share the token mean's normaliser, for the fitted slope."""

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
    gain: Positive = 0.2  # of success, at which lengths are compared besides those at the end
    group_size: Annotated[int, Field(ge=2)] = 8
    tree: TreeSize = TreeSize(queries=8, max_length=4)


def rules(config: LengthConfig) -> list[dict[str, Any]]:
    """Constant baselines, the named rules, and QAE at each level: label, method and options."""
    constants = [{"rule": f"b={b:g}", "method": "constant", "options": {"baseline": b}} for b in config.baselines]
    named = [{"rule": name, "method": name, "options": {}} for name in config.rules]
    quantiles = [{"rule": f"qae K={k}", "method": "qae", "options": {"k": k}} for k in config.levels]
    return [*constants, *named, *quantiles]


def cells(config: LengthConfig) -> list[Cell]:
    """One cell a part, world, aggregation and (for training) rule; all of a part share their randomness."""
    sizes = config.model_dump(mode="json")
    exact = [
        Cell(f"exact {world} {aggregation}", {"part": "exact", "world": world, "aggregation": aggregation, **sizes}, 0)
        for world in ("bandit", "tree")
        for aggregation in terms.AGGREGATIONS
    ]
    trained = [
        Cell(f"train {aggregation} {rule['rule']}", {"part": "train", "aggregation": aggregation, **rule, **sizes}, 2)
        for aggregation in terms.AGGREGATIONS
        for rule in rules(config)
    ]
    decay = [Cell(f"decay {world}", {"part": "decay", "world": world, **sizes}, 1) for world in ("bandit", "tree")]
    return [*exact, *decay, *trained]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Records of one cell; what they hold is said in ``exact_records``, ``decay_records`` and ``train_records``."""
    config = LengthConfig.model_validate({k: settings[k] for k in LengthConfig.model_fields})
    count = config.seeds if settings["part"] == "train" else config.exact_seeds
    rngs = [np.random.default_rng(s) for s in seeds.spawn(count)]
    if settings["part"] == "train":
        return train_records(config, settings, rngs)
    start = (
        random_bandits_with_lengths(config, rngs) if settings["world"] == "bandit" else trees(config.exact_tree, rngs)
    )
    return (exact_records if settings["part"] == "exact" else decay_records)(config, settings, start)


def trees(size: TreeSize, rngs: Generators) -> Start:
    """Token trees with normal logits; half the responses are right, at random, of whatever length."""
    tree = token_tree(size.symbols, size.max_length)
    rewards = np.stack([mixed_rewards(size.queries, tree.responses, rng) for rng in rngs])
    shape = (size.queries, tree.nodes, tree.actions)
    return Start(environment(tree, rewards), size.spread * np.stack([rng.standard_normal(shape) for rng in rngs]))


def random_bandits_with_lengths(config: LengthConfig, rngs: Generators) -> Start:
    """Bandits whose arms have the configuration's lengths, with normal logits."""
    queries, arms = config.exact_tree.queries, len(config.arm_lengths)
    rewards = np.stack([mixed_rewards(queries, arms, rng) for rng in rngs])
    logits = config.exact_tree.spread * np.stack([rng.standard_normal((queries, 1, arms)) for rng in rngs])
    return Start(bandit(rewards, config.arm_lengths), logits)


def mixed_rewards(queries: int, responses: int, rng: np.random.Generator) -> Array:
    """Half (rounded down, at least one) of each query's responses are right, ``[Q, R]``."""
    order = np.argsort(rng.random((queries, responses)), axis=-1)
    return (order < max(1, responses // 2)).astype(np.float64)


def exact_records(config: LengthConfig, settings: Mapping[str, Any], start: Start) -> list[Record]:
    """Each rule and seed: the change of E|o| per unit step, and how far the closed form is from the enumeration.

    ``control_error`` is that of the closed form with 1 - b for b. The token mean has a closed form for constant
    baselines only; otherwise both errors are None.
    """
    records = []
    for rule in rules(config):
        update = _update(settings["aggregation"], rule, config.exact_group, config.step_size)
        exact = terms.enumerated_direction(initial_state(start.logits, start.env), start.env, update)
        error, control = _errors(exact, start, update)
        slope = per_seed(terms.length_slope(exact, policy(start.logits), start.env))
        labels = {"part": "exact", "world": settings["world"], "aggregation": update.aggregation, "rule": rule["rule"]}
        records += [
            {**labels, "seed": s, "slope": float(slope[s]), "error": error[s], "control_error": control[s]}
            for s in range(len(slope))
        ]
    return records


def decay_records(config: LengthConfig, settings: Mapping[str, Any], start: Start) -> list[Record]:
    """The term per unit b in the change of E|o|, of both means, against the responses that share the normaliser."""
    pi, queries = policy(start.logits), start.logits.shape[-3]
    records = []
    aggregations: tuple[terms.Aggregation, ...] = ("token_mean", "sequence_mean")
    for sharing, aggregation in product(config.sharing, aggregations):
        with_b, without = (
            terms.expected_direction(pi, start.env, aggregation, sharing // queries, gain=1.0, baseline=b)
            for b in (1.0, 0.0)
        )
        size = np.abs(per_seed(terms.length_slope(with_b - without, pi, start.env)))
        labels = {"part": "decay", "world": settings["world"], "aggregation": aggregation, "sharing": sharing}
        records += [{**labels, "seed": s, "size": float(size[s])} for s in range(len(size))]
    return records


def train_records(config: LengthConfig, settings: Mapping[str, Any], rngs: Generators) -> list[Record]:
    """Each seed: E|o| before and after training and at a given gain of success, and success at the end."""
    start = trees(config.tree, rngs)
    update = _update(settings["aggregation"], settings, config.group_size, config.step_size)
    state = initial_state(start.logits, start.env)
    states = [state, *(step.after for step in train(state, start.env, update, config.steps, rngs))]
    lengths = np.stack([per_seed(terms.expected_length(x.logits, start.env)) for x in states], axis=1)
    success = np.stack([_success(x.logits, start.env) for x in states], axis=1)
    at_equal_gain = at_gain(success, lengths, [config.gain])[:, 0]
    labels = {"part": "train", "aggregation": update.aggregation, "rule": settings["rule"]}
    return [
        {
            **labels,
            "seed": s,
            "first_length": float(lengths[s, 0]),
            "length": float(lengths[s, -1]),
            "length_at_gain": None if np.isnan(at_equal_gain[s]) else float(at_equal_gain[s]),
            "success": float(success[s, -1]),
        }
        for s in range(len(rngs))
    ]


def _update(aggregation: str, rule: Mapping[str, Any], group_size: int, step_size: float) -> Update:
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
    if update.aggregation == "token_mean" and update.method != "constant":
        return [None] * len(exact), [None] * len(exact)
    pi, group = policy(start.logits), update.group_size
    success = (terms.response_probs(pi, start.env) * start.env.arm_rewards).sum(axis=-1)
    found = effective_baseline(success, group, update.method, **update.options)
    forms = (
        terms.expected_direction(pi, start.env, update.aggregation, group, gain=found.gain, baseline=b)
        for b in (found.baseline, 1 - found.baseline)
    )
    error, control = (np.abs(exact - form).reshape(len(exact), -1).max(axis=1).tolist() for form in forms)
    return error, control


def _success(logits: Array, env: Environment) -> Array:
    return per_seed((terms.response_probs(policy(logits), env) * env.arm_rewards).sum(axis=-1))


EXPERIMENT = Experiment(
    name="length",
    summary="effect of the baseline on expected response length under the three loss aggregations",
    config=LengthConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
    claims=(ClaimEvidence("channels", "length normalisation", Kind.TRAINING, statements),),
)
