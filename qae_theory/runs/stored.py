"""A finished run as it lies in the results folder: what it is, and its files read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from qae_theory.arrays import Array
from qae_theory.runs.files import read_json

Columns = Mapping[str, Array]

AGAIN = "make it again"


class MissingError(ValueError):
    """A run or one of its files is not there, or cannot be read; the message says how to make it."""


@dataclass(frozen=True)
class StoredRun:
    """A finished run.

    Attributes:
        folder: ``<results>/<experiment>/<run id>``.
        experiment: its name.
        size: the name of the size that its configuration states, such as ``full`` or ``quick``.
        shipped: whether its configuration is exactly the shipped one of that size; None where nothing is shipped.
        changed: whether the code behind it has changed since; None where that cannot be told.
        finished: when it ended, in ISO 8601.
    """

    folder: Path
    experiment: str
    size: str
    shipped: bool | None = None
    changed: bool | None = None
    finished: str = ""

    def __str__(self) -> str:
        """Return the run's id, its size and whether the code has changed since, for a ledger's sentence."""
        return f"{self._plain}{', code changed since' if self.changed else ''}"

    @property
    def named(self) -> str:
        """Return the experiment, the run's id and its size, for a picture's face."""
        return f"{self.experiment}, {self._plain}"

    @property
    def _plain(self) -> str:
        if self.shipped is None:
            return f"run {self.folder.name}"
        return f"run {self.folder.name}, {self.size} size{'' if self.shipped else ', settings changed'}"

    @property
    def id(self) -> str:
        """Return ``<experiment>/<run id>``, for metadata."""
        return f"{self.experiment}/{self.folder.name}"

    @cached_property
    def config(self) -> dict[str, Any]:
        """Return what determined the results."""
        return read_json(self.folder / "config.json", again=AGAIN)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Return where the results come from."""
        return read_json(self.folder / "provenance.json", again=AGAIN)

    @cached_property
    def analysis(self) -> dict[str, Any]:
        """Return the run's own analysis, from ``analysis.json``."""
        return dict(self.json("analysis.json"))

    def json(self, name: str) -> Any:
        """Return what a JSON file of the run holds.

        Raises:
            MissingError: it is not there or cannot be read.
        """
        try:
            return read_json(self.folder / name, again=AGAIN)
        except ValueError as error:
            raise self._unreadable(name, error) from None

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """Return the lines of ``metrics.jsonl``.

        Raises:
            MissingError: it is not there or cannot be read.
        """
        name = "metrics.jsonl"
        try:
            lines = (self.folder / name).read_text(encoding="utf-8").splitlines()
            return [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from None

    def parquet(self, name: str, columns: list[str] | None = None) -> Columns:
        """Return the columns of a Parquet file of the run, all of them or those named.

        Raises:
            MissingError: it is not there, or pyarrow is not installed.
        """
        try:
            from pyarrow import parquet
        except ImportError:
            raise MissingError("pyarrow is not installed: pip install 'qae-verification[train]'") from None
        try:
            table = parquet.read_table(self.folder / name, columns=columns)
        except (OSError, ValueError) as error:
            raise self._unreadable(name, error) from None
        return {column: table[column].to_numpy() for column in table.column_names}

    def _unreadable(self, name: str, error: Exception) -> MissingError:
        """Return the error without the folder's place, which is not the same on the next machine."""
        there = (self.folder / name).is_file()
        why = type(error).__name__ if there else "is not there"
        return MissingError(f"{name} of {self.named} {'cannot be read: ' if there else ''}{why}; {AGAIN}")
