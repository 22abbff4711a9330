"""Training curves: the mean over seeds with its t interval, drawn as a line and a band, and a panel of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from paper_figures.panels import Builder, Panel, first_found
from paper_figures.paper import Mark, draw_marks, marks_said
from paper_figures.runs import Results, Run
from qae_theory.arrays import Array
from qae_theory.curves.statistics import mean_interval
from qae_theory.runs.stored import Columns, MissingError

LEVEL = 0.95
MOST_MARKERS = 8  # of one line
LONGEST_OF_TWO = 16  # letters of a legend's entry, of which two stand beside each other


class Curve(NamedTuple):
    """Steps, means and interval ends, ``[steps]`` each; the number of seeds; what the interval is."""

    steps: Array
    mean: Array
    low: Array
    high: Array
    seeds: int
    band: str


class Shown(NamedTuple):
    """The curves of a panel and where they come from."""

    curves: Mapping[str, Curve]
    ylabel: str
    sources: tuple[Run, ...]
    subject: str
    """What was trained, for the panel's title."""
    stand_in: str | None = None
    """As in ``Panel``."""
    note: str = ""
    """For the caption."""


Source = Callable[[Results], Shown]


def rows_where(table: Columns, **wanted: Any) -> dict[str, Array]:
    """The rows in which every named column has the wanted value."""
    kept = np.ones(len(next(iter(table.values()))), dtype=bool)
    for column, value in wanted.items():
        kept &= table[column] == value
    return {column: values[kept] for column, values in table.items()}


def curve(table: Columns, column: str) -> Curve:
    """The column's mean over seeds at every step, with a Student interval of level .95.

    Steps that not every seed has are left out; a value that is not defined at some seed leaves its step out too.

    Raises:
        MissingError: fewer than two steps are left.
    """
    seeds = np.unique(table["seed"])
    values: dict[int, list[float]] = {}
    for step, value in zip(table["step"], table[column], strict=True):
        if np.isfinite(value):
            values.setdefault(int(step), []).append(float(value))
    steps = sorted(step for step, found in values.items() if len(found) == len(seeds))
    if len(steps) < 2:
        raise MissingError(f"{column!r} has values at {len(steps)} steps, of which a curve has at least 2")
    if len(seeds) == 1:
        mean = np.array([values[step][0] for step in steps])
        return Curve(np.array(steps), mean, mean, mean, 1, "one run, no interval")
    found = [mean_interval(np.array(values[step]), level=LEVEL) for step in steps]
    mean, low, high = (np.array([getattr(one, end) for one in found]) for end in ("estimate", "low", "high"))
    return Curve(np.array(steps), mean, low, high, len(seeds), f"mean and {LEVEL:.0%} interval over {len(seeds)} seeds")


def curves_panel(
    title: str, *sources: Source, marks: Callable[[Shown], Sequence[Mark]] = lambda shown: (), xlabel: str = "step"
) -> Builder:
    """A panel with the curves of the first source that has them, and the paper's reference marks."""

    def build(results: Results) -> Panel:
        shown = first_found(*(partial(source, results) for source in sources))
        drawn = marks(shown)

        def draw(axes: Any) -> None:
            draw_curves(axes, shown.curves, ylabel=shown.ylabel, xlabel=xlabel)
            draw_marks(axes, drawn)
            legend_above(axes)

        headline = f"{title}, {shown.subject}"
        where = f"{shown.stand_in}; " if shown.stand_in else ""
        note = f" {shown.note}" if shown.note else ""
        bands, ends = bands_said(shown.curves.values()), ends_said(shown.curves)
        says = f"{headline[0].upper()}{headline[1:]} ({where}{bands}): {ends}; {shown.ylabel}."
        return Panel(headline, says + note + marks_said(drawn), draw, sources=shown.sources, stand_in=shown.stand_in)

    return build


def draw_curves(axes: Any, curves: Mapping[str, Curve], *, ylabel: str, xlabel: str) -> None:
    """A line and a band for each; the label of a line is its name."""
    for name, one in curves.items():
        (line,) = axes.plot(one.steps, one.mean, label=name, markevery=max(1, len(one.steps) // MOST_MARKERS))
        axes.fill_between(one.steps, one.low, one.high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)


def legend_above(axes: Any) -> None:
    """A legend in room of its own: the y axis ends higher by the height of its lines, without ticks there."""
    labels = axes.get_legend_handles_labels()[1]
    columns = 2 if len(labels) > 3 and max(map(len, labels)) <= LONGEST_OF_TWO else 1
    low, high = axes.get_ylim()
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    share = 0.085 * -(-len(labels) // columns) + 0.03
    axes.set_ylim(low, high + (high - low) * share / (1 - share))
    axes.set_yticks(ticks)
    axes.legend(loc="upper left", ncols=columns, borderaxespad=0.2, columnspacing=1.0, handlelength=2.6)


def ends_said(curves: Mapping[str, Curve]) -> str:
    """``name from a to b [low, high]`` for each curve."""
    return "; ".join(
        f"{name} from {one.mean[0]:.3g} at step {one.steps[0]} to {one.mean[-1]:.3g}{_interval(one)}"
        f" at step {one.steps[-1]}"
        for name, one in curves.items()
    )


def bands_said(curves: Iterable[Curve]) -> str:
    """What the bands are."""
    return " or ".join(dict.fromkeys(one.band for one in curves))


def _interval(one: Curve) -> str:
    low, high = one.low[-1], one.high[-1]
    return f" [{low:.3g}, {high:.3g}]" if low < high else ""
