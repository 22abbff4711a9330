"""A table of numbers drawn as shaded cells, each with its text: read by eye and by number, in colour and in grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qae_theory.arrays import Array

MAP = "Blues"  # one hue, so that darker means more in grey print too
DARK = 0.55  # share of the scale beyond which the text is white


def draw_cells(
    axes: Any,
    values: Array,
    texts: Sequence[Sequence[str]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    limits: tuple[float, float] = (0, 1),
    fontsize: float = 6,
) -> None:
    """Cells with the first row at the bottom.

    Args:
        axes: Matplotlib's.
        values: ``[rows, columns]``; what is NaN stays white.
        texts: one a cell, ``[rows][columns]``.
        rows: their labels.
        columns: their labels.
        limits: values of the lightest and of the darkest shade.
        fontsize: of the texts, in points.
    """
    low, high = limits
    axes.imshow(values, cmap=MAP, vmin=low, vmax=high, origin="lower", aspect="auto", interpolation="nearest")
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            dark = (values[row, column] - low) / (high - low) > DARK
            axes.text(
                column, row, text, ha="center", va="center", fontsize=fontsize, color="white" if dark else "black"
            )
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
