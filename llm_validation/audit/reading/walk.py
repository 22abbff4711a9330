"""Walk the files below the paths that were given, each once, however the folders are linked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 100_000
_PASSED_OVER = frozenset({".git", "__pycache__", ".venv", "node_modules"})


class WalkError(ValueError):
    """Say that a path that was given cannot be walked."""


@dataclass(frozen=True)
class Found:
    """Name a file, and whether it was named itself rather than found in a folder."""

    path: Path
    named: bool
    root: Path
    """What was given on the command line: the file itself or the folder above it."""


def require_there(paths: Iterable[Path], name: str) -> None:
    """Refuse a path that is not there, before anything is read.

    Args:
        paths: files and folders.
        name: of the argument, for the message.

    Raises:
        WalkError: naming the path.
    """
    for path in paths:
        if not path.exists():
            raise WalkError(f"{name} must be a file or folder that is there; got {str(path)!r}")


def files(paths: Iterable[Path]) -> list[Found]:
    """Return all regular files, in natural order of their names (``9.jsonl`` before ``10.jsonl``).

    Raises:
        WalkError: a path is not there, or there are more files than any run of training writes.
    """
    found: dict[tuple[int, int], Found] = {}
    paths = list(paths)
    require_there(paths, "LOGS")
    for path in paths:
        for one in _below(path):
            status = one.path.stat()
            found.setdefault((status.st_dev, status.st_ino), one)
            if len(found) > MOST_FILES:
                raise WalkError(f"LOGS must hold at most {MOST_FILES} files; {str(path)!r} has more")
    return list(found.values())


def natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a key that sorts numbers in names by their value."""
    words = re.split(r"(\d+)", str(path))
    return [(0, int(word), "") if word.isdigit() and len(word) < 19 else (1, 0, word) for word in words]


def _below(path: Path) -> Iterator[Found]:
    if path.is_file():
        yield Found(path, named=True, root=path)
        return
    if not path.is_dir():
        raise WalkError(f"LOGS must be a file or folder; {str(path)!r} is neither")
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(path, followlinks=True, onerror=_cannot):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted((one for one in folders if one not in _PASSED_OVER), key=lambda one: natural(Path(one)))
        for name in sorted(names, key=lambda one: natural(Path(one))):
            inner = Path(folder) / name
            if inner.is_file():  # neither a pipe nor a link to nothing
                yield Found(inner, named=False, root=path)


def _cannot(error: OSError) -> None:
    raise WalkError(f"LOGS: {error.filename} cannot be read: {error.strerror}")
