"""The figures by name: a module of this package each, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from paper_figures.panels import Builder

NAMES: tuple[str, ...] = (
    "figure_1",
    "figure_2",
    "figure_3",
    "figure_4",
    "figure_5",
    "figure_6",
    "figure_7",
    "figure_8",
    "figure_9",
    "figure_10",
    "figure_11",
    "table_1",
    "table_2",
    "ledger_matrix",
    "zero_map",
    "gain_ratio",
    "leaky_cells",
    "baseline_sweep",
    "safe_step",
    "channel_waterfall",
    "prediction_ladder",
    "entropy_per_success",
)


@dataclass(frozen=True)
class Figure:
    """A figure's module, title, grid of panels, and size of one panel in inches."""

    name: str
    module: ModuleType
    title: str
    shape: tuple[int, int]
    size: tuple[float, float]
    panels: Sequence[tuple[str, Builder]]


def figure(name: str) -> Figure:
    """The figure of that name.

    Raises:
        ValueError: there is none; the message lists those that exist.
    """
    if name not in NAMES:
        raise ValueError(f"NAME must be one of {', '.join(NAMES)}; got {name!r}")
    module = import_module(f"paper_figures.{name}")
    size = getattr(module, "SIZE", (3.3, 2.7))
    return Figure(name, module, module.TITLE, module.SHAPE, size, module.PANELS)
