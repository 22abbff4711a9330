"""The paper's tables with our numbers beside: as rows, drawn, as Markdown and as CSV.

Ours is the last evaluation of a run, which was fixed before any run: the step that the paper reports is open.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from paper_figures.cluster import LEVEL, last_accuracy, runs_of_row
from paper_figures.panels import Panel, lacking_said
from paper_figures.paper import GREY
from paper_figures.runs import Results
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError

NOT_RUN = "not run"
Interval = tuple[float, float, float]
Built = Callable[[Results], Sequence["Row"]]
REPORTED = (
    f"Ours is the last evaluation of a run, its interval of level {LEVEL:g} over questions, or over runs if several."
)


class Row(NamedTuple):
    """A row: its labels, the experiment that makes it, the paper's numbers and ours by column, in per cent."""

    labels: tuple[str, ...]
    experiment: str
    paper: Mapping[str, float]
    ours: Mapping[str, Interval]
    runs: tuple[Collected, ...]

    @property
    def steps(self) -> str:
        """The last step of each run."""
        return ", ".join(str(run.last_step) for run in self.runs)


def row_of(results: Results, labels: tuple[str, ...], experiment: str, paper: Mapping[str, float]) -> Row:
    """A row with what runs of the experiment say; a benchmark that was not evaluated has no entry."""
    try:
        runs = runs_of_row(results, experiment)
    except MissingError:
        return Row(labels, experiment, paper, {}, ())
    return Row(labels, experiment, paper, dict(_ours(runs, paper)), tuple(runs))


def _ours(runs: Sequence[Collected], columns: Mapping[str, float]) -> Iterator[tuple[str, Interval]]:
    for column in columns:
        benchmark, metric = column.split()
        try:
            yield column, last_accuracy(runs, benchmark, int(metric.removeprefix("pass@")))
        except MissingError:
            continue


def table_panel(title: str, heads: Sequence[str], rows: Sequence[Row]) -> Panel:
    """The table drawn: under each number of the paper ours."""
    lacking = [row.experiment for row in rows if not row.ours]
    missing = f"not run: qae cluster launch ROW, for each of {', '.join(lacking)}"
    done = [f"{', '.join(row.labels)}, {column}: {_text(ours)}" for row in rows for column, ours in row.ours.items()]
    said = f"{title}: {len(rows) - len(lacking)} of {len(rows)} rows run. {REPORTED}"
    return Panel(
        title,
        f"{said} {'; '.join(done)}." if done else said,
        lambda axes: _draw(axes, heads, rows),
        sources=tuple(run for row in rows for run in row.runs),
        stand_in=lacking_said([f"not run: {name}" for name in lacking], ", ") if done and lacking else None,
        missing=None if done else missing,
    )


def _draw(axes: Any, heads: Sequence[str], rows: Sequence[Row]) -> None:
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    columns = list(rows[0].paper)
    labels = len(heads)
    width = 1 / (labels * LABEL_WIDTH + len(columns))
    lefts = [width * LABEL_WIDTH * i for i in range(labels)]
    lefts += [width * (LABEL_WIDTH * labels + i) for i in range(len(columns))]
    height = 1 / (len(rows) + 1)

    def write(x: float, y: float, text: str, **look: Any) -> None:
        axes.text(x, y, text, fontsize=7, va="center", **look)

    for left, head in zip(lefts, [*heads, *columns], strict=True):
        write(left, 1 - height / 2, head, weight="bold")
    for number, row in enumerate(rows):
        top = 1 - height * (number + 1)
        axes.axhline(top, color="0.85", linewidth=0.6, marker="")
        for left, label in zip(lefts, row.labels, strict=False):
            write(left, top - height / 2, label)
        for left, column in zip(lefts[labels:], columns, strict=True):
            write(left, top - 0.3 * height, f"paper {row.paper[column]:.2f}", color=GREY)
            ours = row.ours.get(column)
            look = {"color": "0.55", "style": "italic"} if ours is None else {}
            write(left, top - 0.7 * height, "ours " + (NOT_RUN if ours is None else _text(ours)), **look)


LABEL_WIDTH = 1.2  # of a column of labels, in columns of numbers


def markdown(title: str, heads: Sequence[str], rows: Sequence[Row]) -> str:
    """The table to read."""
    columns = list(rows[0].paper)
    head = [*heads, *columns, "last step", "experiment"]
    lines = [
        f"# {title}",
        "",
        f"Per cent: the paper's number / ours. {REPORTED}",
        "",
        _line(head),
        _line(["---"] * len(head)),
    ]
    for row in rows:
        cells = [
            f"{row.paper[column]:.2f} / {_text(row.ours[column]) if column in row.ours else NOT_RUN}"
            for column in columns
        ]
        lines.append(_line([*row.labels, *cells, row.steps or "-", f"`{row.experiment}`"]))
    return "\n".join(lines) + "\n"


def comma_separated(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """A line for each number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*heads, "column", "paper", "ours", "low", "high", "level", "last step", "experiment"])
    for row in rows:
        for column, value in row.paper.items():
            ours = [*row.ours[column], LEVEL] if column in row.ours else [NOT_RUN, "", "", ""]
            writer.writerow([*row.labels, column, value, *ours, row.steps, row.experiment])
    return text.getvalue()


def _text(ours: Interval) -> str:
    estimate, low, high = ours
    return f"{estimate:.2f}" + (f" [{low:.1f}, {high:.1f}]" if low <= high else "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
