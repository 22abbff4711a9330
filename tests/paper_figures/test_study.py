"""The one-machine study: its rows by rule, and the lengths in the training runs that are its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paper_figures.runs import Results
from paper_figures.study import at_k, grpo, length_curves, rules_there, study_curves
from qae_theory.runs.stored import MissingError
from tests.paper_figures.small_runs import row, store_training, study_settings
from tests.paper_figures.stored import store

GRPO: dict[str, Any] = {"name": "grpo", "estimator": "grpo"}
QAE: dict[str, Any] = {"name": "qae-0.4", "estimator": "qae", "options": {"k": "0.4"}}
STRONG: dict[str, Any] = {**QAE, "name": "qae-0.4, strong clipping", "changes": {"clip_high": 0.2}}
STAND_IN = "not the paper's model: Qwen3 of preset arithmetic on addition"


def test_lengths_are_those_of_the_studys_own_runs(tmp_path: Path) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO, QAE, STRONG))
    for seed in (0, 1):
        store_training(tmp_path, GRPO, seed, [4.0, 4.0 + seed])
        store_training(tmp_path, QAE, seed, [5.0, 5.0 + seed])
        store_training(tmp_path, STRONG, seed, [6.0, 6.0 + seed])
    store_training(tmp_path, QAE, 0, [90.0, 90.0], task="digits")  # on the study's other task
    store_training(tmp_path, QAE, 2, [90.0, 90.0], of_study=False)

    found = length_curves(Results(tmp_path), {"GRPO": grpo(), "QAE": at_k("0.4")})
    assert found.curves["GRPO"].mean.tolist() == [4.0, 4.5]
    assert found.curves["QAE"].mean.tolist() == [5.0, 5.5]
    assert found.curves["QAE"].seeds == 2
    assert [run.experiment for run in found.sources] == ["validate", *["train"] * 4]
    assert (found.stand_in, found.subject) == (STAND_IN, "small Qwen3")
    with pytest.raises(MissingError, match="has no QAE at another K: qae validate"):
        length_curves(Results(tmp_path), {"QAE at another K": at_k("0.6")})


def test_without_the_training_runs_the_command_is_named(tmp_path: Path) -> None:
    store(tmp_path, "validate", config=study_settings(GRPO), files={"parts.json": {}})
    with pytest.raises(
        MissingError, match=r"the training runs of validate, run \w+, quick size, settings changed are not there"
    ):
        length_curves(Results(tmp_path), {"GRPO": grpo()})
    with pytest.raises(MissingError, match="not run: qae validate"):
        length_curves(Results(tmp_path / "nowhere"), {"GRPO": grpo()})


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
