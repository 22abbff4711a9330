"""Which checkpoints a run can go on from: whole ones pass, and each way of being cut short is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_validation.cluster.jobs import verl_checkpoints as module
from tests.llm_validation.cluster.jobs.stand_in_trainer import RANKS, archive, save


def saved(folder: Path, *steps: int) -> Path:
    for step in steps:
        save(folder, step, f"state{step}", 0)
    return folder


def faults(folder: Path) -> dict[int, str | None]:
    return {checkpoint.step: checkpoint.fault for checkpoint in module.checkpoints(folder)}


def test_whole_checkpoints_are_found_in_the_order_of_their_steps(tmp_path: Path) -> None:
    saved(tmp_path, 5, 20, 100)
    assert faults(tmp_path) == {5: None, 20: None, 100: None}
    newest = module.newest_complete(tmp_path)
    assert newest is not None
    assert (newest.step, newest.world_size, newest.path.name) == (100, RANKS, "global_step_100")


def test_no_folder_and_other_folders_are_no_checkpoints(tmp_path: Path) -> None:
    assert module.checkpoints(tmp_path / "no") == []
    for name in ("global_step_x", "step_3", "global_step_3.tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "global_step_7").touch()
    assert module.checkpoints(tmp_path) == []
    assert module.newest_complete(tmp_path) is None


def rank_file(step: Path, kind: str = "model") -> Path:
    return step / "actor" / f"{kind}_world_size_{RANKS}_rank_1.pt"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no actor, as verl leaves one that it removed": (lambda step: shutil.rmtree(step / "actor"), "no actor"),
    "an empty actor": (lambda step: [path.unlink() for path in (step / "actor").iterdir()], "no files of model"),
    "a rank is missing": (
        lambda step: rank_file(step).unlink(),
        "1 of 6 files missing or cut short, model_world_size_2",
    ),
    "a rank's optimiser is missing": (lambda step: rank_file(step, "optim").unlink(), "1 of 6 files missing"),
    "a rank is cut short": (lambda step: cut(rank_file(step)), "1 of 6 files missing or cut short"),
    "a rank is empty": (lambda step: rank_file(step).write_bytes(b""), "1 of 6 files missing or cut short"),
    "no model": (lambda step: [path.unlink() for path in (step / "actor").glob("model*")], "no files of the model"),
    "no data loader": (lambda step: (step / "data.pt").unlink(), "data.pt is missing or cut short"),
    "data loader cut short": (lambda step: cut(step / "data.pt"), "data.pt is missing or cut short"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_checkpoint_that_is_not_whole_is_passed_over(tmp_path: Path, name: str) -> None:
    break_it, complaint = FAULTS[name]
    saved(tmp_path, 5, 10)
    break_it(tmp_path / "global_step_10")
    found = faults(tmp_path)
    assert found[5] is None
    assert found[10] is not None
    assert found[10].startswith(complaint)
    newest = module.newest_complete(tmp_path)
    assert newest is not None
    assert newest.step == 5


def test_what_is_newer_than_the_tracker_does_not_count(tmp_path: Path) -> None:
    """verl writes the tracker after everything else: the save was not finished."""
    saved(tmp_path, 5, 10)
    (tmp_path / module.TRACKER).write_text("5")
    assert faults(tmp_path) == {5: None, 10: "newer than the last finished save (step 5)"}


@pytest.mark.parametrize("content", ["", "x", "-3", "1 2"])
def test_a_tracker_that_cannot_be_read_says_nothing(tmp_path: Path, content: str) -> None:
    saved(tmp_path, 5, 10)
    (tmp_path / module.TRACKER).write_text(content)
    assert module.tracked_step(tmp_path) is None
    assert faults(tmp_path) == {5: None, 10: None}


def test_a_save_by_another_number_of_gpus_over_an_older_one(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    actor = tmp_path / "global_step_5" / "actor"
    for rank in range(3):
        (actor / f"model_world_size_4_rank_{rank}.pt").write_bytes(archive("x"))
    (checkpoint,) = module.checkpoints(tmp_path)
    assert (checkpoint.fault, checkpoint.world_size) == (None, RANKS)
    (actor / "model_world_size_4_rank_3.pt").write_bytes(archive("x"))
    (checkpoint,) = module.checkpoints(tmp_path)
    assert (checkpoint.fault, checkpoint.world_size) == (None, 4)


def test_megatrons_checkpoint_counts_from_its_last_file(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    actor = tmp_path / "global_step_5" / "actor"
    shutil.rmtree(actor)
    (actor / "model" / "dist_ckpt").mkdir(parents=True)
    assert faults(tmp_path)[5] == "no files of model or optimiser"
    (actor / "model" / "dist_ckpt" / ".metadata").touch()
    assert faults(tmp_path)[5] is None


# What is done before an attempt


def test_settling_names_the_newest_whole_one_and_puts_newer_ones_aside(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10, 15)
    cut(rank_file(tmp_path / "global_step_10"))
    cut(rank_file(tmp_path / "global_step_15"))
    before = rank_file(tmp_path / "global_step_15").read_bytes()
    newest = module.settle(tmp_path)
    assert newest is not None
    assert newest.step == module.tracked_step(tmp_path) == 5
    assert faults(tmp_path) == {5: None}
    assert rank_file(tmp_path / module.SET_ASIDE / "global_step_15").read_bytes() == before
    assert module.settle(tmp_path) == newest  # a second time changes nothing
    assert {path.name for path in (tmp_path / module.SET_ASIDE).iterdir()} == {"global_step_10", "global_step_15"}


def test_settling_with_no_whole_one_begins_again(tmp_path: Path) -> None:
    saved(tmp_path, 5)
    cut(rank_file(tmp_path / "global_step_5"))
    assert module.settle(tmp_path) is None
    assert not (tmp_path / module.TRACKER).exists()
    assert module.checkpoints(tmp_path) == []
    assert module.settle(tmp_path / "no") is None


def test_a_mixture_of_two_saves_cannot_pass_for_whole(tmp_path: Path) -> None:
    """Two attempts save the same step, the second is killed in between: without settling, the files of both fit."""

    def second_attempt(folder: Path) -> None:
        actor = folder / "global_step_10" / "actor"
        actor.mkdir(parents=True, exist_ok=True)
        rank_file(folder / "global_step_10").write_bytes(archive("another state"))

    saved(tmp_path / "settled", 5, 10)
    saved(tmp_path / "not", 5, 10)
    for folder in (tmp_path / "settled", tmp_path / "not"):
        rank_file(folder / "global_step_10").unlink()  # the first attempt's save
    module.settle(tmp_path / "settled")
    for folder in (tmp_path / "settled", tmp_path / "not"):
        second_attempt(folder)
    assert faults(tmp_path / "not")[10] is None  # the negative control
    assert faults(tmp_path / "settled")[10] is not None


def test_surplus_checkpoints_are_removed_oldest_first(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10, 15, 20, 25)
    shutil.rmtree(tmp_path / "global_step_5" / "actor")  # verl's own removal leaves the rest
    cut(rank_file(tmp_path / "global_step_25"))
    (tmp_path / "notes").mkdir()
    removed = module.remove_surplus(tmp_path, keep=2)
    assert {path.name for path in removed} == {"global_step_5", "global_step_10"}
    assert set(faults(tmp_path)) == {15, 20, 25}
    assert (tmp_path / "notes").is_dir()
    assert module.remove_surplus(tmp_path, keep=2) == []
    assert module.remove_surplus(tmp_path / "no", keep=1) == []
    with pytest.raises(ValueError, match="keep must be an integer >= 1; got 0"):
        module.remove_surplus(tmp_path, keep=0)


def test_nothing_is_removed_while_nothing_is_whole(tmp_path: Path) -> None:
    saved(tmp_path, 5, 10)
    for step in (5, 10):
        cut(rank_file(tmp_path / f"global_step_{step}"))
    assert module.remove_surplus(tmp_path, keep=1) == []
    assert set(faults(tmp_path)) == {5, 10}


@pytest.mark.verl
def test_a_file_of_torch_save_is_a_zip_archive_whose_end_is_checked(tmp_path: Path) -> None:
    """And verl's own search believes the tracker, whatever the folder holds."""
    import torch
    from verl.utils.checkpoint.checkpoint_manager import find_latest_ckpt_path

    saved(tmp_path, 5, 10)
    file = rank_file(tmp_path / "global_step_10")
    torch.save({"weight": torch.zeros(1000)}, file)
    assert faults(tmp_path)[10] is None
    cut(file)
    assert faults(tmp_path)[10] is not None
    assert find_latest_ckpt_path(str(tmp_path)) == str(tmp_path / "global_step_10")  # why `auto` is not left to it
    module.settle(tmp_path)
    assert find_latest_ckpt_path(str(tmp_path)) == str(tmp_path / "global_step_5")
