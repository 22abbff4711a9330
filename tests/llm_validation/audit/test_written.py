"""What the writers themselves have written is read with the numbers that were given to them."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests import ROOT
from tests.llm_validation.audit.audited import audited, report_of

FIXTURES = Path(__file__).parent / "fixtures"
VERL = FIXTURES / "verl"
SINKS = ("file.jsonl", "console.txt", "tensorboard", "offline.wandb", "history.jsonl", "history.csv")


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_of_verl_has_the_same_metrics(name: str) -> None:
    steps = report_of(VERL / name).log.steps
    assert steps.step.tolist() == [1, 2, 3, 4]
    for metric, values in {
        "actor/entropy": [1.5, 0.75, 0.5, 0.375],
        "actor/pg_clipfrac": [0.01, 0.02, 0.03, 0.04],
        "actor/grad_norm": [0.25] * 4,
        "response_length/mean": [21.0, 22.0, 23.0, 24.0],
        "val-core/digits/acc/mean@4": [0.125, 0.25, 0.375, 0.5],
    }.items():
        np.testing.assert_allclose(steps.metrics[metric], values, rtol=1e-6)


@pytest.mark.parametrize(
    "path",
    [
        VERL / "offline.wandb",
        next((VERL / "tensorboard").iterdir()),
        FIXTURES / "trl/completions/completions_00001.parquet",
    ],
    ids=lambda path: path.name,
)
def test_binary_logs_are_read_packed_as_well(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / f"{path.name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    plain, found = audited(path), audited(packed)
    assert {**found, "sources": None} == {**plain, "sources": None}
    assert [one["used"] for one in found["sources"]] == [one["used"] for one in plain["sources"]] != [0]


@pytest.mark.parametrize("name", ["rollouts", "rollouts-older", "validation", "validation-older"])
def test_both_trainers_dumps_have_the_groups_that_were_written(name: str) -> None:
    from tests.llm_validation.audit.written import STEPS, made_up_batch

    right = np.array([made_up_batch(step)["ordered_scores"] for step in range(1, STEPS + 1)]).reshape(16, 4).sum(axis=1)
    content = audited(VERL / name)
    assert content["groups"] == {
        "count": 16,
        "size": 4,
        "identity": "prompt" if name.endswith("older") else "id",
        "all_wrong": int((right == -4).sum()),
        "all_right": int((right == 4).sum()),
        "mixed": int((np.abs(right) < 4).sum()),
    }
    kind = "verl-validation" if name.startswith("validation") else "verl-rollouts"
    assert {source["format"] for source in content["sources"]} == {kind}


def test_trls_files_agree_with_one_another() -> None:
    """Completions, events and trainer state are three records of one run."""
    report = report_of(FIXTURES / "trl")
    table, steps = report.log.main, report.log.steps
    assert table is not None
    assert set(table.components) == {"digits_reward", "length_reward"}
    for row, step in enumerate(steps.step.tolist()):
        here = table.step == step
        assert table.reward[here].mean() == pytest.approx(steps.metrics["reward"][row], rel=1e-5)
        assert table.components["digits_reward"][here].mean() == pytest.approx(
            steps.metrics["rewards/digits_reward/mean"][row], rel=1e-5
        )
    for name in ("entropy", "reward"):
        np.testing.assert_allclose(steps.metrics[f"train/{name}"], steps.metrics[name], rtol=1e-5)


def test_with_every_second_step_logged_the_other_batches_are_not_there() -> None:
    content = audited(FIXTURES / "trl-every-second")
    assert content["steps"] == {"first": 2, "last": 4, "count": 2}
    assert content["groups"]["count"] == 8


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*")), ids=lambda path: path.relative_to(FIXTURES).as_posix())
def test_no_fixture_names_the_machine_that_wrote_it(path: Path) -> None:
    if path.is_file():
        content = path.read_bytes()
        for folder in (ROOT, Path.home(), Path(tempfile.gettempdir())):
            assert f"{folder}/".encode() not in content


def test_the_state_of_a_checkpoint_is_its_json() -> None:
    state = json.loads((FIXTURES / "trl" / "checkpoint-4" / "trainer_state.json").read_text())
    steps = report_of(FIXTURES / "trl" / "checkpoint-4").log.steps
    for entry in state["log_history"]:
        row = steps.step.tolist().index(entry["step"])
        if "entropy" in entry:
            assert steps.metrics["entropy"][row] == entry["entropy"]
