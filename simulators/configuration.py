"""An experiment's configuration: its shipped sizes, and what a file or the command line puts in their place.

A TOML file has the tables ``[common]``, ``[quick]`` and ``[full]``, or plain keys, which count for either size. Tables
inside are merged key by key, everything else is replaced.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from simulators.experiments.base import Config, Experiment

CONFIGS = Path(__file__).parent / "configs"
SIZES = ("common", "quick", "full")
PACKAGES = ("qae_theory", "simulators")  # whose source determines the results

Table = Mapping[str, Any]


def shipped_config(experiment: Experiment, *, quick: bool) -> Config:
    """The configuration of ``configs/<name>.toml`` at that size."""
    return make_config(experiment, [read_table(CONFIGS / f"{experiment.name}.toml", quick=quick)])


def changed_config(experiment: Experiment, changes: Sequence[Table], *, quick: bool) -> Config:
    """The shipped configuration with these changes, the last of them counting most.

    Raises:
        ValueError: naming the field and its value.
    """
    return make_config(experiment, [read_table(CONFIGS / f"{experiment.name}.toml", quick=quick), *changes])


def make_config(experiment: Experiment, tables: Sequence[Table]) -> Config:
    """The tables merged and checked.

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
        return experiment.config.model_validate(merged)
    except ValidationError as error:
        raise ValueError(one_line(error)) from None


def read_table(path: Path, *, quick: bool) -> dict[str, Any]:
    """What a TOML file says about one size.

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
    """``key=value`` with a TOML value; a dotted key reaches into a table.

    Raises:
        ValueError: it is not that.
    """
    try:
        return tomllib.loads(text)
    except ValueError:
        raise ValueError(
            f"--set {text!r} is not key=value with a TOML value; text needs quotes: key='\"text\"'"
        ) from None


def merge(base: Table, change: Table) -> dict[str, Any]:
    """``base`` with the entries of ``change``, tables inside merged in the same way."""
    merged = dict(base)
    for key, value in change.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def identity(experiment: Experiment, config: Config, *, quick: bool) -> dict[str, Any]:
    """All that determines a run's results, in JSON's types: what ``config.json`` holds and the run id is made of."""
    settings = config.model_dump(mode="json")
    return {"experiment": experiment.name, "quick": quick, "settings": _without_infinity(settings)}


def one_line(error: ValidationError) -> str:
    """The first thing that is wrong: field, what is allowed, value."""
    first, *others = error.errors(include_url=False)
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "is not a field of this configuration"
    shown = "" if isinstance(first["input"], Mapping) or "; got " in message else f"; got {first['input']!r}"
    more = f" (and {len(others)} more)" if others else ""
    return " ".join(f"{f'{place}: ' if place else ''}{message}{shown}{more}".split())


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _numbers(item, f"{path}.{key}" if path else str(key))


def _without_infinity(value: Any) -> Any:
    """JSON has no infinity; pydantic reads ``"inf"`` as one."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinity(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
