"""Are about 80% of the advantages zero throughout training (Fig. 5c)?

"About 80%" is the band from .75 to .85, "throughout" every recorded update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qae_theory.curves.statistics import mean_interval
from qae_theory.curves.trajectories import Trajectory

BAND = (0.75, 0.85)
READINGS = {"zero_share": "all groups", "zero_share_mixed": "mixed groups"}


def share_row(difficulty: str, k: str, curve: str, run: Trajectory, level: float) -> dict[str, Any]:
    """Return the share of zeros at every recorded update of one distribution and K, in one reading."""
    shares = [mean_interval(run.curves[curve][:, i], level=level).record() for i in range(len(run.steps))]
    return {
        "difficulty": difficulty,
        "k": k,
        "reading": READINGS[curve],
        "steps": [int(step) for step in run.steps],
        "shares": shares,
        "about_80": all(in_band(share) for share in shares),
    }


def in_band(share: Mapping[str, float]) -> bool:
    """Return whether the whole interval lies in the band."""
    return BAND[0] <= share["low"] and share["high"] <= BAND[1]
