"""The table of the small model: means, differences paired by seed, and a summary of another study refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qae_theory.curves.statistics import mean_interval
from simulators.league_page.ace import ace_table
from simulators.league_page.command import DOCS, main
from simulators.league_page.small_model import records_of, small_model_table


def run(rule: str, seed: int, *, success: float, entropy: float) -> dict[str, Any]:
    ends = {"success_first": 0.2, "success_last": success, "entropy_first": 0.6, "entropy_last": entropy}
    return {"rule": rule, "condition": "adam", "seed": seed, "steps": 200, **ends}


# Seeds differ by much more than the rules do, and stand in another order for one of them.
RUNS = [
    run("grpo", 0, success=0.5, entropy=0.30),
    run("grpo", 1, success=0.7, entropy=0.10),
    run("other", 1, success=0.8, entropy=0.15),
    run("other", 0, success=0.6, entropy=0.36),
]


def test_differences_are_paired_by_seed() -> None:
    reference, other = small_model_table(RUNS).splitlines()[2:]
    assert reference == "| `grpo` | 2 | 0.20 to 0.60 | 0.60 to 0.20 |  |  | -1.00 |"
    cells = [cell.strip() for cell in other.strip("|").split("|")]
    assert cells[:4] == ["`other`", "2", "0.20 to 0.70", "0.60 to 0.26"]
    assert cells[4].startswith("+0.100 [+0.100, +0.100]")
    # One rule and two figures: each interval has half of the error rate.
    wanted = mean_interval(np.array([0.06, 0.05]), level=0.975)
    assert cells[5] == f"{wanted.estimate:+.3f} [{wanted.low:+.3f}, {wanted.high:+.3f}]"
    assert cells[6] == "-0.69"


def test_gspo_is_known_by_its_clip_range() -> None:
    runs = [RUNS[0], {**RUNS[1], "condition": "adam-4updates-clip0.0003-0.0004-loss-grpo"}]
    records = records_of({"substrates": {"tiny-addition": {"runs": runs}}})
    assert [record["rule"] for record in records] == ["grpo", "gspo"]


def test_a_summary_of_another_study_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"--small must be a summary with the substrate 'tiny-addition'; got \['bandit'\]"
    ):
        records_of({"substrates": {"bandit": {}}})


def test_records_are_stored_beside_the_others(tmp_path: Path) -> None:
    for name in ("league.json", "league.md"):
        (tmp_path / name).write_text((DOCS / name).read_text(encoding="utf-8"), encoding="utf-8")
    summary = tmp_path / "summary.json"
    runs = [{**record, "extra": 1} for record in RUNS]
    summary.write_text(json.dumps({"substrates": {"tiny-addition": {"runs": runs}}}), encoding="utf-8")
    assert main(["--docs", str(tmp_path), "--small", str(summary)]) == 0
    stored = json.loads((tmp_path / "league.json").read_text(encoding="utf-8"))
    assert stored["small_model"] == RUNS
    assert small_model_table(RUNS) in (tmp_path / "league.md").read_text(encoding="utf-8")


def test_ace_has_a_row_for_each_strength() -> None:
    def setting(alpha: float, normalised: bool, success: float) -> dict[str, Any]:
        return {
            "condition": "trees",
            "alpha": alpha,
            "length_normalised": normalised,
            "success_mean": [success, success - 0.1, success + 0.1],
            "sequence_per_success_at_0.1": None,
        }

    settings = [setting(1.0, False, 0.2), setting(1.0, True, 0.3), setting(2.0, False, 0.4), setting(2.0, True, 0.5)]
    rows = ace_table(settings).splitlines()[2:]
    assert rows[0] == "| trees | 1 | +0.200 [+0.100, +0.300] | - | +0.300 [+0.200, +0.400] | - |"
    assert rows[1].startswith("| trees | 2 | +0.400 [+0.300, +0.500] | - | +0.500")
