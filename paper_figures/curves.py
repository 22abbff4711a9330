"""Training curves: the mean over seeds with Student's interval, drawn as a line and a band, and a panel of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from paper_figures.looks import looks, widths
from paper_figures.panels import Builder, Panel, first_with_data
from paper_figures.paper import Mark, draw_marks, marks_text
from paper_figures.runs import Results, Run
from qae_theory.arrays import Array
from qae_theory.curves.statistics import mean_interval
from qae_theory.runs.stored import Columns, MissingError

LEVEL = 0.95
MOST_STEPS = 50  # of one curve; more are averaged in blocks
MOST_MARKERS = 8  # on one line; more would hide its shape
LONGEST_OF_TWO = 16  # the longest entry of a legend, in letters, of which two fit beside each other
ENTRY_HEIGHT = 0.085  # of one line of the legend, as a share of the height of the axes


class Curve(NamedTuple):
    """Steps, means and ends of the interval, ``[steps]`` each.

    ``seeds`` is the number of seeds, and ``band`` says in words what the interval is.
    """

    steps: Array
    mean: Array
    low: Array
    high: Array
    seeds: int
    band: str


class CurveSet(NamedTuple):
    """The curves of a panel and where they come from.

    Attributes:
        curves: by the name that the legend shows.
        ylabel: of the axis that all share.
        sources: the runs that they were read from.
        subject: what was trained, for the panel's title.
        stand_in: what is shown in the place of what the paper shows, as in ``Panel``.
        note: a sentence for the caption.
    """

    curves: Mapping[str, Curve]
    ylabel: str
    sources: tuple[Run, ...]
    subject: str
    stand_in: str | None = None
    note: str = ""


Source = Callable[[Results], CurveSet]


def select(table: Columns, **wanted: Any) -> dict[str, Array]:
    """Return the table with only the entries in which every named column has the wanted value."""
    kept = np.ones(len(next(iter(table.values()))), dtype=bool)
    for column, value in wanted.items():
        kept &= table[column] == value
    return {column: values[kept] for column, values in table.items()}


def curve(table: Columns, column: str) -> Curve:
    """Return a column's mean over seeds at every step, with a Student interval of level .95.

    Steps that some seed lacks are left out, and so are steps at which a seed's value is not defined. A mean over fewer
    seeds would jump there.

    Args:
        table: columns ``seed``, ``step`` and ``column``.
        column: name of the measure.

    Raises:
        MissingError: fewer than two steps are left.
    """
    seeds = np.unique(table["seed"])
    values: dict[int, list[float]] = {}
    for step, value in zip(table["step"], table[column], strict=True):
        if np.isfinite(value):
            values.setdefault(int(step), []).append(float(value))
    steps = sorted(step for step, of_seeds in values.items() if len(of_seeds) == len(seeds))
    if len(steps) < 2:
        raise MissingError(f"{column!r} has values at {len(steps)} steps, of which a curve has at least 2")
    # One seed has no spread that an interval could be made of.
    if len(seeds) == 1:
        mean = np.array([values[step][0] for step in steps])
        band = "one run, no interval"
        return Curve(np.array(steps), mean=mean, low=mean, high=mean, seeds=1, band=band)
    intervals = [mean_interval(np.array(values[step]), level=LEVEL) for step in steps]
    return Curve(
        steps=np.array(steps),
        mean=np.array([interval.estimate for interval in intervals]),
        low=np.array([interval.low for interval in intervals]),
        high=np.array([interval.high for interval in intervals]),
        seeds=len(seeds),
        band=f"mean and {LEVEL:.0%} interval over {len(seeds)} seeds",
    )


def curves_panel(
    title: str,
    *sources: Source,
    marks: Callable[[CurveSet], Sequence[Mark]] = lambda shown: (),
    xlabel: str = "step",
    zero: bool = False,
) -> Builder:
    """Return a panel with the curves of the first source that has them, and the paper's reference marks.

    Args:
        title: of the panel, without what was trained.
        *sources: where curves may come from, the best source first.
        marks: the paper's marks that fit the curves that are shown.
        xlabel: of the axis.
        zero: whether a line marks 0, as it does for differences.
    """

    def build(results: Results) -> Panel:
        """Return the panel from the first source that has data."""
        shown = first_with_data(*(partial(source, results) for source in sources))
        drawn = marks(shown)

        def draw(axes: Any) -> None:
            if zero:
                axes.axhline(0, color="black", linewidth=0.8, marker="")
            draw_curves(axes, shown.curves, ylabel=shown.ylabel, xlabel=xlabel)
            draw_marks(axes, drawn)
            legend_above(axes)

        headline = f"{title}, {shown.subject}"
        where = f"{shown.stand_in}; " if shown.stand_in else ""
        note = f" {shown.note}" if shown.note else ""
        bands, ends = bands_text(shown.curves.values()), ends_text(shown.curves)
        sentence = f"{headline[0].upper()}{headline[1:]} ({where}{bands}): {ends}; {shown.ylabel}."
        return Panel(
            title=headline,
            caption=sentence + note + marks_text(drawn),
            draw=draw,
            sources=shown.sources,
            stand_in=shown.stand_in,
        )

    return build


def in_blocks(table: Columns, column: str) -> tuple[Columns, int]:
    """Return a column's means over blocks of steps, and the length of a block.

    Batches of rollouts scatter so much that the curves of a long run would hide one another. A block stands at its last
    step; blocks are one step long where there are at most ``MOST_STEPS``.

    Args:
        table: columns ``seed``, ``step`` and ``column``.
        column: name of the measure.
    """
    defined = np.isfinite(table[column])
    seeds, steps, values = (table[name][defined] for name in ("seed", "step", column))
    length = -(-len(np.unique(steps)) // MOST_STEPS)
    if length <= 1:
        return table, 1
    last = -(-steps // length) * length
    blocks, place = np.unique(np.stack([seeds, last]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    means = np.bincount(place, weights=values) / np.bincount(place)
    return {"seed": blocks[0], "step": blocks[1], column: means}, length


def of_whole_seeds(table: Columns, column: str) -> Columns:
    """Return the rows of the seeds that have the column at every step at which some seed has it."""
    defined = np.isfinite(table[column])
    wanted = np.unique(table["step"][defined])
    seeds = [seed for seed in np.unique(table["seed"]) if np.sum(defined & (table["seed"] == seed)) == len(wanted)]
    kept = np.isin(table["seed"], seeds)
    return {name: values[kept] for name, values in table.items()}


def differences(table: Columns, base: Columns, column: str) -> dict[str, Array]:
    """Return a column less that of another rule, seed by seed and step by step, where both have it.

    Args:
        table: columns ``seed``, ``step`` and ``column``.
        base: the same columns of the rule that is subtracted.
        column: name of the measure.
    """
    of_base = dict(zip(zip(base["seed"], base["step"], strict=True), base[column], strict=True))
    shared = [place for place, key in enumerate(zip(table["seed"], table["step"], strict=True)) if key in of_base]
    seeds, steps = (table[name][shared] for name in ("seed", "step"))
    less = np.array([of_base[key] for key in zip(seeds, steps, strict=True)])
    return {"seed": seeds, "step": steps, column: table[column][shared] - less}


def draw_curves(axes: Any, curves: Mapping[str, Curve], *, ylabel: str, xlabel: str) -> None:
    """Draw a line and a band for each curve; the label of a line is the curve's name."""
    means = [dict(zip(drawn.steps.tolist(), drawn.mean.tolist(), strict=True)) for drawn in curves.values()]
    ends = [end for drawn in curves.values() for end in (drawn.low, drawn.high)]
    broad = widths(means, ends)
    for (name, drawn), look, width in zip(curves.items(), looks(list(curves)), broad, strict=True):
        every = max(1, len(drawn.steps) // MOST_MARKERS)
        axes.plot(drawn.steps, drawn.mean, label=name, markevery=every, linewidth=width, **look)
        axes.fill_between(drawn.steps, drawn.low, drawn.high, color=look["color"], alpha=0.15, linewidth=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)


def legend_above(axes: Any) -> None:
    """Draw a legend in room of its own: the y axis ends higher by the height of the legend, without ticks there."""
    labels = axes.get_legend_handles_labels()[1]
    columns = 2 if len(labels) > 3 and max(map(len, labels)) <= LONGEST_OF_TWO else 1
    low, high = axes.get_ylim()
    # Ticks in the room of the legend would stand for values that nothing is drawn at.
    ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
    lines_of_legend = -(-len(labels) // columns)  # rounded up
    share = ENTRY_HEIGHT * lines_of_legend + 0.03  # of the whole height, a little room below the legend included
    axes.set_ylim(low, high + (high - low) * share / (1 - share))
    axes.set_yticks(ticks)
    axes.legend(loc="upper left", ncols=columns, borderaxespad=0.2, columnspacing=1.0, handlelength=2.6)


def ends_text(curves: Mapping[str, Curve]) -> str:
    """Return ``name from a at step i to b [low, high] at step j`` for each curve."""
    ends = []
    for name, shown in curves.items():
        first = f"{shown.mean[0]:.3g} at step {shown.steps[0]}"
        last = f"{shown.mean[-1]:.3g}{_last_interval(shown)} at step {shown.steps[-1]}"
        ends.append(f"{name} from {first} to {last}")
    return "; ".join(ends)


def bands_text(curves: Iterable[Curve]) -> str:
    """Return what the bands are, each kind once."""
    return " or ".join(dict.fromkeys(shown.band for shown in curves))


def _last_interval(shown: Curve) -> str:
    """Return the interval at the last step; nothing for a single run without one."""
    low, high = shown.low[-1], shown.high[-1]
    return f" [{low:.3g}, {high:.3g}]" if low < high else ""
