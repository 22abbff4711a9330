"""An experiment's configuration: its shipped sizes, and what a file or the command line puts in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qae_theory.runs.settings import Table, checked, read_table, without_infinity
from simulators.experiments.base import Config, Experiment

PACKAGES = ("qae_theory", "simulators")  # whose source determines the results


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
