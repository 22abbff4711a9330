"""Read exports of W&B: JSON as its interface gives a run's history, and CSV as its page or pandas writes it.

``_step`` counts the calls of ``wandb.log``. A trainer that logs without a step, such as TRL's, has a column of its own
for it (``train/global_step``), which then counts.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm_validation.audit.model.entries import as_step
from llm_validation.audit.readers.steps.wandb_export import (
    OWN_STEPS,
    other_counter,
    other_counters,
    own_column,
)
from llm_validation.cluster.collect.logs.entries import NO_STEP, NOT_A_LINE, Entry, Metrics, numbers_of, step_of
from llm_validation.cluster.collect.logs.lines import CUT, Account, Line, read_lines
from llm_validation.cluster.collect.logs.objects import read_objects

OTHER_COLUMNS = "other columns than the header"
_STEPS = ("_step", "Step", "step")
_NO_METRICS = {*_STEPS, *OWN_STEPS, "_runtime", "_timestamp", ""}


class _Row(NamedTuple):
    """Hold the cells of one line by column, and the line's number."""

    number: int
    cells: Mapping[str, Any]


def read_wandb_json(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield what ``scan_history`` or ``history`` of W&B's interface gave, one object a line or all in one list."""
    rows = []
    for number, row in read_objects(path, account):
        if isinstance(row, dict):
            rows.append(_Row(number, row))
        else:
            account.drop(number, NOT_A_LINE)
    yield from _entries(rows, account, attempt)


def _entries(rows: Sequence[_Row], account: Account, attempt: int) -> Iterator[Entry]:
    """Yield the entries of a history; which column holds the step is decided as ``qae audit`` does.

    If any row gives a step of its own, W&B's counter is not used. Rows of a column that counts something else than the
    first such column does are left out.
    """
    columns = [own_column(row.cells) for row in rows]
    left_out = other_counters([row.cells for row in rows], columns)
    by_name = any(column is not None for column in columns)
    for (number, cells), column in zip(rows, columns, strict=True):
        if column in left_out:
            account.drop(number, other_counter(column))
            continue
        counted = next((_number(cells[name]) for name in _STEPS if name in cells), None)
        step = as_step(cells[column]) if column is not None else None if by_name else step_of(counted)
        if step is None:
            account.drop(number, NO_STEP)
            continue
        metrics = {name: value for name, value in cells.items() if name not in _NO_METRICS}
        yield Entry(step, _metrics(metrics), attempt, account, number)


def read_wandb_csv(path: Path, account: Account, attempt: int) -> Iterator[Entry]:
    """Yield the rows of a table, as W&B's page saves a chart or ``history().to_csv`` writes it.

    The page names its columns ``Step`` and ``<run> - <metric>``, pandas ``_step`` and ``<metric>``.

    Raises:
        ValueError: there is no column of steps, or the columns are of several runs.
    """
    columns: list[str] | None = None
    rows = []
    for line in read_lines(path, account):
        row = _cells(line.content)
        if columns is None:
            if row is None or not any(row):
                account.drop(line.number, NOT_A_LINE)
                continue
            columns = _columns(row, path)
            account.drop(line.number, "the names of the columns")
            continue
        reason = _fault(row, line, len(columns))
        if row is None or reason is not None:
            account.drop(line.number, reason or NOT_A_LINE)
        else:
            cells = {name: cell for name, cell in zip(columns, row, strict=True) if name}
            rows.append(_Row(line.number, cells))
    yield from _entries(rows, account, attempt)


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


def _columns(names: list[str], path: Path) -> list[str]:
    """Return the metric or the step of each column, empty for one that holds neither."""
    pairs = [name.rpartition(" - ") for name in names]
    runs = {run for run, dash, _ in pairs if dash}
    if len(runs) > 1:
        raise ValueError(f"{path.name} has columns of {len(runs)} runs; save one run to a file of its own")
    columns = []
    for name, (_, _, metric) in zip(names, pairs, strict=True):
        # A chart has each metric's range over smoothed steps beside it.
        has_none = name.endswith(("__MIN", "__MAX")) or name in ("_runtime", "_timestamp", "")
        columns.append("" if has_none else metric)
    if not {*_STEPS, *OWN_STEPS}.intersection(columns):
        known = f"_step, Step, {', '.join(OWN_STEPS)}"
        raise ValueError(f"{path.name} has no column of steps ({known}); it has {', '.join(names[:6])}")
    return columns


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
