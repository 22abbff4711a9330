"""Panels: their faces, what is missing, and the best source first."""

from __future__ import annotations

from pathlib import Path

import pytest

from paper_figures.panels import EXACT, MANY, Panel, all_built, built, first_with_data
from paper_figures.runs import Results
from qae_theory.runs.stored import MissingError
from tests.paper_figures.stored import store


def panel(**changes: object) -> Panel:
    return Panel("title", "It says so.", lambda axes: None, **changes)  # type: ignore[arg-type]


def missing(said: str) -> object:
    raise MissingError(said)


def test_a_panel_without_runs_is_exact() -> None:
    assert panel().source == EXACT


def test_a_face_names_runs_files_and_what_they_stand_in_for(tmp_path: Path) -> None:
    store(tmp_path, "ordering", run="a")
    store(tmp_path, "sparsity", run="b", size="full")
    results = Results(tmp_path)
    runs = tuple(results.run(name, command="-") for name in ("ordering", "sparsity"))
    found = panel(sources=runs, files=(Path("x/ledger.json"),), stand_in="bandits")
    full = "sparsity, run b, full size, settings changed"
    assert found.source == f"bandits: ordering, run a, quick size, settings changed; {full}; ledger.json"


def test_many_runs_of_one_experiment_are_counted(tmp_path: Path) -> None:
    for number in range(MANY + 1):
        store(tmp_path, "train", run=f"{number}")
    runs = tuple(Results(tmp_path).runs("train"))
    assert panel(sources=runs).source == f"{MANY + 1} runs of train"
    assert panel(sources=runs[:2]).source == "train, run 0; train, run 1"


def test_a_missing_panel_costs_no_other(tmp_path: Path) -> None:
    builders = [("one", lambda results: missing("not run: qae x")), ("two", lambda results: panel())]
    one, two = all_built(builders, Results(tmp_path))  # type: ignore[arg-type]
    assert (one.title, one.caption, one.missing, one.source) == ("one", "one: not run: qae x.", *["not run: qae x"] * 2)
    assert one.blank
    assert two.missing is None
    assert not two.blank


def test_other_errors_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        built("one", lambda results: panel(title=1 // 0), Results(tmp_path))


def test_the_papers_numbers_may_be_drawn_where_ours_are_missing() -> None:
    found = panel(missing="not run: qae cluster")
    assert not found.blank
    assert found.source == "the paper's numbers only; ours not run: qae cluster"


def test_the_first_source_with_data_counts() -> None:
    def none() -> str:
        raise MissingError("not run: qae best")

    def other() -> str:
        raise MissingError("not run: qae second")

    def broken() -> str:
        raise MissingError("x.json of ordering cannot be read")

    assert first_with_data(none, lambda: "found", lambda: "later") == "found"
    with pytest.raises(MissingError) as caught:
        first_with_data(none, broken, other, none)
    assert str(caught.value) == "not run: qae best, or qae second; x.json of ordering cannot be read"
    with pytest.raises(MissingError, match="no source"):
        first_with_data()
