"""Results in the types that JSON has, whatever library they were computed with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return a value as Python's own types: what JSON gives back, NaN and infinities left as they are.

    Arrays and scalars of NumPy and torch become numbers and nested lists, tuples become lists and keys become text.
    Anything else is returned unchanged.

    >>> plain({1: (2.5, None)})
    {'1': [2.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def finite_or_none(value: Any) -> Any:
    """Return a plain value with each number that is not finite replaced by None, for which JSON has a word.

    >>> finite_or_none({"mean": float("nan"), "rows": [1.5, float("inf")]})
    {'mean': None, 'rows': [1.5, None]}
    """
    if isinstance(value, dict):
        return {key: finite_or_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite_or_none(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def eight_digits(content: Any) -> Any:
    """Return a plain value with floats of eight significant digits, far more than any interval has.

    Digits beyond differ between machines, and would change the files.

    >>> eight_digits({"mean": [1 / 3, 2]})
    {'mean': [0.33333333, 2]}
    """
    return json.loads(json.dumps(content), parse_float=lambda text: float(f"{float(text):.8g}"))
