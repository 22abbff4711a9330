"""Last accuracies as points with their intervals, the paper's beside them: of Figures 5a and 6a."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from paper_figures.cluster import LEVEL, last_accuracy, runs_of_row
from paper_figures.curves import legend_above
from paper_figures.panels import Builder, Panel, lacking_said
from paper_figures.paper import GREY, Mark, draw_marks
from paper_figures.runs import Results
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError

Column = tuple[str, int]  # benchmark and k
Estimates = Mapping[str, Mapping[Column, tuple[float, float, float]]]

STYLES = ({"color": "C0", "marker": "o", "linestyle": ""}, {"color": "C1", "marker": "s", "linestyle": ""})
APART = 0.26  # of the rules in a column
PAPER_APART = 0.1  # of a rule's number in the paper, from ours
ONLY_PAPER = "paper only"
UNSEEN = "NO RUN OF OURS"


class Asked(NamedTuple):
    """Which rows of the paper by label, in which columns, and what the paper has of them."""

    rows: Callable[[], Mapping[str, str]]
    columns: Sequence[Column]
    paper: Callable[[], Mapping[str, Mapping[str, float]]]
    marks: Callable[[], Sequence[Mark]] = lambda: ()


def dots_panel(title: str, asked: Asked) -> Builder:
    """A panel with a point for each row and column. Without any run of them, the paper's numbers alone."""

    def build(results: Results) -> Panel:
        rows, stated, marks = asked.rows(), asked.paper(), asked.marks()
        runs, lacking = _found(results, rows)
        ours = {label: {column: last_accuracy(of, *column) for column in asked.columns} for label, of in runs.items()}

        def draw(axes: Any) -> None:
            _draw(axes, list(rows), asked.columns, ours, stated)
            draw_marks(axes, marks)
            legend_above(axes)
            if not ours:
                axes.text(0.5, 0.04, UNSEEN, transform=axes.transAxes, ha="center", fontsize=6, color=GREY)

        models = " and ".join(dict.fromkeys(run.model for of in runs.values() for run in of))
        said = [_ours_said(ours), _paper_said(stated), *(mark.text for mark in marks), *lacking]
        return Panel(
            f"{title}, {models or ONLY_PAPER}",
            f"{title}: {'; '.join(filter(None, said))}.",
            draw,
            sources=tuple(run for of in runs.values() for run in of),
            missing=None if ours else lacking_said(lacking, " and "),
        )

    return build


def _found(results: Results, rows: Mapping[str, str]) -> tuple[dict[str, list[Collected]], list[str]]:
    """The runs of the rows that there are, and what is not there."""
    runs, lacking = {}, []
    for label, name in rows.items():
        try:
            runs[label] = runs_of_row(results, name)
        except MissingError as missing:
            lacking.append(str(missing))
    return runs, lacking


def _draw(
    axes: Any,
    labels: Sequence[str],
    columns: Sequence[Column],
    ours: Estimates,
    stated: Mapping[str, Mapping[str, float]],
) -> None:
    places = np.arange(len(columns))
    for number, (label, style) in enumerate(zip(labels, STYLES, strict=False)):
        x = places + (number - (len(labels) - 1) / 2) * APART
        if label in ours:
            mean, low, high = (np.array([ours[label][column][end] for column in columns]) for end in range(3))
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
    axes.set_xticks(places, [_name(column) for column in columns])
    axes.set(xlim=(-0.6, len(columns) - 0.4), ylabel="last accuracy (%)")
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.15)


def _ours_said(ours: Estimates) -> str:
    return "; ".join(
        f"{label}, {_name(column)}: {mean:.2f} % [{low:.2f}, {high:.2f}] (interval of level {LEVEL:g})"
        for label, of in ours.items()
        for column, (mean, low, high) in of.items()
    )


def _paper_said(stated: Mapping[str, Mapping[str, float]]) -> str:
    return "; ".join(
        f"paper, {label}, {column}: {value:.2f} %" for label, of in stated.items() for column, value in of.items()
    )


def _name(column: Column) -> str:
    return f"{column[0]} pass@{column[1]}"
