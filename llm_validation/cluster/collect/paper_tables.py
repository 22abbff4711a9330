"""Make Tables 1 and 2 of the paper with what collected runs give beside each number, and other runs likewise.

Which step is reported is open in the paper. Fixed here before any run: the last evaluation. The best one stands beside
it with its step; as it was chosen by looking, it is too high. All figures are per cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.cluster.collect.evaluations.evaluation import LEVEL
from llm_validation.cluster.collect.paper_rows import TABLE_1, TABLE_2
from qae_theory.curves.statistics import mean_interval
from qae_theory.paper import paper_facts
from qae_theory.runs.collected import Collected

REPORTED = (
    "The step that the paper reports is open. Ours is the last evaluation of a run; the best one is beside it, chosen "
    "by looking and so too high."
)
INTERVALS = (
    f"Intervals hold at {100 * LEVEL:g} %: over questions where there is one run, over runs where there are several."
)
NOT_RUN = "not run"

Column = tuple[str, int]  # benchmark, and k of pass@k


def paper_tables(runs: Sequence[Collected]) -> dict[str, Any]:
    """Return both tables, and the runs that are in neither, in JSON's types."""
    in_tables = {*TABLE_1.values(), *TABLE_2.values()}
    others = [run for run in runs if run.row not in in_tables]
    return {
        "reported": REPORTED,
        "intervals": INTERVALS,
        "table_1": _table_1(runs),
        "table_2": _table_2(runs),
        "other_runs": {
            "title": "Runs that are not rows of the paper's tables",
            "rows": [_other(run) for run in others],
        },
    }


def markdown(tables: Mapping[str, Any]) -> str:
    """Return the tables of :func:`paper_tables` as Markdown."""
    sections = [tables["reported"] + " " + tables["intervals"]]
    for name in ("table_1", "table_2", "other_runs"):
        table = tables[name]
        body = _markdown_rows(table["rows"]) if table["rows"] else ["None."]
        sections.append("\n".join([f"## {table['title']}", "", *body]))
    return "\n\n".join(sections) + "\n"


def last_evaluation(run: Collected, benchmark: str, k: int = 1) -> Mapping[str, Any] | None:
    """Return the evaluation that is reported: the last one with this k; None without one."""
    with_k = [evaluation for evaluation in run.evaluated(benchmark) if str(k) in evaluation["pass_at_k"]]
    return with_k[-1] if with_k else None


def _table_1(runs: Sequence[Collected]) -> dict[str, Any]:
    paper = paper_facts()["table_1_dapo_epsilon_high"]
    rows = []
    for level, name in TABLE_1.items():
        of_row = [run for run in runs if run.row == name]
        rows.append(_row(f"epsilon_high = {level}", of_row, [("AIME24", 1)], [paper[level]]))
    return {"title": "Table 1: DAPO's accuracy against epsilon_high, Qwen3-8B-Base", "rows": rows}


def _table_2(runs: Sequence[Collected]) -> dict[str, Any]:
    facts = paper_facts()["table_2"]
    columns = [_column(name) for name in facts["columns"]]
    rows = []
    for model, method, *paper in facts["rows"]:
        of_row = [run for run in runs if run.row == TABLE_2[model, method]]
        rows.append(_row(f"{model}, {method}", of_row, columns, paper))
    return {"title": "Table 2: main results", "rows": rows}


def _column(name: str) -> Column:
    """Return benchmark and k of a column's name, such as ``AIME25 pass@16``."""
    benchmark, metric = name.split()
    return benchmark, int(metric.removeprefix("pass@"))


def _row(label: str, runs: Sequence[Collected], columns: Sequence[Column], paper: Sequence[float]) -> dict[str, Any]:
    """Return a row of a table: its runs, and a cell for each column with the paper's number."""
    cells = []
    for (benchmark, k), number in zip(columns, paper, strict=True):
        cells.append(_cell(runs, benchmark, k, number))
    return {"row": label, "runs": [_run(run) for run in runs], "cells": cells}


def _other(run: Collected) -> dict[str, Any]:
    """Return the row of a run that is in neither table, with a cell for all that it was evaluated on."""
    columns: set[Column] = set()
    for evaluation in run.evaluations:
        columns.update((evaluation["benchmark"], int(k)) for k in evaluation["pass_at_k"])
    cells = [_cell([run], benchmark, k, None) for benchmark, k in sorted(columns)]
    return {"row": run.name, "runs": [_run(run)], "why": "; ".join(run.config["no_row_because"]), "cells": cells}


def _run(run: Collected) -> dict[str, Any]:
    planned = run.config["settings"]["last_step"]
    return {"id": run.folder.name.lstrip("."), "last_step": run.last_step, "planned": planned}


def _cell(runs: Sequence[Collected], benchmark: str, k: int, paper: float | None) -> dict[str, Any]:
    """Return the paper's number and ours, of the last evaluation of each run and of the best one."""
    cell: dict[str, Any] = {"column": f"{benchmark} pass@{k}", "paper": paper, "ours": None}
    last = [last_evaluation(run, benchmark, k) for run in runs]
    reported = [evaluation for evaluation in last if evaluation is not None]
    if not reported:
        return cell
    ours = _over_runs([evaluation["pass_at_k"][str(k)] for evaluation in reported])
    best = _best(runs, benchmark, k)
    cell |= {
        "ours": ours,
        "difference": None if paper is None else ours["estimate"] - paper,
        "steps": sorted({evaluation["step"] for evaluation in reported if evaluation["step"] is not None}),
        "sources": sorted({evaluation["source"] for evaluation in reported}),
        "best": {"estimate": 100 * best["pass_at_k"][str(k)]["estimate"], "step": best["step"]},
    }
    return cell


def _best(runs: Sequence[Collected], benchmark: str, k: int) -> Mapping[str, Any]:
    """Return the evaluation with the highest pass@k of all runs and steps; the first of equal ones."""
    with_k: list[Mapping[str, Any]] = []
    for run in runs:
        with_k += [evaluation for evaluation in run.evaluated(benchmark) if str(k) in evaluation["pass_at_k"]]
    return max(with_k, key=lambda evaluation: float(evaluation["pass_at_k"][str(k)]["estimate"]))


def _over_runs(estimates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean in per cent: with the one run's own interval over questions, or Student's over the runs."""
    if len(estimates) == 1:
        alone = estimates[0]
        return {key: None if alone[key] is None else 100 * alone[key] for key in ("estimate", "low", "high")}
    over = mean_interval(np.array([100 * estimate["estimate"] for estimate in estimates]), level=LEVEL)
    # Student's interval does not know that an accuracy ends at 0 and 100.
    return {"estimate": over.estimate, "low": max(over.low, 0.0), "high": min(over.high, 100.0)}


def _markdown_rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| Row | Column | Paper | Ours | Difference | Step | Best, at step |", "|---|---|--:|--:|--:|--:|--:|"]
    for row in rows:
        label = row["row"] + (f" ({row['why']})" if row.get("why") else "")
        lines += [f"| {_text(label)} | {_text(cell['column'])} | {_figures(cell)} |" for cell in row["cells"]]
        if not row["cells"]:
            lines.append(f"| {_text(label)} | no evaluation | - | - | - | - | - |")
    return lines


def _figures(cell: Mapping[str, Any]) -> str:
    """Return the figures of a cell, between the bars of a Markdown table."""
    paper = "-" if cell["paper"] is None else f"{cell['paper']:.2f}"
    ours = cell["ours"]
    if ours is None:
        return f"{paper} | {NOT_RUN} | - | - | -"
    interval = "" if ours["low"] is None else f" [{ours['low']:.2f}, {ours['high']:.2f}]"
    difference = "-" if cell["difference"] is None else f"{cell['difference']:+.2f}"
    steps = ", ".join(map(str, cell["steps"])) or "-"
    best = f"{cell['best']['estimate']:.2f}" + (f", {cell['best']['step']}" if cell["best"]["step"] is not None else "")
    return f"{paper} | {ours['estimate']:.2f}{interval} | {difference} | {steps} | {best}"


def _text(text: str) -> str:
    """Return text that is safe in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
