"""The one store of results: which runs there are, and which of them counts. Everything that reads results asks here.

Of an experiment's finished runs, one with a shipped configuration counts before any other, then the larger size, then
the newer run, then the greater run id. Packages say which configurations they ship through the entry-point group
``qae.runs``; each entry is a function without arguments that returns :class:`Shipping` records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from qae_theory.runs.code import code_version
from qae_theory.runs.collected import EXPERIMENT as COLLECTED
from qae_theory.runs.collected import Collected
from qae_theory.runs.files import check_unchanged, read_json
from qae_theory.runs.stored import AGAIN, StoredRun

RUNS_GROUP = "qae.runs"
# Sizes from the one that counts most; an experiment has some of them.
SIZES = ("gpu", "pretrained", "long", "full", "quick")


@dataclass(frozen=True, kw_only=True)
class Shipping:
    """What an experiment ships.

    Attributes:
        experiment: its name, and that of its folder among the results.
        size_of: takes a stored configuration, and returns the size whose shipped configuration it is, or None; is
            itself None for an experiment without shipped configurations.
        modules: takes nothing, and returns the modules that a run of it executes.
    """

    experiment: str
    size_of: Callable[[Mapping[str, Any]], str | None] | None
    modules: Callable[[], Iterable[str]]


def stored(root: Path, experiment: str) -> list[StoredRun]:
    """Return the finished runs of an experiment, the one that counts last.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
    """
    folder = root / experiment
    runs = [_read(path, experiment) for path in sorted(folder.iterdir()) if _is_run(path)] if folder.is_dir() else []
    return sorted(runs, key=_rank)


def newest(root: Path, experiment: str) -> StoredRun | None:
    """Return the run that counts, of a shipped configuration or of another; None where there is none.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
    """
    runs = stored(root, experiment)
    return runs[-1] if runs else None


def shipped(root: Path, experiment: str) -> StoredRun | None:
    """Return the run that counts if its configuration is a shipped one; None where there is no such run.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
    """
    run = newest(root, experiment)
    return run if run is not None and run.shipped else None


def collected(root: Path) -> list[Collected]:
    """Return the collected runs of a cluster, one for each run, in the order of their names.

    A run may have been collected several times: the collection that came furthest counts, then the one with more
    steps, then the one with more evaluations by question, then the newer one.

    Raises:
        ValueError: a collection cannot be read, or is not as it was written.
    """
    best: dict[tuple[str, str], Collected] = {}
    for run in stored(root, COLLECTED):
        check_unchanged(run.folder, again="collect again")
        collection = Collected.of_run(run)
        key = collection.name, str(collection.config["run"])
        if key not in best or best[key].rank < collection.rank:
            best[key] = collection
    return [best[key] for key in sorted(best)]


@cache
def shippings() -> Mapping[str, Shipping]:
    """Return what the installed packages ship, by experiment."""
    points = sorted(entry_points(group=RUNS_GROUP), key=lambda point: point.name)
    return {shipping.experiment: shipping for point in points for shipping in point.load()()}


def _is_run(path: Path) -> bool:
    """Return whether a folder holds a finished run.

    Half-written folders start with a dot, and a run's provenance is written last.
    """
    return not path.name.startswith(".") and (path / "provenance.json").is_file()


def _read(path: Path, experiment: str) -> StoredRun:
    config, facts = (read_json(path / f"{name}.json", again=AGAIN) for name in ("config", "provenance"))
    shipping = shippings().get(experiment)
    sized = shipping is not None and shipping.size_of is not None
    size = shipping.size_of(config) if shipping is not None and shipping.size_of is not None else None
    changed = facts.get("code_version") != code_version(tuple(shipping.modules())) if shipping else None
    return StoredRun(
        folder=path,
        experiment=experiment,
        size=size or _stated_size(config),
        shipped=size is not None if sized else None,
        changed=changed,
        finished=str(facts.get("finished", "")),
    )


def _stated_size(config: Mapping[str, Any]) -> str:
    preset = config.get("preset")
    if preset in SIZES:
        return str(preset)
    return "quick" if config.get("quick") else "full"


def _rank(run: StoredRun) -> tuple[bool, int, str, str]:
    return bool(run.shipped), -SIZES.index(run.size), run.finished, run.folder.name
