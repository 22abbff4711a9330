"""Stored runs, found and read: what a figure is drawn from. Nothing is computed here.

A run is a folder ``<results>/<experiment>/<run id>/``. Of an experiment's runs the largest size counts (a full one
before a quick one), and of these the newest. A file that is not there is not an error: its panel says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.runs import folders as results

Columns = Mapping[str, Array]

SIZES = ("gpu", "full", "quick")  # those that count most first
AGAIN = "make it again"
NOT_RUN = "not run: "


class MissingError(Exception):
    """A panel's data are not there; the message says which command makes them."""


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, the experiment's name, and its size."""

    folder: Path
    experiment: str
    size: str

    def __str__(self) -> str:
        return f"{self.experiment}, run {self.folder.name}, {self.size} size"

    @property
    def id(self) -> str:
        """``<experiment>/<run id>``, for metadata."""
        return f"{self.experiment}/{self.folder.name}"

    @cached_property
    def config(self) -> dict[str, Any]:
        """What determined the results."""
        return results.read_json(self.folder / "config.json", again=AGAIN)

    def json(self, name: str) -> Any:
        """A JSON file of the run.

        Raises:
            MissingError: it is not there or cannot be read.
        """
        try:
            return results.read_json(self.folder / name, again=AGAIN)
        except ValueError as error:
            raise self._unreadable(name, error) from None

    @cached_property
    def analysis(self) -> dict[str, Any]:
        """The run's own analysis."""
        return dict(self.json("analysis.json"))

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``.

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
        """A table of the run.

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
        """Without the folder's place, which is not the same on the next machine."""
        there = (self.folder / name).is_file()
        why = type(error).__name__ if there else "is not there"
        return MissingError(f"{name} of {self} {'cannot be read: ' if there else ''}{why}; {AGAIN}")


class Results:
    """The results folder, read once. ``files`` are files that count as lying in it, by name."""

    def __init__(self, root: Path, files: Mapping[str, Path] | None = None) -> None:
        self.root = root
        self._files = files or {}
        self._found: dict[str, Run | None] = {}

    def run(self, experiment: str, *, command: str) -> Run:
        """The run of an experiment that counts.

        Raises:
            MissingError: there is none; with the command that makes one.
        """
        if experiment not in self._found:
            runs = sorted(_runs(self.root / experiment, experiment), key=_rank)
            self._found[experiment] = runs[-1] if runs else None
        found = self._found[experiment]
        if found is None:
            raise MissingError(f"{NOT_RUN}{command}")
        return found

    def file(self, name: str, *, command: str) -> Path:
        """A file that lies in the results folder itself.

        Raises:
            MissingError: it is not there; with the command that makes it.
        """
        path = self._files.get(name, self.root / name)
        if not path.is_file():
            raise MissingError(f"{NOT_RUN}{command}")
        return path

    def runs(self, experiment: str) -> list[Run]:
        """All finished runs of an experiment, by id."""
        return sorted(_runs(self.root / experiment, experiment), key=lambda run: run.folder.name)


def columns_of(records: list[dict[str, Any]]) -> dict[str, Array]:
    """Records as columns; in a column of numbers what is None or not there becomes NaN."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: _column([record.get(name) for record in records]) for name in names}


def _column(values: list[Any]) -> Array:
    if any(value is None for value in values) and all(
        value is None or isinstance(value, (int, float)) for value in values
    ):
        return np.array([np.nan if value is None else value for value in values])
    return np.array(values)


def _runs(folder: Path, experiment: str) -> Iterator[Run]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or not (path / "provenance.json").is_file():
            continue
        config = results.read_json(path / "config.json", again=AGAIN)
        yield Run(path, experiment, _size(config))


def _size(config: Mapping[str, Any]) -> str:
    preset = config.get("preset")
    if preset in SIZES:
        return str(preset)
    return "quick" if config.get("quick") else "full"


def _rank(run: Run) -> tuple[int, str, str]:
    finished = results.read_json(run.folder / "provenance.json", again=AGAIN).get("finished", "")
    return -SIZES.index(run.size), finished, run.folder.name
