"""Read what W&B gives of a run's history: JSON lines, one JSON list, or a table (CSV).

``_step`` counts the calls of ``wandb.log``. A trainer that logs without a step (Transformers' callback) has its own
column for it, which then counts; verl gives W&B its own step, so that ``_step`` is right there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llm_validation.audit.model.entries import Entry, as_step, numbers
from llm_validation.audit.reading.base import RefusedError, StepReader
from llm_validation.audit.reading.head import LONGEST_LINE, Head
from llm_validation.audit.reading.json_lines import Tally, blocks, records

# Columns that trainers log as their step, the first that a row has counts.
OWN_STEPS = (
    "train/global_step",
    "trainer/global_step",
    "global_step",
    "rollout/step",
    "train/step",
    "training_step",
)
_INTERNAL = ("_step", "_runtime", "_timestamp", "_wandb")


def own_column(row: Mapping[str, Any]) -> str | None:
    """Return the column in which a row gives a step of its own; None where there is none."""
    return next((name for name in OWN_STEPS if as_step(row.get(name)) is not None), None)


def history(rows: Iterable[Mapping[str, Any]], tally: Tally) -> Iterator[Entry]:
    """Yield the entries of a history; if any row gives a step of its own, W&B's counter is not used.

    A trainer may count rollouts in one column and updates in another. Rows of a column that does not end where the
    first ends count something else, and are left out.
    """
    listed = list(rows)
    columns = [own_column(row) for row in listed]
    left_out = other_counters(listed, columns)
    own = any(column is not None for column in columns)
    for row, column in zip(listed, columns, strict=True):
        if column in left_out:
            tally.drop(other_counter(column))
            continue
        step = as_step(row.get(column)) if column is not None else None if own else as_step(row.get("_step"))
        metrics = numbers({k: v for k, v in row.items() if v is not None and v != "" and k not in _INTERNAL})
        metrics = {name: value for name, value in metrics.items() if name not in OWN_STEPS}
        if step is None:
            tally.drop("no step")
        elif metrics:
            yield Entry(step, metrics)


def other_counter(column: str | None) -> str:
    """Return why a row is left out whose column of steps counts something else than the first column does."""
    return f"counted by {column}, which is not the same step"


def other_counters(rows: Sequence[Mapping[str, Any]], columns: Sequence[str | None]) -> set[str]:
    """Return the columns of steps that end elsewhere than the first of them does, by more than one step.

    Args:
        rows: of one history.
        columns: of each row the column in which it gives a step of its own, as :func:`own_column` finds it.
    """
    last: dict[str, int] = {}
    for row, column in zip(rows, columns, strict=True):
        step = None if column is None else as_step(row.get(column))
        if column is not None and step is not None:
            last[column] = max(last.get(column, 0), step)
    first = next((name for name in OWN_STEPS if name in last), None)
    return set() if first is None else {name for name in last if abs(last[name] - last[first]) > 1}


def _is_history(head: Head) -> bool:
    if head.kind not in ("lines", "list") or head.any_with("_wandb"):  # a run's summary has the latter
        return False
    return any(name in record for name in ("_step", "_timestamp", "_runtime") for record in head.objects)


def _read_json(head: Head, tally: Tally) -> Iterator[Entry]:
    yield from history(records(head, tally), tally)


def _is_table(head: Head) -> bool:
    return head.kind == "csv"


def _read_table(head: Head, tally: Tally) -> Iterator[Entry]:
    """Read a table; a last row without a line end is taken only where it ends with a quotation mark."""
    names: list[str] | None = None
    rows = []
    limit = csv.field_size_limit(LONGEST_LINE)  # a cell may hold a whole response
    try:
        for cells in csv.reader(_lines(head, tally)):
            if names is None:
                names = _columns(cells)
                continue
            if not any(cells):
                continue
            tally.read += 1
            if len(cells) != len(names):
                tally.drop("other columns than the header")
            else:
                rows.append({name: cell for name, cell in zip(names, cells, strict=True) if name and cell != ""})
    except csv.Error as error:
        raise RefusedError(f"not a table: {error}") from None
    finally:
        csv.field_size_limit(limit)
    yield from history(rows, tally)


def _lines(head: Head, tally: Tally) -> Iterator[str]:
    for block, ended in blocks(head.path, tally):
        lines = block.decode("utf-8", "replace").splitlines(keepends=True)
        if not ended and lines and not lines[-1].rstrip().endswith('"'):
            tally.drop("cut off at the end of the file")
            lines.pop()
        yield from lines


def _columns(names: list[str]) -> list[str]:
    """Return the metric of each column; empty for W&B's least and greatest of a bin.

    Raises:
        RefusedError: the columns are of several runs.
    """
    runs = {run for run, dash, _ in (name.rpartition(" - ") for name in names) if dash}
    if len(runs) > 1:
        raise RefusedError(f"columns of {len(runs)} runs stand side by side; save one run to a file of its own")
    found = []
    for name in names:
        metric = name.rpartition(" - ")[2].strip()
        if metric.endswith(("__MIN", "__MAX")):
            metric = ""
        found.append("_step" if metric in ("Step", "step", "") and name in ("Step", "step") else metric)
    return found


READERS = (StepReader("wandb-history", _is_history, _read_json), StepReader("wandb-table", _is_table, _read_table))
