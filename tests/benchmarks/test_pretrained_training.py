"""A step of RLVR on the pretrained model and one of TRL's own trainer with the same settings; the peaks of memory.

It needs what ``make pretrained`` brings, and about five minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_validation.models.pretrained import PRETRAINED, PackageError, packaged_file, pretrained_folder
from tests.benchmarks.pretrained_steps import STEPS

pytestmark = pytest.mark.train

MODEL = "smollm2-135m"
SIDES = ("ours", "trl")
ROUNDS = 3


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the folder of the pretrained model."""
    try:
        packaged_file(PRETRAINED[MODEL])
    except PackageError as error:
        pytest.skip(str(error))
    return pretrained_folder(MODEL, cache=tmp_path)


def test_pretrained_steps(benchmark: Any, model: Path, tmp_path: Path) -> None:
    """The sides take turns and sample the same tokens: a step is the same work in every round. Its fastest counts."""
    seconds: dict[str, list[list[float]]] = {side: [] for side in SIDES}
    peaks: dict[str, list[float]] = {side: [] for side in SIDES}

    def take_turns() -> None:
        for number in range(ROUNDS):
            for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                found = measured(model, side, tmp_path / f"{side}-{number}")
                seconds[side].append(found["seconds"])
                peaks[side].append(found["peak_gib"])

    benchmark.pedantic(take_turns, rounds=1)
    fastest = {side: [min(taken) for taken in zip(*seconds[side], strict=True)] for side in SIDES}
    totals = {side: sum(fastest[side]) for side in SIDES}
    benchmark.extra_info["step_s"] = {side: round(totals[side] / STEPS, 2) for side in SIDES}
    benchmark.extra_info["ours_over_trl"] = round(totals["ours"] / totals["trl"], 3)
    benchmark.extra_info["peak_gib"] = {side: max(peaks[side]) for side in SIDES}
    assert {side: len(taken) for side, taken in fastest.items()} == dict.fromkeys(SIDES, STEPS)


def measured(model: Path, side: str, out: Path) -> dict[str, Any]:
    """Return what ``pretrained_steps`` prints, measured in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.pretrained_steps", str(model), side, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
