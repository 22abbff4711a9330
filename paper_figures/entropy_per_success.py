"""Show the entropy spent for success gained: at equal steps rules differ by their speed, at equal success they compare.

On softmax bandits, the panels have the paths of K in the plane of success and entropy, K's effect at equal steps and at
equal success, and every rule against GRPO at the same gain, seed by seed. On the study's language models they have the
paths of GRPO and QAE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from paper_figures import study
from paper_figures.colours import PAIR
from paper_figures.curves import MOST_MARKERS, Curve, curve, select
from paper_figures.looks import looks, stripes
from paper_figures.panels import Panel
from paper_figures.paper import default_k
from paper_figures.runs import Results, columns_of
from qae_theory.arrays import Array
from qae_theory.curves.statistics import Interval, mean_interval
from qae_theory.runs.stored import MissingError

TITLE = "Entropy spent for success gained"
SHAPE = (3, 2)
SIZE = (4.6, 3.5)
CONDITIONS = ("SGD, one pass, uniform", "Adam 1e-8, 16 passes, uniform")
LEVELS = ("0.1", "0.4", "0.9")
CLIP_HIGH = "0.28"
REFERENCE = "grpo"
READINGS = {"equal steps": ("o", PAIR[1], -0.17), "equal progress": ("s", PAIR[0], 0.17)}  # marker, colour, shift
PASS_STYLES = (("o", PAIR[1], -0.18, True), ("s", PAIR[0], 0.18, False))  # marker, colour, shift, hollow
STAND_IN = "softmax bandits"
SUCCESS_COLUMN, ENTROPY_COLUMN = " success", " entropy"


class Path(NamedTuple):
    """Success and entropy of a run, step by step."""

    success: Curve
    entropy: Curve


def paths(condition: str, results: Results) -> Panel:
    """Return the panel with entropy against success while training, for a few K.

    Raises:
        MissingError: the run has none of these K under the condition.
    """
    run = results.run("k-sweep", command="qae simulate k-sweep")
    table = select(columns_of(run.records), condition=condition)
    by_level = {k: _path(select(table, k=k)) for k in LEVELS if (table["k"] == k).any()}
    if not by_level:
        raise MissingError(f"{run.named} has no condition {condition!r}")
    ends = []
    for k, (success, entropy) in by_level.items():
        first = f"({success.mean[0]:.2f}, {entropy.mean[0]:.2f})"
        ends.append(f"K = {k} from {first} to ({success.mean[-1]:.2f}, {entropy.mean[-1]:.2f})")
    band = next(iter(by_level.values())).entropy.band
    return Panel(
        title=f"K under {condition}",
        caption=f"Success and entropy in nats over training, {condition} ({band}): {'; '.join(ends)}.",
        draw=partial(_draw_paths, by_name={f"K = {k}": path for k, path in by_level.items()}),
        sources=(run,),
        stand_in=STAND_IN,
    )


def _path(table: Mapping[str, Array]) -> Path:
    return Path(curve(table, "success"), curve(table, "sequence_entropy"))


def _draw_paths(axes: Any, *, by_name: Mapping[str, Path]) -> None:
    """Draw paths in the plane of success and entropy, with bands for entropy."""
    for (name, (success, entropy)), look in zip(by_name.items(), looks(list(by_name)), strict=True):
        every = max(1, len(success.mean) // MOST_MARKERS)
        axes.plot(success.mean, entropy.mean, label=name, markevery=every, **look)
        axes.fill_between(success.mean, entropy.low, entropy.high, color=look["color"], alpha=0.1, linewidth=0)
    axes.set(xlabel="success probability, mean of the queries", ylabel="entropy (nats per response)")
    axes.legend(loc="lower left")


def trained_paths(trained: study.Trained, results: Results) -> Panel:
    """Return the panel with entropy against success along the study's training, on questions that stay the same.

    Raises:
        MissingError: there is no such study, or it has not run GRPO and QAE.
    """
    rules = {"GRPO": study.grpo(), f"QAE, K = {default_k()}": study.at_k(default_k())}
    columns = {SUCCESS_COLUMN: "pass1", ENTROPY_COLUMN: "sequence_entropy"}
    shown = study.study_curves(results, rules, columns, ylabel="", trained=trained)
    by_name, ends = {}, []
    for name in rules:
        path = Path(*(shown.curves[f"{name}{column}"] for column in columns))
        by_name[name] = path
        ends.append(
            f"{name} from ({path.success.mean[0]:.2f}, {path.entropy.mean[0]:.2f}) to "
            f"({path.success.mean[-1]:.2f}, {path.entropy.mean[-1]:.2f})"
        )
    return Panel(
        title=f"rules, {trained.name}",
        caption=f"Success and entropy in nats along training ({shown.stand_in}; "
        f"{next(iter(by_name.values())).entropy.band}): {'; '.join(ends)}.",
        draw=partial(_draw_paths, by_name=by_name),
        sources=shown.sources,
        stand_in=shown.stand_in,
    )


def effects(results: Results) -> Panel:
    """Return the panel with K's effect on the last entropy, condition by condition, in both readings."""
    run = results.run("k-sweep", command="qae simulate k-sweep")
    slopes = run.analysis["slopes"]
    level = next(iter(slopes.values()))["equal steps"]["level"]
    texts = []
    for condition, by_reading in slopes.items():
        texts.append(f"{condition} {' and '.join(_text(by_reading[reading]) for reading in READINGS)}")
    return Panel(
        title="effect of K on entropy",
        caption=f"Slope of entropy in K, nats per unit of K, at {' and at '.join(READINGS)} ({100 * level:.6g}% "
        f"intervals): {'; '.join(texts)}.",
        draw=partial(_draw_effects, slopes=slopes),
        sources=(run,),
        stand_in=STAND_IN,
    )


def _text(estimate: Mapping[str, float]) -> str:
    return f"{estimate['estimate']:+.2f} [{estimate['low']:+.2f}, {estimate['high']:+.2f}]"


def _draw_effects(axes: Any, *, slopes: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw the slopes of all conditions, one below the other, in both readings."""
    for reading, (marker, colour, shift) in READINGS.items():
        estimates = [by_reading[reading] for by_reading in slopes.values()]
        # The two readings of a condition stand a little apart, so that neither hides the other.
        heights = np.arange(len(estimates)) + shift
        hollow = reading == "equal steps"
        _draw_points(axes, estimates, heights, marker=marker, colour=colour, label=f"at {reading}", hollow=hollow)
    stripes(axes, len(slopes))
    axes.set_yticks(range(len(slopes)), list(slopes))
    axes.tick_params(axis="y", labelsize=6.5)
    axes.set(xlabel="slope of entropy in K (nats per unit of K)", ylim=(len(slopes) - 0.5, -0.5))
    axes.legend(loc="best", fontsize=6.5)


def _draw_points(
    axes: Any, estimates: Sequence[Any], heights: Array, *, marker: str, colour: str, label: str, hollow: bool = False
) -> None:
    """Draw estimates with their intervals, each at its height, and the line of no effect."""
    middle = np.array([estimate["estimate"] for estimate in estimates])
    low = np.array([estimate["low"] for estimate in estimates])
    high = np.array([estimate["high"] for estimate in estimates])
    axes.errorbar(
        # Rounding may put an end on the wrong side of the estimate, and Matplotlib refuses a length below 0.
        middle, heights, xerr=np.clip([middle - low, high - middle], 0, None), fmt=marker, color=colour, label=label,
        markerfacecolor="white" if hollow else colour,
    )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(visible=False, axis="y")


def rules(results: Results) -> Panel:
    """Return the panel with every rule less GRPO, after the same gain of success, at the fewest and the most passes.

    Raises:
        MissingError: no other rule gets so far at two seeds.
    """
    run = results.run("inner-epochs", command="qae simulate inner-epochs")
    settings = run.config["settings"]
    gain, level = settings["gains"][0], settings["level"]
    fewest, most = settings["epochs"][0], settings["epochs"][-1]
    by_passes = {passes: differences(run.records, passes, gain, level=level) for passes in (fewest, most)}
    after_most = by_passes[most]
    names = sorted(after_most, key=lambda name: after_most[name].estimate)
    if not names:
        raise MissingError(f"{run.named} has no rule beside {REFERENCE} that gains {gain:g} at two seeds")
    # A rule that moves exactly as GRPO does has an interval without width at 0.
    apart = [name for name in names if after_most[name].excludes(0) and after_most[name].estimate]
    texts = [f"{name} {_text(after_most[name].record())}" for name in apart]
    return Panel(
        title=f"rules less GRPO, after a gain of {gain:g}",
        caption=f"Entropy change per success gained, less GRPO's on the same seeds, after a gain of {gain:g} with "
        f"clip-high {CLIP_HIGH} and {most} passes ({level:.0%} intervals, each by itself), where the interval does not "
        f"hold 0: {'; '.join(texts) or 'nowhere'}.",
        draw=partial(_draw_rules, by_passes=by_passes, names=names),
        sources=(run,),
        stand_in=STAND_IN,
    )


def differences(records: Sequence[Mapping[str, Any]], passes: int, gain: float, *, level: float) -> dict[str, Interval]:
    """Return each rule's entropy change per success gained less GRPO's, paired by seed, in nats per unit of success.

    A rule needs two seeds at which it and GRPO both reach the gain.

    Args:
        records: of the experiment `inner-epochs`.
        passes: number of passes over the same groups.
        gain: of success, after which the rules are compared.
        level: of the intervals.
    """
    column = f"entropy_change_at_{gain:g}"
    changes: dict[str, dict[int, float]] = {}
    for record in records:
        if record["epochs"] == passes and record["clip_high"] == CLIP_HIGH and record[column] is not None:
            changes.setdefault(record["method"], {})[record["seed"]] = record[column]
    reference = changes.pop(REFERENCE, {})
    intervals = {}
    for name, by_seed in changes.items():
        shared = sorted(by_seed.keys() & reference.keys())
        if len(shared) > 1:
            paired = [(by_seed[seed] - reference[seed]) / gain for seed in shared]
            intervals[name] = mean_interval(np.array(paired), level=level)
    return intervals


def _draw_rules(axes: Any, *, by_passes: Mapping[int, Mapping[str, Interval]], names: Sequence[str]) -> None:
    """Draw the differences of all rules, one below the other, for the fewest and the most passes."""
    shown: list[Interval] = []
    for (passes, by_rule), (marker, colour, shift, hollow) in zip(by_passes.items(), PASS_STYLES, strict=False):
        heights = np.array([row for row, name in enumerate(names) if name in by_rule]) + shift
        of_passes = [by_rule[name] for name in names if name in by_rule]
        label = f"{passes} pass{'es' if passes > 1 else ''}"
        estimates = [interval.record() for interval in of_passes]
        _draw_points(axes, estimates, heights, marker=marker, colour=colour, label=label, hollow=hollow)
        shown += of_passes
    stripes(axes, len(names))
    axes.set_yticks(range(len(names)), [name.replace("_", "-") for name in names])
    axes.tick_params(axis="y", labelsize=6)
    # A rule with a very wide interval would press all others together, so that its interval is cut.
    widest = 1.05 * max(max(abs(interval.low), abs(interval.high)) for interval in shown)
    widest = min(widest, 3 * max(abs(interval.estimate) for interval in shown)) or 1.0
    axes.set(xlabel="entropy kept, less GRPO's (nats per unit of success)", xlim=(-widest, widest))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.legend(loc="best", fontsize=6.5)


PANELS = (
    *((f"K under {condition}", partial(paths, condition)) for condition in CONDITIONS),
    ("effect of K on entropy", effects),
    ("rules less GRPO", rules),
    *((f"rules, {trained.name}", partial(trained_paths, trained)) for trained in (study.SMALL, study.LARGER)),
)
