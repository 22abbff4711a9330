"""Settings read from TOML and the command line: merged table by table, checked by pydantic, refused in one line.

A TOML file has the tables ``[common]``, ``[quick]`` and ``[full]``, or plain keys, which count for either size.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qae_theory.runs.wording import refused

SIZES = ("common", "quick", "full")

Table = Mapping[str, Any]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Frozen, refuses unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Settings = TypeVar("Settings", bound=Strict)


def checked(model: type[Settings], tables: Sequence[Table]) -> Settings:
    """Return the tables merged, the last of them counting most, and checked.

    Raises:
        ValueError: one line, with the first field that is wrong.
    """
    merged: dict[str, Any] = {}
    for table in tables:
        merged = merge(merged, table)
    for path, value in _numbers(merged):
        if math.isnan(value):
            raise ValueError(f"{path} must be a number; got {value}")
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise ValueError(refused(error, model)) from None


def read_table(path: Path, *, quick: bool) -> dict[str, Any]:
    """Return what a TOML file says about one size.

    Raises:
        ValueError: the file cannot be read, is not TOML, or has both tables of sizes and plain keys.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise ValueError(f"configuration {str(path)!r} cannot be read: {reason}") from None
    if not content.keys() & set(SIZES):
        return content
    for key, value in content.items():
        if key not in SIZES:
            raise ValueError(f"{key} must be in one of the tables {', '.join(SIZES)} of {str(path)!r}; got {value!r}")
        if not isinstance(value, dict):
            raise ValueError(f"{key} must be a table in {str(path)!r}; got {value!r}")
    return merge(content.get("common", {}), content.get("quick" if quick else "full", {}))


def read_setting(text: str) -> dict[str, Any]:
    """Return ``key=value`` as a table, the value read as TOML; a dotted key reaches into a table.

    Raises:
        ValueError: it is not that.
    """
    try:
        return tomllib.loads(text)
    except ValueError:
        raise ValueError(
            f"--set must be KEY=VALUE with a value of TOML, text in quotes: key='\"text\"'; got {text!r}"
        ) from None


def merge(base: Table, change: Table) -> dict[str, Any]:
    """Return ``base`` with the entries of ``change``, tables inside merged in the same way."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _numbers(item, f"{path}.{key}" if path else str(key))


def without_infinity(value: Any) -> Any:
    """Return ``value`` with infinities as text: JSON has none, and pydantic reads ``"inf"`` as one."""
    if isinstance(value, dict):
        return {key: without_infinity(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinity(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
