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


def figure_of(
    title: str,
    panels: Sequence[Panel],
    *,
    shape: tuple[int, int],
    size: tuple[float, float],
    shared_y: Sequence[Sequence[int]] = (),
) -> Any:
    """Return a figure with a panel in each cell of a grid, and each panel's source under it.

    A panel without data takes no room: the caption says which command makes them. Where no panel has data, the figure
    is a line for each of them.

    Args:
        title: above all panels.
        panels: rows * columns at most.
        shape: rows and columns.
        size: of one panel, width and height in inches.
        shared_y: groups of panels, by number, whose y axes have one scale.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [number for number, panel in enumerate(panels) if not panel.blank]
    if not drawn:
        return _without_data(title, panels, shape[1] * size[0])
    width = min(shape[1], len(drawn))
    height = -(-len(drawn) // width)  # rounded up
    figure = Figure(figsize=(width * size[0], height * size[1] + TITLE_HEIGHT), layout="constrained")
    # Without pyplot, which keeps every figure that it makes and chooses a back end by the machine.
    FigureCanvasAgg(figure)
    cells = list(figure.subplots(height, width, squeeze=False).flat)
    by_number = dict(zip(drawn, cells, strict=False))
    for number, axes in by_number.items():
        axes.set_title(panels[number].title)
        panels[number].draw(axes)
    for axes in cells[len(drawn) :]:
        axes.set_axis_off()
    for group in shared_y:
        _share_y([by_number[number] for number in group if number in by_number])
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    figure.draw_without_rendering()  # settles the tick labels, and so the room that they take above the source
    for number, axes in by_number.items():
        _write_source(axes, panels[number].source, int(size[0] * LETTERS_PER_INCH))
    return figure


def _share_y(group: Sequence[Any]) -> None:
    """Give axes the limits that hold what is on all of them, and the ticks of the one with the widest limits."""
    if not group:
        return
    limits = [axes.get_ylim() for axes in group]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    widest = max(group, key=lambda axes: axes.get_ylim()[1] - axes.get_ylim()[0])
    ticks = [tick for tick in widest.get_yticks() if low <= tick <= high]
    for axes in group:
        axes.set(ylim=(low, high), yticks=ticks)


def _without_data(title: str, panels: Sequence[Panel], width: float) -> Any:
    """Return a figure without panels: its title, and a line for each panel with the command that makes its data."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    letters = int(width * LETTERS_PER_INCH * 0.8)  # the print is larger than that below a panel
    texts = [textwrap.fill(f"{panel.title}: {panel.source}", letters, break_on_hyphens=False) for panel in panels]
    lines = sum(text.count("\n") + 1 for text in texts)
    figure = Figure(figsize=(width, TITLE_HEIGHT + 0.16 * (lines + 1)))
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    figure.text(0.01, 0.1, "\n".join(texts), fontsize=7, color="0.25", va="bottom", gid="missing")
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
