"""Figures 1, 10 and 11: which source is drawn, that it is what the runs have, and what is marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.small_runs import mean_by_step, row, store_bandit, study_settings
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
    assert drawn("figure_11", tmp_path).missing[0] is not None
    store_cluster_rows(tmp_path, ("qwen3-14b-clip-higher", "qwen3-14b-clip-higher-qae"))
    found = drawn("figure_11", tmp_path)
    assert line(found.axes(0), "DAPO") == ([1, 2, 3], pytest.approx([0.1, 0.2, 0.3]))
    assert not any("paper" in label for axes in found.figure.axes for label in lines(axes))  # Table 2 has no such row


def study_rows(*rules: dict[str, Any], task: str = "addition") -> dict[str, list[dict[str, Any]]]:
    """Both tables of a study; QAE's entropy is .5 above GRPO's on every seed."""
    tables: dict[str, list[dict[str, Any]]] = {"runs.parquet": [], "follow.parquet": []}
    for number, rule in enumerate(rules):
        for seed in (0, 1):
            for step in (1, 2):
                batch = row(
                    rule, seed, step, entropy=number + 0.1 * step + seed, success=0.2 * step, length=4.0 + number
                )
                kept = row(rule, seed, step, sequence_entropy=7.0 * seed + 0.5 * number, pass1=0.3 - 0.1 * number)
                tables["runs.parquet"].append({**batch, "task": task})
                tables["follow.parquet"].append({**kept, "task": task})
    return tables


@pytest.mark.train
def test_the_study_comes_before_a_bandit(tmp_path: Path) -> None:
    store_bandits(tmp_path)
    store(tmp_path, "validate", config=study_settings(GRPO, QAE), tables=study_rows(GRPO, QAE))
    found = drawn("figure_1", tmp_path)
    assert line(found.axes(0), "QAE, K = 0.4") == ([1, 2], pytest.approx([1.6, 1.7]))
    assert line(found.axes(1), "GRPO") == ([1, 2], pytest.approx([0.2, 0.4]))
    assert line(found.axes(2), "QAE, K = 0.4") == ([1, 2], pytest.approx([0.5, 0.5]))
    assert found.axes(0).get_title(loc="left") == "entropy, small Qwen3"
    assert texts(found.axes(0), "source") == [
        "not the paper's model: Qwen3 of preset arithmetic on addition: "
        "validate, run 0123456789ab, quick size, settings changed"
    ]


@pytest.mark.train
def test_the_larger_model_of_the_study_stands_in_for_the_larger_one(tmp_path: Path) -> None:
    """And nothing else does: not the small model, and no bandit."""
    store_bandits(tmp_path)
    settings = study_settings(GRPO, QAE)
    store(tmp_path, "validate", config=settings, tables=study_rows(GRPO, QAE))
    assert set(drawn("figure_11", tmp_path).missing[:2]) == {
        "not run: qae cluster launch qwen3-14b-clip-higher, or qae validate"
    }
    settings["settings"]["tasks"].append({"task": "totals", "model": "larger"})
    store(tmp_path, "validate", config=settings, tables=study_rows(GRPO, QAE, task="totals"))
    found = drawn("figure_11", tmp_path)
    assert found.missing == [None] * 6
    assert line(found.axes(0), "QAE, K = 0.4") == ([1, 2], pytest.approx([1.6, 1.7]))
    for panel, gap in ((3, 0.5), (4, -0.1), (5, 1.0)):
        assert line(found.axes(panel), "QAE, K = 0.4") == ([1, 2], pytest.approx([gap, gap]))
    assert found.axes(3).get_title(loc="left") == "difference of entropy, larger Qwen3"


@pytest.mark.train
def test_lengths_of_a_study_without_the_paper_s_k(tmp_path: Path) -> None:
    other = {**QAE, "name": "qae-0.2", "options": {"k": "0.2"}}
    store(tmp_path, "validate", config=study_settings(GRPO, other), tables=study_rows(GRPO, other))
    axes = drawn("figure_10", tmp_path).axes(2)
    assert lines(axes) == ["GRPO", "QAE, K = 0.2"]
    assert line(axes, "QAE, K = 0.2") == ([1, 2], [5.0, 5.0])
    assert "at the K that this study has" in texts(axes, "source")[0]
    store(tmp_path, "validate", config=study_settings(GRPO, other, QAE), tables=study_rows(GRPO, other, QAE))
    assert lines(drawn("figure_10", tmp_path).axes(2)) == ["GRPO", "QAE, K = 0.4"]


def test_bandits_are_subtracted_seed_by_seed(tmp_path: Path) -> None:
    entropies, successes = store_bandits(tmp_path)
    found = drawn("figure_10", tmp_path)
    for panel, records, column, label, rules in (
        (3, entropies, "sequence_entropy", "rule", ("grpo", "qae")),
        (4, successes, "success", "k", ("grpo", "0.4")),
    ):
        steps, means = [], []
        for rule in rules:
            steps, mean = mean_by_step(records, column, condition="Adam 1e-8, 16 passes", **{label: rule})
            means.append(mean)
        gaps = [after - before for before, after in zip(*means, strict=True)]
        assert line(found.axes(panel), "QAE, K = 0.4") == (steps, pytest.approx(gaps))


def test_rows_of_the_paper_are_subtracted_run_by_run(tmp_path: Path) -> None:
    store_cluster_rows(tmp_path)
    found = drawn("figure_10", tmp_path)
    assert line(found.axes(3), "DAPO + QAE, K = 0.4") == ([1, 2, 3], pytest.approx([1.0] * 3))
    assert line(found.axes(5), "DAPO + QAE, K = 0.4") == ([1, 2, 3], pytest.approx([0.0] * 3))


def test_without_runs_the_commands_are_named(tmp_path: Path) -> None:
    launch = "not run: qae cluster launch qwen3-8b-clip-higher, or qae validate"
    qae = "not run: qae cluster launch qwen3-8b-clip-higher-qae, or qae validate"
    assert drawn("figure_10", tmp_path).missing == [
        f"{launch}, or qae simulate sign-split",
        f"{launch}, or qae simulate sparsity",
        launch,
        f"{qae}, or qae simulate sign-split",
        "not run: qae validate, or qae simulate sparsity",
        qae,
    ]
    assert drawn("figure_1", tmp_path).missing[0] == f"{launch}, or qae simulate sign-split"
