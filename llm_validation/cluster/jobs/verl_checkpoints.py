"""Find which of verl's checkpoints a run can resume from, by names and ends of files; none of them is loaded.

verl writes ``global_step_N/actor/`` (one file per rank), then ``global_step_N/data.pt``, then the number N into
``latest_checkpointed_iteration.txt``; none of it atomically. A kill can leave each of them half written or missing.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qae_theory.runs.files import write_atomically

TRACKER = "latest_checkpointed_iteration.txt"
DATA = "data.pt"
SET_ASIDE = "set_aside"
_STEP = re.compile(r"global_step_(\d+)")
_SHARD = re.compile(r"(model|optim|extra_state)_world_size_(\d+)_rank_(\d+)\.pt")


@dataclass(frozen=True)
class Checkpoint:
    """Describe a folder ``global_step_N``.

    Attributes:
        path: the folder.
        step: N.
        fault: why a run cannot resume from it, in a few words; None where it can.
        world_size: the number of ranks that wrote it, where its files tell (FSDP).
    """

    path: Path
    step: int
    fault: str | None
    world_size: int | None = None

    @property
    def complete(self) -> bool:
        """Return whether a run can resume from it."""
        return self.fault is None


def checkpoints(folder: Path) -> list[Checkpoint]:
    """Return every ``global_step_N`` below ``folder``, oldest first.

    One that is newer than the step in verl's tracker file was still being written when the run ended: it counts as
    incomplete, whatever is in it. A tracker that is missing or unreadable, as after a kill between opening and writing
    it, says nothing; then the folders alone decide.
    """
    if not folder.is_dir():
        return []
    last = tracked_step(folder)
    listed = []
    for path in folder.iterdir():
        match = _STEP.fullmatch(path.name)
        if match and path.is_dir():
            listed.append(_checkpoint(path, int(match[1]), last))
    return sorted(listed, key=lambda checkpoint: checkpoint.step)


def newest_complete(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint that a run can resume from, or None."""
    whole = [checkpoint for checkpoint in checkpoints(folder) if checkpoint.complete]
    return whole[-1] if whole else None


def tracked_step(folder: Path) -> int | None:
    """Return the step in verl's tracker file; None where the file is missing or unreadable."""
    try:
        text = (folder / TRACKER).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.strip().isdecimal() else None


def settle(folder: Path) -> Checkpoint | None:
    """Leave verl's folder as if the newest complete checkpoint were the last that was ever written.

    Newer checkpoints, all incomplete, are moved to ``set_aside/`` in place of what lies there: a later save to the
    same step would mix its files with theirs, and the mixture could pass for whole. The tracker is set to the
    checkpoint.

    Args:
        folder: verl's folder of checkpoints.

    Returns:
        The checkpoint to resume from; None where the run has to begin again.
    """
    newest = newest_complete(folder)
    step = 0 if newest is None else newest.step
    newer = [checkpoint for checkpoint in checkpoints(folder) if checkpoint.step > step]
    if newer:
        shutil.rmtree(folder / SET_ASIDE, ignore_errors=True)
        (folder / SET_ASIDE).mkdir()
    for checkpoint in newer:
        checkpoint.path.rename(folder / SET_ASIDE / checkpoint.path.name)
    if newest is None:
        (folder / TRACKER).unlink(missing_ok=True)
    elif tracked_step(folder) != step:
        write_atomically(folder / TRACKER, str(step))
    return newest


def remove_surplus(folder: Path, *, keep: int) -> list[Path]:
    """Delete the oldest complete checkpoints beyond the ``keep`` newest, and what verl left of those that it deleted.

    verl keeps its list of checkpoints in memory: those of an earlier attempt it never deletes, and of its own it
    deletes the actor but leaves the folder. Nothing newer than the newest complete checkpoint is touched.

    Args:
        folder: verl's folder of checkpoints.
        keep: how many complete checkpoints stay, at least 1.

    Returns:
        The folders that were deleted.

    Raises:
        ValueError: ``keep`` is below 1.
    """
    if keep < 1:
        raise ValueError(f"keep must be an integer >= 1; got {keep!r}")
    found = checkpoints(folder)
    whole = [checkpoint for checkpoint in found if checkpoint.complete]
    if not whole:
        return []
    kept = {checkpoint.step for checkpoint in whole[-keep:]}
    surplus = [c.path for c in found if c.step < whole[-1].step and c.step not in kept]
    for path in surplus:
        shutil.rmtree(path, ignore_errors=True)
    return surplus


def _checkpoint(path: Path, step: int, last: int | None) -> Checkpoint:
    """Return the checkpoint in a folder with its fault, if it has one."""
    if last is not None and step > last:
        return Checkpoint(path, step, f"newer than the last finished save (step {last})")
    fault, world_size = _actor_fault(path / "actor")
    if fault is None and not _is_whole(path / DATA):
        fault = f"{DATA} is missing or cut short"
    return Checkpoint(path, step, fault, world_size)


def _actor_fault(actor: Path) -> tuple[str | None, int | None]:
    """Return what is wrong with the actor's part (None: nothing), and of how many ranks it is (FSDP only)."""
    if not actor.is_dir():
        return "no actor", None
    shards = [match for path in actor.iterdir() if (match := _SHARD.fullmatch(path.name))]
    if shards:
        sizes = {int(match[2]) for match in shards}
        faults = [_shards_fault(actor, shards, size) for size in sorted(sizes)]
        # Two sizes: a run with another number of GPUs has saved over an older checkpoint. One of them may be whole.
        whole = [size for size, fault in zip(sorted(sizes), faults, strict=True) if fault is None]
        return (None, whole[-1]) if whole else (faults[-1], None)
    metadata = [*actor.glob("dist_ckpt/.metadata"), *actor.glob("*/dist_ckpt/.metadata")]  # Megatron writes it last
    return (None, None) if metadata else ("no files of model or optimiser", None)


def _shards_fault(actor: Path, shards: Iterable[re.Match[str]], size: int) -> str | None:
    """Return what is wrong with the files that ``size`` ranks wrote, or None."""
    kinds = sorted({match[1] for match in shards if int(match[2]) == size})
    names = [f"{kind}_world_size_{size}_rank_{rank}.pt" for kind in kinds for rank in range(size)]
    # Optimiser and extra state are optional in verl's `checkpoint.save_contents`; without weights nothing resumes.
    if "model" not in kinds:
        return "no files of the model"
    broken = [name for name in names if not _is_whole(actor / name)]
    return f"{len(broken)} of {len(names)} files missing or cut short, {broken[0]} first" if broken else None


def _is_whole(path: Path) -> bool:
    """Return whether a file of ``torch.save`` is complete: it is a zip archive, whose directory is written last."""
    try:
        with zipfile.ZipFile(path):
            return True
    except (OSError, zipfile.BadZipFile):
        return False
