"""Run an experiment's cells on joblib workers, keep each finished cell, and write the run when all are there.

A cell's randomness comes from its stream alone, so that neither workers, order, back end nor an interruption changes a
result. Finished cells lie in ``<out>/<experiment>/.cells-<run id>/`` until the run is complete.
"""

from __future__ import annotations

import json
import shutil
import signal
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from joblib import Parallel, delayed, parallel_config

from qae_theory.runs.code import code_version
from qae_theory.runs.files import to_json, write_atomically
from qae_theory.runs.folders import find_run, run_id, write_run
from qae_theory.runs.locks import BusyError, alone
from qae_theory.runs.plain import plain
from qae_theory.runs.workers import quiet_tracker
from simulators.experiments.base import Cell, Config, Experiment, Record
from simulators.settings import identity, modules
from simulators.stored_cells import cell_file, read_cell, storable

Backend = Literal["loky", "ray"]
OnOutcome = Callable[["CellOutcome"], None]
ALL_OF_THE_CLUSTER = -1  # joblib's n_jobs for every worker that the back end has


class CellOutcome(NamedTuple):
    """Hold a cell by name: its records, or the one line of its error, and the seconds that it took.

    ``records`` is None where the cell failed.
    """

    name: str
    records: list[Record] | None
    error: str | None = None
    seconds: float = 0.0


class SweepError(RuntimeError):
    """Say that the run could not be completed; the message is one line, and finished cells are kept."""


class CellsFailedError(SweepError):
    """Some cells failed; ``failed`` has their outcomes."""

    def __init__(self, failed: Sequence[CellOutcome]) -> None:
        """Make the message, which names every cell that failed and its error."""
        super().__init__("; ".join(f"cell {outcome.name!r} failed: {outcome.error}" for outcome in failed))
        self.failed = tuple(failed)


class Plan(NamedTuple):
    """Hold what a run is, where its cells are kept, which cells it has and which of them are left to run.

    ``identity`` is what ``config.json`` will hold; ``kept`` is the folder of finished cells.
    """

    experiment: Experiment
    config: Config
    identity: dict[str, Any]
    run_id: str
    cells: tuple[Cell, ...]
    kept: Path
    left: tuple[Cell, ...]


def plan(experiment: Experiment, config: Config, *, quick: bool, out: Path) -> Plan:
    """Return the run's cells, and which of them an earlier, interrupted run has left to do.

    Only an earlier run of the same configuration by the same code counts.

    Args:
        experiment: the experiment.
        config: its configuration.
        quick: whether this is the small size.
        out: the results folder.

    Raises:
        ValueError: two cells have the same name.
    """
    cells = tuple(experiment.cells(config))
    names = [cell.name for cell in cells]
    if len(set(names)) != len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"experiment {experiment.name!r} has two cells named {repeated!r}")
    facts = identity(experiment, config, quick=quick)
    name = run_id(facts, code_version(modules(experiment.cells.__module__)))
    # A name with a dot is no run's folder for those who list the results.
    kept = out / experiment.name / f".cells-{name}"
    left = tuple(cell for cell in cells if read_cell(kept, cell) is None)
    return Plan(experiment=experiment, config=config, identity=facts, run_id=name, cells=cells, kept=kept, left=left)


def finished_run(experiment: Experiment, config: Config, *, quick: bool, out: Path) -> Path | None:
    """Return the folder of this very run by this very code if it is complete, else None.

    Args:
        experiment: the experiment.
        config: its configuration.
        quick: whether this is the small size.
        out: the results folder.
    """
    return find_run(
        out, experiment.name, identity(experiment, config, quick=quick), modules=modules(experiment.cells.__module__)
    )


def run(
    planned: Plan, *, out: Path, workers: int, backend: Backend = "loky", on_outcome: OnOutcome = lambda outcome: None
) -> Path:
    """Run the cells that are left, analyse the records, write the run's folder and return it.

    Args:
        planned: from :func:`plan`.
        out: the results folder.
        workers: number of processes; ``ALL_OF_THE_CLUSTER`` with Ray.
        backend: ``loky`` on this machine, or ``ray`` for a Ray cluster.
        on_outcome: called with the outcome of each cell when the cell is done.

    Raises:
        CellsFailedError: some cells failed; the finished ones are kept for the next run.
        SweepError: a worker died, the analysis failed, the code changed meanwhile, or another process works on the run.
        OSError: results could not be written.
    """
    failed = []
    # Each cell is written as soon as it is done, so that an interruption loses only those under way.
    with _alone(planned), closing(_outcomes(planned, workers, backend)) as outcomes:
        for cell, outcome in outcomes:
            if outcome.records is None:
                failed.append(outcome)
            else:
                kept = {"records": outcome.records, "seconds": outcome.seconds}
                write_atomically(cell_file(planned.kept, cell), json.dumps(kept, allow_nan=False))
            on_outcome(outcome)
        if failed:
            raise CellsFailedError(failed)
        return _write(planned, out)


def records_of(planned: Plan) -> list[Record]:
    """Return all records in the order of the cells, each with its cell's name under ``cell``.

    Raises:
        SweepError: a cell's file is gone or cannot be read.
    """
    records: list[Record] = []
    for cell in planned.cells:
        records += [{"cell": cell.name, **record} for record in _kept_cell(planned, cell)["records"]]
    return records


def timing(planned: Plan) -> dict[str, Any]:
    """Return the seconds of every cell by name, each in one process, and their sum."""
    seconds = {cell.name: _kept_cell(planned, cell)["seconds"] for cell in planned.cells}
    return {"cell_seconds": sum(seconds.values()), "cells": seconds}


def run_one(cell: Cell, run_cell: Callable[..., list[Record]], seed: int) -> CellOutcome:
    """Run one cell in this process and return its outcome; an error becomes one line.

    Args:
        cell: the cell.
        run_cell: the experiment's function.
        seed: the configuration's seed, from which and from the cell's stream all its randomness comes.
    """
    _one_thread()
    # This is the child number ``stream`` of SeedSequence(seed).spawn, made without spawning the ones before it.
    seeds = np.random.SeedSequence(seed, spawn_key=(cell.stream,))
    started = time.perf_counter()
    try:
        records = [storable(record) for record in plain(run_cell(cell.settings, seeds))]
        return CellOutcome(cell.name, records, seconds=time.perf_counter() - started)
    except Exception as error:  # an error of one cell, of whatever kind, must not end the others
        return CellOutcome(cell.name, None, _one_line(error))


def _outcomes(planned: Plan, workers: int, backend: Backend) -> Generator[tuple[Cell, CellOutcome]]:
    """Yield the cells that are left with their outcomes, as the workers finish them."""
    # Outcomes come in any order and only name their cell, since settings need not travel back.
    by_name = {cell.name: cell for cell in planned.left}
    jobs = [delayed(run_one)(cell, planned.experiment.run_cell, planned.config.seed) for cell in planned.left]
    with _backend(backend, workers):
        # A cell takes seconds to minutes, so that a batch of one costs nothing and keeps an interruption's loss small.
        running = Parallel(return_as="generator_unordered", batch_size=1)(jobs)
    with _closing_quietly(running) as outcomes:
        while True:
            try:
                outcome = next(outcomes, None)
            except Exception as error:  # an error of a worker; those of cells come back from `run_one` as outcomes
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
    """Make joblib use the back end, with one thread inside each worker."""
    if backend == "ray":
        from simulators import ray_backend

        with parallel_config(backend=ray_backend.register(), n_jobs=workers):
            yield
    else:
        with (
            quiet_tracker(),
            parallel_config(backend=backend, n_jobs=workers, inner_max_num_threads=1, initializer=_leave_interruptions),
        ):
            yield


def _leave_interruptions() -> None:
    """Ignore Ctrl-C in a worker: the parent handles it and ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one_thread() -> None:
    """Let Numba use one thread: the processes share the cores already, and threads would only add switching."""
    import numba

    numba.set_num_threads(1)


@contextmanager
def _alone(planned: Plan) -> Iterator[None]:
    """Let no other process work on the same run, and clear what a killed process has left half written."""
    try:
        with alone(planned.kept):
            for half_written in planned.kept.parent.glob(f".{planned.run_id}-*"):
                shutil.rmtree(half_written, ignore_errors=True)
            yield
    except BusyError as error:
        raise SweepError(str(error)) from None


def _write(planned: Plan, out: Path) -> Path:
    """Analyse the records, write the run's folder whole, and drop the kept cells."""
    records = records_of(planned)
    try:
        analysis = to_json(plain(planned.experiment.analyse(planned.config, records)))
    except Exception as error:  # an analysis is an experiment's own code and may raise anything
        raise SweepError(f"the analysis failed: {_one_line(error)}") from error
    name, seed = planned.experiment.name, planned.config.seed
    with write_run(
        out, name, planned.identity, seed=seed, modules=modules(planned.experiment.cells.__module__)
    ) as written:
        # The code may have been edited while the cells ran; the records would then come from two versions.
        if written.id != planned.run_id:
            raise SweepError("the code has changed since the run began; start again")
        written.append_metrics(records)
        written.write("analysis.json", analysis)
        written.write("timing.json", to_json(timing(planned)))
    # Only a run that is written whole replaces the kept cells.
    shutil.rmtree(planned.kept, ignore_errors=True)
    return written.folder


def _kept_cell(planned: Plan, cell: Cell) -> dict[str, Any]:
    """Return a kept cell.

    Raises:
        SweepError: it is gone or cannot be read.
    """
    content = read_cell(planned.kept, cell)
    if content is None:
        raise SweepError(f"cell {cell.name!r} is no longer readable in {planned.kept}; start again")
    return content


def _one_line(error: Exception) -> str:
    """Return an error as one line, cut to a length that a terminal shows well."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
