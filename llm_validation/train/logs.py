"""The lines that a run writes as it goes: kept while it is unfinished, cut back to a checkpoint on resume."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llm_validation.train.checkpoints import CheckpointError
from qae_theory.runs.plain import finite_or_none, plain

# Two equal runs write the same metrics and rollouts; what the clock says has a file of its own.
METRICS, ROLLOUTS, TIMING = "metrics.jsonl", "rollouts.jsonl", "timing.jsonl"
NAMES = (METRICS, ROLLOUTS, TIMING)
# The run is one epoch of its own list of questions, so that this says no more than the step does, and it would be
# another number in a run that is extended.
_LEFT_OUT = frozenset({"epoch"})
_CLOCK = ("_time", "runtime", "_per_second", "_seconds")
_NOTHING: Mapping[str, Any] = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
_PIECE = 2**20  # bytes read at a time


class Log:
    """One file of JSON lines, with the hash of what it holds."""

    def __init__(self, path: Path, start: Mapping[str, Any] = _NOTHING) -> None:
        """Open it as it was at ``start``: lines written since are cut off, for they will come again.

        Raises:
            CheckpointError: what was written before is no longer there, or is other. The file is left as it is.
        """
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)  # a line that fails is not tried again
        self._hash = hashlib.sha256()
        self._bytes = 0
        while piece := self._file.read(min(_PIECE, start["bytes"] - self._bytes)):
            self._hash.update(piece)
            self._bytes += len(piece)
        if self.position() != start:
            self.close()
            raise CheckpointError(
                f"{path} does not agree with the checkpoint: lines before it are missing or changed; "
                "--resume-from start trains from the start"
            )
        self._file.truncate(self._bytes)

    def write(self, *records: Mapping[str, Any]) -> None:
        """Append a line for each; they are with the operating system when this returns."""
        stored = [finite_or_none(plain(record)) for record in records]
        lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in stored).encode()
        rest = memoryview(lines)
        # A write without a buffer may take a part of the bytes only.
        while rest:
            rest = rest[self._file.write(rest) :]
        self._hash.update(lines)
        self._bytes += len(lines)

    def position(self) -> dict[str, Any]:
        """Return length in bytes and SHA-256 so far."""
        return {"bytes": self._bytes, "sha256": self._hash.hexdigest()}

    def close(self) -> None:
        """Close the log's file; nothing can be written to it afterwards."""
        self._file.close()


class Logs:
    """Metrics, rollouts and timing of a run in ``folder``."""

    def __init__(self, folder: Path, positions: Mapping[str, Mapping[str, Any]]) -> None:
        """Open them as they were at a checkpoint, by its record of their positions; empty without one.

        Raises:
            CheckpointError: see :class:`Log`.
        """
        self._logs = {name: Log(folder / name, positions.get(name, _NOTHING)) for name in NAMES}

    def step(self, step: int, updates: int, logged: Mapping[str, Any]) -> None:
        """Write one logged step, figures of the clock apart from the others."""
        clock = {key: value for key, value in logged.items() if is_of_the_clock(key)}
        others = {key: value for key, value in logged.items() if key not in clock and key not in _LEFT_OUT}
        self._logs[METRICS].write({"step": step, "updates": updates, **others})
        self._logs[TIMING].write({"step": step, **clock})

    def rollouts(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write rollouts, a line each."""
        self._logs[ROLLOUTS].write(*records)

    def positions(self) -> dict[str, dict[str, Any]]:
        """Return where each log stands, for a checkpoint's manifest."""
        return {name: log.position() for name, log in self._logs.items()}

    def close(self) -> None:
        """Close the files."""
        for log in self._logs.values():
            log.close()


def is_of_the_clock(key: str) -> bool:
    """Return whether a metric measures time, and so differs between two equal runs."""
    return f"_{key.rpartition('/')[2]}".endswith(_CLOCK)
