"""From panels to a Matplotlib figure, and from that to PDF and PNG files whose bytes the results alone determine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from paper_figures.panels import Panel

WIDTH, HEIGHT = 3.3, 2.7  # of one panel, in inches
SUFFIXES = ("pdf", "png")


def figure_of(title: str, panels: Sequence[Panel], shape: tuple[int, int], size: tuple[float, float]) -> Any:
    """A figure with a panel in each cell of ``shape``; each panel's source under it, watermarks where data are missing.

    Args:
        title: above all panels.
        panels: rows * columns at most.
        shape: rows and columns.
        size: of one panel, width and height in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows, columns = shape
    figure = Figure(figsize=(columns * size[0], rows * size[1] + 0.3), layout="constrained")
    FigureCanvasAgg(figure)
    cells = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, panel in zip(cells, panels, strict=False):
        axes.set_title(panel.title)
        panel.draw(axes)
    for axes in cells[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    figure.draw_without_rendering()  # tick labels, and so the room that they take, are settled only now
    for axes, panel in zip(cells, panels, strict=False):
        if panel.blank:
            _watermark(axes, panel.source)
        else:
            _face(axes, panel.source, int(size[0] * 18))
    return figure


def save(figure: Any, folder: Path, name: str, *, caption: str, sources: Sequence[str]) -> None:
    """Write ``<name>.pdf`` and ``<name>.png``, each whole; run ids and caption in the metadata, no date."""
    subject = "; ".join(sources) or "theory, exact"
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Title": name, "Description": caption, "Source": subject, "Software": None},
        "pdf": {"Title": name, "Subject": caption, "Keywords": subject, "CreationDate": None, "Producer": None},
    }
    for suffix in SUFFIXES:
        partial = folder / f".{name}.{suffix}"
        figure.savefig(partial, format=suffix, metadata=metadata[suffix])
        partial.replace(folder / f"{name}.{suffix}")


@contextmanager
def style() -> Iterator[None]:
    """The project's one style, whatever the user's own settings are."""
    import matplotlib
    from matplotlib import style as styles

    with as_file(files("paper_figures") / "qae.mplstyle") as path, matplotlib.rc_context():
        matplotlib.rcdefaults()
        styles.use(path)
        yield


def _face(axes: Any, source: str, width: int) -> None:
    """The source, below the axis's labels."""
    labels = axes.xaxis.get_tightbbox()
    depth = max(0.0, axes.bbox.y0 - labels.y0) if labels is not None else 0.0
    axes.annotate(
        textwrap.fill(source, width, break_on_hyphens=False),
        (0, 0),
        xycoords="axes fraction",
        xytext=(0, -depth * 72 / axes.figure.dpi - 4),
        textcoords="offset points",
        fontsize=5.5,
        color="0.35",
        va="top",
        gid="source",
    )


def _watermark(axes: Any, message: str) -> None:
    axes.text(
        0.5,
        0.62,
        "NO DATA",
        transform=axes.transAxes,
        fontsize=20,
        color="0.8",
        ha="center",
        va="center",
        weight="bold",
    )
    axes.text(
        0.5,
        0.3,
        textwrap.fill(message, 38, break_on_hyphens=False),
        transform=axes.transAxes,
        fontsize=7,
        color="0.25",
        ha="center",
        va="center",
        gid="missing",
    )
