"""Collected runs: which count, and that curves and accuracies are what they have logged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paper_figures.cluster import (
    accuracy_curve,
    accuracy_curves,
    last_accuracy,
    metric_curves,
    metric_table,
    runs_of_row,
)
from paper_figures.runs import Results
from qae_theory.runs.files import file_hashes
from qae_theory.runs.stored import MissingError
from tests.paper_figures.cluster_runs import evaluation, store_cluster

ROW = "qwen3-8b-clip-higher"
LINES = [{"step": step, "entropy": 0.1 * step} for step in (1, 2, 3)]


def test_a_row_is_known_by_what_collect_says_of_it(tmp_path: Path) -> None:
    store_cluster(tmp_path, ROW, run="a" * 12, lines=LINES)
    store_cluster(tmp_path, None, run="b" * 12, lines=LINES, name=ROW, model="/models/tiny")
    (run,) = runs_of_row(Results(tmp_path), ROW)
    assert run.named == f"{ROW}, cluster run {'a' * 12}, to step 3"
    assert run.model == "Qwen3-8B-Base"
    with pytest.raises(MissingError, match="not run: qae cluster launch qwen3-8b-eps020"):
        runs_of_row(Results(tmp_path), "qwen3-8b-eps020")


def test_of_two_collections_of_one_run_the_longer_counts(tmp_path: Path) -> None:
    short = store_cluster(tmp_path, ROW, run="c" * 12, lines=LINES[:1])
    config = (short / "config.json").read_text(encoding="utf-8")
    long = store_cluster(tmp_path, ROW, run="b" * 12, lines=LINES)
    (long / "config.json").write_text(config, encoding="utf-8")
    facts = json.loads((long / "provenance.json").read_text(encoding="utf-8"))
    (long / "provenance.json").write_text(json.dumps({**facts, "files": file_hashes(long)}), encoding="utf-8")
    assert [run.folder.name for run in Results(tmp_path).collected()] == ["b" * 12]
    store_cluster(tmp_path, ROW, run="d" * 12, lines=LINES[:2])
    assert [run.folder.name for run in runs_of_row(Results(tmp_path), ROW)] == ["b" * 12, "d" * 12]


def test_what_was_abandoned_counts_nowhere(tmp_path: Path) -> None:
    store_cluster(
        tmp_path,
        ROW,
        run="a" * 12,
        lines=[*LINES, {"step": 4, "entropy": 9.0, "abandoned": True}],
        evaluations=[evaluation(1, {1: 0.25}), {**evaluation(4, {1: 0.9}), "abandoned": True}],
    )
    (run,) = Results(tmp_path).collected()
    assert run.last_step == 3
    assert metric_table([run], ["entropy"])["value"].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert last_accuracy([run], "AIME24", 1) == pytest.approx((25.0, 15.0, 35.0))


def test_the_first_metric_that_a_run_has(tmp_path: Path) -> None:
    store_cluster(tmp_path, ROW, run="a" * 12, lines=[{"step": 1, "b": 2.0}, {"step": 2, "b": None, "c": 3.0}])
    (run,) = Results(tmp_path).collected()
    assert metric_table([run], ["a", "b", "c"])["value"].tolist() == [2.0]
    with pytest.raises(MissingError, match="has not logged a or d"):
        metric_table([run], ["a", "d"])


def test_curves_of_several_rows(tmp_path: Path) -> None:
    store_cluster(tmp_path, ROW, run="a" * 12, lines=LINES)
    store_cluster(tmp_path, f"{ROW}-qae", run="b" * 12, lines=LINES[1:])
    found = metric_curves(Results(tmp_path), {"with": f"{ROW}-qae", "without": ROW}, ["entropy"], ylabel="nats")
    assert found.curves["with"].mean.tolist() == pytest.approx([0.2, 0.3])
    assert (found.subject, found.stand_in) == ("Qwen3-8B-Base", None)
    assert [run.folder.name for run in found.sources] == ["b" * 12, "a" * 12]


def test_accuracy_of_one_run_has_its_interval_over_questions(tmp_path: Path) -> None:
    listed = [evaluation(step, {1: 0.2 + 0.01 * step, 16: 0.5}) for step in (0, 20)]
    store_cluster(tmp_path, ROW, run="a" * 12, lines=LINES, evaluations=[*listed, evaluation(40, {1: 0.9}, "AMC23")])
    found = accuracy_curves(Results(tmp_path), {"one": ROW}, "AIME24")
    one = found.curves["one"]
    assert (one.steps.tolist(), one.mean.tolist()) == ([0, 20], pytest.approx([20.0, 40.0]))
    assert one.low.tolist() == pytest.approx([10.0, 30.0])
    assert one.high.tolist() == pytest.approx([30.0, 50.0])
    assert (one.band, found.ylabel) == ("one run and its 95% interval over questions", "AIME24 pass@1 (%)")
    with pytest.raises(MissingError, match="has 1 evaluations on AMC23"):
        accuracy_curves(Results(tmp_path), {"one": ROW}, "AMC23")


def test_an_evaluation_without_an_interval(tmp_path: Path) -> None:
    bare = evaluation(0, {1: 0.5})
    bare["pass_at_k"]["1"] |= {"low": None, "high": None}
    store_cluster(tmp_path, ROW, run="a" * 12, lines=LINES, evaluations=[bare])
    estimate, low, high = last_accuracy(Results(tmp_path).collected(), "AIME24", 1)
    assert estimate == 50.0
    assert low != low
    assert high != high


def test_several_runs_have_students_interval_over_them(tmp_path: Path) -> None:
    for name, share in (("a", 0.2), ("b", 0.4)):
        listed = [evaluation(step, {1: share}) for step in (0, 20)]
        store_cluster(tmp_path, ROW, run=name * 12, lines=LINES, evaluations=listed)
    runs = runs_of_row(Results(tmp_path), ROW)
    half = 12.7062 * (2**0.5 * 10) / 2**0.5  # t at .975 with one degree, from a printed table
    assert last_accuracy(runs, "AIME24", 1) == pytest.approx((30.0, 30.0 - half, 30.0 + half), rel=1e-5)
    over = accuracy_curve(runs, "AIME24", 1)
    assert over.band == "mean and 95% interval over 2 seeds"
    assert over.high.tolist() == pytest.approx([30.0 + half] * 2, rel=1e-5)
    with pytest.raises(MissingError, match="has no evaluation on AMC23"):
        last_accuracy(runs, "AMC23", 1)
