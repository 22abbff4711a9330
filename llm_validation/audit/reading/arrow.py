"""Turn columns of pyarrow into NumPy arrays of float64."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from qae_theory.arrays import Array


def is_numeric(kind: Any) -> bool:
    """Return whether a type of pyarrow holds numbers, true and false, or nothing at all."""
    types = import_module("pyarrow").types
    return any(bool(test(kind)) for test in (types.is_floating, types.is_integer, types.is_boolean, types.is_null))


def floats(column: Any) -> Array:
    """Return a numeric column as float64, ``[N]``; NaN for what is missing."""
    pa = import_module("pyarrow")
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
