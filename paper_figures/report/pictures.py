"""Drawn figures as the report shows them: picture, table, caption by panel, and which runs are behind them."""

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

HEADER = 24  # bytes of a PNG up to its width and height


@dataclass(frozen=True)
class Picture:
    """A drawn figure. ``panels`` as in the index: title, says, source, stand_in, missing."""

    name: str
    title: str
    panels: Sequence[Mapping[str, Any]]
    sources: Sequence[str]
    png: bytes
    table: Sequence[Sequence[str]] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack(">II", self.png[16:HEADER])
        return width, height

    @property
    def alt(self) -> str:
        """What the picture is, for those who do not see it; the caption says what is on it."""
        return (
            f"{self.title}. Panels: {'; '.join(panel['title'] for panel in self.panels)}. The caption has the values."
        )


def draw_all(results: Results, out: Path, names: Sequence[str]) -> list[Picture]:
    """These figures, drawn into ``out`` if something has changed."""
    return [_picture(one.name, entry, out) for one, entry, _ in draw([figure(name) for name in names], results, out)]


def _picture(name: str, entry: Mapping[str, Any], out: Path) -> Picture:
    table = out / f"{name}.csv"
    return Picture(
        name=name,
        title=entry["title"],
        panels=entry["panels"],
        sources=entry["sources"],
        png=(out / f"{name}.png").read_bytes(),
        table=_rows(table) if "csv" in getattr(figure(name).module, "TEXTS", {}) else None,
    )


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))
