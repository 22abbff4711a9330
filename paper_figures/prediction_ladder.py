"""Show the prediction ladder: five predictions of a step's entropy change against the change that was measured.

The setting is the one that favours the paper's prediction most: one step of SGD, the smallest that the study takes, no
clipping, advantages r - b. A row is a softmax bandit, a tiny, a larger or a pretrained language model. The last column
has how often the change lies within bounds that are predicted before a step, and so can fail, by the size of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from paper_figures.colours import BLACK, PAIR, UPDATES
from paper_figures.curves import select
from paper_figures.looks import stripes
from paper_figures.panels import Builder, Panel
from paper_figures.runs import Results, Run
from qae_theory.arrays import Array
from qae_theory.curves.rungs import RUNGS
from qae_theory.runs.stored import Columns, MissingError

TITLE = "Which prediction of the entropy change holds"
SHAPE = (4, 3)
SIZE = (3.6, 2.5)
SETTING = "sgd, 1 update, no clipping"  # a step's size in log pi may follow
IN_TABLE = {"optimiser": "sgd", "updates": 1, "clipped": False, "scaled": False}
KINDS = {  # the command that makes the row's study
    "softmax bandit": "qae validate --preset long",
    "tiny Qwen3": "qae validate",
    "larger Qwen3": "qae validate --preset long",
    "pretrained model": "qae validate --preset pretrained",
}
LARGER = 1e6  # parameters
LABELS = {
    "identity": "the paper's: r - b",
    "centred": "policy gradient: r - V",
    "sampled": "the sampled group",
    "first_order": "network, first order",
    "second_order": "network, second order",
}
COLUMNS = ("substrate", "size", *IN_TABLE, "change", *RUNGS)
DRAWN = {"identity": ("^", UPDATES["uncentred"]), "first_order": ("o", BLACK)}
MARKS = {"r2": ("R²", "o", PAIR[0], -0.17), "sign_agreement": ("signs agree", "s", PAIR[1], 0.17)}
BOUNDS = {  # the study's names of predictions: what the legend says, marker, colour
    "predicted": ("sharpest, at the predicted logits", "o", BLACK),
    "paper": ("the paper's identity at b = 0, 1", "^", UPDATES["uncentred"]),
    "arms": ("changes measured at b = 0, 1", "s", UPDATES["sampled_group"]),
    "box": ("ratios within the clip range", "D", UPDATES["policy_gradient"]),
}
CHECK = "measured"  # bounds at the measured displacement, which cannot fail but for rounding
MOST = 1500  # points drawn of one rung; if there are more, they are thinned evenly


class Row(NamedTuple):
    """A row of the figure: the study that it is from, the study's ladder, its substrate, and the setting."""

    run: Run
    ladder: Mapping[str, Any]
    substrate: str
    setting: str


def _row(results: Results, kind: str) -> Row:
    """Return the row of a kind of model, from the study that counts among those that have it.

    Raises:
        MissingError: no study has it.
    """
    run = results.run_with("validate", lambda run: bool(_substrates(run, kind)), command=KINDS[kind])
    ladder, substrate = run.json("ladder.json"), _substrates(run, kind)[0]
    settings = [setting for setting in ladder["plain"].get(substrate, {}) if setting.startswith(SETTING)]
    if not settings:
        raise MissingError(f"{run.named} has no setting {SETTING!r} of {substrate}")
    return Row(run, ladder, substrate, min(settings, key=_size_of))


def _size_of(setting: str) -> float:
    """Return the size of a step that a setting's name ends with; 0 for one without.

    >>> _size_of("sgd, 1 update, no clipping, size 0.1"), _size_of("sgd, 1 update, no clipping")
    (0.1, 0.0)
    """
    return float(setting.partition(", size ")[2] or 0)


def _substrates(run: Run, kind: str) -> list[str]:
    """Return the substrates of a study that are of a kind, by name; none for a study without a summary."""
    try:
        listed = run.json("summary.json")["substrates"]
    except MissingError:
        return []
    return sorted(name for name, facts in listed.items() if _kind(facts) == kind)


def _kind(facts: Mapping[str, Any]) -> str:
    """Return what kind of model a substrate has."""
    if facts["parameters"] is None:
        return "softmax bandit"
    if facts["pretrained"]:
        return "pretrained model"
    return "larger Qwen3" if facts["parameters"] >= LARGER else "tiny Qwen3"


def quality(kind: str, results: Results) -> Panel:
    """Return the panel with R^2 and sign agreement of every rung."""
    row = _row(results, kind)
    in_setting = row.ladder["plain"][row.substrate][row.setting]
    by_rung = {rung: in_setting[rung] for rung in LABELS}
    texts = []
    for rung, figures in by_rung.items():
        texts.append(f"{LABELS[rung]} {_text(figures['r2'])}, {_text(figures['sign_agreement'])}")
    counts = by_rung["first_order"]
    return Panel(
        title=f"{kind}: how well each predicts",
        caption=f"{row.substrate}, {row.setting}, {counts['rows']} rows of {counts['probes']} probes: R^2 of measured "
        f"on predicted change and share of equal signs, with {row.ladder['level']:.0%} intervals over probes, "
        f"{'; '.join(texts)}.",
        draw=partial(_draw_quality, by_rung=by_rung),
        sources=(row.run,),
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
        middle, ends = _with_ends(figures)
        axes.errorbar(
            middle,
            heights,
            xerr=ends,
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


def _with_ends(figures: Sequence[Mapping[str, Any]]) -> tuple[Array, Array]:
    """Return estimates ``[n]``, and how far their intervals reach to either side, ``[2, n]``; 0 for an unknown end."""
    middle = np.array([figure["estimate"] for figure in figures])
    low = [figure["estimate" if figure["low"] is None else "low"] for figure in figures]
    high = [figure["estimate" if figure["high"] is None else "high"] for figure in figures]
    return middle, np.abs(np.array([low, high]) - middle)


def _measured(row: Row) -> Columns:
    """Return the measured and predicted changes of a row, as columns.

    Raises:
        MissingError: the study has none.
    """
    table = select(row.run.parquet("probes.parquet", list(COLUMNS)), substrate=row.substrate, **IN_TABLE)
    size = _size_of(row.setting)
    table = select(table, size=size) if size else table
    if not len(table["change"]):
        raise MissingError(f"{row.run.named} has no rows of {row.substrate} with {row.setting!r}")
    return table


def scatter(kind: str, results: Results) -> Panel:
    """Return the panel with measured against predicted change: the paper's prediction and the network's first order."""
    row = _row(results, kind)
    table, floor = _measured(row), row.ladder["floor"]
    size = np.abs(table["change"])
    above_floor = size > floor  # below it the measurement is rounding
    texts = []
    for rung in DRAWN:
        share = float(np.median(np.abs(table[rung])[above_floor] / size[above_floor]))
        texts.append(f"{LABELS[rung]} {share:.2g}")
    return Panel(
        title=f"{kind}: measured against predicted",
        caption=f"{row.substrate}: predicted size over measured size, median of {above_floor.sum()} rows, "
        f"{'; '.join(texts)}; the scale is linear within {floor:g} nats and logarithmic beyond.",
        draw=partial(_draw_scatter, table=table, linear=floor),
        sources=(row.run,),
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


def bounds(kind: str, results: Results) -> Panel:
    """Return the panel with the share of measured changes within predicted bounds, by the size of the step."""
    row = _row(results, kind)
    counted = [record for record in row.run.json("bounds.json") if record["substrate"] == row.substrate]
    here = [record for record in counted if record["setting"].startswith(SETTING)]
    by_bound = {bound: [record for record in here if record["bound"] == bound] for bound in BOUNDS}
    shown = {bound: sorted(records, key=_place) for bound, records in by_bound.items() if records}
    if not shown:
        raise MissingError(f"{row.run.named} did not count the predicted bounds of {row.substrate}")
    texts = []
    for bound, records in shown.items():
        shares = ", ".join(f"{record['coverage']['estimate']:.3g}{_at(record)}" for record in records)
        texts.append(f"{BOUNDS[bound][0]} {shares}")
    checks = [record for record in counted if record["bound"] == CHECK]
    checked, violated = (sum(record[name] for record in checks) for name in ("checked", "violations"))
    return Panel(
        title=f"{kind}: predicted bounds",
        caption=f"{row.substrate}, {SETTING}: share of measured changes within bounds that can fail: "
        f"{'; '.join(texts)}. Of the bounds at the measured displacement, a check of consistency in all settings, "
        f"{violated} of {checked} are left.",
        draw=partial(_draw_bounds, shown=shown),
        sources=(row.run,),
    )


def _place(record: Mapping[str, Any]) -> float:
    """Return the size of a record's step in log pi; 0 where only its learning rate is known."""
    return record["size"] or 0.0


def _at(record: Mapping[str, Any]) -> str:
    return f" at {record['size']:g}" if record["size"] else ""


def _draw_bounds(axes: Any, *, shown: Mapping[str, list[Mapping[str, Any]]]) -> None:
    """Draw the shares of all kinds of bounds with their intervals, one size of the step beside the other."""
    sizes = sorted({_place(record) for records in shown.values() for record in records})
    for number, (bound, records) in enumerate(shown.items()):
        label, marker, colour = BOUNDS[bound]
        # A little apart, so that none hides another.
        x = np.array([sizes.index(_place(record)) for record in records]) + 0.09 * (number - (len(shown) - 1) / 2)
        middle, ends = _with_ends([record["coverage"] for record in records])
        axes.errorbar(x, middle, yerr=ends, fmt=marker, color=colour, label=label)
    names = [f"{size:g}" if size else "one learning rate" for size in sizes]
    axes.set_xticks(range(len(sizes)), names)
    axes.set(
        xlabel="size of the step, in log π", ylabel="share within", xlim=(-0.5, len(sizes) - 0.5), ylim=(-0.05, 1.75)
    )
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.legend(loc="upper left", fontsize=6, handletextpad=0.3, borderaxespad=0.1)


def _panels(kind: str) -> tuple[tuple[str, Builder], ...]:
    """Return the three panels of a row, by title."""
    return (
        (f"{kind}: how well each predicts", partial(quality, kind)),
        (f"{kind}: measured against predicted", partial(scatter, kind)),
        (f"{kind}: predicted bounds", partial(bounds, kind)),
    )


PANELS = tuple(panel for kind in KINDS for panel in _panels(kind))
