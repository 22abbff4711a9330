"""Small results folders for tests of figures, and what a test reads back from a drawn figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_figures.catalogue import figure
from paper_figures.drawing import entry_of
from paper_figures.panels import Panel, all_built
from paper_figures.render import figure_of, style
from paper_figures.runs import Results
from qae_theory.runs.files import file_hashes

Record = Mapping[str, Any]


def store(
    root: Path,
    experiment: str,
    *,
    records: Sequence[Record] = (),
    files: Mapping[str, Any] | None = None,
    tables: Mapping[str, Sequence[Record]] | None = None,
    config: Record | None = None,
    size: str = "quick",
    run: str = "0123456789ab",
    finished: str = "2026-01-01T00:00:00Z",
) -> Path:
    """Write a finished run and return its folder; a run that is there already is written over.

    Args:
        root: the results folder.
        experiment: its name.
        records: the lines of ``metrics.jsonl``; no file if there are none.
        files: other files by name: lines for ``.jsonl``, JSON for ``.json``, text for the rest.
        tables: Parquet files by name, from records; needs pyarrow.
        config: more than the experiment's name and size, which it overrides.
        size: ``quick``, ``full`` or ``gpu``.
        run: the run's id.
        finished: UTC time of its end.
    """
    folder = root / experiment / run
    folder.mkdir(parents=True, exist_ok=True)
    written = {"config.json": {"experiment": experiment, **_sized(size), **(config or {})}, **(files or {})}
    if records:
        written["metrics.jsonl"] = records
    for name, content in written.items():
        (folder / name).write_text(_text(name, content), encoding="utf-8")
    for name, rows in (tables or {}).items():
        write_parquet(folder / name, rows)
    facts = {"run_id": run, "finished": finished, "files": file_hashes(folder)}
    (folder / "provenance.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def write_parquet(path: Path, rows: Sequence[Record]) -> None:
    """A Parquet table of records, columns in the order of the first."""
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows]), path)


@dataclass(frozen=True)
class Drawn:
    """A figure as Matplotlib has it, its panels and its entry in the index."""

    figure: Any
    panels: Sequence[Panel]
    entry: Mapping[str, Any]

    @property
    def caption(self) -> str:
        """The caption, made from the data."""
        return str(self.entry["caption"])

    @property
    def missing(self) -> list[str | None]:
        """What each panel says that it lacks; None where there are data."""
        return [panel.missing for panel in self.panels]

    def axes(self, panel: int = 0) -> Any:
        """The axes of a panel with data, by the panel's number; panels without take no room."""
        assert not self.panels[panel].blank
        return self.figure.axes[sum(not one.blank for one in self.panels[:panel])]


def drawn(name: str, root: Path) -> Drawn:
    """The figure of that name from a results folder, in memory only."""
    one = figure(name)
    panels = all_built(one.panels, Results(root))
    with style():
        made = figure_of(one.title, panels, shape=one.shape, size=one.size, shared_y=one.shared_y)
    return Drawn(made, panels, entry_of(one, panels))


def line(axes: Any, label: str) -> tuple[list[float], list[float]]:
    """x and y of the line with that label."""
    (found,) = [one for one in axes.lines if one.get_label() == label]
    return [float(x) for x in found.get_xdata()], [float(y) for y in found.get_ydata()]


def lines(axes: Any) -> list[str]:
    """Labels of all lines that have one, in order."""
    return [str(one.get_label()) for one in axes.lines if not str(one.get_label()).startswith("_")]


def texts(axes: Any, gid: str | None = None) -> list[str]:
    """Texts on the axes without line feeds; of one ``gid`` (``source``, ``missing``) or all."""
    return [" ".join(one.get_text().split()) for one in axes.texts if gid is None or one.get_gid() == gid]


def _sized(size: str) -> dict[str, Any]:
    return {"preset": size} if size == "gpu" else {"quick": size == "quick"}


def _text(name: str, content: Any) -> str:
    if name.endswith(".jsonl"):
        return "".join(json.dumps(dict(row)) + "\n" for row in content)
    return json.dumps(content) if name.endswith(".json") else str(content)
