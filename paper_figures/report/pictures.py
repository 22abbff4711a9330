"""Drawn figures as the report shows them: picture, table, caption by panel, and the runs that are behind them."""

from __future__ import annotations

import csv
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_figures.catalogue import figure
from paper_figures.drawing import draw
from paper_figures.runs import Results

HEADER = 24  # bytes of a PNG's header up to the end of its width and height


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    ``panels`` are those of the index, with title, says, source, stand_in and missing. ``sources`` are the ids of the
    runs behind it, and ``table`` holds the values of a table.
    """

    name: str
    title: str
    panels: Sequence[Mapping[str, Any]]
    sources: Sequence[str]
    png: bytes
    table: Sequence[Sequence[str]] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Return the width and height in pixels."""
        # Two big-endian numbers of four bytes, which end the header: no image library is needed to read them.
        width, height = struct.unpack(">II", self.png[16:HEADER])
        return width, height

    @property
    def alt(self) -> str:
        """Return what the picture is, for those who do not see it; the caption says what is on it."""
        titles = "; ".join(panel["title"] for panel in self.panels)
        return f"{self.title}. Panels: {titles}. The caption has the values."


def draw_all(results: Results, out: Path, names: Sequence[str]) -> list[Picture]:
    """Return these figures, drawn where something has changed.

    Args:
        results: the results folder.
        out: the folder for the files.
        names: of the figures.
    """
    drawn = draw([figure(name) for name in names], results, out)
    return [_picture(of_figure.name, entry, out) for of_figure, entry, _ in drawn]


def _picture(name: str, entry: Mapping[str, Any], out: Path) -> Picture:
    """Return a drawn figure as the report shows it, read from the folder of figures."""
    table = out / f"{name}.csv"
    return Picture(
        name=name,
        title=entry["title"],
        panels=entry["panels"],
        sources=entry["sources"],
        png=(out / f"{name}.png").read_bytes(),
        table=_read_table(table) if "csv" in getattr(figure(name).module, "TEXTS", {}) else None,
    )


def _read_table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
