"""Are about 80% of the advantages zero throughout training (Fig. 5c)?

"About 80%" is the band from .75 to .85, "throughout" every recorded update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import mean_interval
from qae_theory.curves.trajectories import Trajectory

BAND = (0.75, 0.85)
READINGS = {"zero_share": "all groups", "zero_share_mixed": "mixed groups"}


def share_row(difficulty: str, k: str, curve: str, run: Trajectory, level: float) -> dict[str, Any]:
    """Share of zeros at every recorded update of one distribution and K, in one reading."""
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
    """Whether the whole interval lies in the band."""
    return BAND[0] <= share["low"] and share["high"] <= BAND[1]


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """About 80% throughout training, at the tuned K, whatever the distribution of difficulty."""
    return [_about_80(analysis, reading) for reading in READINGS.values()]


def _about_80(analysis: Mapping[str, Any], reading: str) -> Statement:
    found, detail = _everywhere(analysis, analysis["k"], reading)
    control, control_detail = _everywhere(analysis, "grpo", reading)
    elsewhere = [
        f"{row['difficulty']} at K = {row['k']}"
        for row in analysis["table"]
        if row["about_80"] and row["reading"] == reading
    ]
    return Statement(
        says=f"of {reading}, .75 to .85 of the advantages are zero at every recorded update under every distribution",
        found=found,
        detail=f"K = {analysis['k']}: {detail}; it is so for: {', '.join(elsewhere) or 'none'}",
        planted="GRPO's advantages",
        control_found=control,
        control_detail=control_detail,
    )


def _everywhere(analysis: Mapping[str, Any], k: str, reading: str) -> tuple[bool, str]:
    rows = [row for row in analysis["table"] if row["k"] == k and row["reading"] == reading]
    said = [
        f"{row['difficulty']} from {row['shares'][0]['estimate']:.2f} to {row['shares'][-1]['estimate']:.2f}"
        f" (lowest end {min(s['low'] for s in row['shares']):.2f}, highest {max(s['high'] for s in row['shares']):.2f})"
        for row in rows
    ]
    return all(row["about_80"] for row in rows), "; ".join(said)
