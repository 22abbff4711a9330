"""The paper's tables with collected runs beside the printed numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_validation.cluster.collect.collect import collect
from llm_validation.cluster.collect.evaluations.evaluation import DUMP, by_question
from llm_validation.cluster.collect.paper_tables import markdown, paper_tables
from qae_theory.curves.statistics import mean_interval
from qae_theory.paper import paper_facts
from qae_theory.runs.collected import Collected
from tests.llm_validation.cluster.claims.fake_rows import World, write_row
from tests.llm_validation.cluster.jobs.fake_jobs import write_job
from tests.qae_theory.runs.made_up import collected_run

NAME = "qwen3-8b-clip-higher"


def run(name: str, right: dict[int, int], *, row: bool = True, folder: str = "0a") -> Collected:
    """A run that gets so many of 16 samples right at a step, on each of three questions."""
    evaluations = tuple(
        by_question(step, "AIME24", dict.fromkeys("abc", (16, count)), DUMP).record() for step, count in right.items()
    )
    config = {"name": name, "row": name if row else None, "no_row_because": [] if row else ["why|not"]}
    return collected_run({**config, "settings": {"last_step": 300}}, (), evaluations, folder)


def cell(tables: dict[str, Any], table: str, label: str, column: str) -> Any:
    (row,) = [one for one in tables[table]["rows"] if one["row"] == label]
    (found,) = [one for one in row["cells"] if one["column"] == column]
    return found


def test_without_runs_the_papers_numbers_stand_beside_not_run() -> None:
    tables = paper_tables([])
    facts = paper_facts()
    printed = [[one["paper"] for one in row["cells"]] for row in tables["table_2"]["rows"]]
    assert printed == [row[2:] for row in facts["table_2"]["rows"]]
    columns = {tuple(one["column"] for one in row["cells"]) for row in tables["table_2"]["rows"]}
    assert columns == {tuple(facts["table_2"]["columns"])}
    assert [row["cells"][0]["paper"] for row in tables["table_1"]["rows"]] == [32.29, 34.90, 34.17, 40.63, 39.69]
    assert all(one["ours"] is None for t in ("table_1", "table_2") for row in tables[t]["rows"] for one in row["cells"])
    text = markdown(tables)
    assert "| epsilon_high = 0.26 | AIME24 pass@1 | 40.63 | not run | - | - | - |" in text
    assert text.count("not run") == 5 + 8 * 6
    assert "None." in text


def test_the_last_evaluation_is_reported_and_the_best_beside_it() -> None:
    tables = paper_tables([run(NAME, {100: 8, 300: 4})])
    one = cell(tables, "table_1", "epsilon_high = 0.28", "AIME24 pass@1")
    assert one["ours"] == {"estimate": 25.0, "low": 25.0, "high": 25.0}
    assert one["difference"] == pytest.approx(25.0 - 39.69)
    assert (one["steps"], one["best"]) == ([300], {"estimate": 50.0, "step": 100})
    assert one == cell(tables, "table_2", "Qwen3-8B-Base, Clip-Higher", "AIME24 pass@1")
    assert cell(tables, "table_2", "Qwen3-8B-Base, Clip-Higher", "AIME25 pass@1")["ours"] is None
    assert "| 39.69 | 25.00 [25.00, 25.00] | -14.69 | 300 | 50.00, 100 |" in markdown(tables)


def test_several_runs_are_averaged_with_an_interval_over_runs() -> None:
    runs = [run(NAME, {300: right}, folder=f"0{i}") for i, right in enumerate((4, 6, 8))]
    one = cell(paper_tables(runs), "table_1", "epsilon_high = 0.28", "AIME24 pass@1")
    truth = mean_interval(np.array([25.0, 37.5, 50.0]), level=0.95)
    assert one["ours"] == {
        "estimate": truth.estimate,
        "low": pytest.approx(truth.low),
        "high": pytest.approx(truth.high),
    }
    wide = [run(NAME, {300: right}, folder=f"0{i}") for i, right in enumerate((0, 16))]
    bounded = cell(paper_tables(wide), "table_1", "epsilon_high = 0.28", "AIME24 pass@1")["ours"]
    assert (bounded["low"], bounded["high"]) == (0.0, 100.0)


def test_what_is_no_row_never_stands_in_a_row(tmp_path: Path) -> None:
    tables = paper_tables([run(NAME, {300: 4}, row=False)])
    assert cell(tables, "table_1", "epsilon_high = 0.28", "AIME24 pass@1")["ours"] is None
    (other,) = tables["other_runs"]["rows"]
    assert (other["row"], other["why"], other["cells"][0]["paper"]) == (NAME, "why|not", None)
    assert r"| qwen3-8b-clip-higher (why\|not) | AIME24 pass@1 | - | 25.00" in markdown(tables)


def test_the_tables_of_all_runs_are_written_anew(tmp_path: Path) -> None:
    out = tmp_path / "results"
    collect(write_job(tmp_path / "smoke-qae-1"), out)
    folder = collect(write_row(tmp_path, NAME, World(0.5)), out)
    text = (out / "cluster" / "tables.md").read_text()
    assert "smoke-qae" in text
    row = next(line for line in text.splitlines() if line.startswith("| epsilon_high = 0.28"))
    assert "| 39.69 | 50" in row or "| 39.69 | 49" in row or "| 39.69 | 51" in row
    assert "smoke-qae" not in (folder / "tables.md").read_text()  # a run's own tables are of that run
