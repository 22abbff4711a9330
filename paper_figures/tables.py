"""The paper's tables with our numbers beside them: as data, drawn, as Markdown and as CSV.

Our number is the last evaluation of a run. That was fixed before any run, since the paper does not say which step it
reports.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from paper_figures.cluster import LEVEL, last_accuracy, runs_of_row
from paper_figures.panels import Panel, joined_reasons
from paper_figures.paper import GREY
from paper_figures.runs import Results
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError

NOT_RUN = "not run"  # in the file of numbers
NOTHING = "–"  # in a table for the eye, whose note says once which rows have not been run
Interval = tuple[float, float, float]  # estimate, low and high in per cent
LABEL_WIDTH = 1.2  # the width of a column of labels, in columns of numbers
REPORTED = (
    f"Ours is the last evaluation of a run, its interval of level {LEVEL:g} over questions, or over runs if several."
)


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        labels: one for each column of labels.
        experiment: the experiment that makes our numbers.
        paper: the paper's numbers by column, in per cent.
        ours: our numbers by column, in per cent with their intervals.
        runs: the runs that our numbers come from.
    """

    labels: tuple[str, ...]
    experiment: str
    paper: Mapping[str, float]
    ours: Mapping[str, Interval]
    runs: tuple[Collected, ...]

    @property
    def steps(self) -> str:
        """Return the last step of each run, as text."""
        return ", ".join(str(run.last_step) for run in self.runs)


def row_of(results: Results, labels: tuple[str, ...], *, experiment: str, paper: Mapping[str, float]) -> Row:
    """Return a row with what the runs of an experiment have; a benchmark that was not evaluated has no entry.

    Args:
        results: the results folder.
        labels: of the row.
        experiment: the experiment that makes our numbers.
        paper: the paper's numbers by column, in per cent.
    """
    try:
        runs = runs_of_row(results, experiment)
    except MissingError:
        return Row(labels=labels, experiment=experiment, paper=paper, ours={}, runs=())
    ours = dict(_last_accuracies(runs, paper))
    return Row(labels=labels, experiment=experiment, paper=paper, ours=ours, runs=tuple(runs))


def _last_accuracies(runs: Sequence[Collected], columns: Mapping[str, float]) -> Iterator[tuple[str, Interval]]:
    """Yield the last accuracy of each column, such as ``AIME24 pass@1``, that the runs have evaluated."""
    for column in columns:
        benchmark, metric = column.split()
        try:
            yield column, last_accuracy(runs, benchmark, int(metric.removeprefix("pass@")))
        except MissingError:
            continue


def table_panel(title: str, heads: Sequence[str], table_rows: Sequence[Row]) -> Panel:
    """Return the panel with the table drawn: under each number of the paper stands ours.

    Args:
        title: of the panel.
        heads: of the columns of labels.
        table_rows: the table.
    """
    lacking = [row.experiment for row in table_rows if not row.ours]
    missing = f"not run: qae cluster launch ROW, for each of {', '.join(lacking)}"
    texts = []
    for row in table_rows:
        texts += [f"{', '.join(row.labels)}, {column}: {_text(ours)}" for column, ours in row.ours.items()]
    counted = f"{title}: {len(table_rows) - len(lacking)} of {len(table_rows)} rows run. {REPORTED}"
    stand_in = joined_reasons([f"not run: {name}" for name in lacking], ", ") if texts and lacking else None
    return Panel(
        title=title,
        caption=f"{counted} {'; '.join(texts)}." if texts else counted,
        draw=lambda axes: _draw(axes, heads, table_rows),
        sources=tuple(chain.from_iterable(row.runs for row in table_rows)),
        stand_in=stand_in,
        missing=None if texts else missing,
    )


def _draw(axes: Any, heads: Sequence[str], table_rows: Sequence[Row]) -> None:
    """Write the table as text: labels at the left, and in each cell the paper's number above ours.

    Where no row has numbers of ours, a cell holds the paper's alone, and the line below the panel says so once.
    """
    any_ours = any(row.ours for row in table_rows)
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    columns = list(table_rows[0].paper)
    labels = len(heads)
    width = 1 / (labels * LABEL_WIDTH + len(columns))
    lefts = [width * LABEL_WIDTH * i for i in range(labels)]
    lefts += [width * (LABEL_WIDTH * labels + i) for i in range(len(columns))]
    height = 1 / (len(table_rows) + 1)  # one more for the heads

    def write(x: float, y: float, text: str, **look: Any) -> None:
        axes.text(x, y, text, fontsize=7, va="center", **look)

    for left, head in zip(lefts, [*heads, *columns], strict=True):
        write(left, 1 - height / 2, head, weight="bold")
    for number, row in enumerate(table_rows):
        top = 1 - height * (number + 1)
        axes.axhline(top, color="0.85", linewidth=0.6, marker="")
        for left, label in zip(lefts, row.labels, strict=False):
            write(left, top - height / 2, label)
        for left, column in zip(lefts[labels:], columns, strict=True):
            if not any_ours:
                write(left, top - height / 2, f"{row.paper[column]:.2f}", color=GREY)
                continue
            write(left, top - 0.3 * height, f"paper {row.paper[column]:.2f}", color=GREY)
            ours = row.ours.get(column)
            write(left, top - 0.7 * height, f"ours {NOTHING if ours is None else _text(ours)}")


def markdown(title: str, heads: Sequence[str], table_rows: Sequence[Row]) -> str:
    """Return the table as Markdown, with the paper's number and ours in each cell.

    Args:
        title: of the table.
        heads: of the columns of labels.
        table_rows: the table.
    """
    columns = list(table_rows[0].paper)
    head = [*heads, *columns, "last step", "experiment"]
    lacking = [row.experiment for row in table_rows if not row.ours]
    some = len(lacking) < len(table_rows)
    note = f"the paper's number / ours. {REPORTED}" if some else "the paper's numbers; ours are not run."
    text = [
        f"# {title}",
        "",
        f"Per cent: {note}",
        "",
        _markdown_row(head),
        _markdown_row(["---"] * len(head)),
    ]
    for row in table_rows:
        cells = []
        for column in columns:
            ours = _text(row.ours[column]) if column in row.ours else NOTHING
            cells.append(f"{row.paper[column]:.2f} / {ours}" if some else f"{row.paper[column]:.2f}")
        text.append(_markdown_row([*row.labels, *cells, row.steps or "-", f"`{row.experiment}`"]))
    return "\n".join(text) + "\n"


def comma_separated(heads: Sequence[str], table_rows: Sequence[Row]) -> str:
    """Return the table as CSV, with a line for each number."""
    text = io.StringIO()
    # By default the csv module ends lines as DOS does.
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*heads, "column", "paper", "ours", "low", "high", "level", "last step", "experiment"])
    for row in table_rows:
        for column, value in row.paper.items():
            ours = [*row.ours[column], LEVEL] if column in row.ours else [NOT_RUN, "", "", ""]
            writer.writerow([*row.labels, column, value, *ours, row.steps, row.experiment])
    return text.getvalue()


def _text(ours: Interval) -> str:
    """Return an estimate with its interval; an interval that is not known is NaN and left out."""
    estimate, low, high = ours
    return f"{estimate:.2f}" + (f" [{low:.1f}, {high:.1f}]" if low <= high else "")


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
