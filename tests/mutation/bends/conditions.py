"""List the conditions under which a bend is wrong, by the kind of function that can meet them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tests.mutation.bends.call import Call


class Condition(NamedTuple):
    """Hold a condition in words, and its test."""

    says: str
    holds: Callable[[Call], bool]


def _sizes(letter: str, limits: tuple[int, ...], of: Callable[[Call], int]) -> list[Condition]:
    return [Condition(f"{letter} > {limit}", lambda c, limit=limit: of(c) > limit) for limit in limits]


def _named(argument: str, values: tuple[str, ...]) -> list[Condition]:
    return [Condition(f"{argument} is {value!r}", lambda c, v=value: c[argument] == v) for value in values]


def _kinds(*dtypes: str) -> list[Condition]:
    return [Condition(f"type {name}", lambda c, name=name: c.dtype == np.dtype(name)) for name in dtypes]


AXES = [
    Condition("one axis", lambda c: c.axes == 1),
    Condition("two axes", lambda c: c.axes == 2),
    Condition("three axes", lambda c: c.axes == 3),
    Condition("four axes", lambda c: c.axes == 4),
    Condition("more than 1000 rows", lambda c: c.rows > 1000),
    Condition("more than 2^15 numbers", lambda c: c.data.size > 2**15),
    Condition("not contiguous", lambda c: not getattr(c.given, "flags", _PLAIN)["C_CONTIGUOUS"]),
    Condition("nested lists", lambda c: isinstance(c.given, list)),
]
_PLAIN = {"C_CONTIGUOUS": True}
TYPES = _kinds("float32", "float16", "longdouble", ">f8", "int64", "int8", "bool", "object")
GROUP_SIZES = _sizes("G", (16, 24, 50, 64, 100, 400, 1000, 2048, 4000), lambda c: c.size)
ONE_SIZE = [
    Condition("G = 7", lambda c: c.size == 7),
    Condition("G = 33", lambda c: c.size == 33),
    Condition("G = 1000", lambda c: c.size == 1000),
]
COUNTS = [
    Condition("some group has m = 1", lambda c: bool((c.correct == 1).any())),
    Condition("some group has m = G - 1", lambda c: bool((c.correct == c.arms - 1).any())),
    Condition("some group has m = 5 of G > 24", lambda c: c.arms > 24 and bool((c.correct == 5).any())),
    Condition("m/G = 1 - K in some group", lambda c: bool((c.correct == c.arms * (1 - c.level)).any())),
    Condition("m/G = 1 - K and G > 64", lambda c: c.arms > 64 and bool((c.correct == c.arms * (1 - c.level)).any())),
]
REWARDS = [
    Condition("rewards other than 0 and 1", lambda c: not np.isin(c.data, (0, 1)).all()),
    Condition("negative rewards", lambda c: bool((c.data < 0).any())),
    Condition("ties among other rewards", lambda c: c.arms > len(np.unique(c.data)) > 2),
    Condition("rewards far from 0", lambda c: bool((np.abs(c.data) > 100).any())),
    Condition("no two rewards equal", lambda c: c.axes == 1 and len(np.unique(c.data)) == c.arms > 2),
]
LEVELS = [
    Condition("K is a float", lambda c: isinstance(c["k"], float)),
    Condition("K is a float and G > 50", lambda c: isinstance(c["k"], float) and c.size > 50),
    Condition("K is a text", lambda c: isinstance(c["k"], str) and c["k"] != "0.4"),
    Condition("K is a Fraction", lambda c: isinstance(c["k"], Fraction)),
    Condition("K is a Decimal", lambda c: isinstance(c["k"], Decimal)),
    Condition("K > 1/2", lambda c: c.level > Fraction(1, 2)),
    Condition("K < 1/4", lambda c: c.level < Fraction(1, 4)),
    Condition("K > .99", lambda c: c.level > Fraction(99, 100)),
]
ESTIMATORS = _named("estimator", ("grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask"))
SCALES = [
    *_named("std", ("population", "bessel", "none", "batch")),
    Condition("eps = 0", lambda c: c["eps"] == 0 and c["eps"] is not None),
    Condition("eps > 1e-5", lambda c: (c["eps"] or 0) > 1e-5),
    Condition("eps >= 1", lambda c: (c["eps"] or 0) >= 1),
]
MASK = [
    Condition("a mask", lambda c: c["mask"] is not None),
    Condition("a mask and G > 16", lambda c: c["mask"] is not None and c.size > 16),
    Condition("a mask and three axes", lambda c: c["mask"] is not None and c.axes == 3),
    Condition("a mask with unscorable rows", lambda c: c["mask"] is not None and not np.all(c["mask"])),
    Condition("no mask and G > 200", lambda c: c["mask"] is None and c.size > 200),
]
ARMS = [
    *_sizes("n", (16, 50, 128, 400, 1000, 4096, 40_000, 140_000), lambda c: c.arms),
    Condition("n = 2", lambda c: c.arms == 2),
    Condition("n = 257", lambda c: c.arms == 257),
    Condition("n is a power of two above 8", lambda c: c.arms > 8 and c.arms & (c.arms - 1) == 0),
    Condition("n is one more than a power of two above 8", lambda c: c.arms > 8 and (c.arms - 1) & (c.arms - 2) == 0),
]
LOGITS = [
    Condition("equal logits", lambda c: c.arms > 1 and c.spread == 0),
    Condition("peaked", lambda c: c.data.size > 0 and float(c.probs.max()) > 0.999),
    Condition("nearly equal logits", lambda c: 0 < c.spread < 1e-6),
    Condition("spread above 20", lambda c: c.spread > 20),
    Condition("negative logits only", lambda c: c.data.size > 0 and bool((c.data < 0).all())),
    Condition("logits far from 0", lambda c: c.data.size > 0 and bool((np.abs(c.data) > 300).any())),
    Condition("tied logits", lambda c: c.axes == 1 and 1 < len(np.unique(c.data)) < c.arms),
]
STEPS = [
    Condition("a negative step", lambda c: bool((c.steps < 0).any())),
    Condition("a step above 2", lambda c: bool((np.abs(c.steps) > 2).any())),
    Condition("a step below 1e-5", lambda c: bool(((np.abs(c.steps) < 1e-5) & (c.steps != 0)).any())),
    Condition("a step of each row", lambda c: np.ndim(c["step_size"]) > 0),
]
DIRECTIONS = [
    Condition("a large direction", lambda c: float(np.abs(np.asarray(c["direction"], float)).max(initial=0)) > 1000),
    Condition(
        "a tiny direction", lambda c: 0 < float(np.abs(np.asarray(c["direction"], float)).max(initial=0)) < 1e-20
    ),
    Condition("a direction with fewer axes", lambda c: np.ndim(c["direction"]) < c.axes),
]
METHODS = _named("method", ("best", "brackets", "ratio-box", "cross-entropy", "third-order"))
PAIRS = [
    Condition("low > 0", lambda c: bool(np.any(np.asarray(c["low"], float) > 0))),
    Condition("high < 1", lambda c: bool(np.any(np.asarray(c["high"], float) < 1))),
    Condition("a low of each row", lambda c: np.ndim(c["low"]) > 0),
    Condition("low and high within .01", lambda c: bool(np.any(np.asarray(c["high"], float) - c["low"] < 0.01))),
    Condition("mostly right responses", lambda c: float(np.mean(np.asarray(c["arm_rewards"], float))) > 0.8),
]
RULES = [
    *_named("rule", ("uncentred", "policy_gradient", "natural_gradient", "sampled_group")),
    Condition("a baseline above 1/2", lambda c: bool(np.any(np.asarray(c["baseline"], float) > 0.5))),
    Condition("a negative baseline", lambda c: bool(np.any(np.asarray(c["baseline"], float) < 0))),
    Condition("a baseline of each row", lambda c: np.ndim(c["baseline"]) > 0),
    Condition("a group of more than 50", lambda c: c["responses"] is not None and np.shape(c["responses"])[-1] > 50),
    Condition("a group of one", lambda c: c["responses"] is not None and np.shape(c["responses"])[-1] == 1),
    Condition("rewards other than 0 and 1", lambda c: not np.isin(np.asarray(c["arm_rewards"], float), (0, 1)).all()),
    Condition("responses in 32 bits", lambda c: getattr(c["responses"], "dtype", None) == np.dtype("int32")),
]
PROBS = [
    Condition("p < .1", lambda c: bool((c.data < 0.1).any())),
    Condition("p > .9", lambda c: bool((c.data > 0.9).any())),
    Condition("p = 1/2", lambda c: bool((c.data == 0.5).any())),
    Condition("an array of p", lambda c: c.axes > 0),
    Condition("two axes of p", lambda c: c.axes == 2),
    Condition("p is a Fraction", lambda c: isinstance(c.given, Fraction)),
    Condition("p is a text", lambda c: isinstance(c.given, str)),
]
MIXED = [
    Condition("mixed groups only", lambda c: c["mixed_only"] is True),
    Condition("all groups and G > 20", lambda c: c["mixed_only"] is False and c.size > 20),
]
CLIPS = [
    Condition("clip_low = 0", lambda c: c["clip_low"] == 0),
    Condition("clip_low > .4", lambda c: c["clip_low"] > 0.4),
    Condition("clip_high = 0", lambda c: c["clip_high"] == 0),
    Condition("clip_high > .9", lambda c: c["clip_high"] > 0.9),
    Condition("clip_high is infinite", lambda c: c["clip_high"] == float("inf")),
    Condition("a ratio above 1 + clip_high", lambda c: bool((c.data > 1 + c["clip_high"]).any())),
    Condition("a ratio below 1 - clip_low", lambda c: bool((c.data < 1 - c["clip_low"]).any())),
]
ADVANTAGES = [
    Condition("negative advantages only", lambda c: bool((np.asarray(c["advantages"], float) < 0).all())),
    Condition("an advantage above 4", lambda c: bool((np.abs(np.asarray(c["advantages"], float)) > 4).any())),
]
RATIO_RULES = _named("rule", ("grpo", "qae", "pos_mask", "neg_mask"))
REGISTRATIONS = [
    Condition("defaults are given", lambda c: bool(c["defaults"])),
    Condition("eps among the defaults", lambda c: "eps" in c["defaults"]),
    Condition("binary_only is True", lambda c: c["binary_only"] is True),
    Condition("least_group > 1", lambda c: c["least_group"] > 1),
    Condition("least_group > 50", lambda c: c["least_group"] > 50),
    Condition("a name of more than 20 letters", lambda c: len(c["name"]) > 20),
]
ALWAYS = [Condition("always", lambda c: True)]

GROUP = [*AXES, *GROUP_SIZES, *ONE_SIZE]
EXPECTED = [*GROUP_SIZES, *ONE_SIZE, *ESTIMATORS, *LEVELS, *SCALES[:3], *SCALES[4:]]
POLICY = [*AXES, *TYPES[:-1], *ARMS, *LOGITS]
ENUMERATED = [*GROUP_SIZES[:6], *ARMS[:4], *ESTIMATORS, *LEVELS[:5], *SCALES[:3], *SCALES[4:], *LOGITS[:3]]

# What each function can meet.
OF_FUNCTION: Mapping[str, list[Condition]] = {
    "quantile_baseline": [*GROUP, *TYPES, *COUNTS, *REWARDS, *LEVELS, *_named("method", ("inverted_cdf", "linear"))],
    "quantile_rank": [*GROUP_SIZES, *ONE_SIZE, *LEVELS[5:]],
    "is_hard_group": [*GROUP_SIZES, *ONE_SIZE, *LEVELS[5:]],
    "advantages": [*GROUP, *TYPES, *COUNTS, *REWARDS, *LEVELS, *ESTIMATORS, *SCALES, *MASK],
    "estimator_names": ALWAYS,
    "register_estimator": REGISTRATIONS,
    "probabilities": POLICY,
    "entropy": POLICY,
    "self_covariance": POLICY,
    "entropy_gradient": POLICY,
    "response_curvatures": POLICY,
    "update_direction": [*AXES, *ARMS, *LOGITS, *RULES],
    "entropy_change": [*POLICY, *STEPS, *DIRECTIONS],
    "first_order_entropy_change": [*POLICY, *DIRECTIONS],
    "second_order_entropy_change": [*POLICY, *DIRECTIONS],
    "entropy_change_bounds": [*POLICY, *STEPS, *DIRECTIONS, *METHODS],
    "entropy_change_enclosure": [*POLICY, *STEPS, *DIRECTIONS],
    "curvature_brackets": ARMS,
    "safe_step_size": [*AXES, *ARMS, *LOGITS, *PAIRS],
    "expected_gain": [*EXPECTED, *PROBS, *MIXED],
    "outcome_advantages": [*EXPECTED, Condition("exact", lambda c: c["exact"] is True)],
    "advantage_moments": [*EXPECTED, *PROBS[:5]],
    "expected_first_order_change": [*EXPECTED, *AXES[:4], *ARMS, *LOGITS],
    "expected_second_order_change": [*EXPECTED, *AXES[:4], *ARMS, *LOGITS],
    "expected_entropy_change": [*ENUMERATED, *STEPS[:3]],
    "clipped_surrogate": [*GROUP, *TYPES[:3], *CLIPS, *ADVANTAGES],
    "group_objective": [*GROUP, *TYPES[:3], *CLIPS, *ADVANTAGES],
    "query_weights": [*GROUP, *TYPES[:7], *COUNTS, *LEVELS, *RATIO_RULES],
    "masked_objective": [*GROUP, *LEVELS, *RATIO_RULES, *CLIPS],
}
