"""Training curves: the mean over seeds with its t interval, drawn as a line and a band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from paper_figures.runs import Columns, MissingError
from qae_theory._exact import Array
from qae_theory.statistics import mean_interval

LEVEL = 0.95


class Curve(NamedTuple):
    """Steps, means and interval ends, ``[steps]`` each, and the number of seeds."""

    steps: Array
    mean: Array
    low: Array
    high: Array
    seeds: int


def rows_where(table: Columns, **wanted: Any) -> dict[str, Array]:
    """The rows in which every named column has the wanted value."""
    kept = np.ones(len(next(iter(table.values()))), dtype=bool)
    for column, value in wanted.items():
        kept &= table[column] == value
    return {column: values[kept] for column, values in table.items()}


def curve(table: Columns, column: str) -> Curve:
    """The column's mean over seeds at every step, with a Student interval of level .95.

    Steps that not every seed has are left out; a value that is not defined at some seed leaves its step out too.

    Raises:
        MissingError: fewer than two steps are left.
    """
    seeds = np.unique(table["seed"])
    values: dict[int, list[float]] = {}
    for step, value in zip(table["step"], table[column], strict=True):
        if np.isfinite(value):
            values.setdefault(int(step), []).append(float(value))
    steps = sorted(step for step, found in values.items() if len(found) == len(seeds))
    if len(steps) < 2:
        raise MissingError(f"{column!r} has values at {len(steps)} steps, of which a curve has at least 2")
    found = [mean_interval(np.array(values[step]), level=LEVEL) for step in steps] if len(seeds) > 1 else None
    if found is None:
        mean = np.array([values[step][0] for step in steps])
        return Curve(np.array(steps), mean, mean, mean, len(seeds))
    mean, low, high = (np.array([getattr(one, end) for one in found]) for end in ("estimate", "low", "high"))
    return Curve(np.array(steps), mean, low, high, len(seeds))


def draw_curves(axes: Any, curves: Mapping[str, Curve], *, ylabel: str, xlabel: str) -> None:
    """A line and a band for each, with a legend; the label of a line is its name."""
    for name, one in curves.items():
        (line,) = axes.plot(one.steps, one.mean, label=name, markevery=max(1, len(one.steps) // 8))
        axes.fill_between(one.steps, one.low, one.high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend()


def ends_said(curves: Mapping[str, Curve], unit: str) -> str:
    """``name from a to b [low, high]`` for each curve."""
    return "; ".join(
        f"{name} from {one.mean[0]:.3g} to {one.mean[-1]:.3g} [{one.low[-1]:.3g}, {one.high[-1]:.3g}]{unit}"
        for name, one in curves.items()
    )


def seeds_said(curves: Iterable[Curve]) -> str:
    """How many seeds, and what the band is."""
    counts: Sequence[int] = sorted({one.seeds for one in curves})
    return f"mean and {LEVEL:.0%} interval over {' or '.join(map(str, counts))} seeds"
