"""What is drawn of the study is what its ladder and its probes hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paper_figures.prediction_ladder import LABELS, SETTING
from qae_theory.curves.rungs import RUNGS
from tests.paper_figures.stored import drawn, store

OTHER = "adam eps 1e-08, 1 update, no clipping"


def statistic(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"estimate": value, "low": low, "high": high}


def ladder(tasks: dict[str, float]) -> dict[str, Any]:
    """The k-th rung's R^2 is k times the task's number."""
    plain = {
        task: {
            setting: {
                rung: {
                    "r2": statistic(k * base, k * base / 2, min(1.0, k * base + 0.1)),
                    "sign_agreement": statistic(0.5) if k else statistic(None),
                    "rows": 70,
                    "probes": 3,
                }
                for k, rung in enumerate(RUNGS)
            }
            for setting in (SETTING, OTHER)
        }
        for task, base in tasks.items()
    }
    return {"level": 0.99, "floor": 1e-9, "plain": plain}


def counted(*tasks: str, violations: int = 0) -> list[dict[str, Any]]:
    """What ``bounds.json`` holds: other kinds of bounds are violated 5 times, and count nowhere here."""
    return [
        {"substrate": task, "setting": setting, "bound": bound, "checked": 70, "violations": count}
        for task in tasks
        for setting, here in ((SETTING, violations), (OTHER, 0))
        for bound, count in (("predicted", 5), ("measured", here))
    ]


def probes(task: str, rows: int = 70, **changes: Any) -> list[dict[str, Any]]:
    setting = {"task": task, "optimiser": "sgd", "updates": 1, "clipped": False, "scaled": False}
    return [
        {
            **setting,
            "change": change,
            "guaranteed_low": change - 0.01,
            "guaranteed_high": change + 0.02,
            **{rung: change * 10.0 ** (k - 4) for k, rung in enumerate(RUNGS)},
            **changes,
        }
        for change in np.linspace(-0.03, 0.04, rows).tolist()
    ]


def test_quality_is_the_ladder(tmp_path: Path) -> None:
    store(tmp_path, "validate", files={"ladder.json": ladder({"sums": 0.2, "digits": 0.1})})
    found = drawn("prediction_ladder", tmp_path)
    points = {one.get_label(): one for one in found.axes(0).containers}
    assert set(points) == {"R²", "signs agree"}
    x, y = points["R²"][0].get_data()
    np.testing.assert_allclose(x, [0, 0.1, 0.2, 0.3, 0.4])
    assert [round(row) for row in y] == [0, 1, 2, 3, 4]
    ends = [segment[:, 0].tolist() for segment in points["R²"][2][0].get_segments()]
    np.testing.assert_allclose(ends, [[k * 0.05, k * 0.1 + 0.1] for k in range(5)])
    assert len(points["signs agree"][0].get_xdata()) == 4  # not defined for the first
    assert [tick.get_text() for tick in found.axes(0).get_yticklabels()] == [LABELS[rung] for rung in RUNGS]
    assert "Task digits, sgd, 1 update, no clipping, 70 rows of 3 probes" in found.caption
    assert "the sampled group 0.20 [0.10, 0.30], 0.50" in found.caption
    assert found.panels[3].title == "sums: how well each predicts"  # by name
    missing = found.missing
    assert (missing[0], missing[3]) == (None, None)
    assert all(one is not None for one in (*missing[1:3], *missing[4:]))


@pytest.mark.train
def test_points_and_bounds_are_the_probes(tmp_path: Path) -> None:
    rows = [*probes("digits"), *probes("digits", scaled=True), *probes("digits", optimiser="adam"), *probes("sums", 3)]
    tables = {"probes.parquet": rows}
    files = {"ladder.json": ladder({"digits": 0.1, "sums": 0.2}), "bounds.json": counted("digits", "sums")}
    store(tmp_path, "validate", files=files, tables=tables)
    found = drawn("prediction_ladder", tmp_path)
    changes = [row["change"] for row in probes("digits")]
    points = {one.get_label(): np.asarray(one.get_offsets()) for one in found.axes(1).collections}
    np.testing.assert_allclose(points["network, first order"], [[change / 10, change] for change in changes])
    np.testing.assert_allclose(points["the paper's: r - b"], [[change / 1e4, change] for change in changes])
    assert "predicted size over measured size, median of 70 rows, the paper's: r - b 0.0001;" in found.caption
    (bars,) = found.axes(2).collections
    (dots,) = found.axes(2).lines
    shown = [row[0] for row in np.stack([dots.get_ydata()], axis=1)]
    assert len(shown) == 60
    assert set(shown) <= set(changes)
    assert (shown[0], shown[-1]) == (min(changes), max(changes))
    ends = [segment[:, 1].tolist() for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [[change - 0.01, change + 0.02] for change in shown])
    assert len(found.axes(5).lines[0].get_ydata()) == 3
    assert found.missing == [None] * 6


@pytest.mark.train
def test_a_violation_changes_title_and_caption(tmp_path: Path) -> None:
    tables = {"probes.parquet": probes("digits")}
    for violations in (0, 2):
        files = {"ladder.json": ladder({"digits": 0.1}), "bounds.json": counted("digits", violations=violations)}
        store(tmp_path, "validate", files=files, tables=tables)
        found = drawn("prediction_ladder", tmp_path)
        assert found.panels[2].title == f"digits: {violations} of 70 outside the bounds"
        assert f"{violations} of 70 measured changes lie outside their guaranteed bounds (over all" in found.caption
        assert f"(over all tasks and settings {violations} of 140)" in found.caption
    assert "has 1 tasks" in str(found.missing[3])


@pytest.mark.train
@pytest.mark.parametrize(("files", "words"), [({}, "bounds.json of"), ({"bounds.json": []}, "did not count")])
def test_without_counts_only_the_panel_of_the_bounds_is_empty(
    tmp_path: Path, files: dict[str, Any], words: str
) -> None:
    tables = {"probes.parquet": probes("digits")}
    store(tmp_path, "validate", files={"ladder.json": ladder({"digits": 0.1}), **files}, tables=tables)
    missing = drawn("prediction_ladder", tmp_path).missing
    assert missing[:2] == [None, None]
    assert words in str(missing[2])


def test_without_a_study_the_command_is_named(tmp_path: Path) -> None:
    found = drawn("prediction_ladder", tmp_path)
    assert found.missing == ["not run: qae validate"] * 6
    assert found.figure.axes == []
