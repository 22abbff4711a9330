"""Collected runs that are made up in memory, for tests of what reads them. No test is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qae_theory.runs.collected import Collected

Record = Mapping[str, Any]


def collected_run(
    config: Record, lines: Sequence[Record] = (), evaluations: Sequence[Record] = (), folder: str = "x"
) -> Collected:
    """A collection with these contents, of which no file is there."""
    run = Collected.being_written(Path(folder))
    vars(run).update(config=config, lines=tuple(lines), evaluations=tuple(evaluations))
    return run
