"""Draw the study's figures as PNG and PDF, one function each; every figure is drawn from tables and records alone.

Colours are Okabe and Ito's, which colour-blind readers tell apart; markers differ too. The run's id is in the
metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from llm_validation.common.tables import Table
from llm_validation.study.analysis.places import COLLAPSED, DESTROYED, EXPLODED, SPLIT, STEADY
from llm_validation.study.analysis.records import FOLLOWED, Condition, aligned, conditions, seeds_of
from llm_validation.study.analysis.step_lines import plain_sgd
from qae_theory.arrays import Array
from qae_theory.curves.families import ENTROPY, SUCCESS
from qae_theory.curves.rungs import RUNGS

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_POINTS = 4000  # of one panel; more are thinned evenly, since they would only hide one another
NATS = "nats per response"
NAMES = (STEADY, COLLAPSED, EXPLODED, DESTROYED, SPLIT)
PLACE_COLOURS = ("#FFFFFF", "#56B4E9", "#D55E00", "#444444", "#DDDDDD")
SHOWN_RULES = ("grpo", "dr_grpo", "qae-0.4", "qae-0.8")
CAPTIONS = {
    "ladder": "Measured against predicted change of entropy, plain arms, at the smallest step of SGD.",
    "coverage": "Share of measured changes within each kind of bound, by step size.",
    "entropy": "Entropy and success along training: the mean over seeds, with the seeds' range.",
    "paired": "Entropy under each rule less that under GRPO with the same seed: mean and 95 % interval over seeds.",
    "progress": "Entropy against success, one path a seed.",
    "map": "What each rule does at each place of the map.",
}


def draw_all(
    folder: Path, tables: Mapping[str, Table], bounds: Sequence[Any], places: Sequence[Any], *, run_id: str, note: str
) -> list[str]:
    """Draw every figure for which there are data, and return their names without suffix.

    Args:
        folder: where the files are written.
        tables: ``probes``, ``runs`` and ``follow``.
        bounds: the records of ``analysis.bounds``.
        places: the records of ``analysis.places``.
        run_id: the run's id, for the metadata.
        note: a text on every figure's face, such as the size of the study.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Curves are drawn under one condition for each substrate; the lines of the report have all of them.
    usual: dict[str, Condition] = {}
    for condition in conditions(tables["follow"]):
        if _rules(condition):  # a study of some finished parts may have none of the rules that are shown
            usual.setdefault(condition.substrate, condition)  # the usual condition comes first
    shown = list(usual.values())
    drawers: dict[str, Callable[[Any], bool]] = {
        "ladder": partial(_ladder, probes=tables["probes"]),
        "coverage": partial(_coverage, records=bounds),
        "entropy": partial(_entropy, shown=shown),
        "paired": partial(_paired, shown=shown),
        "progress": partial(_progress, shown=shown),
        "map": partial(_map, places=places),
    }
    drawn = []
    for name, draw in drawers.items():
        # Without pyplot: it would keep every figure in memory, and needs a display on some machines.
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        if not draw(figure):
            continue
        figure.suptitle(note, fontsize=8)
        source = f"qae validate, run {run_id}"
        # Without dates and versions, so that the same figure is the same file.
        figure.savefig(folder / f"{name}.png", dpi=150, metadata={"Description": source, "Software": None})
        figure.savefig(folder / f"{name}.pdf", metadata={"Subject": source, "CreationDate": None})
        drawn.append(name)
    return drawn


def _ladder(figure: Any, *, probes: Table) -> bool:
    """Draw measured against predicted changes: a panel for each rung, a row for each substrate.

    Returns False where there are none.
    """
    first: dict[str, Table] = {}
    for substrate, _, rows in plain_sgd(probes):
        first.setdefault(substrate, rows)  # the smallest size comes first
    if not first:
        return False
    figure.set_size_inches(3 * len(RUNGS), 3 * len(first) + 0.3)
    axes = figure.subplots(len(first), len(RUNGS), squeeze=False)
    for row, (substrate, table) in zip(axes, first.items(), strict=True):
        thin = slice(None, None, max(1, -(-len(table["change"]) // MOST_POINTS)))
        for axis, rung in zip(row, RUNGS, strict=True):
            axis.scatter(table[rung][thin], table["change"][thin], s=6, alpha=0.4, color=COLOURS[0], rasterized=True)
            # Points on this line are predicted exactly.
            axis.axline((0, 0), slope=1, color=COLOURS[1], linewidth=1)
            axis.axhline(0, color="0.8", linewidth=0.5, zorder=0)
            axis.set_title(f"{substrate}: {rung.replace('_', ' ')}", fontsize=9)
            axis.set_xlabel(f"predicted change ({NATS})", fontsize=7, loc="left")
            axis.set_ylabel(f"measured change ({NATS})", fontsize=7)
            axis.tick_params(labelsize=7)
            axis.locator_params(axis="x", nbins=4)
            axis.ticklabel_format(axis="both", style="sci", scilimits=(-2, 3))
            for side in (axis.xaxis, axis.yaxis):
                side.get_offset_text().set_fontsize(7)
    return True


def _coverage(figure: Any, *, records: Sequence[Any]) -> bool:
    """Draw coverage by step size under SGD: a panel for each substrate, a curve for each bound.

    Returns False where there is none.
    """
    sized = [record for record in records if record["size"] is not None and record["setting"].startswith("sgd")]
    substrates = list(dict.fromkeys(record["substrate"] for record in sized))
    if not substrates:
        return False
    figure.set_size_inches(3.4 * len(substrates), 3.2)
    for axis, substrate in zip(figure.subplots(1, len(substrates), squeeze=False)[0], substrates, strict=True):
        of_substrate = [record for record in sized if record["substrate"] == substrate]
        here = [record for record in of_substrate if record["coverage"]["estimate"] is not None]
        for number, kind in enumerate(dict.fromkeys(record["bound"] for record in here)):
            of_kind = [record for record in here if record["bound"] == kind]
            curve = sorted(of_kind, key=lambda record: record["size"])
            sizes = [record["size"] * (1 + 0.03 * number) for record in curve]  # side by side, so that bars are seen
            middle, bars = with_bars([record["coverage"] for record in curve])
            axis.errorbar(sizes, middle, bars, marker=MARKERS[number], color=COLOURS[number], markersize=4, label=kind)
        axis.set(xscale="log", ylim=(-0.03, 1.05), xlabel="step size", ylabel="share within")
        axis.set_title(substrate, fontsize=9)
    # Below all panels, where it hides no curve.
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=7)
    return True


def with_bars(shares: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
    """Return the estimates ``[n]``, and how far their intervals go below and above them ``[2, n]``; 0 without one."""
    middle = np.array([share["estimate"] for share in shares])
    below = [0.0 if share["low"] is None else share["estimate"] - share["low"] for share in shares]
    above = [0.0 if share["high"] is None else share["high"] - share["estimate"] for share in shares]
    return middle, np.clip([below, above], 0, None)


def _entropy(figure: Any, *, shown: Sequence[Condition]) -> bool:
    """Draw entropy above and success below under the usual condition, a column for each substrate.

    Returns False where there are no runs.
    """
    if not shown:
        return False
    figure.set_size_inches(3.6 * len(shown), 5.4)
    axes = figure.subplots(2, len(shown), squeeze=False)
    for column, condition in zip(axes.T, shown, strict=True):
        for number, rule in enumerate(_rules(condition)):
            (run,) = aligned([condition.rules[rule]], FOLLOWED)
            for axis, curve in zip(column, (ENTROPY, SUCCESS), strict=True):
                _band(axis, run.steps, run.curves[curve], number, rule)
        column[0].set_title(f"{condition.substrate}\n{condition.name}", fontsize=9)
        column[0].set_ylabel(f"entropy ({NATS})")
        column[1].set(xlabel="step (batches of rollouts)", ylabel="success")
        column[0].legend(fontsize=7)
    return True


def _paired(figure: Any, *, shown: Sequence[Condition]) -> bool:
    """Draw differences from GRPO by seed, with Student's interval: a column for each substrate.

    Returns False where no substrate has a rule to compare.
    """
    from scipy import stats

    compared = []
    for condition in shown:
        rules = condition.rules
        if "grpo" in rules and len(_rules(condition)) > 1 and seeds_of(rules["grpo"]) > 1:
            compared.append(condition)
    if not compared:
        return False
    figure.set_size_inches(3.6 * len(compared), 5.4)
    axes = figure.subplots(2, len(compared), squeeze=False)
    for column, condition in zip(axes.T, compared, strict=True):
        for number, rule in enumerate(_rules(condition)):
            if rule == "grpo" or seeds_of(condition.rules[rule]) < 2:
                continue
            pair = aligned([condition.rules[rule], condition.rules["grpo"]], FOLLOWED)
            for axis, curve in zip(column, (ENTROPY, SUCCESS), strict=True):
                gap = pair[0].curves[curve] - pair[1].curves[curve]
                half = stats.t.ppf(0.975, len(gap) - 1) * gap.std(axis=0, ddof=1) / np.sqrt(len(gap))
                middle, steps = gap.mean(axis=0), pair[0].steps
                axis.fill_between(steps, middle - half, middle + half, color=COLOURS[number], alpha=0.15, linewidth=0)
                axis.plot(steps, middle, color=COLOURS[number], marker=MARKERS[number], markersize=3, label=rule)
        for axis in column:
            axis.axhline(0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
        column[0].set_title(f"{condition.substrate}: less GRPO's", fontsize=9)
        column[0].set_ylabel(f"difference of entropy\n({NATS})")
        column[1].set(xlabel="step (batches of rollouts)", ylabel="difference of success")
        column[0].legend(fontsize=7)
    return True


def _progress(figure: Any, *, shown: Sequence[Condition]) -> bool:
    """Draw entropy against success, a column for each substrate.

    Returns False where there are no runs.
    """
    if not shown:
        return False
    figure.set_size_inches(3.6 * len(shown), 3.4)
    for axis, condition in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        for number, rule in enumerate(_rules(condition)):
            (run,) = aligned([condition.rules[rule]], FOLLOWED)
            for seed, (success, entropy) in enumerate(zip(run.curves[SUCCESS], run.curves[ENTROPY], strict=True)):
                label = rule if seed == 0 else None  # one entry of the legend for all seeds
                axis.plot(success, entropy, color=COLOURS[number], linewidth=0.8, alpha=0.6, label=label)
        axis.set(xlabel="success", ylabel=f"entropy ({NATS})")
        axis.set_title(condition.substrate, fontsize=9)
        axis.legend(fontsize=7)
    return True


def _map(figure: Any, *, places: Sequence[Any]) -> bool:
    """Draw the map: a panel for each rule and clip range, learning rate across, updates up, names as colours.

    Returns False where there is no map.
    """
    from matplotlib.colors import ListedColormap

    if not places:
        return False
    rules = list(dict.fromkeys(place["rule"] for place in places))
    clips = sorted({(place["clip_low"], place["clip_high"]) for place in places})
    rates = sorted({place["learning_rate"] for place in places})
    updates = sorted({place["updates"] for place in places})
    figure.set_size_inches(2.4 * len(clips), 2.2 * len(rules) + 0.4)
    axes = figure.subplots(len(rules), len(clips), squeeze=False)
    for row, rule in zip(axes, rules, strict=True):
        for axis, clip in zip(row, clips, strict=True):
            grid = np.full((len(updates), len(rates)), np.nan)
            for place in places:
                if place["rule"] == rule and (place["clip_low"], place["clip_high"]) == clip:
                    y, x = updates.index(place["updates"]), rates.index(place["learning_rate"])
                    grid[y, x] = NAMES.index(place["name"])
                    ratio = float(np.mean(place["entropy_ratio"]))
                    axis.text(x, y, f"{place['name'][:8]}\n{ratio:.2f}", ha="center", va="center", fontsize=6)
            axis.imshow(
                grid, cmap=ListedColormap(PLACE_COLOURS), vmin=-0.5, vmax=len(NAMES) - 0.5, origin="lower", alpha=0.6
            )
            axis.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates], fontsize=7)
            axis.set_yticks(range(len(updates)), [str(update) for update in updates], fontsize=7)
            axis.set_title(f"{rule}, clip {clip[0]:g}/{clip[1]:g}", fontsize=8)
            axis.set_xlabel("learning rate", fontsize=7)
            axis.set_ylabel("inner updates", fontsize=7)
    return True


def _rules(condition: Condition) -> list[str]:
    """Return the rules of a condition that are shown, GRPO first."""
    return [rule for rule in SHOWN_RULES if rule in condition.rules]


def _band(axis: Any, steps: Any, curves: Any, number: int, label: str) -> None:
    """Draw the mean over seeds, with the seeds' range as a band."""
    colour = COLOURS[number]
    axis.fill_between(steps, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    axis.plot(steps, curves.mean(axis=0), color=colour, marker=MARKERS[number], markersize=3, label=label)
