"""Which of an experiment's runs counts, and what is said where none does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paper_figures.runs import Results, columns_of
from qae_theory.runs.stored import MissingError
from tests.paper_figures.stored import store

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z"


def counting(root: Path) -> str:
    return Results(root).run("k-sweep", command="qae simulate k-sweep").folder.name


@pytest.mark.parametrize(("full", "quick"), [("aaaa", "bbbb"), ("bbbb", "aaaa")])
def test_a_full_run_counts_before_a_quick_one_that_is_newer(tmp_path: Path, full: str, quick: str) -> None:
    store(tmp_path, "k-sweep", size="full", run=full, finished=EARLY)
    store(tmp_path, "k-sweep", size="quick", run=quick, finished=LATE)
    assert counting(tmp_path) == full


@pytest.mark.parametrize(("older", "newer"), [("aaaa", "bbbb"), ("bbbb", "aaaa")])
def test_of_one_size_the_newest_counts(tmp_path: Path, older: str, newer: str) -> None:
    store(tmp_path, "k-sweep", run=older, finished=EARLY)
    store(tmp_path, "k-sweep", run=newer, finished=LATE)
    assert counting(tmp_path) == newer


def test_an_unfinished_run_does_not_count(tmp_path: Path) -> None:
    store(tmp_path, "k-sweep", run="aaaa")
    (tmp_path / "k-sweep" / "bbbb").mkdir()
    store(tmp_path, "k-sweep", run=".cccc", finished=LATE)
    assert counting(tmp_path) == "aaaa"


def test_without_a_run_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="qae simulate k-sweep"):
        counting(tmp_path)


def test_what_is_none_or_not_there_is_nan_among_numbers() -> None:
    columns = columns_of([{"step": 0, "x": None, "name": "a"}, {"step": 1, "x": 2.0, "name": "b"}, {"step": 2}])
    assert columns["step"].tolist() == [0, 1, 2]
    assert np.array_equal(columns["x"], [np.nan, 2.0, np.nan], equal_nan=True)
    assert columns["name"].tolist() == ["a", "b", None]
