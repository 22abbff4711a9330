"""Result folders: one run, one folder, whole or not there at all.

``write_run`` fills a temporary folder and renames it; ``find_run`` finds a run again by its configuration and the
code that made it. What is measured, and in which columns, is the caller's matter.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CODE_SUFFIXES = (".py", ".toml", ".html", ".css")


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


@dataclass(frozen=True)
class StoredRun:
    """A finished run's folder, the name of its size, and whether the code has changed since."""

    folder: Path
    size: str
    changed: bool

    def __str__(self) -> str:
        return f"run {self.folder.name}, {self.size} size{', code changed since' if self.changed else ''}"


@contextmanager
def write_run(
    out: Path, experiment: str, config: Mapping[str, Any], *, seed: int, packages: Sequence[str] = ("qae_theory",)
) -> Iterator[Run]:
    """A run's folder ``out/experiment/<run id>``, with ``config.json`` and ``provenance.json`` written for the caller.

    An exception inside the block, an interruption included, removes what was written so far and leaves an older
    folder of the same run as it was.

    Args:
        out: the results folder; made if it does not exist.
        experiment: name of the experiment, one path component.
        config: what determines the results, in JSON's types. Not: number of workers, output paths.
        seed: for the provenance.
        packages: import packages whose source determines the results.

    Yields:
        The run; its ``partial`` folder exists.
    """
    started = time.perf_counter()
    identity = run_id(config, code_version(packages))
    parent = out / experiment
    parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{identity}-", dir=parent))
    run = Run(identity, parent / identity, partial)
    try:
        run.write("config.json", to_json(config))
        yield run
        facts = provenance(seed=seed, packages=packages)
        facts |= {"seconds": _since(started), "files": file_hashes(partial)}
        run.write("provenance.json", to_json({"run_id": identity, **facts}))
        partial.chmod(0o755)  # mkdtemp makes it private
        _replace_folder(partial, run.folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def find_run(
    out: Path, experiment: str, config: Mapping[str, Any], *, packages: Sequence[str] = ("qae_theory",)
) -> Path | None:
    """The folder of a finished run of this configuration by this code, if there is one."""
    folder = out / experiment / run_id(config, code_version(packages))
    return folder if folder.is_dir() else None


def results_folder() -> Path:
    """Where stored results are looked for: the environment variable ``QAE_RESULTS``, or ``results``."""
    return Path(os.environ.get("QAE_RESULTS", "results"))


def stored_run(
    folder: Path,
    size_of: Callable[[Mapping[str, Any]], str | None],
    *,
    sizes: Sequence[str] = ("full", "quick"),
    packages: Sequence[str],
    again: str,
) -> StoredRun | None:
    """The finished run that counts, if there is one: of the first size of which there is any, the newest.

    Args:
        folder: an experiment's folder, with a folder for each run; half-written ones start with a dot.
        size_of: of a run's configuration, which shipped size it is; None where it is none of them.
        sizes: names of the sizes, those that count most first.
        packages: import packages whose source determines the results.
        again: says how to make the run again, for the message.

    Raises:
        ValueError: a run's configuration or provenance cannot be read.
    """
    found = []
    for run in sorted(folder.iterdir()) if folder.is_dir() else ():
        if run.name.startswith(".") or not run.is_dir():
            continue
        config, facts = (read_json(run / f"{name}.json", again=again) for name in ("config", "provenance"))
        size = size_of(config)
        if size is not None:
            found.append((-sizes.index(size), facts["finished"], run, facts["code_version"]))
    if not found:
        return None
    rank, _, run, version = max(found)
    return StoredRun(run, sizes[-rank], changed=version != code_version(packages))


def read_json(path: Path, *, again: str) -> dict[str, Any]:
    """A run's JSON file.

    Raises:
        ValueError: it cannot be read; with what to do.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}; remove the run and {again}") from None
    return content


def check_unchanged(folder: Path, *, again: str) -> None:
    """Refuse a finished run whose files are not as it wrote them.

    Raises:
        ValueError: naming the files.
    """
    changed = changed_files(folder)
    if changed:
        raise ValueError(f"{folder}: not as the run wrote it: {', '.join(changed)}; remove the run and {again}")


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a run but its provenance, by name."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "provenance.json")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def changed_files(folder: Path) -> list[str]:
    """Names of a finished run's files that are gone, cut short or edited since it was written."""
    written = json.loads((folder / "provenance.json").read_text(encoding="utf-8")).get("files", {})
    found = file_hashes(folder)
    return [name for name, digest in written.items() if found.get(name) != digest]


def run_id(config: Mapping[str, Any], code: str) -> str:
    """Twelve hexadecimal digits of the configuration and the code version.

    >>> run_id({"seed": 1, "quick": True}, "abc") == run_id({"quick": True, "seed": 1}, "abc")
    True
    """
    canonical = json.dumps([config, code], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def code_version(packages: Sequence[str]) -> str:
    """Hash of the packages' source files, installed or not, committed or not."""
    digest = hashlib.sha256()
    for root in sorted(filter(None, map(package_folder, packages))):
        sources = (path for path in root.rglob("*") if path.suffix in CODE_SUFFIXES)
        for path in sorted(sources):
            digest.update(f"{root.name}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def package_folder(package: str) -> Path | None:
    """Folder of a top-level import package, found without importing it."""
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def provenance(*, seed: int, packages: Sequence[str] = ("qae_theory",)) -> dict[str, Any]:
    """Where results come from: command, seed, code, versions, machine, time."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "seed": seed,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "code_version": code_version(packages),
        "git": git_state(),
        "python": platform.python_version(),
        "packages": installed_versions(),
        "machine": machine(),
    }


def installed_versions() -> dict[str, str]:
    """Version of every installed distribution, by name; imports none."""
    found = ((d.metadata["Name"], d.version) for d in distributions())
    return dict(sorted((name, version) for name, version in found if name))


def machine() -> dict[str, Any]:
    """Operating system, processor, cores that this process may use, and memory in GiB."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gib": _memory_gib(),
    }


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout that ``qae_theory`` lies in, and whether tracked files differ; None outside one."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit, "modified": bool(changes)}


def to_json(value: Any) -> str:
    """Readable JSON, one line feed at the end; NaN and infinities are refused."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all: a temporary file beside it, then a rename. Makes the parent folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(path.stat().st_mode if path.exists() else 0o644)  # mkstemp makes it private
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _replace_folder(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent)) / folder.name
    folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old.parent, ignore_errors=True)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _memory_gib() -> float | None:
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
    if not hasattr(os, "sysconf") or any(name not in os.sysconf_names for name in names):
        return None
    size, pages = map(os.sysconf, names)
    return round(size * pages / 2**30, 1)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
