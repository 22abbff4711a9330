"""Tables as columns of equal length: checked, selected by value, read from and written to Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.checks import refuse

Table = Mapping[str, Array]

PROBES_FILE = "probes.parquet"
RUNS_FILE = "runs.parquet"


def length(table: Table) -> int:
    """Return how many rows a table has.

    Raises:
        ValueError: there is no column, or the columns differ in length.

    >>> length({"a": np.zeros(3)})
    3
    """
    if not table:
        refuse("table", dict(table), "a table with at least one column")
    first, *others = table
    for name in (first, *others):
        if np.ndim(table[name]) != 1 or len(table[name]) != len(table[first]):
            refuse(f"column {name!r}", np.shape(table[name]), f"as long as {first!r}, {np.shape(table[first])}")
    return len(table[first])


def need(table: Table, names: Iterable[str]) -> None:
    """Refuse a table without one of these columns.

    Raises:
        ValueError: naming the first that is missing.
    """
    length(table)
    for name in names:
        if name not in table:
            refuse("table", sorted(table), f"a table with the column {name!r}")


def matches(table: Table, **wanted: Any) -> Array:
    """Return which rows have these values, ``[rows]`` of bool.

    A value may be one, or a tuple, list or set of several; NaN counts as equal to NaN.

    Raises:
        ValueError: naming the column that is missing.
    """
    need(table, wanted)
    chosen = np.ones(length(table), dtype=bool)
    for name, value in wanted.items():
        several = isinstance(value, (tuple, list, set, frozenset))
        chosen &= _is_any_of(table[name], list(value) if several else [value])
    return chosen


def select(table: Table, **wanted: Any) -> dict[str, Array]:
    """Return the rows that :func:`matches` finds.

    >>> select({"arm": np.array(["a", "b"]), "change": np.array([1.0, 2.0])}, arm="b")["change"]
    array([2.])
    """
    return take(table, matches(table, **wanted))


def take(table: Table, rows: Array) -> dict[str, Array]:
    """Return some rows of every column.

    Args:
        table: columns of one length.
        rows: indices, or a mask ``[rows]`` of bool.
    """
    return {name: column[rows] for name, column in table.items()}


def from_rows(rows: Iterable[Mapping[str, Any]]) -> dict[str, Array]:
    """Return columns from rows that all have the same names.

    Raises:
        ValueError: there is no row, or one of them has other names than the first.
    """
    listed = list(rows)
    if not listed:
        refuse("rows", listed, "at least one row")
    for row in listed:
        if row.keys() != listed[0].keys():
            refuse("rows", sorted(row), f"rows with the names {sorted(listed[0])}")
    table: dict[str, Array] = {}
    for name in listed[0]:
        table[name] = np.array([row[name] for row in listed])
    return table


def write_table(table: Table, path: Path) -> None:
    """Write a table to a Parquet file.

    Raises:
        ValueError: the columns differ in length.
    """
    pa, pq = _arrow()
    length(table)
    pq.write_table(pa.table({name: pa.array(column) for name, column in table.items()}), path)


def read_table(path: Path) -> dict[str, Array]:
    """Return the table of a Parquet file, with text columns as NumPy text and missing numbers as NaN.

    Raises:
        ValueError: one line, where the file is missing or cannot be read.
    """
    pa, pq = _arrow()
    try:
        stored = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"table {str(path)!r} cannot be read: {str(error).splitlines()[0]}") from None
    return {name: _column(stored.column(name), f"{path}: {name}") for name in stored.column_names}


def _arrow() -> tuple[Any, Any]:
    """Return PyArrow, which comes with the extra ``train`` and has no types."""
    return import_module("pyarrow"), import_module("pyarrow.parquet")


def _column(stored: Any, name: str) -> Array:
    pa, _ = _arrow()
    if pa.types.is_string(stored.type) or pa.types.is_large_string(stored.type):
        if stored.null_count:
            refuse(f"column {name!r}", stored.null_count, "without missing text")
        return np.array(stored.to_pylist(), dtype=np.str_)
    return np.asarray(stored.to_numpy())


def _is_any_of(column: Array, values: list[Any]) -> Array:
    found = np.isin(column, [value for value in values if not _is_nan(value)])
    if any(map(_is_nan, values)):
        found |= np.isnan(column)
    return found


def _is_nan(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))
