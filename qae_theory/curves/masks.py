"""Does NEG-MASK track QAE under weak clipping, and POS-MASK lead under strong clipping (Figs. 6b, c)?

"Tracks" is read as: its success curve, and its entropy curve, is nearer to QAE's than POS-MASK's is. "Leads" as: its
final success is higher than NEG-MASK's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qae_theory.curves.trajectories import Trajectory, alternated, paired_difference, path_distance

READINGS = {
    "tracks": "under weak clipping NEG-MASK's success is nearer to QAE's than POS-MASK's",
    "tracks_entropy": "under weak clipping NEG-MASK's entropy is nearer to QAE's than POS-MASK's",
    "leads": "under strong clipping POS-MASK's final success is above NEG-MASK's",
}


def mask_readings(weak: Sequence[Trajectory], strong: Sequence[Trajectory], level: float) -> dict[str, Any]:
    """Return every reading of one condition; ``weak`` and ``strong`` are the runs of QAE, POS-MASK and NEG-MASK."""
    return {
        "tracks": tracks(*weak, curve="success", level=level),
        "tracks_entropy": tracks(*weak, curve="sequence_entropy", level=level),
        "leads": leads(*strong[1:], level=level),
    }


def exchanged(runs: Sequence[Trajectory]) -> list[Trajectory]:
    """Return QAE's run and the two masks' with the masks' labels exchanged in every other seed."""
    qae, pos, neg = runs
    return [qae, alternated(pos, neg), alternated(neg, pos)]


def tracks(qae: Trajectory, pos: Trajectory, neg: Trajectory, *, curve: str, level: float) -> dict[str, Any]:
    """Return POS-MASK's distance from QAE's curve less NEG-MASK's: positive where NEG-MASK is the nearer one."""
    far, near = (path_distance(qae.steps, qae.curves[curve], one.curves[curve]) for one in (pos, neg))
    return paired_difference(far, near, level=level).record()


def leads(pos: Trajectory, neg: Trajectory, *, level: float) -> dict[str, Any]:
    """Return POS-MASK's final success less NEG-MASK's."""
    return paired_difference(pos.curves["success"][:, -1], neg.curves["success"][:, -1], level=level).record()
