"""Tables 1 and 2 of the paper with what collected runs say beside each number; other runs in a table of the same form.

Which step is reported is open in the paper. Fixed here before any run: the last evaluation. The best one stands beside
it with its step; as it was chosen by looking, it is too high. All figures are per cent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.cluster.collect.evaluations import LEVEL
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


def paper_tables(runs: Sequence[Collected]) -> dict[str, Any]:
    """Both tables and the other runs, in JSON's types."""
    columns = [tuple(name.split()) for name in paper_facts()["table_2"]["columns"]]
    others = [run for run in runs if run.row not in {*TABLE_1.values(), *TABLE_2.values()}]
    return {
        "reported": REPORTED,
        "intervals": INTERVALS,
        "table_1": _table_1(runs),
        "table_2": {
            "title": "Table 2: main results",
            "rows": [_row(f"{row[0]}, {row[1]}", _named(runs, row), columns, row[2:]) for row in _table_2_rows()],
        },
        "other_runs": {
            "title": "Runs that are not rows of the paper's tables",
            "rows": [_other(run) for run in others],
        },
    }


def markdown(tables: Mapping[str, Any]) -> str:
    """The same to read."""
    parts = [tables["reported"] + " " + tables["intervals"]]
    for name in ("table_1", "table_2", "other_runs"):
        table = tables[name]
        lines = [f"## {table['title']}", ""]
        lines += _markdown_rows(table["rows"]) if table["rows"] else ["None."]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def last_evaluation(run: Collected, benchmark: str, k: int = 1) -> Mapping[str, Any] | None:
    """The one that is reported."""
    found = [one for one in run.evaluated(benchmark) if str(k) in one["pass_at_k"]]
    return found[-1] if found else None


def _table_1(runs: Sequence[Collected]) -> dict[str, Any]:
    paper = paper_facts()["table_1_dapo_epsilon_high"]
    rows = [
        _row(
            f"epsilon_high = {level}", [run for run in runs if run.row == name], [("AIME24", "pass@1")], [paper[level]]
        )
        for level, name in TABLE_1.items()
    ]
    return {"title": "Table 1: DAPO's accuracy against epsilon_high, Qwen3-8B-Base", "rows": rows}


def _table_2_rows() -> list[list[Any]]:
    rows: list[list[Any]] = paper_facts()["table_2"]["rows"]
    return rows


def _named(runs: Sequence[Collected], row: Sequence[Any]) -> list[Collected]:
    return [run for run in runs if run.row == TABLE_2[row[0], row[1]]]


def _row(
    label: str, runs: Sequence[Collected], columns: Sequence[Sequence[str]], paper: Sequence[float]
) -> dict[str, Any]:
    cells = [
        _cell(runs, benchmark, int(metric.removeprefix("pass@")), said)
        for (benchmark, metric), said in zip(columns, paper, strict=True)
    ]
    return {"row": label, "runs": [_shown(run) for run in runs], "cells": cells}


def _other(run: Collected) -> dict[str, Any]:
    pairs = sorted({(one["benchmark"], int(k)) for one in run.evaluations for k in one["pass_at_k"]})
    cells = [_cell([run], benchmark, k, None) for benchmark, k in pairs]
    return {"row": run.name, "runs": [_shown(run)], "why": "; ".join(run.config["no_row_because"]), "cells": cells}


def _shown(run: Collected) -> dict[str, Any]:
    planned = run.config["settings"]["last_step"]
    return {"id": run.folder.name.lstrip("."), "last_step": run.last_step, "planned": planned}


def _cell(runs: Sequence[Collected], benchmark: str, k: int, paper: float | None) -> dict[str, Any]:
    cell: dict[str, Any] = {"column": f"{benchmark} pass@{k}", "paper": paper, "ours": None}
    found = [one for run in runs if (one := last_evaluation(run, benchmark, k)) is not None]
    if not found:
        return cell
    ours = _over_runs([one["pass_at_k"][str(k)] for one in found])
    listed = [one for run in runs for one in run.evaluated(benchmark) if str(k) in one["pass_at_k"]]
    best = max(listed, key=lambda one: float(one["pass_at_k"][str(k)]["estimate"]))
    cell |= {
        "ours": ours,
        "difference": None if paper is None else ours["estimate"] - paper,
        "steps": sorted({one["step"] for one in found if one["step"] is not None}),
        "sources": sorted({one["source"] for one in found}),
        "best": {"estimate": 100 * best["pass_at_k"][str(k)]["estimate"], "step": best["step"]},
    }
    return cell


def _over_runs(estimates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """In per cent: the one run's own interval over questions, or Student's over the runs."""
    if len(estimates) == 1:
        one = estimates[0]
        return {key: None if one[key] is None else 100 * one[key] for key in ("estimate", "low", "high")}
    over = mean_interval(np.array([100 * one["estimate"] for one in estimates]), level=LEVEL)
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
    paper = "-" if cell["paper"] is None else f"{cell['paper']:.2f}"
    ours = cell["ours"]
    if ours is None:
        return f"{paper} | {NOT_RUN} | - | - | -"
    interval = "" if ours["low"] is None else f" [{ours['low']:.2f}, {ours['high']:.2f}]"
    difference = "-" if cell["difference"] is None else f"{cell['difference']:+.2f}"
    steps = ", ".join(map(str, cell["steps"])) or "-"
    best = f"{cell['best']['estimate']:.2f}" + (f", {cell['best']['step']}" if cell["best"]["step"] is not None else "")
    return f"{paper} | {ours['estimate']:.2f}{interval} | {difference} | {steps} | {best}"


def _text(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")
