"""Read an experiment's configuration: the sizes that it ships, changed by a file or by the command line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from qae_theory.runs.settings import Table, checked, read_table, without_infinity
from simulators.experiments.base import Config, Experiment
from simulators.methods import METHODS_GROUP


def shipped_config(experiment: Experiment, *, quick: bool) -> Config:
    """Return the configuration that the experiment ships for a size.

    Args:
        experiment: the experiment.
        quick: whether the small size is meant, or the full one.
    """
    return make_config(experiment, [read_table(experiment.sizes, quick=quick)])


def changed_config(experiment: Experiment, changes: Sequence[Table], *, quick: bool) -> Config:
    """Return the shipped configuration with these changes, a later change counting more than an earlier one.

    Args:
        experiment: the experiment.
        changes: tables of fields and their new values.
        quick: whether the small size is changed, or the full one.

    Raises:
        ValueError: a field or its value is not allowed; the message names both.
    """
    return make_config(experiment, [read_table(experiment.sizes, quick=quick), *changes])


def make_config(experiment: Experiment, tables: Sequence[Table]) -> Config:
    """Return the configuration that these tables merge to, a later table counting more than an earlier one.

    Args:
        experiment: says which fields there are.
        tables: of fields and their values.

    Raises:
        ValueError: a field is wrong; one line names the first such field.
    """
    return checked(experiment.config, tables)


def identity(experiment: Experiment, config: Config, *, quick: bool) -> dict[str, Any]:
    """Return all that determines a run's results, in JSON's types.

    This is what ``config.json`` holds and what the run id is made of. Infinite numbers become text, since JSON has
    none.
    """
    # The file that changed the configuration is not part of it: the same settings are the same run.
    settings = config.model_dump(mode="json")
    return {"experiment": experiment.name, "quick": quick, "settings": without_infinity(settings)}


def modules(cells: str) -> tuple[str, ...]:
    """Return the modules that a run executes: the experiment's cells, the sweep, and other packages' methods.

    Args:
        cells: full name of the module that defines the experiment's cells.
    """
    return (cells, "simulators.sweep", *_methods_modules())


@cache  # the installed packages are searched once
def _methods_modules() -> tuple[str, ...]:
    return tuple(sorted({point.module for point in entry_points(group=METHODS_GROUP)}))
