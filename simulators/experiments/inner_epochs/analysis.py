"""What `inner-epochs` says: entropy per success gained by rule, passes and clip-high, and which side clips where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Record

Key = tuple[str, int, str]  # method, passes, clip-high
Runs = Mapping[Key, Mapping[str, Array]]  # -> measure -> [S]
KEYS = ("cell", "method", "epochs", "clip_high", "seed")
TOTALS = ("low_in_hard", "low_in_easy", "high_in_hard", "high_in_easy")


def analyse(config: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Every run's figures, and the effects of clip-high and of more passes, paired by seed.

    Each reading's intervals hold together over all runs, or over all comparisons.
    """
    runs = columns(records)
    readings = ["entropy_change", *(f"entropy_change_at_{gain:g}" for gain in config.gains)]
    ends = [str(clip) for clip in (config.clip_highs[0], config.clip_highs[-1])]
    passes = [e for e in config.epochs if e > 1]
    many, one = passes[-1], config.epochs[0]
    level = bonferroni(config.level, len(config.methods) * (len(passes) + len(ends)))
    effects = {
        reading: {
            method: {
                "clip_high": {str(e): raised(runs, method, e, config.clip_highs, reading, level) for e in passes},
                "passes": {
                    clip: _figure(runs[method, many, clip][reading] - runs[method, one, clip][reading], level)
                    for clip in ends
                },
            }
            for method in config.methods
        }
        for reading in readings
    }
    return {
        "runs": {
            _name(key): run_figures(run, config, bonferroni(config.level, len(runs))) for key, run in runs.items()
        },
        "effects": effects,
        "raised_by_clip_high": {reading: counted(effects[reading]) for reading in readings},
        "clips_by_regime": {m: clip_totals(runs, m) for m in config.methods},
        "bounds": bound_counts(runs),
        "statements": [vars(s) for s in _statements(runs, config.methods)],
    }


def columns(records: Sequence[Record]) -> dict[Key, dict[str, Array]]:
    """Each run's measures in order of seeds, ``[S]``; None as NaN.

    Raises:
        ValueError: naming ``records`` where a run has not every seed once.
    """
    grouped: dict[Key, list[Record]] = {}
    for record in records:
        grouped.setdefault((record["method"], record["epochs"], record["clip_high"]), []).append(record)
    seeds = sorted({record["seed"] for record in records})
    found = {}
    for key, rows in grouped.items():
        ordered = sorted(rows, key=lambda row: row["seed"])
        if [row["seed"] for row in ordered] != seeds:
            checks.refuse("records", len(rows), f"each of {len(seeds)} seeds once for {_name(key)}")
        names = [name for name in rows[0] if name not in KEYS]
        found[key] = {n: np.array([np.nan if r[n] is None else r[n] for r in ordered], dtype=float) for n in names}
    return found


def raised(runs: Runs, method: str, epochs: int, clips: Sequence[float], reading: str, level: float) -> dict[str, Any]:
    """Entropy under every larger clip-high less that under the smallest."""
    least = runs[method, epochs, str(clips[0])][reading]
    return {str(clip): _figure(runs[method, epochs, str(clip)][reading] - least, level) for clip in clips[1:]}


def run_figures(run: Mapping[str, Array], config: Any, level: float) -> dict[str, Any]:
    """Changes at the end, entropy change per success gained at each gain, and clip fractions by side."""
    per_gain = {
        f"entropy_per_success_at_{gain:g}": _figure(run[f"entropy_change_at_{gain:g}"] / gain, level)
        for gain in config.gains
    }
    plain = ("entropy_change", "success_gain", "clip_low_fraction", "clip_high_fraction")
    return {**{name: _figure(run[name], level) for name in plain}, **per_gain}


def counted(effects: Mapping[str, Any]) -> dict[str, list[str]]:
    """Where the largest clip-high raises entropy over the smallest, lowers it, or neither is found."""
    said: dict[str, list[str]] = {"raised": [], "lowered": [], "not found": []}
    for method, effect in effects.items():
        for passes, by_clip in effect["clip_high"].items():
            figure = list(by_clip.values())[-1]
            found = figure is not None and figure["found"]
            verdict = ("raised" if figure["estimate"] > 0 else "lowered") if found else "not found"
            said[verdict].append(f"{method} epochs={passes}")
    return said


def clip_totals(runs: Runs, method: str) -> dict[str, int]:
    """Clipped tokens of all of a rule's runs, by side and regime."""
    mine = [run for (name, _, _), run in runs.items() if name == method]
    return {total: int(sum(run[total].sum() for run in mine)) for total in TOTALS}


def bound_counts(runs: Runs) -> dict[str, dict[str, int]]:
    """A query's updates outside the guaranteed bounds of what its policy did, and all, with one pass and with more."""
    return {
        name: {
            count: int(sum(run[count].sum() for (_, epochs, _), run in runs.items() if (epochs == 1) == single))
            for count in ("bound_violations", "rows")
        }
        for name, single in (("one pass", True), ("more passes", False))
    }


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """The statements for claim `clip-sides`."""
    return [Statement(**record) for record in analysis["statements"]]


def _statements(runs: Runs, methods: Sequence[str]) -> list[Statement]:
    """For QAE, if it is in the sweep; GRPO's clips, of which both sides bind in either regime, are the control."""
    if "qae" not in methods or "grpo" not in methods:
        return []
    return [
        one_sided("hard groups meet only clip-high under QAE", runs, wrong="low_in_hard", right="high_in_hard"),
        one_sided("easy groups meet only clip-low under QAE", runs, wrong="high_in_easy", right="low_in_easy"),
    ]


def one_sided(says: str, runs: Runs, *, wrong: str, right: str) -> Statement:
    """That clips happen on the right side and none at all on the wrong one."""
    found, detail = _no_wrong_clip(clip_totals(runs, "qae"), wrong, right)
    control, control_detail = _no_wrong_clip(clip_totals(runs, "grpo"), wrong, right)
    return Statement(
        says=says,
        found=found,
        detail=detail,
        planted="GRPO's clips counted in the same way",
        control_found=control,
        control_detail=control_detail,
    )


def _no_wrong_clip(totals: Mapping[str, int], wrong: str, right: str) -> tuple[bool, str]:
    named = f"{totals[right]} clipped tokens {right.replace('_', ' ')}, {totals[wrong]} {wrong.replace('_', ' ')}"
    return totals[wrong] == 0 < totals[right], named


def _name(key: Key) -> str:
    return "{} epochs={} clip_high={}".format(*key)


def _figure(sample: Array, level: float) -> dict[str, Any] | None:
    kept = sample[~np.isnan(sample)]
    if len(kept) < 2:
        return None
    interval: Interval = mean_interval(kept, level=level)
    return {**interval.record(), "found": interval.excludes(0.0)}
