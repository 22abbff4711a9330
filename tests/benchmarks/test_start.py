"""Figures, not tests: how long the package and the command take to start, in processor time."""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median
from typing import Any

import pytest

# What is started, and the processor time in seconds below which it is meant to stay.
STARTS = {
    "import numpy": (("-c", "import numpy"), None),
    "import qae_theory": (("-c", "import qae_theory"), 0.25),
    "qae --help": (("-m", "qae_theory.cli", "--help"), 0.6),
}


def _processor_seconds(arguments: tuple[str, ...]) -> float:
    """Return the processor time that one start of Python with these arguments takes, its children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize("name", STARTS)
def test_start(benchmark: Any, name: str) -> None:
    """Store the median of processor time beside the wall time that the benchmark takes."""
    arguments, aim = STARTS[name]
    spent: list[float] = []
    # The first start compiles bytecode and fills the disk's cache: it is not counted.
    benchmark.pedantic(lambda: spent.append(_processor_seconds(arguments)), rounds=7, warmup_rounds=1)
    benchmark.extra_info["processor_s"] = round(median(spent[1:]), 3)
    benchmark.extra_info["aim_s"] = aim
    if aim is not None:
        benchmark.extra_info["peer"] = "test_start[import numpy]"
