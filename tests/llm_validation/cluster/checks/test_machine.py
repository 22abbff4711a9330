"""Checks of the place where a job is prepared or runs."""

from __future__ import annotations

import os
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.checks import machine as module
from tests.llm_validation.cluster.collect.settings_of_runs import run
from tests.llm_validation.cluster.jobs import stand_in_trainer
from tests.llm_validation.cluster.jobs import submitted as jobs

Usage = namedtuple("Usage", "total used free")
GIB = 2**30


def model_in(folder: Path, *files: str) -> Path:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_text("{}")
    return folder


def test_a_model_is_a_whole_folder_or_a_name(tmp_path: Path) -> None:
    whole = model_in(tmp_path / "whole", "config.json", "tokenizer_config.json")
    part = model_in(tmp_path / "part", "config.json")
    assert module.check_model(run(actor_rollout_ref__model__path=str(whole)), strict=True).state == "ok"
    check = module.check_model(run(actor_rollout_ref__model__path=str(part)), strict=False)
    assert (check.state, "has no tokenizer_config.json" in check.says) == ("failed", True)
    assert "by name" in module.check_model(run(), strict=True).says
    assert module.check_model(run(actor_rollout_ref__model__path=""), strict=False).state == "failed"


@pytest.mark.parametrize("path", ["/no/model", "./no/model", "~/no-model", "no-model", "a/b/c", "models/tiny"])
def test_a_folder_that_is_not_here(path: str) -> None:
    config = run(actor_rollout_ref__model__path=path, cluster__models="models")
    assert module.check_model(config, strict=True).state == "failed"
    assert module.check_model(config, strict=False).state == "warning"


def test_a_checkpoint_holds_parameters_and_two_moments() -> None:
    parameters = 8_190_735_360  # of Qwen3-8B, as its page has it
    assert module.checkpoint_bytes(run()) == 12 * parameters
    assert module.checkpoint_bytes(run(actor_rollout_ref__actor__optim__optimizer="SGD")) == 4 * parameters
    assert module.checkpoint_bytes(run(actor_rollout_ref__model__path="somebody/else")) is None


@pytest.mark.parametrize(
    ("every", "keep", "count"),
    [(10, 2, 2), (10, None, 10), (10, 1, 2), (60, 3, 2), (-1, 2, 0), (30, None, 4), (10, 5, 5)],
)
def test_how_many_checkpoints_there_are_at_once(every: int, keep: int | None, count: int) -> None:
    config = run(trainer__save_freq=every, trainer__max_actor_ckpt_to_keep=keep)
    assert module.checkpoints_at_once(config) == count


def test_room_for_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 3 * 12 * 8_190_735_360
    free = [needed]
    monkeypatch.setattr(module.shutil, "disk_usage", lambda place: Usage(0, 0, free[0]))
    assert module.check_disk(run(), tmp_path / "not" / "yet").state == "ok"
    free[0] = needed - 1
    check = module.check_disk(run(), tmp_path / "not" / "yet")
    assert (check.state, "2 checkpoints of 91.5 GiB and 1 in the making need 275 GiB" in check.says) == ("failed", True)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "file").write_bytes(b"x")  # what is there already is room for what takes its place
    assert module.check_disk(run(), tmp_path).state == "ok"
    assert module.check_disk(run(trainer__probe__counterfactual_every=10), tmp_path).state == "failed"
    assert module.check_disk(run(), None).state == "ok"
    assert module.check_disk(run(actor_rollout_ref__model__path="somebody/else"), tmp_path).state == "warning"


def test_a_folder_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.check_job_dir(tmp_path / "a" / "b", strict=True).state == "ok"
    assert not (tmp_path / "a").exists()
    assert module.check_job_dir(None, strict=True).state == "ok"

    def refused(**arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refused)
    assert module.check_job_dir(tmp_path / "a", strict=True).state == "failed"
    assert module.check_job_dir(tmp_path / "a", strict=False).state == "warning"
    assert module.check_job_dir(tmp_path, strict=False).state == "failed"


def test_the_checkpoint_to_go_on_from_is_of_as_many_gpus(tmp_path: Path) -> None:
    folder = jobs.new_job(tmp_path)
    assert "step 0" in module.check_resume(run(), folder.path).says
    assert "step 0" in module.check_resume(run(), None).says
    stand_in_trainer.save(folder.checkpoints, 3, "state", 0)
    check = module.check_resume(run(), folder.path)
    assert (check.state, "is of 2 GPUs, the run of 8" in check.says) == ("failed", True)
    assert module.check_resume(run(trainer__n_gpus_per_node=2), folder.path).says == "goes on from step 3"


def test_gpus_that_are_missing_fail_where_the_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(module, "devices", lambda: 7)
    assert module.check_gpus(run(), strict=True).state == "failed"
    assert module.check_gpus(run(), strict=False).state == "warning"
    assert module.check_gpus(run(trainer__n_gpus_per_node=7), strict=True).state == "ok"
    assert module.check_gpus(run(trainer__device="cpu"), strict=True).state == "ok"


def test_in_a_cluster_its_gpus_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    asked = []

    def joined(needed: int, seconds: float) -> int:
        asked.append((needed, seconds))
        return 8

    monkeypatch.setattr(module, "joined", joined)
    assert "8 seen in the Ray cluster" in module.check_gpus(run(), strict=True, wait=5.0).says
    assert module.check_gpus(run(trainer__nnodes=2), strict=True).state == "failed"
    module.check_gpus(run(), strict=False)  # a laptop does not connect to a cluster
    assert asked == [(8, 5.0), (16, 0.0)]


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.41.0", "ok"), ("2.60.0", "ok"), ("3.0", "ok"), ("2.40.9", "failed"), ("(not installed)", "failed")],
)
def test_ray_is_new_enough(monkeypatch: pytest.MonkeyPatch, version: str, state: str) -> None:
    monkeypatch.setattr(module, "installed", lambda package: version)
    assert module.check_ray().state == state


def test_engines_that_the_run_names(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"vllm"}
    monkeypatch.setattr(module, "find_spec", lambda name: name in here or None)
    check = module.check_engines(run(), strict=True)
    assert (check.state, check.says.startswith("flash_attn not installed")) == ("failed", True)
    assert module.check_engines(run(), strict=False).state == "warning"
    sdpa = run(actor_rollout_ref__model__override_config={"attn_implementation": "sdpa"})
    assert module.check_engines(sdpa, strict=True).state == "ok"
    here.clear()
    assert module.check_engines(sdpa, strict=True).state == "failed"
    assert (
        module.check_engines(run(trainer__device="cpu", actor_rollout_ref__rollout__name="x"), strict=True).state
        == "ok"
    )


def test_the_nearest_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.nearest(tmp_path / "a" / "b") == tmp_path
    monkeypatch.chdir(tmp_path)
    assert module.nearest(Path("x") / "y") == Path(os.getcwd())
