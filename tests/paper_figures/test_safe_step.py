"""The example against entropies written out; points and shares against the run's records."""

from __future__ import annotations

from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from paper_figures.safe_step import median_interval
from tests.paper_figures.stored import drawn, line, store, texts


def record(arms: int, certified: float, actual: float | None, **changes: Any) -> dict[str, Any]:
    row = {"kind": "certified", "arms": arms, "pair": "0 and 1", "regime": "hard", "failures": 0}
    return {**row, "certified": certified, "actual": actual, **changes}


ROWS = [
    record(2, 0.5, 1.0),
    record(2, 0.9, 1.0),
    record(2, 0.2, 2.0),
    record(4, 1.5, None),
    record(4, 2.0, 40.0),
    record(4, 9.0, 9.5, pair="b_K and the mean"),
    {"kind": "population", "arms": 2},
]


def write(root: Path, rows: list[dict[str, Any]]) -> None:
    store(root, "ordering", records=rows, config={"settings": {"step_high": 1000.0}})


def entropy_after(gap: float) -> float:
    right = 0.4 * exp(gap) / (0.4 * exp(gap) + 0.6)
    return -right * log(right) - (1 - right) * log(1 - right)


def test_the_example(tmp_path: Path) -> None:
    found = drawn("safe_step", tmp_path)
    axes = found.axes(0)
    for baseline, label in ((0, "b = 0 (b_K)"), (1, "b = 1")):
        steps, changes = line(axes, label)
        push = 0.4 * (1 - baseline) + 0.6 * baseline  # of the right answer's logit against the other's
        expected = [entropy_after(step * push) - entropy_after(0) for step in steps]
        np.testing.assert_allclose(changes, expected, atol=1e-14)
    breaks, _ = line(axes, "order breaks")
    # theory.md, `prop42-finite-step`: it fails iff eta > 2 log((1-p)/p).
    assert breaks[0] == pytest.approx(2 * log(0.6 / 0.4), rel=1e-9)
    (certified,) = [patch for patch in axes.patches if patch.get_label() == "certified"]
    end = certified.get_x() + certified.get_width()
    assert end == pytest.approx(log(0.6 / 0.4) / 0.6, rel=1e-9)  # the second bound of `safe-step`, at b2 = 1
    assert f"up to step {breaks[0]:.3g}, and is certified to have it up to {end:.3g}" in found.caption
    assert found.missing == [None, *["not run: qae simulate ordering"] * 2]


def points(axes: Any) -> dict[str, list[list[float]]]:
    return {one.get_label(): one.get_offsets().tolist() for one in axes.collections}


def test_the_points_are_the_records(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    found = drawn("safe_step", tmp_path)
    assert points(found.axes(1)) == {
        "2 answers": [[0.5, 1.0], [0.9, 1.0], [0.2, 2.0]],
        "4 answers": [[1.5, 3000.0], [2.0, 40.0]],  # never: at the top
    }
    assert found.panels[1].title == "random policies: none below the line"
    assert "5 random policies, baselines 0 and 1: 0 whose order breaks" in found.caption
    assert "the order of 1 holds at every step tried, up to 1000" in found.caption
    assert texts(found.axes(1), "source") == ["ordering, run 0123456789ab, quick size, settings changed"]


def test_the_shares_of_the_actual_step(tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    found = drawn("safe_step", tmp_path)
    assert line(found.axes(2), "2 answers") == ([0.1, 0.5, 0.9], pytest.approx([1 / 3, 2 / 3, 1]))
    assert line(found.axes(2), "4 answers") == ([0.05], [1.0])
    assert "2 answers 50% [0%, 100%] (3 policies); 4 answers 5% [0%, 100%] (1 policies)" in found.caption


def test_a_failure_is_said(tmp_path: Path) -> None:
    write(tmp_path, [*ROWS[:-1], record(2, 3.0, 1.0, failures=1)])
    found = drawn("safe_step", tmp_path)
    assert found.panels[1].title == "random policies: 1 below the line"
    assert "1 whose order breaks at a certified step" in found.caption
    assert [3.0, 1.0] in points(found.axes(1))["2 answers"]


def test_many_policies_are_thinned_in_the_scatter_only(tmp_path: Path) -> None:
    write(tmp_path, [record(2, 0.5, 1.0)] * 7000)
    found = drawn("safe_step", tmp_path)
    assert len(points(found.axes(1))["2 answers"]) == 7000 // 3 + 1
    assert "7000 random policies" in found.caption
    assert len(line(found.axes(2), "2 answers")[0]) == 7000


def test_the_interval_of_a_median_covers_it() -> None:
    for size in (8, 9, 40):
        ordered = np.arange(1.0, size + 1)
        low, high = median_interval(ordered)
        # Below `low` lie rank - 1 draws: the chance that as many or fewer are below the median is the error of a side.
        assert low - 1 >= 0
        assert size + 1 - high == low
        assert binom.cdf(low - 1, size, 0.5) <= 0.005 < binom.cdf(low, size, 0.5)
    assert median_interval(np.array([0.3])) == (0.0, 1.0)
