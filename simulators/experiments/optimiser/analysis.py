"""What `optimiser` says: K's effect on entropy by optimiser, and the part that the unsampled push carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Record

Curves = Mapping[tuple[str, str, str], Mapping[str, Array]]  # (variant, K, push) -> measure -> [S]
FIGURES = ("success_gain", "sampled_part", "unsampled_part", "sampled_move", "unsampled_move")
STATEMENT_COUNT = 6


def analyse(config: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Intervals of K's effect at equal steps and at equal gains of success, for every optimiser; scales; statements.

    Intervals of one reading (all optimisers; effect, effect without the push, and carried part) hold together.
    """
    runs = columns(records)
    variants = list(dict.fromkeys(variant for variant, _, _ in runs))
    readings = ["entropy_change", *(f"entropy_change_at_{gain:g}" for gain in config.gains)]
    level = bonferroni(config.level, 3 * len(variants))
    past = past_scale(runs, config)
    return {
        "k_effect": {
            variant: {reading: effects(runs, config.levels, variant, reading, level) for reading in readings}
            for variant in variants
        },
        "moves": {variant: moves(runs, config.levels, variant, config.level) for variant in variants},
        "unsampled_gradient_scale": scales(runs, config, config.level),
        "eps_past_scale": past,
        "statements": [vars(s) for s in _statements(runs, config, past)],
    }


def columns(records: Sequence[Record]) -> dict[tuple[str, str, str], dict[str, Array]]:
    """Each run's measures in order of seeds, ``[S]``; None as NaN.

    Raises:
        ValueError: naming ``records`` where a run has not every seed once.
    """
    grouped: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        grouped.setdefault((record["variant"], record["k"], record["push"]), []).append(record)
    seeds = sorted({record["seed"] for record in records})
    found = {}
    for key, rows in grouped.items():
        ordered = sorted(rows, key=lambda row: row["seed"])
        if [row["seed"] for row in ordered] != seeds:
            checks.refuse("records", len(rows), f"each of {len(seeds)} seeds once for {key}")
        names = [name for name in rows[0] if name not in ("cell", "variant", "k", "push", "seed")]
        found[key] = {n: np.array([np.nan if r[n] is None else r[n] for r in ordered], dtype=float) for n in names}
    return found


def k_effect(runs: Curves, levels: Sequence[str], variant: str, push: str, reading: str) -> Array:
    """Entropy under the larger K less that under the smaller, ``[S]``; NaN where a run does not get so far."""
    low, high = levels
    return runs[variant, high, push][reading] - runs[variant, low, push][reading]


def carried(runs: Curves, levels: Sequence[str], variant: str, reading: str) -> Array:
    """K's effect less that without the push on unsampled logits, ``[S]``."""
    with_push, without = (k_effect(runs, levels, variant, push, reading) for push in ("full", "sampled"))
    return with_push - without


def effects(runs: Curves, levels: Sequence[str], variant: str, reading: str, level: float) -> dict[str, Any]:
    """Intervals of K's effect with and without the push, and of what the push carries."""
    return {
        "effect": _figure(k_effect(runs, levels, variant, "full", reading), level),
        "without_push": _figure(k_effect(runs, levels, variant, "sampled", reading), level),
        "carried": _figure(carried(runs, levels, variant, reading), level),
    }


def moves(runs: Curves, levels: Sequence[str], variant: str, level: float) -> dict[str, Any]:
    """Per K, of the full push: success gained, first-order entropy change by logits sampled or not, and mean moves."""
    each = bonferroni(level, len(levels) * len(FIGURES))
    return {k: {name: _figure(runs[variant, k, "full"][name], each) for name in FIGURES} for k in levels}


def scales(runs: Curves, config: Any, level: float) -> dict[str, Any]:
    """Quantiles of the direction on unsampled logits at the start; all optimisers share it."""
    variant = next(iter(runs))[0]
    names = [name for name in runs[variant, config.levels[0], "full"] if name.startswith("unsampled_scale")]
    each = bonferroni(level, len(names) * len(config.levels))
    return {k: {name: _figure(runs[variant, k, "full"][name], each) for name in names} for k in config.levels}


def past_scale(runs: Curves, config: Any) -> float | None:
    """The first eps beyond the 99 % quantile of the gradients on unsampled logits, a mean over seeds; None without."""
    variant = next(iter(runs))[0]
    largest = max(float(np.nanmean(runs[variant, k, "full"]["unsampled_scale_0.99"])) for k in config.levels)
    return next((eps for eps in config.adam_eps if eps > largest), None)


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """The statements for claim `adam-unsampled`."""
    return [Statement(**record) for record in analysis["statements"]]


def _statements(runs: Curves, config: Any, past: float | None) -> list[Statement]:
    smallest = f"adam eps={config.adam_eps[0]:g}"
    beyond = f"adam eps={config.adam_eps[-1] if past is None else past:g}"
    listed = []
    for reading, where in (
        ("entropy_change", "at equal steps"),
        (f"entropy_change_at_{config.decision_gain:g}", f"where success has gained {config.decision_gain:g}"),
    ):
        small, large, plain = (carried(runs, config.levels, name, reading) for name in (smallest, beyond, "sgd"))
        level = bonferroni(config.level, STATEMENT_COUNT)
        carries = f"under {smallest} the unsampled push raises what K does to entropy, {where}"
        fades = f"that part is smaller under {beyond}, past the gradient scale, {where}"
        listed.append(positive(carries, small, level))
        listed.append(positive(f"it carries more there than under sgd, {where}", small - plain, level))
        listed.append(positive(fades, small - large, level, reached=past is not None))
    return listed


def positive(says: str, sample: Array, level: float, *, reached: bool = True) -> Statement:
    """That a mean over seeds is above 0; the control has the sign turned in every other seed."""
    interval = interval_of(sample)(level)
    turned = interval_of(sample * np.where(np.arange(len(sample)) % 2 == 0, 1.0, -1.0))(level)
    return Statement(
        says=says,
        found=reached and interval is not None and interval.low > 0,
        detail=_said(interval) if reached else "no eps of the sweep is past the scale",
        planted="labels of K exchanged in every other seed",
        control_found=turned is not None and turned.low > 0,
        control_detail=_said(turned),
    )


def interval_of(sample: Array) -> Any:
    """Level to interval over the seeds that got so far; None for fewer than two."""
    kept = sample[~np.isnan(sample)]
    return lambda level: mean_interval(kept, level=level) if len(kept) >= 2 else None


def _said(interval: Interval | None) -> str:
    return "fewer than two seeds got so far" if interval is None else f"{interval} nats"


def _figure(sample: Array, level: float) -> dict[str, Any] | None:
    interval: Interval | None = interval_of(sample)(level)
    return None if interval is None else {**interval.record(), "found": interval.excludes(0.0)}
