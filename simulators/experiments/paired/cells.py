r"""How often does Prop. 4.2's order hold for one sampled group under two rules, and does the law decide it?

The law is claim `paired-ordering-law`. Where the two advantages differ by the same number c throughout the group, as
QAE's and GRPO's do, the first-order changes differ by :math:`-ηcS` with
:math:`S = \sum_y(\hat p_y - \pi_y)\pi_y(\log\pi_y + H)`, so that the order holds if and only if S >= 0. Every group is
drawn from a policy of its own, so that groups are independent draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from qae_theory import entropy_change, first_order_entropy_change
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K, is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.runs.settings import Positive
from qae_theory.softmax import expectation
from simulators.engine import initial_state, step_on_groups, update_once
from simulators.experiments.base import Cell, Config, Experiment, Record, RuleName
from simulators.experiments.common.fields import Arms, Edges, GroupSize, Level, Some, Spread
from simulators.experiments.common.shares import generators, rounding
from simulators.experiments.paired.analysis import analyse
from simulators.measures import surprise_product
from simulators.methods import get_method
from simulators.tabular.groups import Generators
from simulators.tabular.policy import policy, response_log_probs
from simulators.update import Update
from simulators.worlds import Start, World, random_bandits


class PairedConfig(Config):
    """Sizes of the experiment.

    ``rules`` are the rule with the extreme baseline and the one that it is held against. ``edges`` are those of the
    bins of a query's success probability V.
    """

    rules: tuple[RuleName, RuleName] = ("qae", "grpo")
    k: Level = DEFAULT_K
    seeds: int = Field(4, ge=1)
    queries: int = Field(2048, ge=2)
    arms: Some[Arms] = (4, 16, 64)
    spreads: Some[Spread] = (0.5, 1.0, 2.0)
    group_sizes: Some[GroupSize] = (8, 16)
    step_sizes: tuple[Positive, ...] = (0.01, 0.1, 1.0, 10.0)
    edges: Edges = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Pair(NamedTuple):
    """Sampled groups under two rules, each from its own policy: P groups, one along axis 0.

    ``shift`` is the difference of the advantages, NaN where it is not the same throughout the group. ``product_sum`` is
    S, and ``other_product_sum`` the same with the frequencies of the next query's group, of which the law knows
    nothing: the control. ``directions`` are those of the two rules on the logits, ``[P, n]`` each.
    """

    log_probs: Array
    directions: tuple[Array, Array]
    shift: Array
    product_sum: Array
    other_product_sum: Array
    correct: Array
    success: Array


def cells(config: PairedConfig) -> list[Cell]:
    """Return a cell for each number of arms, spread and group size."""
    common = config.model_dump(mode="json", exclude={"seed", "level", "arms", "spreads", "group_sizes"})
    listed = []
    for stream, (arms, spread, size) in enumerate(product(config.arms, config.spreads, config.group_sizes)):
        settings = {**common, "arms": arms, "spread": spread, "group_size": size}
        listed.append(Cell(f"arms={arms} spread={spread:g} G={size}", settings, stream=stream))
    return listed


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    """Return counts of mixed groups by regime of the group and difficulty of the query."""
    rngs = generators(seeds, settings["seeds"])
    world = World(queries=settings["queries"], arms=settings["arms"], spread=settings["spread"])
    start = random_bandits(world, rngs)
    updates = [_update(rule, settings) for rule in settings["rules"]]
    pair = paired_groups(start, updates[0], updates[1], rngs=rngs)
    size = settings["group_size"]
    hard = is_hard_group(pair.correct, size, quantile_level(settings["k"]))
    checks = checked(pair, hard, settings["step_sizes"])
    # Both rules leave a degenerate group where it is, so that its order says nothing.
    mixed = (pair.correct > 0) & (pair.correct < size)
    bin_of = np.digitize(pair.success, settings["edges"][1:-1])
    sizes = {name: settings[name] for name in ("arms", "spread", "group_size")}
    records = []
    for regime, bin_index in product(("hard", "easy"), range(len(settings["edges"]) - 1)):
        chosen = mixed & (hard == (regime == "hard")) & (bin_of == bin_index)
        low, high = settings["edges"][bin_index : bin_index + 2]
        labels = {"regime": regime, "success_from": low, "success_to": high}
        counts = {name: int(check[chosen].sum()) for name, check in checks.items()}
        records.append({**sizes, **labels, "rows": int(chosen.sum()), **counts})
    return records


def paired_groups(start: Start, update: Update, other: Update, *, rngs: Generators) -> Pair:
    """Sample one group per query and take it through both updates.

    Args:
        start: the bandits.
        update: the rule with the extreme baseline, which samples the groups.
        other: the rule that it is held against, on the same groups.
        rngs: S generators.

    Returns:
        All groups of all seeds.
    """
    state = initial_state(start.logits, start.env)
    first = update_once(state, start.env, update, rngs=rngs)
    responses = first.rollouts.responses
    method = get_method(other.method, **other.options)
    second = step_on_groups(state, start.env, other, method=method, responses=responses, rngs=rngs)
    log_probs = _flattened(response_log_probs(policy(state.logits).log_probs, start.env.tree))
    frequencies = _frequencies(responses.reshape(-1, responses.shape[-1]), log_probs.shape[-1])
    difference = _flattened(first.rollouts.advantages - second.rollouts.advantages)
    return Pair(
        log_probs=log_probs,
        directions=(_flattened(first.direction[..., 0, :]), _flattened(second.direction[..., 0, :])),
        shift=_common_value(difference),
        product_sum=ordering_sum(log_probs, frequencies),
        other_product_sum=ordering_sum(log_probs, np.roll(frequencies, 1, axis=0)),
        correct=first.rollouts.correct.sum(axis=-1).ravel(),
        success=expectation(np.exp(log_probs), _flattened(start.env.arm_rewards)),
    )


def ordering_sum(log_probs: Array, frequencies: Array) -> Array:
    r"""Return :math:`S = \sum_y(\hat p_y - \pi_y)\pi_y(\log\pi_y + H)`, ``[..., n] -> [...]`` in nats.

    Args:
        log_probs: of the arms, ``[..., n]``.
        frequencies: share of the group that each arm has, ``[..., n]``.

    Source: claim `paired-ordering-law`.
    """
    return np.asarray(((frequencies - np.exp(log_probs)) * surprise_product(log_probs)).sum(axis=-1))


def checked(pair: Pair, hard: Array, step_sizes: Sequence[float]) -> dict[str, Array]:
    """Return what is true of each group, ``[P]`` each: does the order hold, and does the law say so?

    Args:
        pair: the groups under both rules.
        hard: whether each group is hard, ``[P]``.
        step_sizes: finite steps at which the order is checked too.

    Returns:
        By name:

        * ``lawful``: the law applies. ``law_holds``: it says that the order holds.
        * ``first_order_holds``: the order holds at first order. ``ties``: the changes differ by no more than rounding.
        * ``size_breaks``: the difference at first order is not -cS beyond rounding. ``sign_breaks``: its sign is not
          what the law says of the order. ``other_sign_breaks``: the same with S of another query's group.
        * ``holds@eta``: the order holds under a step. ``agree@eta``: it is as the law says.
    """
    first, second = pair.directions
    # The difference of two changes has the rounding of both.
    slack = rounding(pair.log_probs, first, 1.0) + rounding(pair.log_probs, second, 1.0)
    difference = first_order_entropy_change(pair.log_probs, first) - first_order_entropy_change(pair.log_probs, second)
    by_law, lawful = pair.product_sum >= 0, np.isfinite(pair.shift)
    breaks = partial(_contradicts, difference, slack=slack, hard=hard)
    checks = {
        "lawful": lawful,
        "law_holds": by_law,
        "ties": np.abs(difference) <= slack,
        "first_order_holds": _in_order(difference, slack, hard),
        "size_breaks": lawful & (np.abs(difference + pair.shift * pair.product_sum) > slack),
        "sign_breaks": lawful & breaks(pair.product_sum),
        "other_sign_breaks": lawful & breaks(pair.other_product_sum),
    }
    for step in step_sizes:
        change = entropy_change(pair.log_probs, first, step) - entropy_change(pair.log_probs, second, step)
        holds = _in_order(change, step * slack, hard)
        checks |= {f"holds@{step:g}": holds, f"agree@{step:g}": holds == by_law}
    return checks


def _in_order(difference: Array, slack: Array, hard: Array) -> Array:
    """Return whether the extreme baseline has the lower entropy on hard groups and the higher one on easy groups."""
    return np.asarray(np.where(hard, difference, -difference) <= slack)


def _contradicts(difference: Array, product_sum: Array, *, slack: Array, hard: Array) -> Array:
    """Return whether a group is out of order where S >= 0, or in order where S < 0, by more than rounding."""
    against = np.where(hard, difference, -difference) * np.where(product_sum >= 0, 1, -1)
    return np.asarray(against > slack)


def _common_value(difference: Array) -> Array:
    """Return the value that all entries of a group share, to rounding; NaN for a group whose entries differ."""
    centre = difference.mean(axis=-1)
    # Advantages are computed to a few units in the last place, and so are their differences.
    same = np.ptp(difference, axis=-1) <= 1e-12 * (1 + np.abs(centre))
    return np.where(same, centre, np.nan)


def _frequencies(responses: Array, arms: int) -> Array:
    """Return the share of each group that each arm has, ``[P, G] -> [P, n]``."""
    counts = np.zeros((len(responses), arms))
    np.add.at(counts, (np.arange(len(responses))[:, None], responses), 1.0)
    return counts / responses.shape[-1]


def _flattened(values: Array) -> Array:
    """Return values ``[..., n]`` as ``[P, n]``."""
    return values.reshape(-1, values.shape[-1])


def _update(rule: str, settings: Mapping[str, Any]) -> Update:
    """Return the update of a rule, with the configured K where the rule has one."""
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
