"""Figure 6: the four bars of the paper, and the masks under both clip ranges against the runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.small_runs import mean_by_step, row, store_bandit, study_settings
from tests.paper_figures.stored import drawn, line, lines, store, texts

MASKS = {"QAE": "qae", "POS-MASK": "pos_mask", "NEG-MASK": "neg_mask"}
SETTINGS = {"k": "0.4", "weak": 0.28, "strong": 0.2}
SCALES = ("QAE's step size", "matched gain")
BARS = [45.21, 46.88, 56.56, 58.96]


def store_masks(root: Path, start: float = 2.0) -> list[dict[str, Any]]:
    rules = [
        {"rule": rule, "clip": clip, "scale": scale}
        for rule in MASKS.values()
        for clip in ("weak", "strong")
        for scale in SCALES
    ]
    return store_bandit(root, "masks", ["success"], rules, start=start, settings=SETTINGS)


@pytest.mark.parametrize(("panel", "clip", "range_"), [(1, "weak", "0.28"), (2, "strong", "0.2")])
def test_masks_are_the_run(tmp_path: Path, panel: int, clip: str, range_: str) -> None:
    records = store_masks(tmp_path)
    axes = drawn("figure_6", tmp_path).axes(panel)
    assert lines(axes) == list(MASKS)
    for label, rule in MASKS.items():
        wanted = {"condition": "Adam 1e-8, 16 passes", "rule": rule, "clip": clip, "scale": SCALES[0]}
        steps, means = mean_by_step(records, "success", **wanted)
        assert line(axes, label) == (steps, pytest.approx(means))
    assert f"K = 0.4, eps_high = {range_}: masks, run" in texts(axes, "source")[0]


def test_a_changed_run_changes_line_and_caption(tmp_path: Path) -> None:
    store_masks(tmp_path)
    before = drawn("figure_6", tmp_path)
    store_masks(tmp_path, start=2.25)
    after = drawn("figure_6", tmp_path)
    old, new = (line(found.axes(2), "POS-MASK")[1] for found in (before, after))
    assert new == pytest.approx([value + 0.25 for value in old])
    assert before.caption != after.caption


def test_the_paper_s_bars_are_marks_without_owners(tmp_path: Path) -> None:
    found = drawn("figure_6", tmp_path)
    axes = found.axes(0)
    assert sorted(one.get_ydata()[0] for one in axes.lines) == BARS
    assert axes.get_legend_handles_labels()[1] == ["paper: four bars, whose is not certain"]
    assert all(f"{value:g}" in texts(axes) for value in BARS)
    assert "paper: four bars, whose is not certain: 45.21 %, 46.88 %, 56.56 %, 58.96 %; not run" in found.caption
    assert found.missing == [
        "not run: qae cluster launch qwen3-14b-clip-higher and qae cluster launch qwen3-14b-clip-higher-qae",
        "not run: qae cluster launch qwen3-8b-clip-higher-qae, or qae validate, or qae simulate masks",
        "not run: qae cluster launch qwen3-8b-eps020-qae, or qae validate, or qae simulate masks",
        *["not run: qae validate"] * 3,
    ]


def test_runs_of_the_larger_model(tmp_path: Path) -> None:
    listed = [evaluation(9, {1: 0.5}), evaluation(9, {1: 0.4}, "AIME25")]
    store_cluster(
        tmp_path,
        "qwen3-14b-clip-higher-qae",
        run="a" * 12,
        lines=[{"step": 1}],
        evaluations=listed,
        model="Qwen/Qwen3-14B-Base",
    )
    axes = drawn("figure_6", tmp_path).axes(0)
    (container,) = axes.containers
    assert container.get_label() == "DAPO + QAE, K = 0.4"
    assert container[0].get_ydata().tolist() == pytest.approx([40.0, 50.0])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["AIME25 pass@1", "AIME24 pass@1"]
    assert axes.get_title(loc="left") == "(a) pass@1, Qwen3-14B-Base"


def test_cluster_rows_by_clip_range(tmp_path: Path) -> None:
    store_masks(tmp_path)
    names = [f"qwen3-8b-eps020-{rule}" for rule in ("qae", "pos-mask", "neg-mask")]
    for number, name in enumerate(names):
        listed = [evaluation(step, {1: 0.1 * number + 0.01 * step}) for step in (0, 10)]
        store_cluster(tmp_path, name, run=str(number) * 12, lines=[{"step": 1}], evaluations=listed)
    found = drawn("figure_6", tmp_path)
    assert found.axes(1).get_title(loc="left") == "(b) eps_high = 0.28, softmax bandit"
    assert line(found.axes(2), "NEG-MASK") == ([0, 10], pytest.approx([20.0, 30.0]))


@pytest.mark.train
def test_the_study_s_masks_by_clip_range(tmp_path: Path) -> None:
    store_masks(tmp_path)
    options, strong = {"k": "0.4"}, {"clip_high": 0.2}
    rules = [
        {"name": f"{rule} {bool(changes)}", "estimator": rule, "options": options, "changes": changes}
        for rule in MASKS.values()
        for changes in ({}, strong)
    ]
    table = [
        row(rule, seed, step, success=0.1 * number + 0.01 * step)
        for number, rule in enumerate(rules)
        for seed in (0, 1)
        for step in (1, 2)
    ]
    store(tmp_path, "validate", config=study_settings(*rules), tables={"runs.parquet": table})
    found = drawn("figure_6", tmp_path)
    assert line(found.axes(1), "POS-MASK")[1] == pytest.approx([0.21, 0.22])
    assert line(found.axes(2), "POS-MASK")[1] == pytest.approx([0.31, 0.32])


@pytest.mark.train
def test_masks_less_qae_on_the_same_seeds(tmp_path: Path) -> None:
    rules = [
        {"name": f"{rule} {clip}", "estimator": rule, "options": {"k": "0.4"}, "changes": {"clip_high": clip}}
        for rule in MASKS.values()
        for clip in (0.28, 0.2)
    ]
    followed = [
        row(rule, seed, step, sequence_entropy=9.0 * seed + number * step, pass1=0.1 * seed + 0.05 * number)
        for number, rule in enumerate(rules)
        for seed in (0, 1)
        for step in (0, 1)
    ]
    store(tmp_path, "validate", config=study_settings(*rules), tables={"follow.parquet": followed})
    found = drawn("figure_6", tmp_path)
    # The rules' numbers are QAE's 0 and 1, POS-MASK's 2 and 3, NEG-MASK's 4 and 5, weak clipping first.
    for label, gap in (("POS-MASK", 2), ("NEG-MASK", 4)):
        assert line(found.axes(3), label) == ([0, 1], [0, gap])
        for panel in (4, 5):
            assert line(found.axes(panel), label) == ([0, 1], pytest.approx([0.05 * gap] * 2))
