"""Draw figures into a folder, each only if something that it depends on has changed.

``figures.json`` in that folder holds, for each figure, its caption, its sources, which panels have no data, and the
hash of all that determines its bytes. These are the code of its module and of what draws every figure, the library's
version, and the files that its data come from.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paper_figures.catalogue import Figure
from paper_figures.panels import Panel, all_built
from paper_figures.render import SUFFIXES, figure_of, save, style
from paper_figures.runs import Results, Run
from qae_theory.runs.code import code_version
from qae_theory.runs.files import file_hashes, write_atomically
from qae_theory.runs.locks import BusyError, alone

INDEX = "figures.json"
LOCK = ".drawing"  # a folder that is there only while figures are drawn
STYLE = Path(__file__).with_name("qae.mplstyle")
SHARED = ("paper_figures.panels", "paper_figures.render")  # the modules that draw every figure
# What the index keeps of a panel: the key in the file, and the panel's attribute.
KEPT = {"title": "title", "says": "caption", "source": "source", "stand_in": "stand_in", "missing": "missing"}


def draw(figures: Sequence[Figure], results: Results, out: Path) -> Iterator[tuple[Figure, dict[str, Any], bool]]:
    """Draw the figures that have changed, and yield each figure, its entry in the index, and whether it was drawn anew.

    Args:
        figures: from the catalogue.
        results: the results folder.
        out: where the files go.

    Raises:
        OSError: a file cannot be written, or another process draws into the folder.
    """
    with _alone(out):
        yield from _drawn(figures, results, out)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Let no other process draw into the folder meanwhile: the two would take each other's unfinished files away."""
    lock = out / LOCK
    try:
        with alone(lock):
            try:
                yield
            finally:
                shutil.rmtree(lock, ignore_errors=True)
    except BusyError:
        raise OSError(f"another process is drawing figures into {out}") from None


def _drawn(figures: Sequence[Figure], results: Results, out: Path) -> Iterator[tuple[Figure, dict[str, Any], bool]]:
    """Yield what :func:`draw` does."""
    index = read_index(out)
    for figure in figures:
        panels = all_built(figure.panels, results)
        entry = entry_of(figure, panels)
        texts = getattr(figure.module, "TEXTS", {})  # a table's forms as text: by suffix, a function of the results
        there = all((out / f"{figure.name}.{suffix}").is_file() for suffix in (*SUFFIXES, *texts))
        fresh = not there or index.get(figure.name) != entry
        if fresh:
            with style():
                drawn = figure_of(figure.title, panels, shape=figure.shape, size=figure.size, shared_y=figure.shared_y)
                save(drawn, out, figure.name, caption=entry["caption"], sources=entry["sources"])
            for suffix, text in texts.items():
                write_atomically(out / f"{figure.name}.{suffix}", text(results))
            # The index is written after each figure, so that an interruption loses no more than one.
            index[figure.name] = entry
            write_atomically(out / INDEX, json.dumps(index, indent=1, ensure_ascii=False) + "\n")
        yield figure, entry, fresh


def read_index(out: Path) -> dict[str, Any]:
    """Return the index of a folder of figures; empty where there is none or it cannot be read."""
    try:
        return dict(json.loads((out / INDEX).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def entry_of(figure: Figure, panels: Sequence[Panel]) -> dict[str, Any]:
    """Return what the index keeps of a figure."""
    runs: dict[str, Run] = {}
    files: dict[str, Path] = {}
    for panel in panels:
        runs |= {run.id: run for run in panel.sources}
        files |= {path.name: path for path in panel.files}
    return {
        "title": figure.title,
        "caption": " ".join([f"{figure.title}.", *(panel.caption for panel in panels)]),
        "sources": sorted([*runs, *files]),
        "panels": [_kept(panel) for panel in panels],
        "determined_by": _hash(figure, panels, runs=list(runs.values()), files=list(files.values())),
    }


def _kept(panel: Panel) -> dict[str, Any]:
    return {key: getattr(panel, attribute) for key, attribute in KEPT.items()}


def _hash(figure: Figure, panels: Sequence[Panel], *, runs: Sequence[Run], files: Sequence[Path]) -> str:
    """Return a hash of all that determines the figure's files."""
    # Another version of the library may draw the same figure differently.
    digest = hashlib.sha256(version("matplotlib").encode())
    digest.update(code_version((figure.module.__name__, *SHARED)).encode())
    for path in (STYLE, *files):
        digest.update(path.read_bytes())
    for run in runs:
        digest.update(json.dumps(file_hashes(run.folder), sort_keys=True).encode())
    # The texts are hashed too: they hold what is computed from theory, of which there are no files.
    digest.update("\n".join(f"{panel.caption}{panel.source}" for panel in panels).encode())
    return digest.hexdigest()[:16]
