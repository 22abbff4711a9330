"""Checks of what a run writes: logs, checkpoints, the job's folder, and room on its disk."""

from __future__ import annotations

import os
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from llm_validation.cluster.checks import outputs as module
from tests.llm_validation.cluster.collect.settings_of_runs import run
from tests.llm_validation.cluster.jobs import stand_in_trainer
from tests.llm_validation.cluster.jobs import submitted as jobs

ACTOR = "actor_rollout_ref__actor__"
Usage = namedtuple("Usage", "total used free")


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
    assert module.checkpoints_at_once(config.trainer) == count


def test_room_for_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 3 * 12 * 8_190_735_360
    free = [needed]
    monkeypatch.setattr(module.shutil, "disk_usage", lambda place: Usage(0, 0, free[0]))
    assert module.check_disk(run(), tmp_path / "not" / "yet").state == "ok"
    free[0] = needed - 1
    check = module.check_disk(run(), tmp_path / "not" / "yet")
    assert check.state == "failed"
    assert "2 checkpoints of 91.5 GiB and 1 in the making need 275 GiB" in check.sentence
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
    assert "step 0" in module.check_resume(run().trainer, folder.path).sentence
    assert "step 0" in module.check_resume(run().trainer, None).sentence
    stand_in_trainer.save(folder.checkpoints, 3, "state", 0)
    check = module.check_resume(run().trainer, folder.path)
    assert (check.state, "is of 2 GPUs, the run of 8" in check.sentence) == ("failed", True)
    assert module.check_resume(run(trainer__n_gpus_per_node=2).trainer, folder.path).sentence == "goes on from step 3"


def test_the_nearest_folder_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.nearest(tmp_path / "a" / "b") == tmp_path
    monkeypatch.chdir(tmp_path)
    assert module.nearest(Path("x") / "y") == Path(os.getcwd())


@pytest.mark.parametrize(
    ("loggers", "state"),
    [(["console", "file"], "ok"), ("file", "ok"), (["console", "wandb"], "failed"), ([], "failed")],
)
def test_the_file_logger_is_on(loggers: Any, state: str) -> None:
    assert module.check_logging(run(trainer__logger=loggers).trainer).state == state


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"trainer__max_actor_ckpt_to_keep": None}, "ok"),
        ({"trainer__save_freq": -1}, "warning"),
        ({f"{ACTOR}checkpoint__save_contents": ["model"]}, "warning"),
        ({f"{ACTOR}checkpoint__async_save": True}, "failed"),
    ],
)
def test_a_killed_run_can_go_on(changes: dict[str, Any], state: str) -> None:
    assert module.check_saving(run(**changes)).state == state
