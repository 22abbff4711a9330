"""The results folder as figures see it: the run of an experiment that counts, or the command that would make one.

Which run counts is the store's choice (``qae_theory.runs.store``). A file that is not there is not an error: its panel
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.runs import store
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError, StoredRun

NOT_RUN = "not run: "

Run = StoredRun


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
            self._found[experiment] = store.newest(self.root, experiment)
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
        """Return all finished runs of an experiment, by id."""
        return sorted(store.stored(self.root, experiment), key=lambda run: run.folder.name)

    def collected(self) -> list[Collected]:
        """Return the collected runs of a cluster, one for each run.

        Raises:
            MissingError: a collection is not as it was written.
        """
        try:
            return store.collected(self.root)
        except ValueError as error:
            raise MissingError(str(error)) from None


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
