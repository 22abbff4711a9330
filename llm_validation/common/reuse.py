"""Finished runs found again by their settings: those of this code, or, where that is asked for, of any code.

A study of many hours is made of runs. A change of code makes them other runs; whoever knows that the change does not
touch what they measure may count them all the same, and the study's record then says which code made each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qae_theory.runs.folders import find_run

CONFIG, PROVENANCE = "config.json", "provenance.json"


class Reuse(NamedTuple):
    """State which finished runs count.

    Attributes:
        any_code: whether a run that other code made counts, where this code made none; the newest of them.
        only: whether finished runs alone count, so that nothing is made.
    """

    any_code: bool = False
    only: bool = False


THIS_CODE = Reuse()


class NotFinishedError(LookupError):
    """Raised where finished runs alone count, and there is none."""


def finished_run(
    out: Path, experiment: str, config: Mapping[str, Any], *, modules: Sequence[str], reuse: Reuse
) -> Path | None:
    """Return the folder of a finished run with this configuration, or None where it is to be made.

    Args:
        out: the results folder.
        experiment: its name.
        config: as it was given to ``write_run``.
        modules: what the run executes.
        reuse: which runs count.

    Raises:
        NotFinishedError: there is none, and none is to be made.
    """
    found = find_run(out, experiment, config, modules=modules)
    if found is None and reuse.any_code:
        wanted = json.loads(json.dumps(config))
        found = newest_with(out / experiment, lambda stored: bool(stored == wanted))
    if found is None and reuse.only:
        raise NotFinishedError(f"{experiment}: no finished run in {out}")
    return found


def newest_with(parent: Path, wanted: Callable[[Any], bool]) -> Path | None:
    """Return the newest finished run whose configuration is wanted.

    Args:
        parent: the folder whose subfolders are runs.
        wanted: takes a stored configuration.

    Returns:
        The folder of the run that ended last; None where there is none.
    """
    found = [
        (finished, folder)
        for folder in sorted(parent.glob("*"))
        if not folder.name.startswith(".") and (finished := _finished(folder)) and wanted(json_or_none(folder / CONFIG))
    ]
    return max(found)[1] if found else None


def code_of(folder: Path) -> str:
    """Return the version of the code that made a finished run."""
    return str((json_or_none(folder / PROVENANCE) or {}).get("code_version"))


def _finished(folder: Path) -> str:
    """Return when a run ended; empty for a folder that is not a finished run."""
    return str((json_or_none(folder / PROVENANCE) or {}).get("finished", ""))


def json_or_none(path: Path) -> Any:
    """Return the contents of a JSON file; None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
