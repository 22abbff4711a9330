"""Figure 9: four levels K from a cluster run, the study or a bandit; the lines against the runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.small_runs import mean_by_step, row, store_bandit, study_settings
from tests.paper_figures.stored import drawn, line, lines, store, texts

LEVELS = ("0.2", "0.4", "0.6", "0.8")
LABELS = [f"K = {k}" for k in LEVELS]
ROWS = {"0.2": "-k02", "0.4": "", "0.6": "-k06", "0.8": "-k08"}
ALL = ("0.1", "0.2", "0.3", "0.4", "0.6", "0.8")


def analysis(slope: float) -> dict[str, Any]:
    slopes = {
        name: {"equal steps": {"estimate": value, "low": value - 0.25, "high": value + 0.25}}
        for name, value in (("SGD", -0.5), ("Adam 1e-8, 16 passes", slope))
    }
    return {"level": 0.99, "slopes": slopes}


def store_sweep(root: Path, start: float = 2.0, slope: float = 0.5) -> list[dict[str, Any]]:
    rules = [{"k": k} for k in ALL]
    return store_bandit(root, "k-sweep", ["sequence_entropy", "success"], rules, start=start, analysis=analysis(slope))


def qae(k: str) -> dict[str, Any]:
    return {"name": f"qae-{k}", "estimator": "qae", "options": {"k": k}}


@pytest.mark.parametrize(("panel", "column"), [(0, "sequence_entropy"), (1, "success")])
def test_the_sweep_is_drawn_at_the_paper_s_levels(tmp_path: Path, panel: int, column: str) -> None:
    records = store_sweep(tmp_path)
    axes = drawn("figure_9", tmp_path).axes(panel)
    assert lines(axes) == LABELS
    for k in LEVELS:
        steps, means = mean_by_step(records, column, condition="Adam 1e-8, 16 passes", k=k)
        assert line(axes, f"K = {k}") == (steps, pytest.approx(means))
    assert texts(axes, "source")[0].startswith("not a language model: softmax bandit, Adam 1e-8, 16 passes: k-sweep")


def test_the_caption_has_the_slopes_of_all_conditions(tmp_path: Path) -> None:
    store_sweep(tmp_path)
    caption = drawn("figure_9", tmp_path).caption
    assert "hold together at 99%: SGD -0.5 [-0.75, -0.25]; Adam 1e-8, 16 passes 0.5 [0.25, 0.75]." in caption
    store_sweep(tmp_path, slope=0.25)
    assert "Adam 1e-8, 16 passes 0.25 [0, 0.5]." in drawn("figure_9", tmp_path).caption


def test_a_changed_record_changes_the_line(tmp_path: Path) -> None:
    store_sweep(tmp_path)
    before = line(drawn("figure_9", tmp_path).axes(0), "K = 0.6")[1]
    store_sweep(tmp_path, start=4.0)
    assert line(drawn("figure_9", tmp_path).axes(0), "K = 0.6")[1] == pytest.approx([value + 2 for value in before])


def test_cluster_rows_come_first_if_all_four_are_there(tmp_path: Path) -> None:
    store_sweep(tmp_path)
    for number, (k, ending) in enumerate(ROWS.items()):
        if k == LEVELS[-1]:
            assert drawn("figure_9", tmp_path).axes(0).get_title(loc="left") == "entropy, softmax bandit"
        listed = [{"step": s, "actor/entropy": float(k) * s, "response_length/mean": 10.0 * s} for s in (1, 2)]
        accuracies = [evaluation(s, {1: float(k) / 2 + 0.1 * s}) for s in (0, 2)]
        name = f"qwen3-8b-clip-higher-qae{ending}"
        store_cluster(tmp_path, name, run=str(number) * 12, lines=listed, evaluations=accuracies)
    found = drawn("figure_9", tmp_path)
    for k in LEVELS:
        value = float(k)
        assert line(found.axes(0), f"K = {k}") == ([1, 2], pytest.approx([value, 2 * value]))
        assert line(found.axes(1), f"K = {k}") == ([0, 2], pytest.approx([50 * value, 50 * value + 20]))
        assert line(found.axes(2), f"K = {k}") == ([1, 2], [10.0, 20.0])
    assert found.axes(0).get_title(loc="left") == "entropy, Qwen3-8B-Base"


@pytest.mark.train
def test_the_study_comes_before_a_bandit_if_it_has_all_four(tmp_path: Path) -> None:
    store_sweep(tmp_path)
    for levels, subject in ((LEVELS[:3], "softmax bandit"), (LEVELS, "small Qwen3")):
        table = [
            row(qae(k), seed, step, entropy=float(k) * step, success=0.1, length=4.0)
            for k in levels
            for seed in (0, 1)
            for step in (1, 2)
        ]
        store(tmp_path, "validate", config=study_settings(*map(qae, levels)), tables={"runs.parquet": table})
        assert drawn("figure_9", tmp_path).axes(0).get_title(loc="left") == f"entropy, {subject}"
    assert line(drawn("figure_9", tmp_path).axes(0), "K = 0.8") == ([1, 2], pytest.approx([0.8, 1.6]))


@pytest.mark.train
def test_lengths_and_differences_at_the_levels_that_a_small_study_has(tmp_path: Path) -> None:
    grpo = {"name": "grpo", "estimator": "grpo"}
    rules = (grpo, qae("0.2"), qae("0.8"))
    batches = [
        row(rule, seed, step, entropy=1.0, success=0.1, length=4.0 + number + seed * step)
        for number, rule in enumerate(rules)
        for seed in (0, 1)
        for step in (1, 2)
    ]
    store(tmp_path, "validate", config=study_settings(*rules), tables={"runs.parquet": batches})
    found = drawn("figure_9", tmp_path)
    assert lines(found.axes(2)) == ["GRPO", "QAE, K = 0.2", "QAE, K = 0.8"]
    assert line(found.axes(2), "QAE, K = 0.8") == ([1, 2], [6.5, 7.0])
    rules = (grpo, *map(qae, LEVELS))
    followed = [
        row(rule, seed, step, sequence_entropy=5.0 * seed + number * step, pass1=0.1 * number)
        for number, rule in enumerate(rules)
        for seed in (0, 1)
        for step in (0, 1)
    ]
    tables = {"runs.parquet": batches, "follow.parquet": followed}
    store(tmp_path, "validate", config=study_settings(*rules), tables=tables)
    found = drawn("figure_9", tmp_path)
    assert lines(found.axes(3)) == LABELS
    assert line(found.axes(3), "K = 0.6") == ([0, 1], [0, 3])
    assert line(found.axes(4), "K = 0.6") == ([0, 1], pytest.approx([0.3, 0.3]))


def test_without_runs_the_commands_are_named(tmp_path: Path) -> None:
    launch = "not run: qae cluster launch qwen3-8b-clip-higher-qae-k02, or qae validate"
    assert drawn("figure_9", tmp_path).missing == [
        *[f"{launch}, or qae simulate k-sweep"] * 2,
        launch,
        *["not run: qae validate"] * 3,
    ]
