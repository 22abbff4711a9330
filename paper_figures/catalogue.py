"""The figures by name, each a module of this package, in the order in which they are shown."""

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
    "one_step",
    "ledger_matrix",
    "zero_map",
    "gain_ratio",
    "leaky_cells",
    "baseline_sweep",
    "safe_step",
    "channel_waterfall",
    "prediction_ladder",
    "entropy_per_success",
    "collapse_map",
    "league",
)


@dataclass(frozen=True)
class Figure:
    """A figure's module, title, grid of panels (rows and columns), size of one panel in inches, and panels by title.

    ``shared_y`` are groups of panels, by number, whose y axes have one scale.
    """

    name: str
    module: ModuleType
    title: str
    shape: tuple[int, int]
    size: tuple[float, float]
    panels: Sequence[tuple[str, Builder]]
    shared_y: Sequence[Sequence[int]] = ()


def figure(name: str) -> Figure:
    """Return the figure of that name.

    Raises:
        ValueError: there is none; the message lists those that exist.
    """
    if name not in NAMES:
        raise ValueError(f"NAME must be one of {', '.join(NAMES)}; got {name!r}")
    # A module is imported only when its figure is asked for: ``qae figures figure_4`` need not load the others.
    module = import_module(f"paper_figures.{name}")
    size = getattr(module, "SIZE", (3.3, 2.7))
    return Figure(
        name=name,
        module=module,
        title=module.TITLE,
        shape=module.SHAPE,
        size=size,
        panels=module.PANELS,
        shared_y=getattr(module, "SHARED_Y", ()),
    )
