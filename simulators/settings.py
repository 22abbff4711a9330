"""An experiment's configuration: its shipped sizes, and what a file or the command line puts in their place."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from qae_theory.runs.settings import Table, checked, read_table, without_infinity
from simulators.experiments.base import Config, Experiment
from simulators.methods import METHODS_GROUP


def shipped_config(experiment: Experiment, *, quick: bool) -> Config:
    """The configuration that the experiment ships for that size."""
    return make_config(experiment, [read_table(experiment.sizes, quick=quick)])


def changed_config(experiment: Experiment, changes: Sequence[Table], *, quick: bool) -> Config:
    """The shipped configuration with these changes, the last of them counting most.

    Raises:
        ValueError: naming the field and its value.
    """
    return make_config(experiment, [read_table(experiment.sizes, quick=quick), *changes])


def make_config(experiment: Experiment, tables: Sequence[Table]) -> Config:
    """The tables merged and checked.

    Raises:
        ValueError: one line, with the first field that is wrong.
    """
    return checked(experiment.config, tables)


def identity(experiment: Experiment, config: Config, *, quick: bool) -> dict[str, Any]:
    """All that determines a run's results, in JSON's types: what ``config.json`` holds and the run id is made of."""
    settings = config.model_dump(mode="json")
    return {"experiment": experiment.name, "quick": quick, "settings": without_infinity(settings)}


def modules(cells: str) -> tuple[str, ...]:
    """Return the modules that a run executes: that of the experiment's cells, the sweep, other packages' methods.

    Args:
        cells: the full name of the module that defines the experiment's cells.
    """
    methods = {point.module for point in entry_points(group=METHODS_GROUP)}
    return (cells, "simulators.sweep", *sorted(methods))
