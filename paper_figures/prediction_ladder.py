"""The prediction ladder on a transformer: five predictions of a step's entropy change against the measured one.

In the setting that favours the paper's prediction most: one step of SGD, no clipping, advantages r - b. The rows of the
figure are the study's tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from paper_figures.curves import rows_where
from paper_figures.panels import Panel
from paper_figures.runs import Results, Run
from qae_theory.arrays import Array
from qae_theory.runs.stored import Columns, MissingError

TITLE = "Which prediction of the entropy change holds on a transformer"
SHAPE = (2, 3)
SIZE = (3.6, 2.7)
COMMAND = "qae validate"
SETTING = "sgd, 1 update, no clipping"
IN_TABLE = {"optimiser": "sgd", "updates": 1, "clipped": False, "scaled": False}
RUNGS = {
    "identity": "the paper's: r - b",
    "centred": "policy gradient: r - V",
    "sampled": "the sampled group",
    "first_order": "network, first order",
    "second_order": "network, second order",
}
COLUMNS = ("task", *IN_TABLE, "change", "guaranteed_low", "guaranteed_high", *RUNGS)
DRAWN = {"identity": ("^", "#D55E00"), "first_order": ("o", "#0072B2")}
MARKS = {"r2": ("R²", "o", "#0072B2", -0.14), "sign_agreement": ("signs agree", "s", "#D55E00", 0.14)}
MOST = 1500  # points of one rung; thinned evenly beyond
BARS = 60  # rows whose bounds are drawn
TASKS = ("first task", "second task")


def _task(results: Results, number: int) -> tuple[Run, dict[str, Any], str]:
    """The study, its ladder, and the task of that number.

    Raises:
        MissingError: there is no study, or it has fewer tasks.
    """
    run = results.run("validate", command=COMMAND)
    ladder = run.json("ladder.json")
    names = sorted(task for task, settings in ladder["plain"].items() if SETTING in settings)
    if number >= len(names):
        raise MissingError(f"{run.named} has {len(names)} tasks with the setting {SETTING!r}")
    return run, ladder, names[number]


def quality(number: int, results: Results) -> Panel:
    """R^2 and sign agreement of every rung."""
    run, ladder, task = _task(results, number)
    found = ladder["plain"][task][SETTING]
    found = {rung: found[rung] for rung in RUNGS}
    said = "; ".join(f"{RUNGS[rung]} {_said(one['r2'])}, {_said(one['sign_agreement'])}" for rung, one in found.items())
    one = found["first_order"]
    return Panel(
        f"{task}: how well each predicts",
        f"Task {task}, {SETTING}, {one['rows']} rows of {one['probes']} probes: R^2 of measured on predicted change "
        f"and share of equal signs, with {ladder['level']:.0%} intervals over probes, {said}.",
        partial(_draw_quality, found=found),
        sources=(run,),
    )


def _said(one: Mapping[str, float | None]) -> str:
    if one["estimate"] is None:
        return "not defined"
    ends = "" if one["low"] is None else f" [{one['low']:.2f}, {one['high']:.2f}]"
    return f"{one['estimate']:.2f}{ends}"


def _draw_quality(axes: Any, *, found: Mapping[str, Mapping[str, Any]]) -> None:
    for column, (label, marker, colour, shift) in MARKS.items():
        rows = [(row, one[column]) for row, one in enumerate(found.values()) if one[column]["estimate"] is not None]
        middle = np.array([one["estimate"] for _, one in rows])
        ends = [[one["estimate" if one[end] is None else end] for _, one in rows] for end in ("low", "high")]
        axes.errorbar(
            middle,
            [row + shift for row, _ in rows],
            xerr=np.abs(np.array(ends) - middle),
            fmt=marker,
            color=colour,
            markerfacecolor="white" if column == "sign_agreement" else colour,
            label=label,
        )
    axes.axvline(0.5, color="0.4", linewidth=0.8, linestyle=":", label="a coin's signs")
    axes.set_yticks(range(len(found)), [RUNGS[rung] for rung in found])
    axes.set(xlabel="R² of measured on predicted; share of signs", xlim=(-0.03, 1.03), ylim=(len(found) - 0.5, -1.5))
    axes.legend(loc="upper center", ncols=3, fontsize=6, columnspacing=0.8, handletextpad=0.4)
    axes.grid(visible=False, axis="y")


def _rows(run: Run, task: str) -> Columns:
    table = rows_where(run.parquet("probes.parquet", list(COLUMNS)), task=task, **IN_TABLE)
    if not len(table["change"]):
        raise MissingError(f"{run.named} has no rows of {task!r} with {SETTING}")
    return table


def scatter(number: int, results: Results) -> Panel:
    """Measured against predicted change: the paper's prediction and the network's own first order."""
    run, ladder, task = _task(results, number)
    table = _rows(run, task)
    size = np.abs(table["change"])
    there = size > ladder["floor"]
    shares = {rung: float(np.median(np.abs(table[rung])[there] / size[there])) for rung in DRAWN}
    said = "; ".join(f"{RUNGS[rung]} {share:.2g}" for rung, share in shares.items())
    return Panel(
        f"{task}: measured against predicted",
        f"Task {task}: predicted size over measured size, median of {there.sum()} rows, {said}; the scale is linear "
        f"within {ladder['floor']:g} nats and logarithmic beyond.",
        partial(_draw_scatter, table=table, linear=ladder["floor"]),
        sources=(run,),
    )


def _draw_scatter(axes: Any, *, table: Columns, linear: float) -> None:
    y = table["change"]
    thin = slice(None, None, max(1, -(-len(y) // MOST)))
    for rung, (marker, colour) in DRAWN.items():
        x = table[rung]
        axes.scatter(
            x[thin], y[thin], s=7, marker=marker, facecolors="none", edgecolors=colour, linewidths=0.5,
            label=RUNGS[rung], rasterized=True,
        )  # fmt: skip
    largest = 2 * max(float(np.abs(table[name]).max()) for name in ("change", *DRAWN))
    axes.plot([-largest, largest], [-largest, largest], color="black", marker="", linewidth=0.9, label="as predicted")
    for side in ("x", "y"):
        _symlog(axes, side, linear, largest)
    _room_above(axes, linear, largest)
    axes.set(xlabel="predicted entropy change (nats)", ylabel="measured change (nats)")


def _symlog(axes: Any, side: str, linear: float, largest: float) -> None:
    """A scale that is logarithmic on both sides of zero, with a few ticks."""
    set_scale: Callable[..., None] = getattr(axes, f"set_{side}scale")
    set_scale("symlog", linthresh=linear, linscale=0.3)
    getattr(axes, f"set_{side}lim")(-largest, largest)
    first, last = int(np.ceil(np.log10(linear))), int(np.floor(np.log10(largest)))
    powers = range(last, first, -max(2, round((last - first) / 3)))
    ticks = [sign * 10.0**power for power in powers for sign in (-1, 1)] + [0.0]
    getattr(axes, f"set_{side}ticks")(ticks, [f"{tick:.0e}".replace("e-0", "e-") if tick else "0" for tick in ticks])
    axes.minorticks_off()


def _room_above(axes: Any, linear: float, largest: float) -> None:
    """A strip for the legend above the data."""
    axes.set_ylim(top=largest * (largest / linear) ** 0.55)
    axes.legend(loc="upper left", fontsize=6, handletextpad=0.3, borderaxespad=0.1)


def bounds(number: int, results: Results) -> Panel:
    """Measured changes between their guaranteed bounds."""
    run, ladder, task = _task(results, number)
    table = _rows(run, task)
    here = ladder["guaranteed"][task][SETTING]
    counts = [one for settings in ladder["guaranteed"].values() for one in settings.values()]
    checked, violated = (sum(one[name] for one in counts) for name in ("checked", "violations"))
    return Panel(
        f"{task}: {here['violations']} of {here['checked']} outside the bounds",
        f"Task {task}: {here['violations']} of {here['checked']} measured changes lie outside their guaranteed bounds "
        f"(over all tasks and settings {violated} of {checked}); {min(BARS, len(table['change']))} rows are drawn, "
        "evenly over the order of the measured change.",
        partial(_draw_bounds, table=table, linear=ladder["floor"]),
        sources=(run,),
    )


def _draw_bounds(axes: Any, *, table: Columns, linear: float) -> None:
    order = np.argsort(table["change"], kind="stable")
    shown: Array = order[np.linspace(0, len(order) - 1, min(BARS, len(order))).round().astype(int)]
    y, low, high = (table[name][shown] for name in ("change", "guaranteed_low", "guaranteed_high"))
    x = np.arange(len(shown))
    axes.vlines(x, low, high, color="0.6", linewidth=1.6, label="guaranteed bounds")
    axes.plot(x, y, "o", color="#0072B2", markersize=2.5, linestyle="", label="measured")
    largest = 2 * float(np.nanmax(np.abs([y, low, high])))
    linear = max(linear, float(np.quantile(np.abs(y), 0.1)))
    _symlog(axes, "y", linear, largest)
    _room_above(axes, linear, largest)
    axes.set(xlabel="rows, by measured change", ylabel="entropy change (nats)", xticks=[])


PANELS = tuple(
    (f"{TASKS[number]}: {title}", partial(builder, number))
    for number in range(len(TASKS))
    for title, builder in (
        ("how well each predicts", quality),
        ("measured against predicted", scatter),
        ("guaranteed bounds", bounds),
    )
)
