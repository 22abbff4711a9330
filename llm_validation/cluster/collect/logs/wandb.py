"""Exports of W&B: JSON as its interface gives a run's history, and CSV as its page or pandas writes it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_validation.cluster.collect.logs.entries import NO_STEP, NOT_A_LINE, Entry, Metrics, numbers_of, step_of
from llm_validation.cluster.collect.logs.lines import CUT, Account, Line, read_lines
from llm_validation.cluster.collect.logs.objects import read_objects

OTHER_COLUMNS = "other columns than the header"
_STEPS = ("_step", "Step", "step")
_NO_METRICS = {*_STEPS, "_runtime", "_timestamp", ""}


def read_wandb_json(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield what ``scan_history`` or ``history`` of W&B's interface gave, one object a line or all in one list."""
    for number, row in read_objects(path, account):
        if not isinstance(row, dict):
            account.drop(number, NOT_A_LINE)
        elif (step := step_of(row.get("_step"))) is None:
            account.drop(number, NO_STEP)
        else:
            cells = {name: value for name, value in row.items() if name not in _NO_METRICS}
            yield Entry(step, _metrics(cells), attempt, account, number)


def read_wandb_csv(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield the rows of a table, as W&B's page saves a chart or ``history().to_csv`` writes it.

    The page names its columns ``Step`` and ``<run> - <metric>``, pandas ``_step`` and ``<metric>``.

    Raises:
        ValueError: there is no column of steps, or the columns are of several runs.
    """
    header: tuple[list[str], int] | None = None
    for line in read_lines(path, account):
        row = _cells(line.content)
        if header is None:
            if row is None or not any(row):
                account.drop(line.number, NOT_A_LINE)
                continue
            header = _columns(row, path)
            account.drop(line.number, "the names of the columns")
            continue
        columns, step_column = header
        reason = _fault(row, line, len(columns))
        if row is None or reason is not None:
            account.drop(line.number, reason or NOT_A_LINE)
        elif (step := step_of(_number(row[step_column]))) is None:
            account.drop(line.number, NO_STEP)
        else:
            cells = {name: cell for name, cell in zip(columns, row, strict=True) if name}
            yield Entry(step, _metrics(cells), attempt, account, line.number)


def _fault(row: list[str] | None, line: Line, width: int) -> str | None:
    """Return why a row of the table is not read; None for one that is.

    A last row without a line end is read only where it ends with a quotation mark: a number might go on.
    """
    if row is None or not any(row):
        return NOT_A_LINE if line.content.strip() else "blank"
    if not line.ended and (len(row) != width or not line.content.rstrip().endswith(b'"')):
        return CUT
    return OTHER_COLUMNS if len(row) != width else None


def _cells(content: bytes) -> list[str] | None:
    """Return the cells of a row; None for what is none."""
    try:
        return next(csv.reader([content.decode("utf-8")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        return None


def _columns(names: list[str], path: Path) -> tuple[list[str], int]:
    """Return the metric of each column, empty for one that holds none, and which column has the step."""
    steps = [at for at, name in enumerate(names) if name in _STEPS]
    if not steps:
        raise ValueError(f"{path.name} has no column of steps (_step or Step); it has {', '.join(names[:6])}")
    pairs = [name.rpartition(" - ") for name in names]
    runs = {run for run, dash, _ in pairs if dash}
    if len(runs) > 1:
        raise ValueError(f"{path.name} has columns of {len(runs)} runs; save one run to a file of its own")
    metrics = []
    for name, (_, _, metric) in zip(names, pairs, strict=True):
        # A chart has each metric's range over smoothed steps beside it.
        has_none = name in _NO_METRICS or name.endswith(("__MIN", "__MAX"))
        metrics.append("" if has_none else metric)
    return metrics, steps[0]


def _metrics(cells: Mapping[str, Any]) -> Metrics:
    """Return the cells that are numbers. A cell is empty where a step has no such metric, not where that was null."""
    numbers = {name: _number(value) for name, value in cells.items()}
    return numbers_of({name: value for name, value in numbers.items() if value is not None})


def _number(value: Any) -> Any:
    """Return text that reads as a number as one: W&B writes NaN and infinities as text, and its CSV has only text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return None
