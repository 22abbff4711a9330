"""Read logged metrics: verl's JSON lines and our own here, TensorBoard and W&B in the modules beside this.

Every reader yields entries (step, metrics, where it stands) in the order of the file, and keeps account of what it
could not read. Which entry counts where several tell of one step is for ``merge``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from llm_validation.cluster.collect.logs.entries import NO_STEP, NOT_A_LINE, Entry, numbers_of, step_of
from llm_validation.cluster.collect.logs.lines import Account, read_records
from llm_validation.cluster.collect.logs.objects import read_objects
from llm_validation.cluster.collect.logs.shared import read_by, recognised
from llm_validation.cluster.collect.logs.tensorboard import EVENTS, read_tensorboard
from llm_validation.cluster.collect.logs.wandb import read_wandb_csv, read_wandb_json

Reader = Callable[[Path, Account, int], Iterator[Entry]]  # of a file, its account, the number of its attempt


def read_verl(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield the lines of verl's FileLogger: ``{"step": 3, "data": {"actor/entropy": 0.3, ...}}``."""
    for number, line in read_records(path, account):
        if not (isinstance(line, dict) and isinstance(line.get("data"), dict)):
            account.drop(number, NOT_A_LINE)
        elif (step := step_of(line.get("step"))) is None:
            account.drop(number, NO_STEP)
        else:
            yield Entry(step, numbers_of(line["data"]), attempt, account, number)


def read_own(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield the lines of the ``metrics.jsonl`` of ``qae train``: ``{"step": 3, "entropy": 1.2, ...}``."""
    for number, line in read_records(path, account):
        if not isinstance(line, dict):
            account.drop(number, NOT_A_LINE)
        elif (step := step_of(line.get("step"))) is None:
            account.drop(number, NO_STEP)
        else:
            metrics = {name: value for name, value in line.items() if name != "step"}
            yield Entry(step, numbers_of(metrics), attempt, account, number)


def reader_of(path: Path) -> Reader:
    """Return what reads a single file, by its name or else by what stands in it.

    The formats of which every line is accounted for have readers of this package; the others are read, or named and
    refused, as ``qae audit`` recognises them.

    Raises:
        ValueError: it is recognised as something else than a log of metrics.
        OSError: it cannot be read.
    """
    if EVENTS in path.name:
        return read_tensorboard
    if ".csv" in path.suffixes:
        return read_wandb_csv
    shared = recognised(path)
    name = None if shared is None else shared.name
    if shared is None or name == "verl-file":
        return read_verl  # where nothing is recognised, its account will tell why no line of the file is one
    if name == "wandb-history":
        return read_wandb_json
    return read_own if name == "metrics" and _steps_are_plain(path) else partial(read_by, shared)


def _steps_are_plain(path: Path) -> bool:
    """Return whether the first object of a file calls its step just so, as ``qae train`` does."""
    _, first = next(read_objects(path, Account(path.name)), (0, None))
    return isinstance(first, dict) and "step" in first
