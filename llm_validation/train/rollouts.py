"""One batch of rollouts as plain arrays: its advantages, what is logged about it, its records. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from llm_validation.verifiers import Outcome, counts
from qae_theory.advantages import advantages, get_estimator, resolve_options
from qae_theory.arrays import Array


class Rollouts(NamedTuple):
    """The rows of all processes, group by group; N = groups * group_size entries each.

    ``correct`` is the verifier's score and ``rewards`` what the advantages were made from: None and NaN where a
    response could not be scored. ``outcomes`` are the names of what came of each response, where the verifier says.
    ``components`` are the rewarded components without their weights, by name.
    """

    prompts: Sequence[str]
    completions: Sequence[str]
    tokens: Sequence[int]
    correct: Sequence[float | None]
    rewards: Array
    advantages: Array
    group_size: int
    outcomes: Sequence[str] | None = None
    components: Mapping[str, Sequence[float]] = {}


def group_advantages(rewards: Array, group_size: int, estimator: str, options: Mapping[str, Any]) -> Array:
    """Return the advantages ``[N]`` of the rewards ``[N]`` of whole groups, one after another.

    With ``std="batch"`` the divisor is that of all rewards given, so that these have to be a whole batch. A response
    with the reward NaN stays out of baseline and std and has the advantage 0.

    Args:
        rewards: NaN for a response that could not be scored.
        group_size: G; N is a multiple of it.
        estimator: a rule of :func:`qae_theory.advantages`.
        options: its options.

    >>> group_advantages(np.array([1.0, 0.0, np.nan, 0.0]), 4, "dr_grpo", {}).round(3).tolist()
    [0.667, -0.333, 0.0, -0.333]
    """
    groups = np.asarray(rewards, dtype=np.float64).reshape(-1, group_size)
    return advantages(groups, estimator, mask=~np.isnan(groups), **options).reshape(-1)


def is_mixed(values: Array) -> Array:
    """Return whether a group ``[..., G]`` has two different values among those that are not NaN, ``[...]``.

    >>> is_mixed(np.array([[0, 1], [1, 1], [np.nan, 1], [np.nan, np.nan]])).tolist()
    [True, False, False, False]
    """
    low = np.where(np.isnan(values), np.inf, values).min(axis=-1)
    high = np.where(np.isnan(values), -np.inf, values).max(axis=-1)
    # A group of NaN alone has low = inf and high = -inf, and is not mixed.
    return low < high


def process_slice(index: int, rows: int) -> slice:
    """Return the rows of one process among those of all, ``rows`` for each, in the order of the processes."""
    return slice(index * rows, (index + 1) * rows)


def batch_metrics(batch: Rollouts, estimator: str, options: Mapping[str, Any]) -> dict[str, float]:
    """Return what a run logs about a batch; NaN where it is not defined.

    ``success_rate``: of the scorable responses, before shaping; under dynamic sampling of mixed groups, not of the
    model. ``unscorable_share``, ``zero_advantage_share``: of responses. ``degenerate_share``: groups without two
    different rewards. ``hard_group_share``: groups with a success rate of at most 1 - K, compared as rationals, of
    those with a scorable response; only for an estimator that has K. ``scoring/...``: how many responses were right,
    wrong, unreadable and so on (:func:`llm_validation.verifiers.counts`), where the verifier says.
    ``components/...``: means of the rewarded components, without their weights.
    """
    correct = np.array([math.nan if score is None else score for score in batch.correct], dtype=np.float64)
    by_group = correct.reshape(-1, batch.group_size)
    scorable = ~np.isnan(correct)
    metrics = {
        "success_rate": success_rate(correct),
        "unscorable_share": float(1 - scorable.mean()),
        "zero_advantage_share": float((batch.advantages == 0).mean()),
        "degenerate_share": float(1 - is_mixed(batch.rewards.reshape(-1, batch.group_size)).mean()),
    }
    for name, values in batch.components.items():
        metrics[f"components/{name}"] = float(np.mean(values))
    if batch.outcomes is not None:
        found = counts(map(Outcome, batch.outcomes))
        metrics |= {f"scoring/{name}": float(number) for name, number in found.items()}
    level = resolve_options(get_estimator(estimator), options, whole_batch=True).get("k")
    if level is not None:
        hard = [_is_hard(group, level) for group in by_group if not np.isnan(group).all()]
        metrics["hard_group_share"] = float(np.mean(hard)) if hard else math.nan
    return metrics


def success_rate(correct: Array) -> float:
    """Return the mean of the scores that are not NaN; NaN if there are none."""
    scorable = ~np.isnan(correct)
    return float(correct[scorable].mean()) if scorable.any() else math.nan


def _is_hard(correct: Array, level: Fraction) -> bool:
    # A rate on the edge counts as hard, and floats may fall on either side of it.
    return Fraction(int(np.nansum(correct)), int((~np.isnan(correct)).sum())) <= 1 - level


def records(batch: Rollouts) -> list[dict[str, Any]]:
    """Return the batch as one JSON-ready record a response, ``group`` counted from 0."""
    found = []
    for row, prompt in enumerate(batch.prompts):
        record = {
            "group": row // batch.group_size,
            "prompt": prompt,
            "completion": batch.completions[row],
            "tokens": batch.tokens[row],
            "correct": batch.correct[row],
            "reward": None if math.isnan(batch.rewards[row]) else float(batch.rewards[row]),
            "advantage": float(batch.advantages[row]),
        }
        for name, values in batch.components.items():
            record[f"component_{name}"] = values[row]
        found.append(record if batch.outcomes is None else record | {"outcome": batch.outcomes[row]})
    return found
