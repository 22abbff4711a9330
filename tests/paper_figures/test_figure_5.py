"""Figure 5: accuracies, entropy by sign under two rules, shares of zeros, each against the runs and the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.small_runs import mean_by_step, store_bandit
from tests.paper_figures.stored import Drawn, drawn, line, lines, store, texts

ROWS = ("qwen3-8b-clip-higher", "qwen3-8b-clip-higher-qae")
LABELS = ("DAPO", "DAPO + QAE, K = 0.4")
SHARES = {"uniform": 0.75, "bimodal": 0.9}


def store_sparsity(root: Path, shares: dict[str, float] = SHARES) -> list[dict[str, Any]]:
    records = [
        {"condition": name, "k": k, "seed": seed, "step": step}
        | {"zero_share": share + 0.01 * seed + 0.001 * step, "zero_share_mixed": share - 0.1 - 0.01 * seed}
        for name, share in shares.items()
        for k in ("0.4", "grpo")
        for seed in (0, 1)
        for step in (0, 20)
    ]
    settings = {"update": {"optimiser": "adam"}, "difficulties": [{"name": name} for name in shares]}
    store(root, "sparsity", records=records, config={"settings": settings})
    return records


def points(found: Drawn, label: str) -> tuple[list[float], list[list[float]]]:
    """Heights and interval ends of the points with that label."""
    (container,) = [one for one in found.axes(0).containers if one.get_label() == label]
    (bars,) = container[2]
    return container[0].get_ydata().tolist(), [segment[:, 1].tolist() for segment in bars.get_segments()]


def test_shares_of_zeros_are_the_run(tmp_path: Path) -> None:
    records = store_sparsity(tmp_path)
    found = drawn("figure_5", tmp_path)
    axes = found.axes(2)
    for label, column in {"all groups": "zero_share", "mixed groups only": "zero_share_mixed"}.items():
        steps, means = mean_by_step(records, column, condition="uniform", k="0.4")
        assert line(axes, label) == (steps, pytest.approx(means))
    assert line(axes, "paper: about 80% zero")[1] == [0.8, 0.8]
    assert texts(axes, "source") == [
        "not a language model: softmax bandit, Adam, difficulty uniform, QAE at K = 0.4: "
        "sparsity, run 0123456789ab, quick size, settings changed"
    ]
    assert "under other difficulties of this experiment: bimodal from 0.905 to 0.925." in found.caption


def test_a_changed_share_changes_line_and_caption(tmp_path: Path) -> None:
    store_sparsity(tmp_path)
    before = drawn("figure_5", tmp_path)
    store_sparsity(tmp_path, {**SHARES, "bimodal": 0.5})
    after = drawn("figure_5", tmp_path)
    assert line(before.axes(2), "all groups") == line(after.axes(2), "all groups")
    assert "bimodal from 0.505 to 0.525." in after.caption
    store_sparsity(tmp_path, {**SHARES, "uniform": 0.5})
    assert line(drawn("figure_5", tmp_path).axes(2), "all groups")[1] == pytest.approx([0.505, 0.525])


def test_entropy_by_sign_under_both_rules(tmp_path: Path) -> None:
    columns = ("positive_sample_entropy", "negative_sample_entropy")
    records = store_bandit(tmp_path, "sign-split", columns, ({"rule": "grpo"}, {"rule": "qae"}))
    axes = drawn("figure_5", tmp_path).axes(1)
    assert lines(axes) == ["A > 0, GRPO", "A < 0, GRPO", "A > 0, QAE", "A < 0, QAE"]
    steps, means = mean_by_step(records, columns[1], condition="Adam 1e-8, 16 passes", rule="qae")
    assert line(axes, "A < 0, QAE") == (steps, pytest.approx(means))


def test_without_a_run_only_the_paper_s_accuracies_are_drawn(tmp_path: Path) -> None:
    found = drawn("figure_5", tmp_path)
    axes = found.axes(0)
    assert line(axes, "paper: DAPO")[1] == [39.69, 71.23]
    assert line(axes, "paper: DAPO + QAE, K = 0.4")[1] == [48.23, 71.63]
    assert not axes.containers
    assert axes.get_title(loc="left") == "(a) accuracy, paper only"
    assert "NO RUN OF OURS" in texts(axes)
    launch = [f"qae cluster launch {row}" for row in ROWS]
    assert texts(axes, "source") == [f"the paper's numbers only; ours not run: {launch[0]} and {launch[1]}"]
    assert found.missing[0] == f"not run: {launch[0]} and {launch[1]}"
    assert found.missing[2] == f"not run: {launch[1]}, or qae validate, or qae simulate sparsity"


def test_ours_stand_beside_the_paper_s(tmp_path: Path) -> None:
    for number, name in enumerate(ROWS):
        listed = [evaluation(0, {1: 0.9, 16: 0.9}), evaluation(20, {1: 0.4 + 0.1 * number, 16: 0.7})]
        store_cluster(tmp_path, name, run=str(number) * 12, lines=[{"step": 1}], evaluations=listed)
    found = drawn("figure_5", tmp_path)
    heights, ends = points(found, LABELS[1])
    assert heights == pytest.approx([50.0, 70.0])
    np.testing.assert_allclose(ends, [[40, 60], [60, 80]])
    assert found.missing[0] is None
    assert line(found.axes(0), "paper: DAPO")[1] == [39.69, 71.23]
    assert "DAPO, AIME24 pass@1: 40.00 % [30.00, 50.00] (interval of level 0.95)" in found.caption
    assert "paper, DAPO, AIME24 pass@1: 39.69 %" in found.caption


def test_one_row_of_two(tmp_path: Path) -> None:
    store_cluster(tmp_path, ROWS[0], run="0" * 12, lines=[{"step": 1}], evaluations=[evaluation(5, {1: 0.4, 16: 0.7})])
    found = drawn("figure_5", tmp_path)
    assert [one.get_label() for one in found.axes(0).containers] == [LABELS[0]]
    assert found.missing[0] is None
    assert "not run: qae cluster launch qwen3-8b-clip-higher-qae" in found.caption


def test_shares_by_sign_of_a_cluster_run(tmp_path: Path) -> None:
    shares = {"zero": 0.8, "positive": 0.15, "negative": 0.05}
    listed = [
        {"step": step, **{f"recomputed/rollouts/{sign}_share": share for sign, share in shares.items()}}
        for step in (1, 2)
    ]
    store_cluster(tmp_path, ROWS[1], run="1" * 12, lines=listed)
    axes = drawn("figure_5", tmp_path).axes(2)
    assert [line(axes, label)[1] for label in ("A = 0", "A > 0", "A < 0")] == [[0.8] * 2, [0.15] * 2, [0.05] * 2]
