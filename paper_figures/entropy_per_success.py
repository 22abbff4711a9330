"""Entropy spent for success gained. At equal steps rules differ by their speed; at equal success they can be compared.

Softmax bandits: the paths of K in the plane of success and entropy, K's effect at equal steps and at equal success, and
every rule against GRPO at the same gain, seed by seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from paper_figures.curves import Curve, curve, rows_where
from paper_figures.panels import Panel
from paper_figures.runs import Results, columns_of
from qae_theory.arrays import Array
from qae_theory.curves.statistics import Interval, mean_interval
from qae_theory.runs.stored import MissingError

TITLE = "Entropy spent for success gained"
SHAPE = (2, 2)
SIZE = (4.6, 3.1)
CONDITIONS = ("SGD, one pass, uniform", "Adam 1e-8, 16 passes, uniform")
LEVELS = ("0.1", "0.4", "0.9")
CLIP_HIGH = "0.28"
REFERENCE = "grpo"
READINGS = {"equal steps": ("o", "#D55E00", -0.14), "equal progress": ("s", "#0072B2", 0.14)}
STAND_IN = "softmax bandits"


class Path(NamedTuple):
    """Success and entropy step by step."""

    success: Curve
    entropy: Curve


def paths(condition: str, results: Results) -> Panel:
    """Entropy against success while training, for a few K."""
    run = results.run("k-sweep", command="qae simulate k-sweep")
    table = rows_where(columns_of(run.records), condition=condition)
    found = {k: _path(rows_where(table, k=k)) for k in LEVELS if (table["k"] == k).any()}
    if not found:
        raise MissingError(f"{run.named} has no condition {condition!r}")
    said = "; ".join(
        f"K = {k} from ({one.success.mean[0]:.2f}, {one.entropy.mean[0]:.2f}) to ({one.success.mean[-1]:.2f}, "
        f"{one.entropy.mean[-1]:.2f})"
        for k, one in found.items()
    )
    return Panel(
        f"K under {condition}",
        f"Success and entropy in nats over training, {condition} ({next(iter(found.values())).entropy.band}): {said}.",
        partial(_draw_paths, found=found),
        sources=(run,),
        stand_in=STAND_IN,
    )


def _path(table: Mapping[str, Array]) -> Path:
    return Path(curve(table, "success"), curve(table, "sequence_entropy"))


def _draw_paths(axes: Any, *, found: Mapping[str, Path]) -> None:
    for k, (success, entropy) in found.items():
        every = max(1, len(success.mean) // 8)
        (line,) = axes.plot(success.mean, entropy.mean, label=f"K = {k}", markevery=every)
        axes.fill_between(success.mean, entropy.low, entropy.high, color=line.get_color(), alpha=0.1, linewidth=0)
    axes.set(xlabel="success probability, mean of the queries", ylabel="entropy (nats per response)")
    axes.legend(loc="lower left")


def effects(results: Results) -> Panel:
    """K's effect on the last entropy, condition by condition, both readings."""
    run = results.run("k-sweep", command="qae simulate k-sweep")
    slopes = run.analysis["slopes"]
    level = next(iter(slopes.values()))["equal steps"]["level"]
    said = "; ".join(
        f"{condition} {' and '.join(_said(one[reading]) for reading in READINGS)}" for condition, one in slopes.items()
    )
    return Panel(
        "effect of K on entropy",
        f"Slope of entropy in K, nats per unit of K, at {' and at '.join(READINGS)} ({100 * level:.6g}% intervals): "
        f"{said}.",
        partial(_draw_effects, slopes=slopes),
        sources=(run,),
        stand_in=STAND_IN,
    )


def _said(one: Mapping[str, float]) -> str:
    return f"{one['estimate']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}]"


def _draw_effects(axes: Any, *, slopes: Mapping[str, Mapping[str, Any]]) -> None:
    for reading, (marker, colour, shift) in READINGS.items():
        found = [one[reading] for one in slopes.values()]
        rows = np.arange(len(found)) + shift
        _points(axes, found, rows, marker=marker, colour=colour, label=f"at {reading}", hollow=reading == "equal steps")
    axes.set_yticks(range(len(slopes)), list(slopes))
    axes.tick_params(axis="y", labelsize=6.5)
    axes.set(xlabel="slope of entropy in K (nats per unit of K)", ylim=(len(slopes) - 0.5, -0.5))
    axes.legend(loc="best", fontsize=6.5)


def _points(
    axes: Any, found: Sequence[Any], rows: Array, *, marker: str, colour: str, label: str, hollow: bool = False
) -> None:
    """Estimates with their intervals, a row each, and the line of no effect."""
    middle, low, high = (np.array([one[end] for one in found]) for end in ("estimate", "low", "high"))
    axes.errorbar(
        middle, rows, xerr=np.clip([middle - low, high - middle], 0, None), fmt=marker, color=colour, label=label,
        markerfacecolor="white" if hollow else colour,
    )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(visible=False, axis="y")


def rules(results: Results) -> Panel:
    """Every rule less GRPO, after the same gain of success, at the fewest and the most passes."""
    run = results.run("inner-epochs", command="qae simulate inner-epochs")
    settings = run.config["settings"]
    gain, passes, level = settings["gains"][0], [settings["epochs"][0], settings["epochs"][-1]], settings["level"]
    found = {one: differences(run.records, one, gain, level) for one in passes}
    names = sorted(found[passes[-1]], key=lambda name: found[passes[-1]][name].estimate)
    if not names:
        raise MissingError(f"{run.named} has no rule beside {REFERENCE} that gains {gain:g} at two seeds")
    said = "; ".join(
        f"{name} {_said(found[passes[-1]][name].record())}"
        for name in names
        if found[passes[-1]][name].excludes(0) and found[passes[-1]][name].estimate
    )
    return Panel(
        f"rules less GRPO, after a gain of {gain:g}",
        f"Entropy change per success gained, less GRPO's on the same seeds, after a gain of {gain:g} with clip-high "
        f"{CLIP_HIGH} and {passes[-1]} passes ({level:.0%} intervals, each by itself), where the interval does not "
        f"hold 0: {said or 'nowhere'}.",
        partial(_draw_rules, found=found, names=names),
        sources=(run,),
        stand_in=STAND_IN,
    )


def differences(records: Sequence[Mapping[str, Any]], passes: int, gain: float, level: float) -> dict[str, Interval]:
    """Paired differences to GRPO in nats per unit of success, for every rule that has two seeds with the gain."""
    column = f"entropy_change_at_{gain:g}"
    changes: dict[str, dict[int, float]] = {}
    for row in records:
        if row["epochs"] == passes and row["clip_high"] == CLIP_HIGH and row[column] is not None:
            changes.setdefault(row["method"], {})[row["seed"]] = row[column]
    reference = changes.pop(REFERENCE, {})
    paired = {
        name: [(of_seed[seed] - reference[seed]) / gain for seed in sorted(of_seed.keys() & reference.keys())]
        for name, of_seed in changes.items()
    }
    return {name: mean_interval(np.array(one), level=level) for name, one in paired.items() if len(one) > 1}


def _draw_rules(axes: Any, *, found: Mapping[int, Mapping[str, Interval]], names: Sequence[str]) -> None:
    styles = (("o", "#D55E00", -0.18, True), ("s", "#0072B2", 0.18, False))
    for (passes, of), (marker, colour, shift, hollow) in zip(found.items(), styles, strict=False):
        there = [(row, of[name].record()) for row, name in enumerate(names) if name in of]
        rows = np.array([row for row, _ in there]) + shift
        label = f"{passes} pass{'es' if passes > 1 else ''}"
        _points(axes, [one for _, one in there], rows, marker=marker, colour=colour, label=label, hollow=hollow)
    axes.set_yticks(range(len(names)), [name.replace("_", "-") for name in names])
    axes.tick_params(axis="y", labelsize=6)
    shown = [of[name] for of in found.values() for name in names if name in of]
    widest = 1.05 * max(max(abs(one.low), abs(one.high)) for one in shown)
    widest = min(widest, 3 * max(abs(one.estimate) for one in shown)) or 1.0
    axes.set(xlabel="entropy kept, less GRPO's (nats per unit of success)", xlim=(-widest, widest))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend(loc="best", fontsize=6.5)


PANELS = (
    *((f"K under {condition}", partial(paths, condition)) for condition in CONDITIONS),
    ("effect of K on entropy", effects),
    ("rules less GRPO", rules),
)
