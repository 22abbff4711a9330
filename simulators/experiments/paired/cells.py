r"""The same sampled group under two rules: how often Prop. 4.2's order holds, against the law that decides it.

Law (claim `paired-ordering-law`): where the two advantages differ by one number c throughout the group, as QAE's and
GRPO's do, the first-order changes differ by :math:`-ηcS`, :math:`S = \sum_y(\hat p_y - \pi_y)\pi_y(\log\pi_y + H)`: the
order holds iff S >= 0. Every group is of its own policy, so that groups are independent draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from qae_theory import entropy_change, first_order_entropy_change
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.runs.settings import Positive
from qae_theory.softmax import expectation
from simulators.engine import initial_state, step_on_groups, update_once
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.common.fields import Arms, Edges, GroupSize, Level, Some, Spread
from simulators.experiments.common.shares import generators, rounding
from simulators.experiments.paired.analysis import analyse
from simulators.groups import Generators
from simulators.measures import surprise_product
from simulators.methods import get_method
from simulators.policy import policy, response_log_probs
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits


class PairedConfig(Config):
    """Sizes; ``rules``: the one with the extreme baseline, and the one that it is held against."""

    rules: tuple[RuleName, RuleName] = ("qae", "grpo")
    k: Level = "0.4"
    seeds: int = Field(4, ge=1)
    queries: int = Field(2048, ge=2)
    arms: Some[Arms] = (4, 16, 64)
    spreads: Some[Spread] = (0.5, 1.0, 2.0)
    group_sizes: Some[GroupSize] = (8, 16)
    step_sizes: tuple[Positive, ...] = (0.01, 0.1, 1.0, 10.0)
    edges: Edges = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the bins of V


class Pair(NamedTuple):
    """One group a row under two rules, ``[P, ...]``.

    ``shift``: the difference of advantages, NaN where it is not one number in the group. ``product_sum``: S, and
    ``other_product_sum`` the same with the frequencies of the next query's group, which the law knows nothing of.
    """

    log_probs: Array
    directions: tuple[Array, Array]
    shift: Array
    product_sum: Array
    other_product_sum: Array
    correct: Array
    success: Array


def cells(config: PairedConfig) -> list[Cell]:
    """One for each number of arms, spread and group size."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "arms", "spreads", "group_sizes"})
    return [
        Cell(
            f"arms={arms} spread={spread:g} G={size}",
            {**common, "arms": arms, "spread": spread, "group_size": size},
            stream=stream,
        )
        for stream, (arms, spread, size) in enumerate(product(config.arms, config.spreads, config.group_sizes))
    ]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Counts of mixed groups by regime of the group and difficulty of the query."""
    rngs = generators(seeds, settings["seeds"])
    world = World(queries=settings["queries"], arms=settings["arms"], spread=settings["spread"])
    start = random_bandits(world, rngs)
    updates = [_update(rule, settings) for rule in settings["rules"]]
    pair = paired_groups(start, updates[0], updates[1], rngs)
    size = settings["group_size"]
    hard = is_hard_group(pair.correct, size, quantile_level(settings["k"]))
    checks = checked(pair, hard, settings["step_sizes"])
    mixed = (pair.correct > 0) & (pair.correct < size)
    place = np.digitize(pair.success, settings["edges"][1:-1])
    labels = {name: settings[name] for name in ("arms", "spread", "group_size")}
    records = []
    for regime, bin_index in product(("hard", "easy"), range(len(settings["edges"]) - 1)):
        chosen = mixed & (hard == (regime == "hard")) & (place == bin_index)
        low, high = settings["edges"][bin_index : bin_index + 2]
        counts = {name: int(check[chosen].sum()) for name, check in checks.items()}
        records.append(
            {**labels, "regime": regime, "success_from": low, "success_to": high, "rows": int(chosen.sum()), **counts}
        )
    return records


def paired_groups(start: Start, one: Update, other: Update, rngs: Generators) -> Pair:
    """Sample one group a query and take it through both updates."""
    state = initial_state(start.logits, start.env)
    first = update_once(state, start.env, one, rngs)
    responses = first.rollouts.responses
    method = get_method(other.method, **other.options)
    second = step_on_groups(state, start.env, other, method, responses, rngs)
    log_probs = _rows(response_log_probs(policy(state.logits).log_probs, start.env.tree))
    frequencies = _frequencies(responses.reshape(-1, responses.shape[-1]), log_probs.shape[-1])
    difference = _rows(first.rollouts.advantages - second.rollouts.advantages)
    return Pair(
        log_probs=log_probs,
        directions=(_rows(first.direction[..., 0, :]), _rows(second.direction[..., 0, :])),
        shift=_one_number(difference),
        product_sum=ordering_sum(log_probs, frequencies),
        other_product_sum=ordering_sum(log_probs, np.roll(frequencies, 1, axis=0)),
        correct=first.rollouts.correct.sum(axis=-1).ravel(),
        success=expectation(np.exp(log_probs), _rows(start.env.arm_rewards)),
    )


def ordering_sum(log_probs: Array, frequencies: Array) -> Array:
    r""":math:`S = \sum_y(\hat p_y - \pi_y)\pi_y(\log\pi_y + H)`, ``[..., n] -> [...]``."""
    return np.asarray(((frequencies - np.exp(log_probs)) * surprise_product(log_probs)).sum(axis=-1))


def checked(pair: Pair, hard: Array, step_sizes: Sequence[float]) -> dict[str, Array]:
    """Of each group ``[P]``: does the order hold, at first order and for steps, and does the law say so?

    ``size_breaks``: the difference at first order is not -cS beyond rounding. ``sign_breaks``: its sign is not what the
    law says of the order; ``other_sign_breaks`` the same with S of another query's group. ``agree@eta``: the order
    under a step is as the law says.
    """
    first, second = pair.directions
    slack = rounding(pair.log_probs, first, 1.0) + rounding(pair.log_probs, second, 1.0)
    difference = first_order_entropy_change(pair.log_probs, first) - first_order_entropy_change(pair.log_probs, second)
    by_law, lawful = pair.product_sum >= 0, np.isfinite(pair.shift)
    found = {
        "lawful": lawful,
        "law_holds": by_law,
        "ties": np.abs(difference) <= slack,
        "first_order_holds": _in_order(difference, slack, hard),
        "size_breaks": lawful & (np.abs(difference + pair.shift * pair.product_sum) > slack),
        "sign_breaks": lawful & _contradicts(difference, pair.product_sum, slack, hard),
        "other_sign_breaks": lawful & _contradicts(difference, pair.other_product_sum, slack, hard),
    }
    for step in step_sizes:
        change = entropy_change(pair.log_probs, first, step) - entropy_change(pair.log_probs, second, step)
        holds = _in_order(change, step * slack, hard)
        found |= {f"holds@{step:g}": holds, f"agree@{step:g}": holds == by_law}
    return found


def _in_order(difference: Array, slack: Array, hard: Array) -> Array:
    return np.asarray(np.where(hard, difference, -difference) <= slack)


def _contradicts(difference: Array, product_sum: Array, slack: Array, hard: Array) -> Array:
    """Out of order where S >= 0, or in order where S < 0, by more than rounding."""
    against = np.where(hard, difference, -difference) * np.where(product_sum >= 0, 1, -1)
    return np.asarray(against > slack)


def _one_number(difference: Array) -> Array:
    """The entry that a row repeats, to rounding; NaN for a row that does not repeat one."""
    centre = difference.mean(axis=-1)
    # Advantages are computed to a few units in the last place.
    same = np.ptp(difference, axis=-1) <= 1e-12 * (1 + np.abs(centre))
    return np.where(same, centre, np.nan)


def _frequencies(responses: Array, arms: int) -> Array:
    counts = np.zeros((len(responses), arms))
    np.add.at(counts, (np.arange(len(responses))[:, None], responses), 1.0)
    return counts / responses.shape[-1]


def _rows(values: Array) -> Array:
    return values.reshape(-1, values.shape[-1])


def _update(rule: str, settings: Mapping[str, Any]) -> Update:
    options = {"k": settings["k"]} if "k" in (get_method(rule).options or {}) else {}
    return Update(method=rule, options=options, group_size=settings["group_size"], aggregation="token_sum")


EXPERIMENT = Experiment(
    name="paired",
    summary="one and the same group under two rules: how often the order holds, against the law",
    config=PairedConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("sizes.toml"),
)
