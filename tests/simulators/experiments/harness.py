"""Run an experiment's cells in this process, as the runner would."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from simulators.experiments import get_experiment
from simulators.experiments.base import Config, Record


def config_of(name: str, **sizes: Any) -> Config:
    return get_experiment(name).config.model_validate(sizes)


def records_of(name: str, config: Config, *, seed: int = 0) -> list[Record]:
    """All records, through JSON and back."""
    experiment = get_experiment(name)
    rows = [
        row
        for cell in experiment.cells(config)
        for row in experiment.run_cell(
            json.loads(json.dumps(cell.settings)), np.random.SeedSequence(seed, spawn_key=(cell.stream,))
        )
    ]
    return json.loads(json.dumps(rows, allow_nan=False))


def analysis_of(name: str, config: Config, records: list[Record]) -> dict[str, Any]:
    """The analysis, through JSON and back."""
    return json.loads(json.dumps(get_experiment(name).analyse(config, records), allow_nan=False))


def found(analysis: dict[str, Any]) -> list[bool]:
    """Which of the statements were found."""
    return [statement["found"] for statement in analysis["statements"]]
