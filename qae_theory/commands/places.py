"""Refuse a place that cannot be written before any work is done."""

from __future__ import annotations

import os
from pathlib import Path

from qae_theory.commands.ending import WRONG_USAGE, fail


def require_folder(command: str, path: Path, option: str = "--out") -> None:
    """End the command with status 2 where a results folder cannot be written.

    Args:
        command: for the one line of the error.
        path: the folder; it need not be there yet.
        option: the option that named it.
    """
    if path.exists() and not path.is_dir():
        fail(command, f"{option} must be a folder; {str(path)!r} is a file", WRONG_USAGE)
    if (obstacle := _obstacle(path)) is not None:
        fail(command, f"{option} must be a folder that can be written; got {str(path)!r}, and {obstacle}", WRONG_USAGE)


def require_file(command: str, path: Path, option: str) -> None:
    """End the command with status 2 where a file cannot be written, as :func:`require_folder` does."""
    if path.is_dir():
        fail(command, f"{option} must be a file; {str(path)!r} is a folder", WRONG_USAGE)
    if (obstacle := _obstacle(path.absolute().parent)) is not None:
        fail(command, f"{option} must be a file that can be written; got {str(path)!r}, and {obstacle}", WRONG_USAGE)


def _obstacle(folder: Path) -> str | None:
    """Return what keeps a folder from being made or written; None where nothing does."""
    above = folder.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        return f"{str(above)!r} is a file"
    return None if os.access(above, os.W_OK | os.X_OK) else f"{str(above)!r} may not be written"
