"""Checkpoints are found whole or not at all; logs are cut back to them."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llm_validation.train import checkpoints
from llm_validation.train.checkpoints import MANIFEST, CheckpointError, find_checkpoint
from llm_validation.train.logs import Log, Logs, is_of_the_clock

CONTENT = {"model.safetensors": b"weights", "optimizer.pt": b"moments", "deep/rng_state.pth": b"random"}


def save(root: Path, updates: int, *, seal: bool = True) -> Path:
    folder = root / f"checkpoint-{updates}"
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content + str(updates).encode())
    if seal:
        checkpoints.seal(folder, logs={"metrics.jsonl": {"bytes": 5, "sha256": "0"}})
    return folder


def everything(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def flip(path: Path, byte: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda folder: (folder / "optimizer.pt").write_bytes(b"mom"), "optimizer.pt has 3 bytes, not 9"),
    "flipped": (lambda folder: flip(folder / "model.safetensors"), "model.safetensors has other content"),
    "longer": (lambda folder: (folder / "model.safetensors").write_bytes(b"weights12!"), "has 10 bytes, not 9"),
    "missing": (lambda folder: (folder / "deep/rng_state.pth").unlink(), "deep/rng_state.pth is missing"),
    "a folder": (lambda folder: _become_folder(folder / "optimizer.pt"), "optimizer.pt is missing"),
    "manifest cut": (lambda folder: (folder / MANIFEST).write_text("{"), "manifest.json cannot be read"),
    "manifest empty": (lambda folder: (folder / MANIFEST).write_text(""), "manifest.json cannot be read"),
    "manifest a list": (lambda folder: (folder / MANIFEST).write_text("[]"), "manifest.json cannot be read"),
    "manifest not text": (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe"), "manifest.json cannot be read"),
    "no files": (lambda folder: (folder / MANIFEST).write_text('{"files": {}, "logs": {}}'), "lists no files"),
}


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_the_newest_is_the_one_with_the_largest_number(tmp_path):
    for updates in (8, 12, 100, 4):
        save(tmp_path, updates)
    found = find_checkpoint(tmp_path)
    assert found is not None
    assert (found.folder.name, found.updates) == ("checkpoint-100", 100)
    assert found.logs == {"metrics.jsonl": {"bytes": 5, "sha256": "0"}}


def test_without_a_checkpoint_there_is_none(tmp_path):
    assert find_checkpoint(tmp_path) is None
    assert find_checkpoint(tmp_path / "not there", resume="previous") is None


def test_other_names_are_no_checkpoints(tmp_path):
    for name in ("checkpoint-", "checkpoint-x", "checkpoint--1", "runs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).write_text("{}")
    (tmp_path / "checkpoint-9").write_text("a file")
    assert find_checkpoint(tmp_path) is None
    assert checkpoints.remove_unfinished(tmp_path) == []


def test_one_whose_saving_was_cut_off_is_removed_and_the_one_before_is_taken(tmp_path):
    save(tmp_path, 4)
    cut_off = save(tmp_path, 8, seal=False)
    found = find_checkpoint(tmp_path)
    assert found is not None
    assert found.updates == 4
    assert checkpoints.remove_unfinished(tmp_path) == [cut_off]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-4"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_stops_and_is_named_with_the_newest_good_one(tmp_path, damage):
    inflict, says = DAMAGES[damage]
    for updates in (4, 8, 12):
        save(tmp_path, updates)
    inflict(tmp_path / "checkpoint-12")
    before = everything(tmp_path)
    with pytest.raises(CheckpointError) as stopped:
        find_checkpoint(tmp_path)
    message = str(stopped.value)
    assert says in message
    assert str(tmp_path / "checkpoint-12") in message
    assert "newest good one is checkpoint-8" in message
    assert "\n" not in message
    assert everything(tmp_path) == before
    found = find_checkpoint(tmp_path, resume="previous")
    assert found is not None
    assert found.updates == 8


def test_any_flipped_byte_of_any_file_is_found(tmp_path):
    folder = save(tmp_path, 4)
    assert checkpoints.damage(folder) is None
    for name in CONTENT:
        for byte in range(len((folder / name).read_bytes())):
            flip(folder / name, byte)
            assert checkpoints.damage(folder) is not None, (name, byte)
            flip(folder / name, byte)
    assert checkpoints.damage(folder) is None


def test_where_all_are_damaged_it_says_so(tmp_path):
    for updates in (4, 8):
        flip(save(tmp_path, updates) / "model.safetensors")
    with pytest.raises(CheckpointError, match="no other is good; --resume-from start"):
        find_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=r"every checkpoint in .* is damaged"):
        find_checkpoint(tmp_path, resume="previous")


def test_the_user_goes_on_without_the_damaged_ones(tmp_path):
    for updates in (4, 8, 12):
        save(tmp_path, updates)
    flip(tmp_path / "checkpoint-12" / "optimizer.pt")
    found = find_checkpoint(tmp_path, resume="previous")
    assert found is not None
    checkpoints.remove_after(tmp_path, found)
    assert [path.name for path in checkpoints.sealed(tmp_path)] == ["checkpoint-4", "checkpoint-8"]


def test_only_the_newest_are_kept(tmp_path):
    for updates in (4, 8, 12):
        save(tmp_path, updates)
    checkpoints.keep_newest(tmp_path, None)
    assert len(checkpoints.sealed(tmp_path)) == 3
    checkpoints.keep_newest(tmp_path, 2)
    assert [path.name for path in checkpoints.sealed(tmp_path)] == ["checkpoint-8", "checkpoint-12"]
    checkpoints.keep_newest(tmp_path, 5)
    assert len(checkpoints.sealed(tmp_path)) == 2


def test_a_removal_that_is_cut_off_leaves_nothing_that_counts_as_damaged(tmp_path, monkeypatch):
    for updates in (4, 8):
        save(tmp_path, updates)

    def cut_off(folder: Path) -> None:
        (folder / "optimizer.pt").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.remove(tmp_path / "checkpoint-8")
    found = find_checkpoint(tmp_path)
    assert found is not None
    assert found.updates == 4
    assert [folder.name for folder in checkpoints.remove_unfinished(tmp_path)] == ["checkpoint-8"]


def test_a_log_is_cut_back_to_the_checkpoint(tmp_path):
    path = tmp_path / "log.jsonl"
    log = Log(path)
    log.write({"step": 1}, {"step": 2})
    kept, text = log.position(), path.read_text()
    log.write({"step": 3})
    log.close()
    path.write_text(path.read_text() + '{"step": 4, "lo')  # a line that a kill has cut off
    again = Log(path, kept)
    assert path.read_text() == text
    again.write({"step": 3})
    again.close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
    whole = Log(path, again.position())
    assert whole.position() == again.position()


@pytest.mark.parametrize("harm", ["shorter", "changed", "gone"])
def test_a_log_that_is_not_what_it_was_stops_and_is_left_alone(tmp_path, harm):
    log = Log(tmp_path / "metrics.jsonl")
    log.write({"step": 1})
    kept = log.position()
    log.write({"step": 2})
    log.close()
    path = tmp_path / "metrics.jsonl"
    if harm == "shorter":
        path.write_bytes(path.read_bytes()[:5])
    elif harm == "changed":
        flip(path, 3)
    else:
        path.write_bytes(b"")
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl does not agree with the checkpoint"):
        Log(path, kept)
    assert path.read_bytes() == before


def test_a_step_is_written_without_the_clock_and_the_clock_beside_it(tmp_path):
    logs = Logs(tmp_path, {})
    logs.step(3, 12, {"loss": np.float32(0.5), "step_time": 0.1, "reward": math.nan, "step/wait_seconds": 2.0})
    logs.rollouts([{"step": 3, "completion": "4\n"}, {"step": 3, "completion": "é\ud800"}])
    logs.close()
    lines = {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in tmp_path.iterdir()}
    assert lines["metrics.jsonl"] == [{"step": 3, "updates": 12, "loss": 0.5, "reward": None}]
    assert lines["timing.jsonl"] == [{"step": 3, "step_time": 0.1, "step/wait_seconds": 2.0}]
    assert [line["completion"] for line in lines["rollouts.jsonl"]] == ["4\n", "é\ud800"]


@pytest.mark.parametrize("key", ["step_time", "train_runtime", "runtime", "a/b_per_second", "eval/step_time"])
def test_figures_of_the_clock_are_known(key):
    assert is_of_the_clock(key)


@pytest.mark.parametrize("key", ["loss", "timeouts", "completions/mean_terminated_length", "time_limit", "num_tokens"])
def test_other_figures_are_not(key):
    assert not is_of_the_clock(key)
