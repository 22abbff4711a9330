"""Files of results: written whole or not at all, read with an error that says what to do, known by their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def to_json(value: Any) -> str:
    """Return readable JSON with one line feed at the end; refuse NaN and infinities."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all: a temporary file beside it, then a rename.

    Args:
        path: where to; its folder is made if it is not there.
        text: what the file will hold, in UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(path.stat().st_mode if path.exists() else 0o644)  # mkstemp makes it private
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path, *, again: str) -> dict[str, Any]:
    """Return the content of a run's JSON file.

    Raises:
        ValueError: it cannot be read; with what to do.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; remove the run and {again}") from None
    return content


def check_unchanged(folder: Path, *, again: str) -> None:
    """Refuse a finished run whose files are not as it wrote them.

    Raises:
        ValueError: naming the files.
    """
    changed = changed_files(folder)
    if changed:
        raise ValueError(f"{folder}: not as the run wrote it: {', '.join(changed)}; remove the run and {again}")


def file_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a run but its provenance, by name."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "provenance.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def changed_files(folder: Path) -> list[str]:
    """Return the names of a finished run's files that are gone, cut short or edited since it was written."""
    written = json.loads((folder / "provenance.json").read_text(encoding="utf-8")).get("files", {})
    found = file_hashes(folder)
    return [name for name, digest in written.items() if found.get(name) != digest]
