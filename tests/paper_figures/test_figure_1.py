"""Figures 1, 10 and 11: which source is drawn, that it is what the runs have, and what is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.small_runs import mean_by_step, row, store_bandit, store_training, study_settings
from tests.paper_figures.stored import drawn, line, lines, store, texts

ROWS = ("qwen3-8b-clip-higher", "qwen3-8b-clip-higher-qae")
GRPO: dict[str, Any] = {"name": "grpo", "estimator": "grpo"}
QAE: dict[str, Any] = {"name": "qae-0.4", "estimator": "qae", "options": {"k": "0.4"}}
RULES = ({"rule": "grpo"}, {"rule": "qae"})


def store_bandits(root: Path, start: float = 2.0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    entropies = store_bandit(root, "sign-split", ["sequence_entropy"], RULES, start=start)
    return entropies, store_bandit(root, "sparsity", ["success"], ({"k": "grpo"}, {"k": "0.4"}))


def store_cluster_rows(root: Path, rows: tuple[str, str] = ROWS) -> None:
    for number, name in enumerate(rows):
        listed = [
            {"step": step, "actor/entropy": 0.1 * step + number, "response_length/mean": 100.0 * step}
            for step in (1, 2, 3)
        ]
        accuracies = [evaluation(step, {1: 0.3 + 0.02 * step + 0.1 * number}) for step in (0, 3)]
        store_cluster(root, name, run=str(number) * 12, lines=listed, evaluations=accuracies)


@pytest.mark.parametrize("name", ["figure_1", "figure_10"])
def test_bandits_stand_in(tmp_path: Path, name: str) -> None:
    entropies, successes = store_bandits(tmp_path)
    found = drawn(name, tmp_path)
    cases = ((entropies, "sequence_entropy", "rule", ("grpo", "qae")), (successes, "success", "k", ("grpo", "0.4")))
    for panel, (records, column, label, rules) in enumerate(cases):
        axes = found.axes(panel)
        assert lines(axes)[:2] == ["GRPO", "QAE, K = 0.4"]
        for rule, shown in zip(rules, ("GRPO", "QAE, K = 0.4"), strict=True):
            steps, means = mean_by_step(records, column, condition="Adam 1e-8, 16 passes", **{label: rule})
            assert line(axes, shown) == (steps, pytest.approx(means))
        assert axes.get_title(loc="left").endswith(", softmax bandit")
        (source,) = texts(axes, "source")
        assert source.startswith("not a language model: softmax bandit, Adam 1e-8, 16 passes")
    assert found.axes(0).get_ylabel() == "entropy (nats per response)"
    assert found.panels[0].caption.endswith("Reference marks: paper: DAPO spikes at steps 10-80.")
    assert not any(text.startswith("paper") for panel in (0, 1) for text in lines(found.axes(panel)))


def test_a_changed_record_changes_line_and_caption(tmp_path: Path) -> None:
    store_bandits(tmp_path)
    before = drawn("figure_1", tmp_path)
    store_bandits(tmp_path, start=3.0)
    after = drawn("figure_1", tmp_path)
    old, new = (line(found.axes(0), "GRPO")[1] for found in (before, after))
    assert new == pytest.approx([value + 1 for value in old])
    assert before.caption != after.caption
    assert "GRPO from 2.02 at step 0 to 1.92" in before.caption
    assert "GRPO from 3.02 at step 0 to 2.92" in after.caption


@pytest.mark.parametrize("name", ["figure_1", "figure_10"])
def test_a_run_of_the_paper_s_row_comes_first(tmp_path: Path, name: str) -> None:
    store_bandits(tmp_path)
    store_cluster_rows(tmp_path)
    found = drawn(name, tmp_path)
    entropy, accuracy = found.axes(0), found.axes(1)
    assert line(entropy, "DAPO + QAE, K = 0.4") == ([1, 2, 3], pytest.approx([1.1, 1.2, 1.3]))
    assert line(accuracy, "DAPO") == ([0, 3], pytest.approx([30.0, 36.0]))
    assert line(accuracy, "paper: DAPO, 39.69 %")[1] == [39.69] * 2
    assert line(accuracy, "paper: DAPO + QAE, K = 0.4, 48.23 %")[1] == [48.23] * 2
    assert "paper: DAPO's entropy spike, steps 10 to 80" in entropy.get_legend_handles_labels()[1]
    assert entropy.get_title(loc="left") == "entropy, Qwen3-8B-Base"
    assert texts(entropy, "source")[0].startswith("qwen3-8b-clip-higher, cluster run 000000000000, to step 3;")
    if name == "figure_10":
        assert line(found.axes(2), "DAPO") == ([1, 2, 3], [100.0, 200.0, 300.0])


def test_one_row_alone_is_no_comparison(tmp_path: Path) -> None:
    store_bandits(tmp_path)
    store_cluster(tmp_path, ROWS[0], run="0" * 12, lines=[{"step": step, "actor/entropy": 9.0} for step in (1, 2)])
    assert lines(drawn("figure_1", tmp_path).axes(0))[0] == "GRPO"


def test_the_larger_model_has_its_own_rows(tmp_path: Path) -> None:
    store_bandits(tmp_path)
    store_cluster_rows(tmp_path)
    assert drawn("figure_11", tmp_path).axes(0).get_title(loc="left") == "entropy, softmax bandit"
    store_cluster_rows(tmp_path, ("qwen3-14b-clip-higher", "qwen3-14b-clip-higher-qae"))
    found = drawn("figure_11", tmp_path)
    assert line(found.axes(0), "DAPO") == ([1, 2, 3], pytest.approx([0.1, 0.2, 0.3]))
    assert not any("paper" in label for axes in found.figure.axes for label in lines(axes))  # Table 2 has no such row


@pytest.mark.train
def test_the_study_comes_before_a_bandit(tmp_path: Path) -> None:
    store_bandits(tmp_path)
    table = [
        row(rule, seed, step, entropy=number + 0.1 * step + seed, success=0.2 * step)
        for number, rule in enumerate((GRPO, QAE))
        for seed in (0, 1)
        for step in (1, 2)
    ]
    store(tmp_path, "validate", config=study_settings(GRPO, QAE), tables={"runs.parquet": table})
    found = drawn("figure_1", tmp_path)
    assert line(found.axes(0), "QAE, K = 0.4") == ([1, 2], pytest.approx([1.6, 1.7]))
    assert line(found.axes(1), "GRPO") == ([1, 2], pytest.approx([0.2, 0.4]))
    assert found.axes(0).get_title(loc="left") == "entropy, small Qwen3"
    assert texts(found.axes(0), "source") == [
        "not the paper's model: Qwen3 of preset arithmetic on addition: "
        "validate, run 0123456789ab, quick size, settings changed"
    ]


def test_lengths_of_a_study_without_the_paper_s_k(tmp_path: Path) -> None:
    other = {**QAE, "name": "qae-0.2", "options": {"k": "0.2"}}
    store(tmp_path, "validate", config=study_settings(GRPO, other))
    for seed in (0, 1):
        store_training(tmp_path, GRPO, seed, [4.0, 4.0 + seed])
        store_training(tmp_path, other, seed, [5.0, 5.0 + seed])
    axes = drawn("figure_10", tmp_path).axes(2)
    assert lines(axes) == ["GRPO", "QAE, K = 0.2"]
    assert line(axes, "QAE, K = 0.2") == ([1, 2], [5.0, 5.5])
    assert "at the K that this study has" in texts(axes, "source")[0]
    for seed in (0, 1):
        store_training(tmp_path, QAE, seed, [6.0, 6.0])
    store(tmp_path, "validate", config=study_settings(GRPO, other, QAE))
    assert lines(drawn("figure_10", tmp_path).axes(2)) == ["GRPO", "QAE, K = 0.4"]


def test_without_runs_the_commands_are_named(tmp_path: Path) -> None:
    launch = "not run: qae cluster launch qwen3-8b-clip-higher, or qae validate"
    assert drawn("figure_10", tmp_path).missing == [
        f"{launch}, or qae simulate sign-split",
        f"{launch}, or qae simulate sparsity",
        launch,
    ]
    assert drawn("figure_1", tmp_path).missing[0] == f"{launch}, or qae simulate sign-split"
