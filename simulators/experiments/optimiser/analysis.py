"""Read the records of `optimiser`: K's effect on entropy by optimiser, and the part that the unsampled push carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Record
from simulators.experiments.common.columns import seed_columns
from simulators.experiments.common.shares import in_records, read_statements

Curves = Mapping[tuple[Any, ...], Mapping[str, Array]]  # by variant, K and push: each measure's [S]
LABELS = ("variant", "k", "push")
FIGURES = ("success_gain", "sampled_part", "unsampled_part", "sampled_move", "unsampled_move")
STATEMENT_COUNT = 6  # three statements at each of two places of comparison


def analyse(config: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Return intervals of K's effect at equal steps and at equal gains of success, scales, and statements.

    The intervals of one reading hold together: those of all optimisers, for the effect, the effect without the push,
    and the carried part.

    Args:
        config: an ``OptimiserConfig``.
        records: one for each run and seed.
    """
    runs = columns(records)
    variants = list(dict.fromkeys(variant for variant, _, _ in runs))
    readings = ["entropy_change", *(f"entropy_change_at_{gain:g}" for gain in config.gains)]
    level = bonferroni(config.level, 3 * len(variants))
    past = past_scale(runs, config)
    k_effects = {}
    for variant in variants:
        k_effects[variant] = {
            reading: effects(runs, config.levels, variant, reading=reading, level=level) for reading in readings
        }
    return {
        "k_effect": k_effects,
        "moves": {variant: moves(runs, config.levels, variant, level=config.level) for variant in variants},
        "unsampled_gradient_scale": scales(runs, config, config.level),
        "eps_past_scale": past,
        "statements": in_records(_statements(runs, config, past)),
    }


def columns(records: Sequence[Record]) -> dict[tuple[Any, ...], dict[str, Array]]:
    """Return each run's measures in order of seeds, ``[S]``; None becomes NaN.

    Raises:
        ValueError: a run lacks a seed or has one twice; the message names ``records``.
    """
    return seed_columns(records, *LABELS)


def k_effect(runs: Curves, levels: Sequence[str], variant: str, *, push: str, reading: str) -> Array:
    """Return entropy under the larger K less that under the smaller, ``[S]``; NaN where a run does not get so far."""
    low, high = levels
    return runs[variant, high, push][reading] - runs[variant, low, push][reading]


def carried(runs: Curves, levels: Sequence[str], variant: str, *, reading: str) -> Array:
    """Return K's effect less K's effect without the push on unsampled logits, ``[S]``."""
    with_push = k_effect(runs, levels, variant, push="full", reading=reading)
    return with_push - k_effect(runs, levels, variant, push="sampled", reading=reading)


def effects(runs: Curves, levels: Sequence[str], variant: str, *, reading: str, level: float) -> dict[str, Any]:
    """Return intervals of K's effect with and without the push, and of what the push carries."""
    return {
        "effect": _figure(k_effect(runs, levels, variant, push="full", reading=reading), level),
        "without_push": _figure(k_effect(runs, levels, variant, push="sampled", reading=reading), level),
        "carried": _figure(carried(runs, levels, variant, reading=reading), level),
    }


def moves(runs: Curves, levels: Sequence[str], variant: str, *, level: float) -> dict[str, Any]:
    """Return what a run with the full push did, for each K.

    That is success gained, first-order entropy change from sampled and from unsampled logits, and their mean moves.
    """
    each = bonferroni(level, len(levels) * len(FIGURES))
    by_level = {}
    for k in levels:
        by_level[k] = {name: _figure(runs[variant, k, "full"][name], each) for name in FIGURES}
    return by_level


def scales(runs: Curves, config: Any, level: float) -> dict[str, Any]:
    """Return quantiles of the direction on unsampled logits at the start, for each K; all optimisers share them."""
    variant = next(iter(runs))[0]
    names = [name for name in runs[variant, config.levels[0], "full"] if name.startswith("unsampled_scale")]
    each = bonferroni(level, len(names) * len(config.levels))
    by_level = {}
    for k in config.levels:
        by_level[k] = {name: _figure(runs[variant, k, "full"][name], each) for name in names}
    return by_level


def past_scale(runs: Curves, config: Any) -> float | None:
    """Return the first eps beyond the 99 % quantile of the gradients on unsampled logits; None if no eps is.

    The quantile is a mean over seeds, and the larger one of the two K.
    """
    variant = next(iter(runs))[0]
    quantiles = [runs[variant, k, "full"]["unsampled_scale_0.99"] for k in config.levels]
    largest = max(float(np.nanmean(of_seeds)) for of_seeds in quantiles)
    return next((eps for eps in config.adam_eps if eps > largest), None)


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Return the statements for claim `adam-unsampled`."""
    return read_statements(analysis)


def _statements(runs: Curves, config: Any, past: float | None) -> list[Statement]:
    """Return three statements at equal steps, and the same three at equal gain of success."""
    smallest = f"adam eps={config.adam_eps[0]:g}"
    # Without an eps past the scale the statement is made about the largest one, and cannot be found.
    beyond = f"adam eps={config.adam_eps[-1] if past is None else past:g}"
    level = bonferroni(config.level, STATEMENT_COUNT)
    gain = f"{config.decision_gain:g}"
    places = {
        "entropy_change": "at equal steps",
        f"entropy_change_at_{gain}": f"where success has gained {gain}",
    }
    listed = []
    for reading, where in places.items():
        small = carried(runs, config.levels, smallest, reading=reading)
        large = carried(runs, config.levels, beyond, reading=reading)
        sgd = carried(runs, config.levels, "sgd", reading=reading)
        carries = f"under {smallest} the unsampled push raises what K does to entropy, {where}"
        fades = f"that part is smaller under {beyond}, past the gradient scale, {where}"
        listed.append(positive(carries, small, level))
        listed.append(positive(f"it carries more there than under sgd, {where}", small - sgd, level))
        listed.append(positive(fades, small - large, level, reached=past is not None))
    return listed


def positive(sentence: str, sample: Array, level: float, *, reached: bool = True) -> Statement:
    """Return the statement that a mean over seeds is above 0; the control has every other seed's sign turned.

    Args:
        sentence: what the statement says.
        sample: the difference in each seed, ``[S]``.
        level: of the interval.
        reached: whether the sweep has an eps past the gradients' scale; without it the statement cannot be found.
    """
    interval = interval_of(sample, level)
    turned = interval_of(sample * np.where(np.arange(len(sample)) % 2 == 0, 1.0, -1.0), level)
    return Statement(
        says=sentence,
        found=reached and interval is not None and interval.low > 0,
        detail=_in_nats(interval) if reached else "no eps of the sweep is past the scale",
        planted="labels of K exchanged in every other seed",
        control_found=turned is not None and turned.low > 0,
        control_detail=_in_nats(turned),
    )


def interval_of(sample: Array, level: float) -> Interval | None:
    """Return the mean over the seeds that got so far, with its interval; None for fewer than two seeds."""
    defined = sample[~np.isnan(sample)]
    return mean_interval(defined, level=level) if len(defined) >= 2 else None


def _in_nats(interval: Interval | None) -> str:
    return "fewer than two seeds got so far" if interval is None else f"{interval} nats"


def _figure(sample: Array, level: float) -> dict[str, Any] | None:
    interval = interval_of(sample, level)
    return None if interval is None else {**interval.record(), "found": interval.excludes(0.0)}
