"""Paths, slopes and paired differences against the runs' records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from paper_figures.entropy_per_success import CONDITIONS
from tests.paper_figures.small_runs import row, study_settings
from tests.paper_figures.stored import drawn, line, lines, store, texts


def sweep_records() -> list[dict[str, Any]]:
    return [
        {
            "condition": condition, "k": k, "seed": seed, "step": step,
            "success": 0.5 + 0.1 * step + 0.01 * seed,
            "sequence_entropy": 2.0 - 0.3 * step + float(k) * step + 0.1 * seed,
        }
        for condition in CONDITIONS
        for k in ("0.1", "0.2", "0.9")
        for seed in (0, 1)
        for step in (0, 1, 2)
    ]  # fmt: skip


def slopes(value: float) -> dict[str, Any]:
    def one(estimate: float) -> dict[str, Any]:
        return {"estimate": estimate, "low": estimate - 0.1, "high": estimate + 0.2, "level": 0.99, "draws": 2}

    return {name: {"equal steps": one(value), "equal progress": one(value / 2), "gain": 0.2} for name in CONDITIONS}


def write_sweep(root: Path, slope: float = 0.4) -> None:
    store(root, "k-sweep", records=sweep_records(), files={"analysis.json": {"slopes": slopes(slope)}})


CHANGES: dict[str, list[float | None]] = {
    "grpo": [-0.10, -0.12, -0.14, None],
    "qae": [-0.05, -0.06, -0.10, -0.5],
    "nsr": [-0.20, None, None, -0.3],
    "psr": [-0.30, -0.30, -0.31, -0.3],
}


def write_rules(root: Path, changes: dict[str, list[float | None]]) -> None:
    records = [
        {"method": method, "epochs": epochs, "clip_high": clip, "seed": seed, "entropy_change_at_0.1": value}
        for method, values in changes.items()
        for epochs, clip in ((1, "0.28"), (16, "0.28"), (16, "inf"))
        for seed, value in enumerate(values if clip == "0.28" else [1.0] * 4)
    ]
    config = {"settings": {"gains": [0.1], "epochs": [1, 4, 16], "level": 0.99}}
    store(root, "inner-epochs", records=records, config=config)


def test_the_paths_are_means_over_seeds(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    found = drawn("entropy_per_success", tmp_path)
    for panel in (0, 1):
        axes = found.axes(panel)
        assert lines(axes) == ["K = 0.1", "K = 0.9"]
        success, entropy = line(axes, "K = 0.9")
        np.testing.assert_allclose(success, [0.505, 0.605, 0.705])
        np.testing.assert_allclose(entropy, [2.05, 2.65, 3.25])
        half = stats.t.ppf(0.975, 1) * 0.05  # of two seeds .1 apart
        low, high = axes.collections[1].get_paths()[0].get_extents().intervaly
        np.testing.assert_allclose([low, high], [2.05 - half, 3.25 + half])
    assert f"{CONDITIONS[0]} (mean and 95% interval over 2 seeds): K = 0.1 from (0.51, 2.05) to" in found.caption


def test_slopes_and_their_change(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    axes = drawn("entropy_per_success", tmp_path).axes(2)
    points = {one.get_label(): one for one in axes.containers}
    assert [float(x) for x in points["at equal steps"][0].get_xdata()] == [0.4, 0.4]
    assert [float(x) for x in points["at equal progress"][0].get_xdata()] == [0.2, 0.2]
    ends = [segment[:, 0].tolist() for segment in points["at equal progress"][2][0].get_segments()]
    np.testing.assert_allclose(ends, [[0.1, 0.4]] * 2)
    write_sweep(tmp_path, slope=-0.6)
    after = drawn("entropy_per_success", tmp_path)
    assert "-0.60 [-0.70, -0.40] and -0.30 [-0.40, -0.10]" in after.caption
    assert float(after.axes(2).containers[0][0].get_xdata()[0]) == -0.6


def test_rules_are_paired_with_grpo_by_seed(tmp_path: Path) -> None:
    write_rules(tmp_path, CHANGES)
    found = drawn("entropy_per_success", tmp_path)
    axes = found.axes(3)
    # nsr has one seed in common with GRPO, which gives no interval.
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["psr", "qae"]
    points = {one.get_label(): one for one in axes.containers}
    x = [float(value) for value in points["16 passes"][0].get_xdata()]
    qae = np.array([0.05, 0.06, 0.04]) / 0.1
    psr = np.array([-0.20, -0.18, -0.17]) / 0.1
    np.testing.assert_allclose(x, [psr.mean(), qae.mean()])
    ends = [segment[:, 0].tolist() for segment in points["16 passes"][2][0].get_segments()]
    for (low, high), sample in zip(ends, (psr, qae), strict=True):
        half = stats.t.ppf(0.995, 2) * sample.std(ddof=1) / np.sqrt(3)
        np.testing.assert_allclose([low, high], [sample.mean() - half, sample.mean() + half])
    assert f"psr {psr.mean():+.2f}" in found.caption
    assert "qae +0.50" not in found.caption  # its interval holds 0
    assert texts(axes, "source") == ["softmax bandits: inner-epochs, run 0123456789ab, quick size, settings changed"]


def test_a_changed_seed_changes_point_and_caption(tmp_path: Path) -> None:
    write_rules(tmp_path, CHANGES)
    before = drawn("entropy_per_success", tmp_path)
    write_rules(tmp_path, {**CHANGES, "psr": [-0.30, -0.30, -0.37, None]})
    after = drawn("entropy_per_success", tmp_path)
    assert float(after.axes(3).containers[1][0].get_xdata()[0]) == pytest.approx(-2.033, abs=1e-3)
    assert before.caption != after.caption


def test_missing_runs_name_their_commands(tmp_path: Path) -> None:
    missing = drawn("entropy_per_success", tmp_path).missing
    bandits = [*["not run: qae simulate k-sweep"] * 3, "not run: qae simulate inner-epochs"]
    assert missing == [*bandits, *["not run: qae validate"] * 2]


@pytest.mark.train
def test_paths_of_language_models_are_those_of_the_study(tmp_path: Path) -> None:
    rules = ({"name": "grpo", "estimator": "grpo"}, {"name": "qae-0.4", "estimator": "qae", "options": {"k": "0.4"}})
    followed = [
        row(rule, seed, step, pass1=0.1 * step + 0.2 * number, sequence_entropy=3.0 - 0.5 * step + seed)
        for number, rule in enumerate(rules)
        for seed in (0, 1)
        for step in (0, 1, 2)
    ]
    store(tmp_path, "validate", config=study_settings(*rules), tables={"follow.parquet": followed})
    axes = drawn("entropy_per_success", tmp_path).axes(4)
    assert line(axes, "GRPO") == (pytest.approx([0, 0.1, 0.2]), pytest.approx([3.5, 3.0, 2.5]))
    assert line(axes, "QAE, K = 0.4") == (pytest.approx([0.2, 0.3, 0.4]), pytest.approx([3.5, 3.0, 2.5]))
    assert axes.get_title(loc="left") == "rules, small Qwen3"
