"""Which of verl's checkpoints a run can go on from. Reads names and ends of files only; loads none of them.

verl writes ``global_step_N/actor/`` (a file a rank), then ``global_step_N/data.pt``, then the number N into
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
    """A folder ``global_step_N``; ``fault`` says in a few words why a run cannot go on from it."""

    path: Path
    step: int
    fault: str | None
    world_size: int | None = None

    @property
    def complete(self) -> bool:
        """Whether a run can go on from it."""
        return self.fault is None


def checkpoints(folder: Path) -> list[Checkpoint]:
    """Every ``global_step_N`` below ``folder``, oldest first.

    One that is newer than the step in verl's tracker file was still being written when the run ended: it counts as
    incomplete, whatever is in it. A tracker that is missing or unreadable (a kill between opening and writing it) says
    nothing, and the folders speak for themselves.
    """
    if not folder.is_dir():
        return []
    last = tracked_step(folder)
    named = ((_STEP.fullmatch(path.name), path) for path in folder.iterdir() if path.is_dir())
    found = [_checkpoint(path, int(match[1]), last) for match, path in named if match]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def newest_complete(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that a run can go on from."""
    return max((c for c in checkpoints(folder) if c.complete), key=lambda c: c.step, default=None)


def tracked_step(folder: Path) -> int | None:
    """The step in verl's tracker file; None where there is no readable one."""
    try:
        text = (folder / TRACKER).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.strip().isdecimal() else None


def settle(folder: Path) -> Checkpoint | None:
    """Leave verl's folder as if the newest complete checkpoint were the last that was ever written.

    Newer ones, all incomplete, go to ``set_aside/`` (in place of what lies there): a later save to the same step would
    mix its files with theirs, and the mixture could pass for whole. The tracker names the checkpoint again.

    Returns:
        The checkpoint to go on from; None where the run has to begin again.
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
    """Delete the oldest complete checkpoints beyond the ``keep`` newest, and what verl left of those it deleted.

    verl keeps its list of checkpoints in memory: those of an earlier attempt it never deletes, and of its own it
    deletes the actor but leaves the folder. Nothing newer than the newest complete checkpoint is touched.

    Returns:
        The folders that were deleted.
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
    if last is not None and step > last:
        return Checkpoint(path, step, f"newer than the last finished save (step {last})")
    fault, world_size = _actor_fault(path / "actor")
    if fault is None and not _is_whole(path / DATA):
        fault = f"{DATA} is missing or cut short"
    return Checkpoint(path, step, fault, world_size)


def _actor_fault(actor: Path) -> tuple[str | None, int | None]:
    """What is wrong with the actor's part, and of how many ranks it is (FSDP only)."""
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
    kinds = sorted({match[1] for match in shards if int(match[2]) == size})
    names = [f"{kind}_world_size_{size}_rank_{rank}.pt" for kind in kinds for rank in range(size)]
    if "model" not in kinds:
        return "no files of the model"
    broken = [name for name in names if not _is_whole(actor / name)]
    return f"{len(broken)} of {len(names)} files missing or cut short, {broken[0]} first" if broken else None


def _is_whole(path: Path) -> bool:
    """Whether a file of ``torch.save`` has its end: it is a zip archive, whose directory is written last."""
    try:
        with zipfile.ZipFile(path):
            return True
    except (OSError, zipfile.BadZipFile):
        return False
