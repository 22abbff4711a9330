"""Read the records of `inner-epochs`: entropy per success gained by rule, passes and clip-high, and clips by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import bonferroni, mean_interval
from simulators.experiments.base import Record
from simulators.experiments.common.columns import seed_columns
from simulators.experiments.common.shares import in_records, read_statements

Key = tuple[Any, ...]  # method, passes, clip-high as text
Runs = Mapping[Key, Mapping[str, Array]]  # a run's measures, [S] each
KEYS = ("method", "epochs", "clip_high")
TOTALS = ("low_in_hard", "low_in_easy", "high_in_hard", "high_in_easy")
CHANGES = ("entropy_change", "success_gain", "clip_low_fraction", "clip_high_fraction")


def analyse(config: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Return every run's figures, and the effects of clip-high and of more passes, paired by seed.

    The intervals of one reading hold together, over all runs or over all comparisons.

    Args:
        config: an ``InnerEpochsConfig``.
        records: one for each run and seed.
    """
    runs = columns(records)
    readings = ["entropy_change", *(f"entropy_change_at_{gain:g}" for gain in config.gains)]
    effects = {reading: effects_on(reading, runs, config) for reading in readings}
    of_runs = bonferroni(config.level, len(runs))
    return {
        "runs": {_name(key): run_figures(run, config, of_runs) for key, run in runs.items()},
        "effects": effects,
        "raised_by_clip_high": {reading: counted(effects[reading]) for reading in readings},
        "clips_by_regime": {method: clip_totals(runs, method) for method in config.methods},
        "bounds": bound_counts(runs),
        "statements": in_records(_statements(runs, config.methods)),
    }


def columns(records: Sequence[Record]) -> dict[Key, dict[str, Array]]:
    """Return each run's measures in order of seeds, ``[S]``; None becomes NaN.

    Raises:
        ValueError: a run lacks a seed or has one twice; the message names ``records``.
    """
    return seed_columns(records, *KEYS, shown=_name)


def effects_on(reading: str, runs: Runs, config: Any) -> dict[str, dict[str, Any]]:
    """Return the effects of clip-high and of more passes on a reading of entropy, by method."""
    many = [epochs for epochs in config.epochs if epochs > 1]  # one pass never clips on-policy
    ends = [str(clip) for clip in (config.clip_highs[0], config.clip_highs[-1])]
    fewest, most = config.epochs[0], many[-1]
    level = bonferroni(config.level, len(config.methods) * (len(many) + len(ends)))
    effects: dict[str, dict[str, Any]] = {}
    for method in config.methods:
        by_clip = {}
        for epochs in many:
            by_clip[str(epochs)] = raised(runs, method, epochs, clips=config.clip_highs, reading=reading, level=level)
        by_passes = {}
        for clip in ends:
            difference = runs[method, most, clip][reading] - runs[method, fewest, clip][reading]
            by_passes[clip] = _figure(difference, level)
        effects[method] = {"clip_high": by_clip, "passes": by_passes}
    return effects


def raised(
    runs: Runs, method: str, epochs: int, *, clips: Sequence[float], reading: str, level: float
) -> dict[str, Any]:
    """Return, for every larger clip-high, entropy under it less entropy under the smallest one."""
    # The smallest range is the symmetric one, to which clip-higher is compared.
    smallest = runs[method, epochs, str(clips[0])][reading]
    return {str(clip): _figure(runs[method, epochs, str(clip)][reading] - smallest, level) for clip in clips[1:]}


def run_figures(run: Mapping[str, Array], config: Any, level: float) -> dict[str, Any]:
    """Return a run's changes at the end, its entropy change per success gained, and its clip fractions by side."""
    figures = {name: _figure(run[name], level) for name in CHANGES}
    for gain in config.gains:
        per_success = run[f"entropy_change_at_{gain:g}"] / gain
        figures[f"entropy_per_success_at_{gain:g}"] = _figure(per_success, level)
    return figures


def counted(effects: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return where the largest clip-high raises entropy over the smallest, where it lowers it, and where neither."""
    verdicts: dict[str, list[str]] = {"raised": [], "lowered": [], "not found": []}
    for method, effect in effects.items():
        for passes, by_clip in effect["clip_high"].items():
            figure = list(by_clip.values())[-1]
            if figure is None or not figure["found"]:
                verdict = "not found"
            else:
                verdict = "raised" if figure["estimate"] > 0 else "lowered"
            verdicts[verdict].append(f"{method} epochs={passes}")
    return verdicts


def clip_totals(runs: Runs, method: str) -> dict[str, int]:
    """Return the number of clipped tokens in all of a rule's runs, by side and regime."""
    of_method = [run for (name, _, _), run in runs.items() if name == method]
    return {total: int(sum(run[total].sum() for run in of_method)) for total in TOTALS}


def bound_counts(runs: Runs) -> dict[str, dict[str, int]]:
    """Return how many updates of a query there were, and how many left their guaranteed bounds.

    The bounds are those of what the update did to the policy, so that they hold after several passes too. Runs with one
    pass and with more are counted apart.
    """
    single = [run for (_, epochs, _), run in runs.items() if epochs == 1]
    several = [run for (_, epochs, _), run in runs.items() if epochs != 1]
    return {"one pass": _bound_counts(single), "more passes": _bound_counts(several)}


def _bound_counts(runs: Sequence[Mapping[str, Array]]) -> dict[str, int]:
    return {count: int(sum(run[count].sum() for run in runs)) for count in ("bound_violations", "rows")}


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Return the statements for claim `clip-sides`."""
    return read_statements(analysis)


def _statements(runs: Runs, methods: Sequence[str]) -> list[Statement]:
    """Return the statements about QAE; the control is GRPO, of whose clips both sides bind in either regime.

    There are none where the sweep lacks one of the two.
    """
    if "qae" not in methods or "grpo" not in methods:
        return []
    return [
        one_sided("hard groups meet only clip-high under QAE", runs, wrong="low_in_hard", right="high_in_hard"),
        one_sided("easy groups meet only clip-low under QAE", runs, wrong="high_in_easy", right="low_in_easy"),
    ]


def one_sided(sentence: str, runs: Runs, *, wrong: str, right: str) -> Statement:
    """Return the statement that tokens are clipped on the right side and none at all on the wrong one.

    Args:
        sentence: what the statement says.
        runs: all runs, GRPO's among them for the control.
        wrong: the count that must be 0.
        right: the count that must not be 0.
    """
    found, detail = _no_wrong_clip(clip_totals(runs, "qae"), wrong, right)
    control_found, control_detail = _no_wrong_clip(clip_totals(runs, "grpo"), wrong, right)
    return Statement(
        says=sentence,
        found=found,
        detail=detail,
        planted="GRPO's clips counted in the same way",
        control_found=control_found,
        control_detail=control_detail,
    )


def _no_wrong_clip(totals: Mapping[str, int], wrong: str, right: str) -> tuple[bool, str]:
    named = f"{totals[right]} clipped tokens {right.replace('_', ' ')}, {totals[wrong]} {wrong.replace('_', ' ')}"
    return totals[wrong] == 0 < totals[right], named


def _name(key: Key) -> str:
    return "{} epochs={} clip_high={}".format(*key)


def _figure(sample: Array, level: float) -> dict[str, Any] | None:
    """Return the mean over the seeds that have a value, with its interval; None for fewer than two seeds."""
    defined = sample[~np.isnan(sample)]
    if len(defined) < 2:
        return None
    interval = mean_interval(defined, level=level)
    return {**interval.record(), "found": interval.excludes(0.0)}
