"""The one-machine study: its rows by rule, differences of rules, and the training runs that are its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paper_figures.runs import Results
from paper_figures.study import LARGER, at_k, grpo, rules_there, study_curves, study_of, training_runs
from qae_theory.runs.stored import MissingError
from tests.paper_figures.small_runs import row, store_training, study_settings
from tests.paper_figures.stored import store

GRPO: dict[str, Any] = {"name": "grpo", "estimator": "grpo"}
QAE: dict[str, Any] = {"name": "qae-0.4", "estimator": "qae", "options": {"k": "0.4"}}
STRONG: dict[str, Any] = {**QAE, "name": "qae-0.4, strong clipping", "changes": {"clip_high": 0.2}}
STAND_IN = "not the paper's model: Qwen3 of preset arithmetic on addition"
GRID: dict[str, Any] = {**GRPO, "name": "map: grpo, learning_rate 0.1"}


def test_training_runs_are_those_of_the_studys_usual_condition(tmp_path: Path) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO, QAE, STRONG))
    expected = {}
    for rule in (GRPO, QAE, STRONG):
        expected[rule["name"]] = [store_training(tmp_path, rule, seed, [4.0]) for seed in (0, 1)]
    store_training(tmp_path, QAE, 0, [90.0], task="digits")  # on the study's other task
    store_training(tmp_path, QAE, 2, [90.0], of_study=False)
    store_training(tmp_path, {**QAE, "name": "map: qae-0.4, learning_rate 0.1"}, 3, [90.0])  # of a grid
    results = Results(tmp_path)
    for name, where in (("grpo", grpo()), ("qae-0.4", at_k("0.4")), (STRONG["name"], at_k("0.4", clip_high=0.2))):
        found = training_runs(results, study_of(results), where)
        assert [run.folder for run in found] == expected[name]


def test_without_the_training_runs_the_command_is_named(tmp_path: Path) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO), files={"parts.json": {}})
    results = Results(tmp_path)
    with pytest.raises(
        MissingError, match=r"the training runs of validate, run \w+, quick size, settings changed are not there"
    ):
        training_runs(results, study_of(results), grpo())
    with pytest.raises(MissingError, match="not run: qae validate"):
        study_of(Results(tmp_path / "nowhere"))


def test_a_study_without_the_model_does_not_count(tmp_path: Path) -> None:
    """However new it is: figures of the small model stay where a pretrained one is studied too."""
    settings = study_settings(GRPO)
    older = store(tmp_path, "validate", config=settings, run="a" * 12)
    settings = json.loads(json.dumps(settings))
    settings["settings"]["tasks"] = [{"task": "totals", "model": "larger"}]
    newer = store(tmp_path, "validate", config=settings, run="b" * 12, finished="2027-01-01T00:00:00Z")
    results = Results(tmp_path)
    assert study_of(results).folder == older
    assert study_of(results, LARGER).folder == newer


def test_the_rules_that_a_study_has(tmp_path: Path) -> None:
    levels = [{"name": f"qae-{k}", "estimator": "qae", "options": {"k": k}} for k in ("0.8", "0.2")]
    store(tmp_path, "validate", config=study_settings(GRPO, *levels))
    assert rules_there(Results(tmp_path)) == {"GRPO": grpo(), "QAE, K = 0.2": at_k("0.2"), "QAE, K = 0.8": at_k("0.8")}


@pytest.mark.train
def test_columns_of_the_table_by_rule(tmp_path: Path) -> None:
    rows = [
        row(rule, seed, step, entropy=base + seed - step, success=0.5)
        for rule, base in ((GRPO, 10.0), (QAE, 20.0), (STRONG, 30.0))
        for seed in (0, 1)
        for step in (1, 2)
    ]
    rows += [{**rows[-1], "task": "digits", "clip_high": 0.28, "entropy": 99.0}]
    rows += [row(GRID, seed, step, entropy=99.0, success=0.9) for seed in (0, 1) for step in (1, 2)]
    store(tmp_path, "validate", config=study_settings(GRPO, QAE, STRONG), tables={"runs.parquet": rows})
    rules = {"GRPO": grpo(), "QAE": at_k("0.4"), "strong": at_k("0.4", clip_high=0.2)}
    found = study_curves(Results(tmp_path), rules, {"": "entropy", ", success": "success"}, ylabel="nats")
    assert {label: one.mean.tolist() for label, one in found.curves.items()} == {
        "GRPO": [9.5, 8.5],
        "GRPO, success": [0.5, 0.5],
        "QAE": [19.5, 18.5],
        "QAE, success": [0.5, 0.5],
        "strong": [29.5, 28.5],
        "strong, success": [0.5, 0.5],
    }
    with pytest.raises(MissingError, match="has no masked: qae validate"):
        study_curves(Results(tmp_path), {"masked": at_k("0.4", estimator="pos_mask")}, "entropy", ylabel="nats")


@pytest.mark.train
def test_rules_are_subtracted_seed_by_seed(tmp_path: Path) -> None:
    """The same questions at every checkpoint, from another table; a seed that one rule lacks has no difference."""
    runs = [row(rule, seed, 1, entropy=50.0, success=0.5) for rule in (GRPO, QAE) for seed in (0, 1)]
    followed = [
        row(rule, seed, step, sequence_entropy=10.0 * seed + step * gain, pass1=0.5)
        for rule, gain, seeds in ((GRPO, 1.0, (0, 1)), (QAE, 3.0, (0, 1, 2)))
        for seed in seeds
        for step in (0, 5)
    ]
    tables = {"runs.parquet": runs, "follow.parquet": followed}
    store(tmp_path, "validate", config=study_settings(GRPO, QAE), tables=tables)
    found = study_curves(Results(tmp_path), {"QAE": at_k("0.4")}, "sequence_entropy", ylabel="nats", less=grpo())
    shown = found.curves["QAE"]
    assert (shown.steps.tolist(), shown.mean.tolist(), shown.seeds) == ([0, 5], [0.0, 10.0], 2)
    np.testing.assert_allclose(shown.high - shown.low, 0, atol=1e-12)  # though seeds are 10 nats apart


@pytest.mark.train
def test_long_runs_are_averaged_in_blocks_of_steps(tmp_path: Path) -> None:
    rows = [row(GRPO, seed, step, entropy=float(step) + seed) for seed in (0, 2) for step in range(1, 151)]
    store(tmp_path, "validate", config=study_settings(GRPO), tables={"runs.parquet": rows})
    found = study_curves(Results(tmp_path), {"GRPO": grpo()}, "entropy", ylabel="nats")
    assert found.curves["GRPO"].steps.tolist() == list(range(3, 151, 3))
    # The middle of a block is one step before its end, and the mean of the seeds is 1.
    assert found.curves["GRPO"].mean.tolist() == [step - 1 + 1 for step in range(3, 151, 3)]
    assert found.note == "Each point is a mean over 3 steps."


@pytest.mark.train
def test_either_steps_or_seeds_without_a_value_are_left_out(tmp_path: Path) -> None:
    rows = [
        row(GRPO, seed, step, entropy_positive=float("nan") if (seed, step) == (1, 2) or step == 4 else seed + step)
        for seed in (0, 1, 2)
        for step in (1, 2, 3, 4)
    ]
    store(tmp_path, "validate", config=study_settings(GRPO), tables={"runs.parquet": rows})
    for whole, steps, means, seeds in ((False, [1, 3], [2, 4], 3), (True, [1, 2, 3], [2, 3, 4], 2)):
        shown = study_curves(
            Results(tmp_path), {"GRPO": grpo()}, "entropy_positive", ylabel="nats", whole_seeds=whole
        ).curves["GRPO"]
        assert (shown.steps.tolist(), shown.mean.tolist(), shown.seeds) == (steps, means, seeds)
