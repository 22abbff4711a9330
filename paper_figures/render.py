"""From panels to a Matplotlib figure, and from that to PDF and PNG files whose bytes the results alone determine."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from paper_figures.panels import Panel

SUFFIXES = ("pdf", "png")
TITLE_HEIGHT = 0.3  # inches above the panels, for the figure's title
LETTERS_PER_INCH = 18  # of the small print below a panel


def figure_of(title: str, panels: Sequence[Panel], *, shape: tuple[int, int], size: tuple[float, float]) -> Any:
    """Return a figure with a panel in each cell of a grid, and each panel's source under it.

    A panel without data gets a watermark.

    Args:
        title: above all panels.
        panels: rows * columns at most.
        shape: rows and columns.
        size: of one panel, width and height in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = shape
    figure = Figure(figsize=(width * size[0], height * size[1] + TITLE_HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    cells = list(figure.subplots(height, width, squeeze=False).flat)
    for axes, panel in zip(cells, panels, strict=False):
        axes.set_title(panel.title)
        panel.draw(axes)
    for axes in cells[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    figure.draw_without_rendering()  # settles the tick labels, and so the room that they take above the source
    for axes, panel in zip(cells, panels, strict=False):
        if panel.blank:
            _watermark(axes, panel.source)
        else:
            _write_source(axes, panel.source, int(size[0] * LETTERS_PER_INCH))
    return figure


def save(figure: Any, folder: Path, name: str, *, caption: str, sources: Sequence[str]) -> None:
    """Write ``<name>.pdf`` and ``<name>.png``, each whole, with run ids and caption in the metadata.

    There is no date in them, so that the same results give the same bytes.

    Args:
        figure: from :func:`figure_of`.
        folder: where the files go.
        name: of the files.
        caption: the figure's caption.
        sources: ids of the runs behind it.
    """
    subject = "; ".join(sources) or "theory, exact"
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Title": name, "Description": caption, "Source": subject, "Software": None},
        "pdf": {"Title": name, "Subject": caption, "Keywords": subject, "CreationDate": None, "Producer": None},
    }
    for suffix in SUFFIXES:
        # A reader of the folder never meets half a file.
        partial = folder / f".{name}.{suffix}"
        figure.savefig(partial, format=suffix, metadata=metadata[suffix])
        partial.replace(folder / f"{name}.{suffix}")


@contextmanager
def style() -> Iterator[None]:
    """Use the project's one style inside the block, whatever the user's own settings are."""
    import matplotlib
    from matplotlib import style as styles

    with as_file(files("paper_figures") / "qae.mplstyle") as path, matplotlib.rc_context():
        # The user's own style must not change a figure's bytes.
        matplotlib.rcdefaults()
        styles.use(path)
        yield


def _write_source(axes: Any, source: str, width: int) -> None:
    """Write the source below the labels of the x axis."""
    # The depth of the labels differs from panel to panel, and is known only once the figure has been laid out.
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
    """Write over an empty panel that there are no data, and which command makes them."""
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
