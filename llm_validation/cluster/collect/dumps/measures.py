"""Compute a step's measures from its dumped responses, by sums of our own.

What the trainer logs of the advantages and of the entropy is counted again here, from the rewards and from the sums a
response. How far the logged figures are from these is for ``findings``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from llm_validation.cluster.collect.dumps.groups import Block, Response, by_size, grouped
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.verl_engine.update_probe import clip_sides
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group

PREFIX = "recomputed/"  # before the measures' names in a collected run
SIGNS: Mapping[str, int] = {"positive": 1, "negative": -1, "zero": 0}
_OF_GROUPS = frozenset({"mixed_share", "hard_share", "leak_share_linear"})
_COLUMNS = ("advantage", "tokens", "entropy_before", "entropy_after")


def of_rollouts(responses: Sequence[Response], settings: RunSettings, *, threshold: float | None) -> dict[str, float]:
    """Return shares of a training batch, from its rewards.

    ``success_rate`` and ``mean_reward`` are of responses; ``mixed_share`` (a success and a failure), ``hard_share``
    (success rate at most 1 - K) and ``leak_share_linear`` (the interpolated quantile's advantages have other zeros than
    the exact one's) of groups; ``zero_share``, ``positive_share`` and ``negative_share`` are of responses, by the
    advantage of the run's estimator, and left out where that is not known here. What rests on right and wrong is left
    out where it is not known which responses are right, and what rests on groups where all have one response.

    Args:
        responses: of one step, one a rollout.
        settings: of the run.
        threshold: the reward above which a response is right that states nothing itself; None if it is not known.
    """
    level = settings.level
    blocks = [Block(groups, threshold) for groups in by_size(responses)]
    rewards = np.concatenate([block.rewards.ravel() for block in blocks])
    right = np.concatenate([block.right.ravel() for block in blocks])
    scorable = ~np.isnan(rewards)
    measures = {
        "responses": float(len(rewards)),
        "groups": float(sum(len(block.rewards) for block in blocks)),
        "mean_reward": _mean(rewards[scorable]),
        "success_rate": _mean(right[scorable]),
        "mixed_share": _mean(np.concatenate([block.mixed() for block in blocks])),
        "hard_share": _mean(np.concatenate([block.hard(level) for block in blocks])),
        "leak_share_linear": _mean(np.concatenate([block.leaks(level) for block in blocks])),
    }
    if all(block.rewards.shape[1] == 1 for block in blocks):  # groups of one: no baseline, no gate
        measures = {name: value for name, value in measures.items() if name not in _OF_GROUPS}
    measures |= _sign_shares([block.advantages(settings, level) for block in blocks])
    if all("words" in response for response in responses):
        measures["anthropomorphic_words"] = _mean(np.array([response["words"] for response in responses]))
    # A mean over nothing is no measure.
    return {f"rollouts/{name}": value for name, value in measures.items() if math.isfinite(value)}


def _sign_shares(of_blocks: Sequence[Array | None]) -> dict[str, float]:
    """Return the shares of responses by the sign of their advantage; none where the estimator is not known."""
    known = [advantages.ravel() for advantages in of_blocks if advantages is not None]
    # Shares over some of the groups would pass for those of the batch.
    if len(known) < len(of_blocks):
        return {}
    signs = np.sign(np.concatenate(known))
    return {f"{name}_share": float((signs == sign).mean()) for name, sign in SIGNS.items()}


def of_probe(records: Sequence[Response], settings: RunSettings, *, threshold: float | None) -> dict[str, float]:
    """Return the probe's measures from its dumped sums; entropies in nats a token, shares as their names tell.

    Args:
        records: of one step, a rollout each: sums over all tokens of all its outputs.
        settings: of the run.
        threshold: as for :func:`of_rollouts`.
    """
    level = settings.level
    columns = {name: np.array([float(record[name]) for record in records]) for name in _COLUMNS}
    signs, tokens = np.sign(columns["advantage"]), columns["tokens"]
    measures = _entropies_by_sign(columns, signs)
    measures |= _change_by_regime(columns, _in_hard_groups(records, level, threshold))
    for name, sign in SIGNS.items():
        measures[f"advantage/{name}_share"] = float((signs == sign).mean())
    if total := tokens.sum():
        for side in clip_sides(records):
            measures[f"clip/{side}_share"] = sum(float(record[f"clipped_{side}"]) for record in records) / total
        predicted = sum(float(record["entropy_change_predicted"]) for record in records)
        measures["predicted/change"] = predicted / total
    return {f"probe/{name}": float(value) for name, value in measures.items()}


def _entropies_by_sign(columns: Mapping[str, Array], signs: Array) -> dict[str, float]:
    """Return entropy before, after and its change, in nats a token, over responses by the sign of their advantage."""
    chosen_by = {"all": np.ones(len(signs), bool)}
    for name, sign in SIGNS.items():
        chosen_by[name] = signs == sign
    measures: dict[str, float] = {}
    for name, chosen in chosen_by.items():
        if total := columns["tokens"][chosen].sum():
            before = columns["entropy_before"][chosen].sum() / total
            after = columns["entropy_after"][chosen].sum() / total
            measures[f"entropy/before/{name}"] = before
            measures[f"entropy/after/{name}"] = after
            measures[f"entropy/change/{name}"] = after - before
    return measures


def _change_by_regime(columns: Mapping[str, Array], hard: Array | None) -> dict[str, float]:
    """Return the change of entropy, in nats a token, over hard and over easy groups; nothing where that is not known.

    Args:
        columns: sums by name, ``[R]`` each.
        hard: ``[R]``, whether the record is of a hard group.
    """
    if hard is None:
        return {}
    measures = {}
    change = columns["entropy_after"] - columns["entropy_before"]
    for name, chosen in (("hard", hard), ("easy", ~hard)):
        if total := columns["tokens"][chosen].sum():
            measures[f"entropy/change/{name}"] = change[chosen].sum() / total
    return measures


def _in_hard_groups(records: Sequence[Response], level: Fraction, threshold: float | None) -> Array | None:
    """Return, for each record, whether its group's success rate is at most 1 - K.

    None where it is not known which responses are right.
    """
    if threshold is None:
        return None
    is_hard = {}
    for group in grouped(records):
        right = sum(record["reward"] > threshold for record in group)
        is_hard[group[0]["group"]] = is_hard_group(right, len(group), level)
    return np.array([is_hard[record["group"]] for record in records], dtype=bool)


def _mean(values: Array) -> float:
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()) if array.size else math.nan
