"""Go on from a finished run that is shorter: the same settings but for the number of steps.

A run of 40 steps that goes on to 80 is the run that was planned for 80: its questions are a prefix of those, and its
optimiser, schedule and random states are in its last checkpoint. That does not hold where the learning rate was planned
to end with the run.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from llm_validation.common.reuse import code_of, json_or_none
from llm_validation.train import checkpoints
from llm_validation.train.folder import RunFolder
from llm_validation.train.logs import NAMES
from llm_validation.train.settings import TrainConfig
from qae_theory.runs.files import write_atomically


class Shorter(NamedTuple):
    """Hold a finished run with fewer steps, and why it cannot be gone on from (None: it can)."""

    folder: Path
    steps: int
    refused: str | None


def shorter_run(config: TrainConfig, folder: RunFolder) -> Shorter | None:
    """Return the longest finished run that differs in having fewer steps only, or None.

    Args:
        config: of the run that is wanted.
        folder: its places.
    """
    best: Shorter | None = None
    for path in sorted(folder.parent.glob("*")):
        stored = None if path.name.startswith(".") else json_or_none(path / "config.json")
        steps = stored.get("steps") if isinstance(stored, dict) else None
        if not isinstance(steps, int) or steps >= config.steps or {**folder.identity, "steps": steps} != stored:
            continue
        found = Shorter(path, steps, _why_not(config, path, folder))
        # One that can be gone on from comes before a longer one that cannot, which is kept to say why.
        if best is None or (found.refused is None, steps) > (best.refused is None, best.steps):
            best = found
    return best


def _why_not(config: TrainConfig, path: Path, folder: RunFolder) -> str | None:
    """Return why a shorter run cannot be gone on from."""
    if config.lr_schedule != "constant":
        return f"its learning rate was planned to end there (lr_schedule {config.lr_schedule})"
    if code_of(path) != folder.code:
        return "other code made it"
    last = checkpoints.sealed(path / "checkpoints")
    if not last:
        return "its checkpoints are gone"
    wrong = checkpoints.damage(last[-1])
    return None if wrong is None else f"its last checkpoint is damaged: {wrong}"


def take_over(shorter: Shorter, folder: RunFolder) -> None:
    """Copy the logs and checkpoints of a finished run into an unfinished one, which then goes on from the last of them.

    The shorter run stays as it is. A checkpoint counts from its manifest on, which is copied last; logs come first, so
    that copying can be cut off at any moment and is done again.

    Args:
        shorter: that can be gone on from.
        folder: of the run that is to go on; this process holds its lock.
    """
    for name in NAMES:
        half = folder.partial / f"{name}.copy"
        shutil.copyfile(shorter.folder / name, half)
        half.replace(folder.partial / name)
    for checkpoint in checkpoints.sealed(shorter.folder / "checkpoints"):
        copy = folder.checkpoints / checkpoint.name
        shutil.copytree(checkpoint, copy, ignore=shutil.ignore_patterns(checkpoints.MANIFEST))
        write_atomically(copy / checkpoints.MANIFEST, (checkpoint / checkpoints.MANIFEST).read_text(encoding="utf-8"))


def drop_unplanned(config: TrainConfig, folder: RunFolder) -> None:
    """Remove checkpoints at which a run of this length would not have saved: the end of a shorter one.

    Args:
        config: of the finished run.
        folder: of it, before it is made whole.
    """
    updates = config.inner_updates * config.inner_epochs
    for path in checkpoints.sealed(folder.checkpoints):
        step = checkpoints.updates_of(path) // updates
        if step % config.save_every and step != config.steps:
            checkpoints.remove(path)
