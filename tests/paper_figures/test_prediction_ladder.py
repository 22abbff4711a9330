"""What is drawn of the study is what its ladder and its probes hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paper_figures.prediction_ladder import BOUNDS, LABELS, SETTING
from qae_theory.curves.rungs import RUNGS
from tests.paper_figures.stored import drawn, store

SIZED = f"{SETTING}, size 0.01"
OTHERS = (f"{SETTING}, size 0.1", "adam eps 1e-08, 1 update, no clipping")
KIND = {
    "bandit": {"parameters": None, "pretrained": False},
    "digits": {"parameters": 90_000, "pretrained": False},
    "totals": {"parameters": 1_600_000, "pretrained": False},
    "words": {"parameters": 134_000_000, "pretrained": True},
}
FIRST = {"bandit": 0, "digits": 3, "totals": 6, "words": 9}  # panel of each row


def statistic(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, float | None]:
    return {"estimate": value, "low": low, "high": high}


def ladder(substrates: dict[str, float], setting: str = SIZED) -> dict[str, Any]:
    """The k-th rung's R^2 is k times the substrate's number in the smallest setting, and 0 in all others."""
    plain = {
        substrate: {
            name: {
                rung: {
                    "r2": statistic(k * base, k * base / 2, min(1.0, k * base + 0.1)),
                    "sign_agreement": statistic(0.5) if k else statistic(None),
                    "rows": 70,
                    "probes": 3,
                }
                for k, rung in enumerate(RUNGS)
            }
            for name, base in ((OTHERS[0], 0.0), (setting, number), (OTHERS[1], 0.0))
            if setting == SIZED or name != OTHERS[0]
        }
        for substrate, number in substrates.items()
    }
    return {"level": 0.99, "floor": 1e-9, "plain": plain}


def summary(*substrates: str) -> dict[str, Any]:
    return {"substrates": {name: KIND[name] for name in substrates}, "lines": []}


def counted(substrate: str, violations: int = 0) -> list[dict[str, Any]]:
    """What ``bounds.json`` holds: coverage of two kinds of bounds at two sizes, and the check of consistency."""
    records: list[dict[str, Any]] = []
    for number, (bound, size) in enumerate(
        [("predicted", 0.1), ("predicted", 0.01), ("paper", 0.01), ("paper", 0.1), ("measured", 0.01)]
    ):
        record = {"substrate": substrate, "setting": f"{SETTING}, size {size:g}", "size": size, "bound": bound}
        share = 0.1 * (number + 1)
        coverage = statistic(share, share - 0.05, share + 0.05)
        records.append({**record, "checked": 70, "violations": violations, "coverage": coverage})
    adam = {"substrate": substrate, "setting": OTHERS[1], "size": None, "bound": "measured", "checked": 70}
    return [*records, {**adam, "violations": 0, "coverage": statistic(1.0, 1.0, 1.0)}]


def probes(substrate: str, rows: int = 70, **changes: Any) -> list[dict[str, Any]]:
    setting = {"optimiser": "sgd", "updates": 1, "clipped": False, "scaled": False, "size": 0.01}
    return [
        {
            "substrate": substrate,
            **setting,
            "change": change,
            **{rung: change * 10.0 ** (k - 4) for k, rung in enumerate(RUNGS)},
            **changes,
        }
        for change in np.linspace(-0.03, 0.04, rows).tolist()
    ]


def store_study(root: Path, substrates: dict[str, float], **more: Any) -> None:
    files = {"ladder.json": ladder(substrates), "summary.json": summary(*substrates), **more.pop("files", {})}
    store(root, "validate", files=files, **more)


def test_quality_is_the_ladder_at_the_smallest_step(tmp_path: Path) -> None:
    store_study(tmp_path, {"digits": 0.1, "totals": 0.2, "bandit": 0.15, "words": 0.05})
    found = drawn("prediction_ladder", tmp_path)
    points = {one.get_label(): one for one in found.axes(FIRST["digits"]).containers}
    assert set(points) == {"R²", "signs agree"}
    x, y = points["R²"][0].get_data()
    np.testing.assert_allclose(x, [0, 0.1, 0.2, 0.3, 0.4])
    assert [round(row) for row in y] == [0, 1, 2, 3, 4]
    ends = [segment[:, 0].tolist() for segment in points["R²"][2][0].get_segments()]
    np.testing.assert_allclose(ends, [[k * 0.05, k * 0.1 + 0.1] for k in range(5)])
    assert len(points["signs agree"][0].get_xdata()) == 4  # not defined for the first
    ticks = found.axes(FIRST["digits"]).get_yticklabels()
    assert [tick.get_text() for tick in ticks] == [LABELS[rung] for rung in RUNGS]
    assert f"digits, {SIZED}, 70 rows of 3 probes" in found.caption
    assert "the sampled group 0.20 [0.10, 0.30], 0.50" in found.caption
    kinds = ("softmax bandit", "tiny Qwen3", "larger Qwen3", "pretrained model")
    assert [found.panels[3 * row].title for row in range(4)] == [f"{kind}: how well each predicts" for kind in kinds]
    last = found.axes(FIRST["words"]).containers[0][0].get_xdata()
    np.testing.assert_allclose(last, [0, 0.05, 0.1, 0.15, 0.2])
    assert all((missing is None) == (panel % 3 == 0) for panel, missing in enumerate(found.missing))


def test_each_row_is_from_a_study_that_has_such_a_model(tmp_path: Path) -> None:
    """Of two studies with a tiny model the newer counts; a pretrained one takes nothing away."""
    store_study(tmp_path, {"digits": 0.1}, run="a" * 12)
    store_study(tmp_path, {"digits": 0.2}, run="b" * 12, finished="2027-01-01T00:00:00Z")
    store_study(tmp_path, {"words": 0.05}, run="c" * 12, finished="2028-01-01T00:00:00Z")
    found = drawn("prediction_ladder", tmp_path)
    for substrate, number in (("digits", 0.2), ("words", 0.05)):
        x = found.axes(FIRST[substrate]).containers[0][0].get_xdata()
        np.testing.assert_allclose(x, [number * k for k in range(5)])


def test_a_study_without_sizes_of_steps_is_shown_too(tmp_path: Path) -> None:
    files = {"ladder.json": ladder({"digits": 0.1}, SETTING), "summary.json": summary("digits")}
    store(tmp_path, "validate", files=files)
    x = drawn("prediction_ladder", tmp_path).axes(FIRST["digits"]).containers[0][0].get_xdata()
    np.testing.assert_allclose(x, [0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.train
def test_points_are_the_probes(tmp_path: Path) -> None:
    others = [probes("digits", scaled=True), probes("digits", optimiser="adam"), probes("digits", size=0.1)]
    rows = [*probes("digits"), *(row for other in others for row in other), *probes("totals", 3)]
    store_study(tmp_path, {"digits": 0.1}, tables={"probes.parquet": rows})
    found = drawn("prediction_ladder", tmp_path)
    changes = [row["change"] for row in probes("digits")]
    points = {one.get_label(): np.asarray(one.get_offsets()) for one in found.axes(4).collections}
    np.testing.assert_allclose(points["network, first order"], [[change / 10, change] for change in changes])
    np.testing.assert_allclose(points["the paper's: r - b"], [[change / 1e4, change] for change in changes])
    assert "predicted size over measured size, median of 70 rows, the paper's: r - b 0.0001;" in found.caption


def test_shares_within_predicted_bounds_are_the_counts(tmp_path: Path) -> None:
    store_study(tmp_path, {"digits": 0.1}, files={"bounds.json": [*counted("digits"), *counted("totals", 9)]})
    found = drawn("prediction_ladder", tmp_path)
    axes = found.axes(5)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.01", "0.1"]
    shares = {one.get_label(): one[0].get_ydata().tolist() for one in axes.containers}
    # Neither the bounds that cannot fail nor those that were not counted are drawn.
    assert shares == {
        BOUNDS["predicted"][0]: pytest.approx([0.2, 0.1]),
        BOUNDS["paper"][0]: pytest.approx([0.3, 0.4]),
    }
    ends = axes.containers[0][2][0].get_segments()
    np.testing.assert_allclose([end[:, 1] for end in ends], [[0.15, 0.25], [0.05, 0.15]])
    assert f"{BOUNDS['predicted'][0]} 0.2 at 0.01, 0.1 at 0.1" in found.caption
    assert "0 of 140 are left" in found.caption
    store_study(tmp_path, {"digits": 0.1}, files={"bounds.json": counted("digits", 2)})
    assert "2 of 140 are left" in drawn("prediction_ladder", tmp_path).caption


@pytest.mark.parametrize(("files", "words"), [({}, "bounds.json of"), ({"bounds.json": []}, "did not count")])
def test_without_counts_only_the_panel_of_the_bounds_is_empty(
    tmp_path: Path, files: dict[str, Any], words: str
) -> None:
    store_study(tmp_path, {"digits": 0.1}, files=files)
    missing = drawn("prediction_ladder", tmp_path).missing
    assert missing[3] is None
    assert words in str(missing[5])


def test_without_a_study_the_commands_are_named(tmp_path: Path) -> None:
    found = drawn("prediction_ladder", tmp_path)
    sizes = (" --preset long", "", " --preset long", " --preset pretrained")
    assert found.missing == [f"not run: qae validate{size}" for size in sizes for _ in range(3)]
    assert found.figure.axes == []


def test_a_study_without_the_setting_is_named(tmp_path: Path) -> None:
    found = {**ladder({"digits": 0.1}), "plain": {"digits": {OTHERS[1]: {}}}}
    store_study(tmp_path, {"digits": 0.1}, files={"ladder.json": found})
    missing = drawn("prediction_ladder", tmp_path).missing[3]
    assert "has no setting 'sgd, 1 update, no clipping' of digits" in str(missing)
