"""Run folders: one run, one folder ``<results>/<experiment>/<run id>/``, whole or not there at all.

:func:`write_run` fills a temporary folder and renames it; :func:`find_run` finds a run again by its configuration and
by the code that made it. What is measured, and in which columns, is the caller's matter.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qae_theory.runs.code import code_version
from qae_theory.runs.files import file_hashes, to_json
from qae_theory.runs.provenance import provenance


@dataclass(frozen=True)
class Run:
    """A run being written: fill ``partial``; it becomes ``folder`` when the run ends well."""

    id: str
    folder: Path
    partial: Path

    def write(self, name: str, text: str) -> None:
        """Write a text file of the run."""
        (self.partial / name).write_text(text, encoding="utf-8")

    def append_metrics(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Append records to ``metrics.jsonl``, one line each."""
        with (self.partial / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(dict(record), ensure_ascii=False) + "\n" for record in records)


@contextmanager
def write_run(
    out: Path, experiment: str, config: Mapping[str, Any], *, seed: int, modules: Sequence[str]
) -> Iterator[Run]:
    """Write a run's folder ``out/experiment/<run id>``; ``config.json`` and ``provenance.json`` are written here.

    An exception inside the block, an interruption included, removes what was written so far and leaves an older
    folder of the same run as it was.

    Args:
        out: the results folder; made if it does not exist.
        experiment: name of the experiment, one path component.
        config: what determines the results, in JSON's types. Not: number of workers, output paths.
        seed: for the provenance.
        modules: the modules that the run executes; with all that they import they are its code.

    Yields:
        The run; its ``partial`` folder exists.
    """
    started = time.perf_counter()
    code = code_version(modules)
    identity = run_id(config, code)
    parent = out / experiment
    parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{identity}-", dir=parent))
    run = Run(identity, parent / identity, partial)
    try:
        run.write("config.json", to_json(config))
        yield run
        facts = provenance(seed=seed, code=code)
        facts |= {"seconds": _since(started), "files": file_hashes(partial)}
        run.write("provenance.json", to_json({"run_id": identity, **facts}))
        partial.chmod(0o755)  # mkdtemp makes it private
        _replace_folder(partial, run.folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def find_run(out: Path, experiment: str, config: Mapping[str, Any], *, modules: Sequence[str]) -> Path | None:
    """Return the folder of a finished run of this configuration by this code.

    Args:
        out: the results folder.
        experiment: its name, and that of its folder there.
        config: what determines the results.
        modules: those that the run executes; their syntax, with all that they import, is the code's version.

    Returns:
        The folder; None where there is none.
    """
    folder = out / experiment / run_id(config, code_version(modules))
    return folder if folder.is_dir() else None


def results_folder() -> Path:
    """Return where stored results are looked for: the environment variable ``QAE_RESULTS``, or ``results``."""
    return Path(os.environ.get("QAE_RESULTS", "results"))


def run_id(config: Mapping[str, Any], code: str) -> str:
    """Return twelve hexadecimal digits of the configuration and the code version.

    >>> run_id({"seed": 1, "quick": True}, "abc") == run_id({"quick": True, "seed": 1}, "abc")
    True
    """
    canonical = json.dumps([config, code], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _replace_folder(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent)) / folder.name
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old.parent, ignore_errors=True)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
