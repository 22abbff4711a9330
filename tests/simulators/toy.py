"""A small experiment, named `toy`, with what can go wrong in one, and the command with it. No test is here.

``python -m tests.simulators.toy ...`` is ``qae`` with it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qae_theory.cli import build_app
from simulators import experiments
from simulators.experiments.base import Cell, Config, Experiment, Record

FAULTS = ("none", "cells", "error", "nan", "object", "death", "analysis")


class ToyConfig(Config):
    count: int = 6
    gate: str = ""  # a file that the cells from the third on wait for
    fault: Literal["none", "cells", "error", "nan", "object", "death", "analysis"] = "none"


def cells(config: ToyConfig) -> list[Cell]:
    if config.fault == "cells":
        raise ValueError("count must be odd;\ngot 6")
    return [Cell(f"cell {i}", {"index": i, "fault": config.fault, "gate": config.gate}, i) for i in range(config.count)]


def run_cell(settings: Mapping[str, Any], seeds: np.random.SeedSequence) -> list[Record]:
    while settings["gate"] and settings["index"] >= 2 and not Path(settings["gate"]).exists():
        time.sleep(0.02)
    fault = settings["fault"] if settings["index"] == 3 else "none"
    if fault == "error":
        raise ArithmeticError("no such\nnumber")
    if fault == "death":
        os.kill(os.getpid(), signal.SIGKILL)
    drawn: dict[str, Any] = {"nan": float("nan"), "object": object()}
    return [{"draw": drawn.get(fault, float(np.random.default_rng(seeds).random()))}]


def analyse(config: ToyConfig, records: Sequence[Record]) -> dict[str, Any]:
    if config.fault == "analysis":
        raise KeyError("no such column")
    return {"rows": len(records), "statements": []}


EXPERIMENT = Experiment(
    name="toy",
    summary="for tests",
    config=ToyConfig,
    cells=cells,
    run_cell=run_cell,
    analyse=analyse,
    sizes=Path(__file__).with_name("toy.toml"),
)


def main() -> None:
    experiments.MODULES["toy"] = __spec__.name if __name__ == "__main__" else __name__
    build_app()()


if __name__ == "__main__":
    main()
