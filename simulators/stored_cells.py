"""Store a finished cell of a sweep: values that JSON can hold, in a file named by what determines them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from simulators.experiments.base import Cell, Record


def cell_file(kept: Path, cell: Cell) -> Path:
    """Return where a cell is kept.

    The file's name is a hash of all that determines the cell's records beside the run's code and seed.
    """
    settings = json.dumps([cell.name, cell.stream, dict(cell.settings)], sort_keys=True)
    return kept / f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.json"


def read_cell(kept: Path, cell: Cell) -> dict[str, Any] | None:
    """Return a kept cell, or None where it is not there or not whole."""
    try:
        content: dict[str, Any] = json.loads(cell_file(kept, cell).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and content.keys() == {"records", "seconds"} else None


def storable(record: Record) -> Record:
    """Return the record unchanged if JSON can hold it.

    Raises:
        ValueError: JSON cannot hold an entry; the message names the entry and its value.
    """
    for key, value in record.items():
        # A number that is not finite gets a message of its own: it is the usual case, and JSON's says less.
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"record has {key} = {value}; JSON has no such number")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"record has {key} = {value!r}: {error}") from None
    return record
