"""A step's measures from its dumped responses, by sums of its own, and how far the logged ones are from them.

The trainer's formulas are not used here: what it logs of the advantages and of the entropy is counted again from the
rewards and from the sums a response. A difference is a finding for the reader, not an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from llm_validation.cluster.collect.run_settings import RunSettings
from qae_theory.advantages import advantages, get_estimator
from qae_theory.arrays import Array
from qae_theory.baselines import quantile_baseline
from qae_theory.checks import quantile_level

PREFIX = "recomputed/"
RELATIVE = 1e-4  # beyond it a difference is a finding
# verl logs what it has averaged in float32; the probe's figures and TRL's shares are in float64.
FLOAT32 = 1e-6
FLOAT64 = 1e-12
DEFAULT_K = "0.4"
MASKS = ("pos_mask", "neg_mask")
GATED = ("qae", "qae_linear", *MASKS)
SIGNS = {"positive": 1, "negative": -1, "zero": 0}
# What a logged metric must agree with, by its name; the probe's own names are on both sides.
TWINS = {
    "critic/score/mean": "rollouts/mean_reward",
    "success_rate": "rollouts/success_rate",
    "zero_advantage_share": "rollouts/zero_share",
    "hard_group_share": "rollouts/hard_share",
    "probe/advantage/zero_share": "rollouts/zero_share",
    "probe/advantage/positive_share": "rollouts/positive_share",
    "probe/advantage/negative_share": "rollouts/negative_share",
    "probe/gate/mixed_share": "rollouts/mixed_share",
    "probe/gate/leak_share_linear": "rollouts/leak_share_linear",
}


class Finding(NamedTuple):
    """A logged measure that the dump does not give."""

    step: int
    metric: str
    source: str
    said: float
    recomputed: float
    what: str = "logged"

    def record(self) -> dict[str, Any]:
        """In JSON's types, with a sentence."""
        figures = f"{self.what} {self.said:.6g}, recomputed from {self.source} {self.recomputed:.6g}"
        return {**self._asdict(), "says": f"step {self.step}: {self.metric}: {figures}"}


def of_rollouts(responses: Sequence[Mapping[str, Any]], settings: RunSettings) -> dict[str, float]:
    """Shares of a training batch, from its rewards.

    ``success_rate`` and ``mean_reward`` are of responses; ``mixed_share`` (a success and a failure), ``hard_share``
    (success rate at most 1 - K) and ``leak_share_linear`` (the interpolated quantile's advantages have other zeros than
    the exact one's) of groups; ``zero_share``, ``positive_share`` and ``negative_share`` are of responses, by the
    advantage of the run's estimator, and left out where that is not known here.
    """
    level, threshold = quantile_level(settings.k or DEFAULT_K), correct_above(responses, settings)
    blocks = [_Block(groups, threshold) for groups in _by_size(responses)]
    rewards, right = (np.concatenate([getattr(one, name).ravel() for one in blocks]) for name in ("rewards", "right"))
    scorable = ~np.isnan(rewards)
    found = {
        "responses": float(len(rewards)),
        "groups": float(sum(len(one.rewards) for one in blocks)),
        "mean_reward": _mean(rewards[scorable]),
        "success_rate": _mean(right[scorable]),
        "mixed_share": _mean(np.concatenate([one.mixed() for one in blocks])),
        "hard_share": _mean(np.concatenate([one.hard(level) for one in blocks])),
        "leak_share_linear": _mean(np.concatenate([one.leaks(level) for one in blocks])),
    }
    made = [one.advantages(settings, level) for one in blocks]
    known = [one for one in made if one is not None]
    if len(known) == len(blocks):
        every = np.sign(np.concatenate([one.ravel() for one in known]))
        found |= {f"{name}_share": float((every == sign).mean()) for name, sign in SIGNS.items()}
    if all("words" in one for one in responses):
        found["anthropomorphic_words"] = _mean([one["words"] for one in responses])
    return {f"rollouts/{name}": value for name, value in found.items() if math.isfinite(value)}


def of_probe(records: Sequence[Mapping[str, Any]], settings: RunSettings) -> dict[str, float]:
    """The probe's measures from its dumped sums; entropies in nats a token, shares as their names say."""
    level, threshold = quantile_level(settings.k or DEFAULT_K), correct_above(records, settings)
    column = {
        name: np.array([float(record[name]) for record in records])
        for name in ("advantage", "tokens", "entropy_before", "entropy_after", "clipped_high", "clipped_low")
    }
    sign, tokens = np.sign(column["advantage"]), column["tokens"]
    found: dict[str, float] = {}
    for name, rows in {"all": np.ones(len(sign), bool), **{name: sign == s for name, s in SIGNS.items()}}.items():
        if total := tokens[rows].sum():
            before, after = (column[f"entropy_{when}"][rows].sum() / total for when in ("before", "after"))
            found |= {f"entropy/before/{name}": before, f"entropy/after/{name}": after}
            found[f"entropy/change/{name}"] = after - before
    hard = _hard_rows(records, level, threshold)
    for name, rows in (("hard", hard), ("easy", ~hard)):
        if total := tokens[rows].sum():
            change = (column["entropy_after"] - column["entropy_before"])[rows].sum()
            found[f"entropy/change/{name}"] = change / total
    found |= {f"advantage/{name}_share": float((sign == s).mean()) for name, s in SIGNS.items()}
    if total := tokens.sum():
        found |= {f"clip/{side}_share": column[f"clipped_{side}"].sum() / total for side in ("high", "low")}
        predicted = sum(float(record["entropy_change_predicted"]) for record in records)
        found["predicted/change"] = predicted / total
    return {f"probe/{name}": float(value) for name, value in found.items()}


def wrong_advantages(
    step: int, records: Sequence[Mapping[str, Any]], settings: RunSettings, source: str
) -> list[Finding]:
    """A finding where dumped advantages are not those of the run's estimator, with the one that is furthest off."""
    level, threshold = quantile_level(settings.k or DEFAULT_K), correct_above(records, settings)
    if not all(isinstance(one.get("advantage"), (int, float)) for one in records):
        return []
    wrong: list[tuple[float, float]] = []
    for groups in _by_size(records):
        mine = _Block(groups, threshold).advantages(settings, level)
        if mine is not None:
            theirs = (float(one["advantage"]) for group in groups for one in group)
            wrong += [pair for pair in zip(theirs, mine.ravel().tolist(), strict=True) if _differ(*pair, FLOAT32)]
    if not wrong:
        return []
    said, value = max(wrong, key=lambda pair: abs(pair[0] - pair[1]))
    metric = f"advantages of {len(wrong)} of {len(records)} responses"
    return [Finding(step, metric, source, said, value, "dumped, the furthest off,")]


def compared(
    step: int, said: Mapping[str, float | None], measures: Mapping[str, float], what: str = "logged"
) -> list[Finding]:
    """Where a metric and its recomputed twin differ by more than ``RELATIVE``.

    verl leaves responses without a token out of its mean score; a dump does not say which those are.
    """
    pairs = [(metric, twin, "the rollouts") for metric, twin in TWINS.items()]
    pairs += [(name, name, "the probe's dump") for name in measures if name.startswith("probe/")]
    findings = []
    for metric, twin, source in sorted(pairs):
        theirs, mine = said.get(metric), measures.get(twin)
        floor = FLOAT32 if metric.startswith("critic/") else FLOAT64
        if metric == "critic/score/mean" and said.get("response/aborted_ratio"):
            continue
        if theirs is not None and mine is not None and _differ(theirs, mine, floor):
            findings.append(Finding(step, metric, source, theirs, mine, what))
    return findings


def compared_entropy(step: int, logged: Mapping[str, float | None], measures: Mapping[str, float]) -> list[Finding]:
    """verl's own ``actor/entropy`` against the probe's dump; for a run that averages over all tokens."""
    said, mine = logged.get("actor/entropy"), measures.get("probe/entropy/before/all")
    if said is None or mine is None or not _differ(said, mine, FLOAT32):
        return []
    return [Finding(step, "actor/entropy", "the probe's dump", said, mine)]


def grouped(responses: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The responses to each prompt."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in responses:
        groups.setdefault(one["group"], []).append(one)
    return list(groups.values())


def correct_above(responses: Sequence[Mapping[str, Any]], settings: RunSettings) -> float:
    """The reward above which a response is correct: as configured; otherwise by the rewards that there are.

    Rewards of 0 and 1: 1/2. With negative ones: 0 for +1 and -1, and -1/2 for DAPO's with a penalty on length.
    """
    if settings.correct_above is not None:
        return settings.correct_above
    levels = {one["reward"] for one in responses if not math.isnan(one["reward"])}
    if levels <= {-1.0, 1.0}:
        return 0.0
    return -0.5 if min(levels, default=0.0) < 0 else 0.5


def _by_size(responses: Sequence[Mapping[str, Any]]) -> list[list[list[Mapping[str, Any]]]]:
    """The groups, those of one size together."""
    sizes: dict[int, list[list[Mapping[str, Any]]]] = {}
    for group in grouped(responses):
        sizes.setdefault(len(group), []).append(group)
    return list(sizes.values())


class _Block:
    """Groups of one size: rewards and which are right, ``[groups, G]`` each; NaN for one that could not be scored."""

    def __init__(self, groups: Sequence[Sequence[Mapping[str, Any]]], threshold: float) -> None:
        self.rewards = np.array([[one["reward"] for one in group] for group in groups], dtype=np.float64)
        known = [[one.get("correct") for one in group] for group in groups]
        if any(value is None for row in known for value in row):
            self.right = np.where(np.isnan(self.rewards), np.nan, (self.rewards > threshold).astype(np.float64))
        else:
            self.right = np.array(known, dtype=np.float64)
        scorable = ~np.isnan(self.right)
        self._there = scorable.sum(axis=1)
        self._successes = np.where(scorable, self.right, 0).sum(axis=1).astype(np.int64)

    def mixed(self) -> Array:
        """Of the groups with a scorable response: whether there is a success and a failure."""
        mixed: Array = (self._successes > 0) & (self._successes < self._there)
        return mixed[self._there > 0]

    def hard(self, level: Fraction) -> Array:
        """Of the groups with a scorable response: whether the success rate is at most 1 - K, in whole numbers."""
        up_to = (level.denominator - level.numerator) * self._there
        hard: Array = self._successes * level.denominator <= up_to
        return hard[self._there > 0]

    def leaks(self, level: Fraction) -> Array:
        """Whether the interpolated quantile's advantages have other zeros than the exact one's."""
        exact, linear = (self._by(name, self.rewards, k=level) for name in ("qae", "qae_linear"))
        leaks: Array = ((exact == 0) != (linear == 0)).any(axis=1)
        return leaks

    def advantages(self, settings: RunSettings, level: Fraction) -> Array | None:
        """By the run's estimator; None for one that is not known here."""
        name = {"grpo_vectorized": "grpo"}.get(settings.estimator or "", settings.estimator)
        bits = name in MASKS or settings.gate == "correctness"
        values = self.right if bits else self.rewards
        if name not in ("grpo", "dr_grpo", "rloo", *GATED):
            return None
        if values.shape[1] < get_estimator(name).least_group:
            return np.zeros(values.shape)
        if name in ("dr_grpo", "rloo"):
            return self._by(name, values)
        options: dict[str, Any] = {"k": level} if name in GATED else {}
        if settings.std == "none":
            return self._without_std(name, values, level)
        options |= {} if settings.std is None else {"std": settings.std}
        options |= {} if settings.eps is None else {"eps": settings.eps}
        return self._by(name, values, **options)

    def _without_std(self, name: str, values: Array, level: Fraction) -> Array | None:
        if name == "grpo":
            return self._by("dr_grpo", values)
        if name in MASKS or np.isnan(values).any():
            return None
        method = "linear" if name == "qae_linear" else "inverted_cdf"
        return values - quantile_baseline(values, level, method=method)[:, None]

    def _by(self, name: str, values: Array, **options: Any) -> Array:
        return advantages(values, name, mask=~np.isnan(values), **options)


def _hard_rows(records: Sequence[Mapping[str, Any]], level: Fraction, threshold: float) -> Array:
    rates = {}
    for group in grouped(records):
        right = sum(one["reward"] > threshold for one in group)
        rates[group[0]["group"]] = Fraction(right, len(group))
    return np.array([rates[record["group"]] <= 1 - level for record in records])


def _differ(one: float, other: float, floor: float) -> bool:
    return abs(one - other) > RELATIVE * max(abs(one), abs(other)) + floor


def _mean(values: Any) -> float:
    array = np.asarray(values, dtype=np.float64)
    return float(array.mean()) if array.size else math.nan
