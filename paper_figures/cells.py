"""Draw a table of numbers as shaded cells, each with its text, to be read by eye and by number, in colour and grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paper_figures.colours import DIVERGING
from qae_theory.arrays import Array

MAP = "Blues"  # a map of one hue, so that darker means more in grey print too
DARK = 0.55  # share of the scale beyond which black text would be hard to read and is white
DARK_END = 0.34  # the same for a map of two hues, as the distance from its middle


def draw_cells(
    axes: Any,
    values: Array,
    texts: Sequence[Sequence[str]],
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    limits: tuple[float, float] = (0, 1),
    fontsize: float = 6,
    around: float | None = None,
) -> None:
    """Draw the cells with the first row at the bottom.

    Args:
        axes: Matplotlib's.
        values: ``[rows, columns]``; what is NaN stays white.
        texts: one for each cell, ``[rows][columns]``.
        row_labels: at the y axis.
        column_labels: at the x axis.
        limits: values of the lightest and of the darkest shade; with ``around``, of the two ends.
        around: the value in the middle, which is white, below which one hue is and above which another; for numbers of
            which the side matters, such as changes.
        fontsize: of the texts, in points.
    """
    low, high = limits
    if around is not None:
        reach = max(around - low, high - around)  # the same distance has the same strength on both sides
        low, high = around - reach, around + reach
    colours = MAP if around is None else DIVERGING
    # Nearest-neighbour drawing keeps the borders of the cells sharp at any size.
    axes.imshow(values, cmap=colours, vmin=low, vmax=high, origin="lower", aspect="auto", interpolation="nearest")
    for row, texts_of_row in enumerate(texts):
        for column, text in enumerate(texts_of_row):
            share = (values[row, column] - low) / (high - low)
            dark = share > DARK if around is None else abs(share - 0.5) > DARK_END
            axes.text(
                column, row, text, ha="center", va="center", fontsize=fontsize, color="white" if dark else "black"
            )
    axes.set_xticks(range(len(column_labels)), column_labels)
    axes.set_yticks(range(len(row_labels)), row_labels)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)
