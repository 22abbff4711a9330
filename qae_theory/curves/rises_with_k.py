"""Does entropy rise with K (Fig. 9)? At equal steps, and at equal progress."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from qae_theory.curves.trajectories import Trajectory, alternated, at_gain, common_gains, paired_difference

READINGS = ("equal steps", "equal progress")


def slope_readings(runs: Mapping[str, Mapping[str, Trajectory]], level: float) -> dict[str, Any]:
    """Return slopes by condition and the comparison of neighbouring K, in both readings, with a control.

    Args:
        runs: condition, K as text, run; at least two K, with the curves ``sequence_entropy`` and ``success``.
        level: of the slopes' intervals together, and of the neighbours' together.

    Returns:
        ``slopes`` and ``neighbours``, and as ``control`` the slopes with K's labels reversed in every other seed; each
        by condition and reading, in JSON's types.
    """
    each = bonferroni(level, len(READINGS) * len(runs))
    steps = sum(len(by_k) - 1 for by_k in runs.values())
    between = bonferroni(level, len(READINGS) * steps)
    return {
        "slopes": {name: entropy_slopes(by_k, each) for name, by_k in runs.items()},
        "neighbours": {name: neighbours(by_k, between) for name, by_k in runs.items()},
        "control": {name: entropy_slopes(reversed_labels(by_k), each) for name, by_k in runs.items()},
    }


def reversed_labels(by_k: Mapping[str, Trajectory]) -> dict[str, Trajectory]:
    """Return the runs with K's labels reversed in every other seed."""
    pairs = zip(by_k, by_k.values(), reversed(list(by_k.values())), strict=True)
    return {k: alternated(run, opposite) for k, run, opposite in pairs}


def entropy_slopes(by_k: Mapping[str, Trajectory], level: float) -> dict[str, Any]:
    """Return the least-squares slope of entropy in K by seed, in each reading."""
    ks = np.array([float(k) for k in by_k])
    entropies, gain = entropies_by_reading(by_k)
    slopes = {reading: _slope(ks, values, level).record() for reading, values in entropies.items()}
    return {**slopes, "gain": gain}


def entropies_by_reading(by_k: Mapping[str, Trajectory]) -> tuple[dict[str, Array], float]:
    """Return the entropies ``[K, S]`` at the end and at the largest gain that all seeds reach, and that gain."""
    gain = common_gains([run.curves["success"] for run in by_k.values()], 1)
    final = np.stack([run.curves["sequence_entropy"][:, -1] for run in by_k.values()])
    equal = np.stack(
        [at_gain(run.curves["success"], run.curves["sequence_entropy"], gain)[:, 0] for run in by_k.values()]
    )
    return dict(zip(READINGS, (final, equal), strict=True)), float(gain[0])


def neighbours(by_k: Mapping[str, Trajectory], level: float) -> dict[str, list[dict[str, Any]]]:
    """Return the entropy at each K less that at the K before it, in each reading.

    A slope alone does not tell a valley from a line.
    """
    entropies, _ = entropies_by_reading(by_k)
    compared: dict[str, list[dict[str, Any]]] = {}
    for reading, values in entropies.items():
        compared[reading] = []
        for i, (low, high) in enumerate(pairwise(by_k)):
            difference = paired_difference(values[i + 1], values[i], level=level)
            compared[reading].append({"from": low, "to": high} | difference.record())
    return compared


def _slope(ks: Array, entropies_ks: Array, level: float) -> Interval:
    """Return the least-squares slope of entropies ``[K, S]``, in nats per unit of K."""
    centred = ks - ks.mean()
    return mean_interval((centred @ entropies_ks) / (centred @ centred), level=level)
