"""Checkpoints that are whole or not there: sealed by a manifest written last, verified before anything is loaded.

A folder ``checkpoint-N`` without a manifest is one whose saving was cut off: it counts as not there and is removed. One
with a manifest that its files do not agree with is damaged: it is named, never loaded and never removed here. N counts
optimiser updates.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from qae_theory.runs.files import to_json, write_atomically

MANIFEST = "manifest.json"
PREFIX = "checkpoint-"
Resume = Literal["newest", "previous", "start"]


class CheckpointError(RuntimeError):
    """A checkpoint or a log that it goes with is damaged; one line that names it."""


class Checkpoint(NamedTuple):
    """A sealed checkpoint, the number of optimiser updates it was taken after, and how long the logs were then."""

    folder: Path
    updates: int
    logs: Mapping[str, Mapping[str, Any]]


def seal(folder: Path, *, logs: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the manifest of a folder whose files are all there: from now on it is a checkpoint.

    Args:
        folder: the checkpoint's folder.
        logs: by name of a log file beside the checkpoints, its ``bytes`` and ``sha256`` so far.
    """
    write_atomically(folder / MANIFEST, to_json({"files": fingerprints(folder), "logs": logs}))


def fingerprints(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size in bytes and SHA-256 of every file below a folder but its manifest, by relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): _fingerprint(path) for path in paths}


def damage(folder: Path) -> str | None:
    """Return what is wrong with a sealed folder, or None: its files are read and compared with the manifest."""
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {name: (int(file["bytes"]), str(file["sha256"])) for name, file in listed["files"].items()}
        logs = {name: (int(log["bytes"]), str(log["sha256"])) for name, log in listed["logs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} cannot be read"
    for name, (size, digest) in files.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        # The size first, because it costs no reading of gigabytes.
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes, not {size}"
        if _fingerprint(path)["sha256"] != digest:
            return f"{name} has other content than was saved"
    return None if files and logs is not None else "the manifest lists no files"


def sealed(root: Path) -> list[Path]:
    """Return the folders below ``root`` that have a manifest, oldest first."""
    return [folder for folder in _folders(root) if (folder / MANIFEST).exists()]


def remove_unfinished(root: Path) -> list[Path]:
    """Remove the folders whose saving was cut off; return them."""
    unfinished = [folder for folder in _folders(root) if not (folder / MANIFEST).exists()]
    for folder in unfinished:
        shutil.rmtree(folder)
    return unfinished


def keep_newest(root: Path, count: int | None) -> None:
    """Remove all sealed checkpoints but the newest ``count``; None keeps all."""
    for folder in sealed(root)[:-count] if count else ():
        remove(folder)


def remove_after(root: Path, checkpoint: Checkpoint) -> None:
    """Remove the sealed folders that are newer than a checkpoint: damaged ones that the user goes on without."""
    for folder in sealed(root):
        if updates_of(folder) > checkpoint.updates:
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a checkpoint, if it is there. What is left of a removal that is cut off is unfinished, not damaged."""
    (folder / MANIFEST).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def find_checkpoint(root: Path, *, resume: Resume = "newest") -> Checkpoint | None:
    """Return the checkpoint to go on from, verified; None where there is none yet.

    Args:
        root: folder of the checkpoints.
        resume: ``newest`` refuses a damaged newest checkpoint; ``previous`` goes on from the newest good one.

    Raises:
        CheckpointError: the newest is damaged, or with ``previous`` every one is.
    """
    folders = sealed(root)
    for folder in reversed(folders):
        wrong = damage(folder)
        if wrong is None:
            return _read(folder)
        if resume == "newest":
            raise CheckpointError(f"checkpoint {folder} is damaged: {wrong}; {_way_out(folders, folder)}")
    if folders:
        raise CheckpointError(f"every checkpoint in {root} is damaged; --resume-from start trains from the start")
    return None


def updates_of(folder: Path) -> int:
    """Return N of ``checkpoint-N``, the number of optimiser updates."""
    return int(folder.name.removeprefix(PREFIX))


def _way_out(folders: list[Path], damaged: Path) -> str:
    good = next((folder for folder in reversed(folders) if folder != damaged and damage(folder) is None), None)
    if good is None:
        return "no other is good; --resume-from start trains from the start"
    return f"the newest good one is {good.name}: --resume-from previous goes on from there"


def _read(folder: Path) -> Checkpoint:
    logs = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["logs"]
    return Checkpoint(folder, updates_of(folder), logs)


def _folders(root: Path) -> list[Path]:
    found = (folder for folder in root.glob(f"{PREFIX}*") if folder.is_dir())
    # By number: as texts, checkpoint-100 comes before checkpoint-20.
    return sorted((one for one in found if one.name.removeprefix(PREFIX).isdecimal()), key=updates_of)


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
