"""Where results come from: the command, the code, the versions, the machine and the time."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def provenance(*, seed: int, code: str) -> dict[str, Any]:
    """Return what is known of where results come from, in JSON's types.

    Args:
        seed: of the run.
        code: the version of the code that made the results, from :func:`qae_theory.runs.code.code_version`.
    """
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "seed": seed,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "code_version": code,
        "git": git_state(),
        "python": platform.python_version(),
        "packages": installed_versions(),
        "machine": machine(),
    }


def installed_versions() -> dict[str, str]:
    """Return the version of every installed distribution, by name; nothing is imported for it."""
    found = ((d.metadata["Name"], d.version) for d in distributions())
    return dict(sorted((name, version) for name, version in found if name))


def machine() -> dict[str, Any]:
    """Return the operating system, processor, cores that this process may use, and memory in GiB."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gib": _memory_gib(),
    }


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def git_state() -> dict[str, Any] | None:
    """Return the commit of the checkout that ``qae_theory`` lies in, and whether tracked files differ from it.

    Outside a checkout the answer is None.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return None if commit is None else {"commit": commit, "modified": bool(changes)}


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
