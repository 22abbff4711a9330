"""The helpers of the figures' tests: what they store is what the figures find."""

from __future__ import annotations

from pathlib import Path

import pytest

from paper_figures.runs import Results
from qae_theory.runs.stored import MissingError
from tests.paper_figures.stored import drawn, line, lines, store, texts


def test_a_stored_run_is_found_with_its_files(tmp_path: Path) -> None:
    store(tmp_path, "ordering", records=[{"a": 1}, {"a": 2}], files={"analysis.json": {"b": 3}, "note.md": "c"})
    run = Results(tmp_path).run("ordering", command="-")
    assert run.records == [{"a": 1}, {"a": 2}]
    assert run.analysis == {"b": 3}
    assert (run.folder / "note.md").read_text() == "c"
    assert (run.experiment, run.size, run.id) == ("ordering", "quick", "ordering/0123456789ab")


def test_the_largest_and_then_the_newest_run_counts(tmp_path: Path) -> None:
    for run, size, day in (("a", "quick", 9), ("b", "full", 1), ("c", "full", 2)):
        store(tmp_path, "ordering", size=size, run=run, finished=f"2026-01-0{day}T00:00:00Z")
    assert Results(tmp_path).run("ordering", command="-").folder.name == "c"
    store(tmp_path, "ordering", size="gpu", run="d")
    assert Results(tmp_path).run("ordering", command="-").size == "gpu"


def test_a_missing_run_names_its_command(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="qae simulate ordering"):
        Results(tmp_path).run("ordering", command="qae simulate ordering")


@pytest.mark.train
def test_a_stored_table_is_read_back(tmp_path: Path) -> None:
    store(tmp_path, "validate", tables={"runs.parquet": [{"seed": 0, "x": 0.5}, {"seed": 1, "x": None}]})
    table = Results(tmp_path).run("validate", command="-").parquet("runs.parquet")
    assert table["seed"].tolist() == [0, 1]
    assert table["x"][0] == 0.5
    assert table["x"][1] != table["x"][1]


def test_a_drawn_figure_is_read_back(tmp_path: Path) -> None:
    found = drawn("safe_step", tmp_path)
    assert lines(found.axes(0)) == ["b = 0 (b_K)", "b = 1", "order breaks"]
    steps, changes = line(found.axes(0), "b = 1")
    assert (steps[0], changes[0]) == (0.0, 0.0)
    assert found.missing == [None, *["not run: qae simulate ordering"] * 2]
    assert texts(found.axes(0), "source") == ["theory, exact"]
    assert found.caption.startswith("The certified step and the step at which the order breaks. Probabilities")


def test_a_file_that_cannot_be_read_is_named_without_its_place(tmp_path: Path) -> None:
    store(tmp_path, "ordering", files={"analysis.json": {}, "metrics.jsonl": [{}]})
    run = Results(tmp_path).run("ordering", command="-")
    (run.folder / "metrics.jsonl").write_text("{")
    for read, said in ((lambda: run.records, "cannot be read"), (lambda: run.json("ladder.json"), "is not there")):
        with pytest.raises(MissingError, match=f"{said}.*make it again") as caught:
            read()
        assert str(tmp_path) not in str(caught.value)
