"""The results folder as figures see it: the run of an experiment that counts, or the command that would make one.

The store (``qae_theory.runs.store``) chooses which run counts. A file that is missing is not an error: its panel says
so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.runs import store
from qae_theory.runs.collected import Collected
from qae_theory.runs.stored import MissingError, StoredRun

NOT_RUN = "not run: "  # begins every message about data that a command would make; the command follows

Run = StoredRun


class Results:
    """The results folder, read once.

    ``files`` are files that count as lying in it, by name.
    """

    def __init__(self, root: Path, files: Mapping[str, Path] | None = None) -> None:
        self.root = root
        self._files = files or {}
        self._stored: dict[str, list[Run]] = {}

    def run(self, experiment: str, *, command: str) -> Run:
        """Return the run of an experiment that counts.

        Args:
            experiment: name of the experiment.
            command: the command that makes a run of it.

        Raises:
            MissingError: there is none; the message names the command.
        """
        return self.run_with(experiment, lambda run: True, command=command)

    def run_with(self, experiment: str, wanted: Callable[[Run], bool], *, command: str) -> Run:
        """Return the run that counts among those of an experiment that are wanted.

        Args:
            experiment: name of the experiment.
            wanted: takes a run.
            command: the command that makes such a run.

        Raises:
            MissingError: there is none; the message names the command.
        """
        for run in reversed(self._in_order(experiment)):
            if wanted(run):
                return run
        raise MissingError(f"{NOT_RUN}{command}")

    def file(self, name: str, *, command: str) -> Path:
        """Return the path of a file that lies in the results folder itself.

        Args:
            name: of the file.
            command: the command that makes it.

        Raises:
            MissingError: it is not there; the message names the command.
        """
        path = self._files.get(name, self.root / name)
        if not path.is_file():
            raise MissingError(f"{NOT_RUN}{command}")
        return path

    def runs(self, experiment: str) -> list[Run]:
        """Return all finished runs of an experiment, by id."""
        return sorted(self._in_order(experiment), key=lambda run: run.folder.name)

    def _in_order(self, experiment: str) -> list[Run]:
        """Return all finished runs of an experiment, the one that counts last; they are read once."""
        if experiment not in self._stored:
            self._stored[experiment] = store.stored(self.root, experiment)
        return self._stored[experiment]

    def collected(self) -> list[Collected]:
        """Return the collected runs of a cluster, one collection for each run.

        Raises:
            MissingError: a collection is not as it was written.
        """
        try:
            return store.collected(self.root)
        except ValueError as error:
            # A damaged collection leaves a panel without data, and costs no other figure.
            raise MissingError(str(error)) from None


def columns_of(records: list[dict[str, Any]]) -> dict[str, Array]:
    """Return records as columns; in a column of numbers what is None or missing becomes NaN."""
    names: dict[str, None] = {}  # a set that keeps the order
    for record in records:
        names |= dict.fromkeys(record)
    columns = {}
    for name in names:
        columns[name] = _column([record.get(name) for record in records])
    return columns


def _column(values: list[Any]) -> Array:
    """Return the values as an array, with NaN for None among numbers; a column of texts keeps its None."""
    defined = [value for value in values if value is not None]
    if len(defined) < len(values) and all(isinstance(value, (int, float)) for value in defined):
        return np.array([np.nan if value is None else value for value in values])
    return np.array(values)
