"""Last accuracies as points with their intervals, and the paper's beside them, for Figures 5a and 6a."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from paper_figures.cluster import LEVEL, last_accuracy, runs_of_row
from paper_figures.colours import RULES
from paper_figures.curves import legend_above
from paper_figures.panels import Builder, Panel, joined_reasons
from paper_figures.paper import GREY, Mark, draw_marks
from paper_figures.runs import Results
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError

Column = tuple[str, int]  # a benchmark and the k of pass@k
Estimates = Mapping[str, Mapping[Column, tuple[float, float, float]]]  # by label: mean, low and high in per cent
Stated = Mapping[str, Mapping[str, float]]  # by label and column: the paper's per cent

STYLES = (
    {"color": RULES["grpo"], "marker": "o", "linestyle": ""},
    {"color": RULES["qae"], "marker": "s", "linestyle": ""},
)
APART = 0.26  # the distance between two rules of a column, in columns
PAPER_APART = 0.1  # the distance of the paper's number from ours, in columns
ONLY_PAPER = "paper only"
UNSEEN = "NO RUN OF OURS"


class Request(NamedTuple):
    """What a panel of accuracies shows.

    Attributes:
        row_names: gives the names of rows of the paper by label.
        columns: benchmarks, each with a k.
        paper: gives what the paper states for the rows, by label and column.
        marks: gives further marks of the paper.
    """

    row_names: Callable[[], Mapping[str, str]]
    columns: Sequence[Column]
    paper: Callable[[], Stated]
    marks: Callable[[], Sequence[Mark]] = lambda: ()


def points_panel(title: str, request: Request) -> Builder:
    """Return a panel with a point for each row and column; without any run of the rows, the paper's numbers alone."""

    def build(results: Results) -> Panel:
        """Return the panel from what the results folder has of the rows."""
        row_names, stated, marks = request.row_names(), request.paper(), request.marks()
        runs, lacking = _runs_of(results, row_names)
        ours = {}
        for label, of_row in runs.items():
            ours[label] = {column: last_accuracy(of_row, *column) for column in request.columns}

        def draw(axes: Any) -> None:
            _draw(axes, list(row_names), request.columns, ours=ours, stated=stated)
            draw_marks(axes, marks)
            legend_above(axes)
            if not ours:
                axes.text(0.5, 0.04, UNSEEN, transform=axes.transAxes, ha="center", fontsize=6, color=GREY)

        sources = tuple(chain.from_iterable(runs.values()))
        models = " and ".join(dict.fromkeys(run.model for run in sources))
        parts = [_ours_text(ours), _paper_text(stated), *(mark.text for mark in marks), *lacking]
        return Panel(
            title=f"{title}, {models or ONLY_PAPER}",
            caption=f"{title}: {'; '.join(filter(None, parts))}.",
            draw=draw,
            sources=sources,
            missing=None if ours else joined_reasons(lacking, " and "),
        )

    return build


def _runs_of(results: Results, row_names: Mapping[str, str]) -> tuple[dict[str, list[Collected]], list[str]]:
    """Return the runs of the rows that have some, by label, and a message for each row without runs."""
    runs, lacking = {}, []
    for label, name in row_names.items():
        try:
            runs[label] = runs_of_row(results, name)
        except MissingError as missing:
            lacking.append(str(missing))
    return runs, lacking


def _draw(
    axes: Any,
    labels: Sequence[str],
    columns: Sequence[Column],
    *,
    ours: Estimates,
    stated: Stated,
) -> None:
    """Draw our points filled with their intervals, and the paper's hollow beside them."""
    positions = np.arange(len(columns))
    for number, (label, style) in enumerate(zip(labels, STYLES, strict=False)):
        # The rules of a column stand beside each other, centred on the column.
        x = positions + (number - (len(labels) - 1) / 2) * APART
        if label in ours:
            mean, low, high = np.array([ours[label][column] for column in columns]).T
            axes.errorbar(x, mean, yerr=np.stack([mean - low, high - mean]), label=label, capsize=2, **style)
        if label in stated:
            values = [stated[label][_name(column)] for column in columns]
            axes.plot(
                x + PAPER_APART,
                values,
                label=f"paper: {label}",
                color=style["color"],
                marker=style["marker"],
                markerfacecolor="none",
                linestyle="",
            )
    axes.set_xticks(positions, [_name(column) for column in columns])
    axes.set(xlim=(-0.6, len(columns) - 0.4), ylabel="last accuracy (%)")
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.15)


def _ours_text(ours: Estimates) -> str:
    """Return our accuracies with their intervals, for the caption."""
    texts = []
    for label, of_row in ours.items():
        for column, (mean, low, high) in of_row.items():
            interval = f"[{low:.2f}, {high:.2f}] (interval of level {LEVEL:g})"
            texts.append(f"{label}, {_name(column)}: {mean:.2f} % {interval}")
    return "; ".join(texts)


def _paper_text(stated: Stated) -> str:
    """Return the paper's accuracies, for the caption."""
    texts = []
    for label, of_row in stated.items():
        texts += [f"paper, {label}, {column}: {value:.2f} %" for column, value in of_row.items()]
    return "; ".join(texts)


def _name(column: Column) -> str:
    return f"{column[0]} pass@{column[1]}"
