"""Stores ratios of medians with a description of the machine, and nothing that names a host."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def pytest_benchmark_generate_machine_info(config: Any) -> dict[str, Any]:
    """Processor, cores, and the versions that matter for speed."""
    del config
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numba", "numpy", "scipy")},
        **_versions("torch", "trl", "verl"),
    }


def pytest_benchmark_generate_commit_info(config: Any) -> dict[str, Any]:
    """Nothing: the stored file is committed itself."""
    del config
    return {}


def pytest_benchmark_update_json(config: Any, benchmarks: Any, output_json: dict[str, Any]) -> None:
    """Keep medians and, for every benchmark with a peer in its group, the ratio to that peer."""
    del config, benchmarks
    runs = {run["name"]: run for run in output_json["benchmarks"]}
    output_json["benchmarks"] = [_line(run, runs) for run in runs.values()]
    output_json.pop("commit_info", None)


def _line(run: dict[str, Any], runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    median = run["stats"]["median"]
    line = {"name": run["name"], "median_s": median, "rounds": run["stats"]["rounds"], **run["extra_info"]}
    peer = run["extra_info"].get("peer")
    if peer in runs:
        line["peer_over_this"] = round(runs[peer]["stats"]["median"] / median, 3)
        line["this_over_peer"] = round(median / runs[peer]["stats"]["median"], 3)
    return line


def _versions(*names: str) -> dict[str, str]:
    """Of the packages that need not be installed, those that are."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
