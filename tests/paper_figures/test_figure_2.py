"""Figures 2 and 7: words per response of the paper's rows, or of other runs, which are then named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.paper_figures.cluster_runs import evaluation, store_cluster
from tests.paper_figures.stored import drawn, line, lines, texts

METRIC = "recomputed/rollouts/anthropomorphic_words"


def store_words(root: Path, row: str | None, run: str, rate: float, **kwargs: str) -> None:
    listed = [{"step": step, METRIC: rate * step} for step in (1, 2)]
    accuracies = [evaluation(step, {1: 0.1 * step}) for step in (1, 2)]
    store_cluster(root, row, run=run * 12, lines=listed, evaluations=accuracies, **kwargs)


def test_words_and_accuracy_of_both_rows(tmp_path: Path) -> None:
    store_words(tmp_path, "qwen3-8b-eps020", "a", 1.0)
    store_words(tmp_path, "qwen3-8b-clip-higher", "b", 3.0)
    found = drawn("figure_2", tmp_path)
    assert lines(found.axes(0)) == ["eps_high = 0.20", "eps_high = 0.28"]
    assert line(found.axes(0), "eps_high = 0.20") == ([1, 2], [1.0, 2.0])
    assert line(found.axes(0), "eps_high = 0.28") == ([1, 2], [3.0, 6.0])
    assert line(found.axes(1), "eps_high = 0.28") == ([1, 2], pytest.approx([10.0, 20.0]))
    assert found.axes(0).get_ylabel() == "words per response"
    assert "Counted: anthropomorphic words, a list of this project's choice: wait, hmm." in found.caption


def test_words_under_qae(tmp_path: Path) -> None:
    store_words(tmp_path, "qwen3-8b-clip-higher-qae", "a", 2.0)
    found = drawn("figure_7", tmp_path)
    assert line(found.axes(0), "DAPO + QAE, K = 0.4") == ([1, 2], [2.0, 4.0])
    before = found.caption
    store_words(tmp_path, "qwen3-8b-clip-higher-qae", "a", 2.5)
    after = drawn("figure_7", tmp_path)
    assert line(after.axes(0), "DAPO + QAE, K = 0.4")[1] == [2.5, 5.0]
    assert after.caption != before


def test_other_runs_are_named(tmp_path: Path) -> None:
    store_words(tmp_path, None, "a", 1.0, name="smoke-grpo", model="/models/tiny")
    store_words(tmp_path, None, "b", 0.0, name="without such words")
    store_words(tmp_path, None, "c", 5.0, name="by another engine", engine="trl")
    found = drawn("figure_2", tmp_path)
    axes = found.axes(0)
    assert lines(axes) == ["smoke-grpo (aaaaaaaaaaaa)"]
    assert axes.get_title(loc="left") == "anthropomorphic words, tiny"
    assert texts(axes, "source") == ["other runs than the paper's: smoke-grpo, cluster run aaaaaaaaaaaa, to step 2"]
    assert found.missing == [None, "not run: qae cluster launch qwen3-8b-eps020"]


@pytest.mark.parametrize(("name", "row"), [("figure_2", "qwen3-8b-eps020"), ("figure_7", "qwen3-8b-clip-higher-qae")])
def test_without_runs_the_commands_are_named(tmp_path: Path, name: str, row: str) -> None:
    launch = f"not run: qae cluster launch {row}"
    collect = "qae cluster collect JOB, of a job that dumps its rollouts"
    assert drawn(name, tmp_path).missing == [f"{launch}, or {collect}", launch]
