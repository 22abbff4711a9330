"""Runs an experiment's cells on joblib workers, keeps each finished cell, and writes the run when all are there.

A cell's randomness comes from its stream alone: neither workers, order, back end nor an interruption changes a figure.
Finished cells lie in ``<out>/<experiment>/.cells-<run id>/`` until the run is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config

from qae_theory.results import code_version, find_run, run_id, to_json, write_atomically, write_run
from simulators.configuration import PACKAGES, identity
from simulators.experiments.base import Cell, Config, Experiment, Record

Backend = Literal["loky", "ray"]
Told = Callable[["CellOutcome"], None]


class CellOutcome(NamedTuple):
    """A cell by name: its records, or the one line of its error, and the seconds that it took."""

    name: str
    records: list[Record] | None
    error: str | None = None
    seconds: float = 0.0


class CellsFailedError(RuntimeError):
    """Some cells failed; the others are kept."""

    def __init__(self, failed: Sequence[CellOutcome]) -> None:
        """Name every cell that failed."""
        super().__init__("; ".join(f"cell {outcome.name!r} failed: {outcome.error}" for outcome in failed))
        self.failed = tuple(failed)


class Plan(NamedTuple):
    """What a run is, where its cells are kept, which are finished and which are left."""

    experiment: Experiment
    config: Config
    identity: dict[str, Any]
    run_id: str
    cells: tuple[Cell, ...]
    kept: Path
    left: tuple[Cell, ...]


def plan(experiment: Experiment, config: Config, *, quick: bool, out: Path) -> Plan:
    """The run's cells, and which of them an earlier, interrupted run of the same configuration and code has left.

    Raises:
        ValueError: two cells have one name.
    """
    cells = tuple(experiment.cells(config))
    names = [cell.name for cell in cells]
    if len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"experiment {experiment.name!r} has two cells named {repeated!r}")
    facts = identity(experiment, config, quick=quick)
    name = run_id(facts, code_version(PACKAGES))
    kept = out / experiment.name / f".cells-{name}"
    left = tuple(cell for cell in cells if _read_cell(kept, cell) is None)
    return Plan(experiment, config, facts, name, cells, kept, left)


def finished_run(experiment: Experiment, config: Config, *, quick: bool, out: Path) -> Path | None:
    """The folder of this very run by this very code, if it is complete."""
    return find_run(out, experiment.name, identity(experiment, config, quick=quick), packages=PACKAGES)


def run(
    planned: Plan, *, out: Path, workers: int, backend: Backend = "loky", told: Told = lambda outcome: None
) -> Path:
    """Run the cells that are left, analyse, write the run's folder and return it.

    Args:
        planned: from :func:`plan`.
        out: the results folder.
        workers: processes.
        backend: ``loky`` here, or ``ray`` for a Ray cluster.
        told: called with each cell's outcome as it comes.

    Raises:
        CellsFailedError: some cells failed; the finished ones are kept for the next run.
        OSError: results could not be written.
    """
    failed = []
    for cell, outcome in _outcomes(planned, workers, backend):
        told(outcome)
        if outcome.records is None:
            failed.append(outcome)
        else:
            kept = {"records": outcome.records, "seconds": outcome.seconds}
            write_atomically(_cell_file(planned.kept, cell), json.dumps(kept, allow_nan=False))
    if failed:
        raise CellsFailedError(failed)
    return _write(planned, out)


def records_of(planned: Plan) -> list[Record]:
    """All records, in the order of the cells, each with its cell's name."""
    kept = ((cell, _read_cell(planned.kept, cell) or {"records": ()}) for cell in planned.cells)
    return [{"cell": cell.name, **row} for cell, found in kept for row in found["records"]]


def timing(planned: Plan) -> dict[str, Any]:
    """Seconds of every cell by name, in one process each, and their sum."""
    seconds = {cell.name: (_read_cell(planned.kept, cell) or {"seconds": 0.0})["seconds"] for cell in planned.cells}
    return {"cell_seconds": sum(seconds.values()), "cells": seconds}


def run_one(cell: Cell, run_cell: Callable[..., list[Record]], seed: int) -> CellOutcome:
    """One cell in this process; an error becomes one line."""
    _one_thread()
    # The child that SeedSequence(seed).spawn gives as its stream-th, without the ones before it.
    seeds = np.random.SeedSequence(seed, spawn_key=(cell.stream,))
    started = time.perf_counter()
    try:
        records = plain(run_cell(cell.settings, seeds))
        return CellOutcome(cell.name, records, seconds=time.perf_counter() - started)
    except Exception as error:  # whatever a cell's own code raises must not take the other cells away
        return CellOutcome(cell.name, None, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _outcomes(planned: Plan, workers: int, backend: Backend) -> Iterator[tuple[Cell, CellOutcome]]:
    by_name = {cell.name: cell for cell in planned.left}
    jobs = [delayed(run_one)(cell, planned.experiment.run_cell, planned.config.seed) for cell in planned.left]
    with _backend(backend, workers):
        for outcome in Parallel(return_as="generator_unordered", batch_size=1)(jobs):
            yield by_name[outcome.name], outcome


@contextmanager
def _backend(backend: Backend, workers: int) -> Iterator[None]:
    if backend == "ray":
        from simulators import ray_backend

        with parallel_config(backend=ray_backend.register(), n_jobs=workers):
            yield
    else:
        with parallel_config(backend=backend, n_jobs=workers, inner_max_num_threads=1):
            yield


def _one_thread() -> None:
    """Cells share the cores between processes; Numba's threads would only add switching."""
    import numba

    numba.set_num_threads(1)


def _write(planned: Plan, out: Path) -> Path:
    records = records_of(planned)
    analysis = planned.experiment.analyse(planned.config, records)
    name, seed = planned.experiment.name, planned.config.seed
    with write_run(out, name, planned.identity, seed=seed, packages=PACKAGES) as written:
        written.append_metrics(records)
        written.write("analysis.json", to_json(plain(analysis)))
        written.write("timing.json", to_json(timing(planned)))
    shutil.rmtree(planned.kept, ignore_errors=True)
    return written.folder


def _cell_file(kept: Path, cell: Cell) -> Path:
    settings = json.dumps([cell.name, cell.stream, dict(cell.settings)], sort_keys=True)
    return kept / f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.json"


def _read_cell(kept: Path, cell: Cell) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(_cell_file(kept, cell).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def plain(value: Any) -> Any:
    """NumPy scalars as Python's own, tuples as lists: what JSON gives back."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0 else value
