"""Read records of several seeds as columns: one number for each seed, in the order of the seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.experiments.base import Record
from simulators.experiments.common.shares import grouped

Key = tuple[Any, ...]


def seed_values(records: Sequence[Record], figure: str, /, **labels: Any) -> Array:
    """Return a figure of the run with these labels, ``[S]`` in the order of the seeds; None becomes NaN."""
    of_run = []
    for record in records:
        if all(record[name] == wanted for name, wanted in labels.items()):
            of_run.append(record)
    return _column(sorted(of_run, key=_seed), figure)


def run_labels(records: Sequence[Record], *names: str) -> list[dict[str, Any]]:
    """Return the labels by which the runs of these records differ, one entry a run, in order of appearance."""
    return [dict(zip(names, key, strict=True)) for key in grouped(records, *names)]


def seed_columns(
    records: Sequence[Record], *names: str, shown: Callable[[Key], object] = lambda key: key
) -> dict[Key, dict[str, Array]]:
    """Return every run's measures as columns ``[S]``, by the values of the labels ``names``; None becomes NaN.

    Args:
        records: one for each run and seed; beside labels, ``seed`` and ``cell`` they hold measures.
        names: the labels that tell the runs apart.
        shown: how an error message names a run.

    Raises:
        ValueError: a run lacks a seed or has one twice; the message names ``records``.
    """
    seeds = sorted({record["seed"] for record in records})
    columns = {}
    for key, of_run in grouped(records, *names).items():
        ordered = sorted(of_run, key=_seed)
        if [record["seed"] for record in ordered] != seeds:
            checks.refuse("records", len(of_run), f"each of {len(seeds)} seeds once for {shown(key)}")
        measures = [name for name in of_run[0] if name not in ("cell", "seed", *names)]
        columns[key] = {name: _column(ordered, name) for name in measures}
    return columns


def _seed(record: Record) -> int:
    return int(record["seed"])


def _column(records: Sequence[Record], figure: str) -> Array:
    return np.array([np.nan if record[figure] is None else record[figure] for record in records], dtype=np.float64)
