"""Verdicts and places of the league against the run's analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.paper_figures.stored import drawn, store, texts
from tests.simulators.league_page.figures import analysis, settings


def write(root: Path, content: dict[str, Any]) -> None:
    store(root, "league", files={"analysis.json": content}, config={"settings": settings()})


def test_the_cells_are_the_verdicts_with_the_best_rule_at_the_top(tmp_path: Path) -> None:
    write(tmp_path, analysis())
    found = drawn("league", tmp_path)
    axes = found.axes(0)
    (image,) = axes.images
    np.testing.assert_allclose(np.ma.filled(image.get_array(), np.nan), [[1.0], [0.0]])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["qae", "psr"]
    assert texts(axes)[:2] == ["held", "worse"]
    assert "some at a price in success: entropy collapses: qae." in found.caption


def test_what_cannot_be_compared_stays_white(tmp_path: Path) -> None:
    content = analysis()
    content["situations"][0]["rules"]["psr"]["verdict"] = "not comparable"
    write(tmp_path, content)
    (image,) = drawn("league", tmp_path).axes(0).images
    assert np.isnan(np.ma.filled(image.get_array(), np.nan)[1, 0])


def test_places_have_their_intervals(tmp_path: Path) -> None:
    write(tmp_path, analysis())
    found = drawn("league", tmp_path)
    axes = found.axes(1)
    (segments,) = [one.get_segments() for one in axes.collections]
    ends = [tuple(segment[:, 0]) for segment in segments]
    assert ends == [(1, 2), (1, 3), (2, 3)]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["qae", "grpo", "psr"]
    assert "bandits: no rule is told to be above qae, grpo." in found.caption


def test_without_a_run_or_without_tuning_a_panel_says_so(tmp_path: Path) -> None:
    assert drawn("league", tmp_path).missing == ["not run: qae simulate league"] * 2
    write(tmp_path, {**analysis(), "tuned": {}})
    assert drawn("league", tmp_path).missing == [
        None,
        "league, run 0123456789ab, quick size, settings changed tuned no rule",
    ]


@pytest.mark.parametrize("name", ["the verifier is noisy", "entropy collapses", "hard"])
def test_names_of_situations_fit_above_the_cells(tmp_path: Path, name: str) -> None:
    content = analysis()
    content["situations"][0]["name"] = name
    write(tmp_path, content)
    axes = drawn("league", tmp_path).axes(0)
    (label,) = [tick.get_text() for tick in axes.get_xticklabels()]
    assert label.replace("\n", " ") == name
