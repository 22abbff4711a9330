"""Show the prediction ladder on a transformer: five predictions of a step's entropy change against the measured change.

The setting is the one that favours the paper's prediction most: one step of SGD, no clipping, advantages r - b. The
rows of the figure are the study's tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from paper_figures.colours import BLACK, PAIR, UPDATES
from paper_figures.curves import select
from paper_figures.looks import stripes
from paper_figures.panels import Builder, Panel
from paper_figures.runs import Results, Run
from qae_theory.arrays import Array
from qae_theory.curves.rungs import RUNGS
from qae_theory.runs.stored import Columns, MissingError

TITLE = "Which prediction of the entropy change holds on a transformer"
SHAPE = (2, 3)
SIZE = (3.6, 2.7)
COMMAND = "qae validate"
SETTING = "sgd, 1 update, no clipping"
IN_TABLE = {"optimiser": "sgd", "updates": 1, "clipped": False, "scaled": False}
LABELS = {
    "identity": "the paper's: r - b",
    "centred": "policy gradient: r - V",
    "sampled": "the sampled group",
    "first_order": "network, first order",
    "second_order": "network, second order",
}
COLUMNS = ("task", *IN_TABLE, "change", "guaranteed_low", "guaranteed_high", *RUNGS)
DRAWN = {"identity": ("^", UPDATES["uncentred"]), "first_order": ("o", BLACK)}
MARKS = {"r2": ("R²", "o", PAIR[0], -0.17), "sign_agreement": ("signs agree", "s", PAIR[1], 0.17)}
GUARANTEED = "measured"  # the study's name for bounds at the measured displacement, which cannot fail but for rounding
MOST = 1500  # points drawn of one rung; if there are more, they are thinned evenly
BARS = 60  # measured changes whose bounds are drawn; more would run together
TASKS = ("first task", "second task")


def _task(results: Results, number: int) -> tuple[Run, dict[str, Any], str]:
    """Return the study, its ladder, and the name of the task with that number.

    Raises:
        MissingError: there is no study, or it has fewer tasks.
    """
    run = results.run("validate", command=COMMAND)
    ladder = run.json("ladder.json")
    # In the order of their names, so that a task keeps its row in the figure whatever ran first.
    names = sorted(task for task, settings in ladder["plain"].items() if SETTING in settings)
    if number >= len(names):
        raise MissingError(f"{run.named} has {len(names)} tasks with the setting {SETTING!r}")
    return run, ladder, names[number]


def quality(number: int, results: Results) -> Panel:
    """Return the panel with R^2 and sign agreement of every rung."""
    run, ladder, task = _task(results, number)
    in_setting = ladder["plain"][task][SETTING]
    by_rung = {rung: in_setting[rung] for rung in LABELS}
    texts = []
    for rung, figures in by_rung.items():
        texts.append(f"{LABELS[rung]} {_text(figures['r2'])}, {_text(figures['sign_agreement'])}")
    counts = by_rung["first_order"]
    return Panel(
        title=f"{task}: how well each predicts",
        caption=f"Task {task}, {SETTING}, {counts['rows']} rows of {counts['probes']} probes: R^2 of measured on "
        f"predicted change and share of equal signs, with {ladder['level']:.0%} intervals over probes, "
        f"{'; '.join(texts)}.",
        draw=partial(_draw_quality, by_rung=by_rung),
        sources=(run,),
    )


def _text(figure: Mapping[str, float | None]) -> str:
    """Return an estimate with its interval, as far as both are defined."""
    if figure["estimate"] is None:
        return "not defined"
    ends = "" if figure["low"] is None else f" [{figure['low']:.2f}, {figure['high']:.2f}]"
    return f"{figure['estimate']:.2f}{ends}"


def _draw_quality(axes: Any, *, by_rung: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw R^2 and sign agreement of every rung with their intervals, one rung below the other."""
    for column, (label, marker, colour, shift) in MARKS.items():
        heights, figures = [], []
        for row, of_rung in enumerate(by_rung.values()):
            if of_rung[column]["estimate"] is not None:
                heights.append(row + shift)
                figures.append(of_rung[column])
        middle = np.array([figure["estimate"] for figure in figures])
        # An end that is not known is drawn as no end.
        low = [figure["estimate" if figure["low"] is None else "low"] for figure in figures]
        high = [figure["estimate" if figure["high"] is None else "high"] for figure in figures]
        axes.errorbar(
            middle,
            heights,
            xerr=np.abs(np.array([low, high]) - middle),
            fmt=marker,
            color=colour,
            markerfacecolor="white" if column == "sign_agreement" else colour,
            label=label,
        )
    stripes(axes, len(by_rung))
    axes.axvline(0.5, color="0.4", linewidth=0.8, linestyle=":", label="a coin's signs")
    axes.set_yticks(range(len(by_rung)), [LABELS[rung] for rung in by_rung])
    axes.set(xlabel="R² of measured on predicted; share of signs", xlim=(-0.03, 1.03), ylim=(len(by_rung) - 0.5, -1.5))
    axes.legend(loc="upper center", ncols=3, fontsize=6, columnspacing=0.8, handletextpad=0.4)
    axes.grid(visible=False, axis="y")


def _measured(run: Run, task: str) -> Columns:
    """Return the measured and predicted changes of a task in the setting, as columns.

    Raises:
        MissingError: the study has none.
    """
    table = select(run.parquet("probes.parquet", list(COLUMNS)), task=task, **IN_TABLE)
    if not len(table["change"]):
        raise MissingError(f"{run.named} has no rows of {task!r} with {SETTING}")
    return table


def scatter(number: int, results: Results) -> Panel:
    """Return the panel with measured against predicted change: the paper's prediction and the network's first order."""
    run, ladder, task = _task(results, number)
    table = _measured(run, task)
    size = np.abs(table["change"])
    above_floor = size > ladder["floor"]  # below it the measurement is rounding
    texts = []
    for rung in DRAWN:
        share = float(np.median(np.abs(table[rung])[above_floor] / size[above_floor]))
        texts.append(f"{LABELS[rung]} {share:.2g}")
    return Panel(
        title=f"{task}: measured against predicted",
        caption=f"Task {task}: predicted size over measured size, median of {above_floor.sum()} rows, "
        f"{'; '.join(texts)}; the scale is linear within {ladder['floor']:g} nats and logarithmic beyond.",
        draw=partial(_draw_scatter, table=table, linear=ladder["floor"]),
        sources=(run,),
    )


def _draw_scatter(axes: Any, *, table: Columns, linear: float) -> None:
    """Draw measured against predicted changes on symmetric logarithmic scales, with the line of a right prediction."""
    y = table["change"]
    # Every n-th point is kept, which needs no random numbers.
    thin = slice(None, None, max(1, -(-len(y) // MOST)))
    for rung, (marker, colour) in DRAWN.items():
        x = table[rung]
        axes.scatter(
            x[thin], y[thin], s=7, marker=marker, facecolors="none", edgecolors=colour, linewidths=0.5,
            label=LABELS[rung], rasterized=True,
        )  # fmt: skip
    largest = 2 * max(float(np.abs(table[name]).max()) for name in ("change", *DRAWN))
    axes.plot([-largest, largest], [-largest, largest], color="0.5", marker="", linewidth=0.9, label="as predicted")
    for side in ("x", "y"):
        _set_symlog(axes, side, linear=linear, largest=largest)
    _legend_in_strip(axes, linear, largest)
    axes.set(xlabel="predicted entropy change (nats)", ylabel="measured change (nats)")


def _set_symlog(axes: Any, side: str, *, linear: float, largest: float) -> None:
    """Give an axis a scale that is logarithmic on both sides of zero, with a few ticks.

    Args:
        axes: Matplotlib's.
        side: ``x`` or ``y``.
        linear: the distance from zero within which the scale is linear.
        largest: the ends of the axis.
    """
    set_scale: Callable[..., None] = getattr(axes, f"set_{side}scale")
    set_scale("symlog", linthresh=linear, linscale=0.3)
    getattr(axes, f"set_{side}lim")(-largest, largest)
    first, last = int(np.ceil(np.log10(linear))), int(np.floor(np.log10(largest)))
    ticks: list[float] = []
    # About three ticks on each side of zero; labels of more run into one another.
    for power in range(last, first, -max(2, round((last - first) / 3))):
        ticks += [-(10.0**power), 10.0**power]
    ticks.append(0.0)
    labels = [_power(tick) for tick in ticks]
    getattr(axes, f"set_{side}ticks")(ticks, labels)
    axes.minorticks_off()


def _power(tick: float) -> str:
    """Return a power of ten, or its negative, as it is written by hand.

    >>> _power(-1e-4), _power(0.0)
    ('$-10^{-4}$', '0')
    """
    return f"${'-' if tick < 0 else ''}10^{{{round(np.log10(abs(tick)))}}}$" if tick else "0"


def _legend_in_strip(axes: Any, linear: float, largest: float) -> None:
    """Draw the legend in a strip above the data."""
    # The strip is a power of the span, which on a logarithmic axis is a share of its height.
    axes.set_ylim(top=largest * (largest / linear) ** 0.55)
    axes.legend(loc="upper left", fontsize=6, handletextpad=0.3, borderaxespad=0.1)


def bounds(number: int, results: Results) -> Panel:
    """Return the panel with measured changes between their guaranteed bounds."""
    run, ladder, task = _task(results, number)
    table = _measured(run, task)
    counted = [record for record in run.json("bounds.json") if record["bound"] == GUARANTEED]
    here = next((one for one in counted if (one["substrate"], one["setting"]) == (task, SETTING)), None)
    if here is None:
        raise MissingError(f"{run.named} did not count the guaranteed bounds of {task!r}: run `{COMMAND}` again")
    checked = sum(record["checked"] for record in counted)
    violated = sum(record["violations"] for record in counted)
    return Panel(
        title=f"{task}: {here['violations']} of {here['checked']} outside the bounds",
        caption=f"Task {task}: {here['violations']} of {here['checked']} measured changes lie outside their guaranteed "
        f"bounds (over all tasks and settings {violated} of {checked}); {min(BARS, len(table['change']))} rows are "
        "drawn, evenly over the order of the measured change.",
        draw=partial(_draw_bounds, table=table, linear=ladder["floor"]),
        sources=(run,),
    )


def _draw_bounds(axes: Any, *, table: Columns, linear: float) -> None:
    """Draw the bounds as bars and the measured changes as dots, in the order of the changes."""
    order = np.argsort(table["change"], kind="stable")
    shown: Array = order[np.linspace(0, len(order) - 1, min(BARS, len(order))).round().astype(int)]
    y, low, high = (table[name][shown] for name in ("change", "guaranteed_low", "guaranteed_high"))
    x = np.arange(len(shown))
    axes.vlines(x, low, high, color="0.6", linewidth=1.6, label="guaranteed bounds")
    axes.plot(x, y, "o", color="black", markersize=2.5, linestyle="", label="measured")
    largest = 2 * float(np.nanmax(np.abs([y, low, high])))
    # Bounds of very small changes would fill the axis with powers of ten in which there is nothing else.
    linear = max(linear, float(np.quantile(np.abs(y), 0.1)))
    _set_symlog(axes, "y", linear=linear, largest=largest)
    _legend_in_strip(axes, linear, largest)
    axes.set(xlabel="rows, by measured change", ylabel="entropy change (nats)", xticks=[])


def _panels(number: int) -> tuple[tuple[str, Builder], ...]:
    """Return the three panels of a task, by title."""
    return (
        (f"{TASKS[number]}: how well each predicts", partial(quality, number)),
        (f"{TASKS[number]}: measured against predicted", partial(scatter, number)),
        (f"{TASKS[number]}: guaranteed bounds", partial(bounds, number)),
    )


PANELS = (*_panels(0), *_panels(1))
