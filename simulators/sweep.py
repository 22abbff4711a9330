"""Runs an experiment's cells on joblib workers, keeps each finished cell, and writes the run when all are there.

A cell's randomness comes from its stream alone: neither workers, order, back end nor an interruption changes a figure.
Finished cells lie in ``<out>/<experiment>/.cells-<run id>/`` until the run is complete.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config

from qae_theory.runs.code import code_version
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.folders import find_run, run_id, write_run
from qae_theory.runs.locks import BusyError, alone
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.settings import identity, modules

Backend = Literal["loky", "ray"]
Told = Callable[["CellOutcome"], None]
ALL_OF_THE_CLUSTER = -1  # as joblib has it


class CellOutcome(NamedTuple):
    """A cell by name: its records, or the one line of its error, and the seconds that it took."""

    name: str
    records: list[Record] | None
    error: str | None = None
    seconds: float = 0.0


class SweepError(RuntimeError):
    """The run could not be completed, in one line; its finished cells are kept."""


class CellsFailedError(SweepError):
    """Some cells failed."""

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
    name = run_id(facts, code_version(modules(experiment.cells.__module__)))
    kept = out / experiment.name / f".cells-{name}"
    left = tuple(cell for cell in cells if _read_cell(kept, cell) is None)
    return Plan(experiment, config, facts, name, cells, kept, left)


def finished_run(experiment: Experiment, config: Config, *, quick: bool, out: Path) -> Path | None:
    """The folder of this very run by this very code, if it is complete."""
    return find_run(
        out, experiment.name, identity(experiment, config, quick=quick), modules=modules(experiment.cells.__module__)
    )


def run(
    planned: Plan, *, out: Path, workers: int, backend: Backend = "loky", told: Told = lambda outcome: None
) -> Path:
    """Run the cells that are left, analyse, write the run's folder and return it.

    Args:
        planned: from :func:`plan`.
        out: the results folder.
        workers: processes; ``ALL_OF_THE_CLUSTER`` with Ray.
        backend: ``loky`` here, or ``ray`` for a Ray cluster.
        told: called with each cell's outcome as it comes.

    Raises:
        CellsFailedError: some cells failed; the finished ones are kept for the next run.
        SweepError: a worker died, the analysis failed, the code changed meanwhile, or another process is at it.
        OSError: results could not be written.
    """
    failed = []
    with _alone(planned), closing(_outcomes(planned, workers, backend)) as outcomes:
        for cell, outcome in outcomes:
            if outcome.records is None:
                failed.append(outcome)
            else:
                kept = {"records": outcome.records, "seconds": outcome.seconds}
                write_atomically(_cell_file(planned.kept, cell), json.dumps(kept, allow_nan=False))
            told(outcome)
        if failed:
            raise CellsFailedError(failed)
        return _write(planned, out)


def records_of(planned: Plan) -> list[Record]:
    """All records, in the order of the cells, each with its cell's name.

    Raises:
        SweepError: a cell is not there.
    """
    kept = ((cell, _kept_cell(planned, cell)) for cell in planned.cells)
    return [{"cell": cell.name, **row} for cell, found in kept for row in found["records"]]


def timing(planned: Plan) -> dict[str, Any]:
    """Seconds of every cell by name, in one process each, and their sum."""
    seconds = {cell.name: _kept_cell(planned, cell)["seconds"] for cell in planned.cells}
    return {"cell_seconds": sum(seconds.values()), "cells": seconds}


def run_one(cell: Cell, run_cell: Callable[..., list[Record]], seed: int) -> CellOutcome:
    """One cell in this process; an error becomes one line."""
    _one_thread()
    # The child that SeedSequence(seed).spawn gives as its stream-th, without the ones before it.
    seeds = np.random.SeedSequence(seed, spawn_key=(cell.stream,))
    started = time.perf_counter()
    try:
        records = [storable(row) for row in plain(run_cell(cell.settings, seeds))]
        return CellOutcome(cell.name, records, seconds=time.perf_counter() - started)
    except Exception as error:  # whatever a cell's own code raises must not take the other cells away
        return CellOutcome(cell.name, None, _one_line(error))


def _outcomes(planned: Plan, workers: int, backend: Backend) -> Generator[tuple[Cell, CellOutcome]]:
    by_name = {cell.name: cell for cell in planned.left}
    jobs = [delayed(run_one)(cell, planned.experiment.run_cell, planned.config.seed) for cell in planned.left]
    with _backend(backend, workers):
        running = Parallel(return_as="generator_unordered", batch_size=1)(jobs)
    with _closing_quietly(running) as outcomes:
        while True:
            try:
                outcome = next(outcomes, None)
            except Exception as error:  # no cell's: `run_one` has returned those
                raise SweepError(f"a worker died, for want of memory perhaps: {_one_line(error)}") from error
            if outcome is None:
                return
            yield by_name[outcome.name], outcome


@contextmanager
def _closing_quietly(outcomes: Generator[CellOutcome]) -> Iterator[Generator[CellOutcome]]:
    """Close joblib's generator without its advice about the tasks that this cancels."""
    try:
        yield outcomes
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcomes.close()


@contextmanager
def _backend(backend: Backend, workers: int) -> Iterator[None]:
    if backend == "ray":
        from simulators import ray_backend

        with parallel_config(backend=ray_backend.register(), n_jobs=workers):
            yield
    else:
        with parallel_config(
            backend=backend, n_jobs=workers, inner_max_num_threads=1, initializer=_leave_interruptions
        ):
            yield


def _leave_interruptions() -> None:
    """Ctrl-C is the parent's to handle: it ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one_thread() -> None:
    """Cells share the cores between processes; Numba's threads would only add switching."""
    import numba

    numba.set_num_threads(1)


@contextmanager
def _alone(planned: Plan) -> Iterator[None]:
    """Let no other process work on the same run, and clear what a process that was killed has left half written."""
    try:
        with alone(planned.kept):
            for half_written in planned.kept.parent.glob(f".{planned.run_id}-*"):
                shutil.rmtree(half_written, ignore_errors=True)
            yield
    except BusyError as error:
        raise SweepError(str(error)) from None


def _write(planned: Plan, out: Path) -> Path:
    records = records_of(planned)
    try:
        analysis = to_json(plain(planned.experiment.analyse(planned.config, records)))
    except Exception as error:  # the experiment's own code
        raise SweepError(f"the analysis failed: {_one_line(error)}") from error
    name, seed = planned.experiment.name, planned.config.seed
    with write_run(
        out, name, planned.identity, seed=seed, modules=modules(planned.experiment.cells.__module__)
    ) as written:
        if written.id != planned.run_id:
            raise SweepError("the code has changed since the run began; start again")
        written.append_metrics(records)
        written.write("analysis.json", analysis)
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
    return found if isinstance(found, dict) and found.keys() == {"records", "seconds"} else None


def _kept_cell(planned: Plan, cell: Cell) -> dict[str, Any]:
    found = _read_cell(planned.kept, cell)
    if found is None:
        raise SweepError(f"cell {cell.name!r} is no longer readable in {planned.kept}; start again")
    return found


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def storable(record: Record) -> Record:
    """The record, if JSON can hold it.

    Raises:
        ValueError: naming the entry that it cannot.
    """
    for key, value in record.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"record has {key} = {value}; JSON has no such number")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"record has {key} = {value!r}: {error}") from None
    return record


def plain(value: Any) -> Any:
    """NumPy scalars as Python's own, tuples as lists: what JSON gives back."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, (np.generic, np.ndarray)) and np.ndim(value) == 0 else value
