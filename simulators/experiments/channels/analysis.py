"""What the lattice of `channels` says: Shapley values with intervals over seeds, interactions, and statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.channels.shapley import shapley_interactions, shapley_values, subsets

READINGS = {"gap": "at equal steps", "gap_progress": "at equal progress"}
SEPARATOR = " + "
# Two updates that are one on paper differ by rounding alone: 1e-16 a step, which Adam can magnify by 1/eps = 1e8.
ROUNDING = 1e-6
# The claim's optimiser is Adam and norm clipping: a part of the gap through either will do.
TOGETHER = {"optimiser": ("optimiser", "norm_clip")}


def analyse(config: Config, records: Sequence[Record], names: tuple[str, ...], idle: tuple[str, ...]) -> dict[str, Any]:
    """Attribution at equal steps and at equal progress.

    Args:
        config: for the level of the intervals, which hold together over a reading's channels (and apart from these,
            over its interactions).
        records: of all cells.
        names: the channels.
        idle: those in which the two rules cannot differ.
    """
    lattices = {reading: lattice(records, names, reading) for reading in READINGS}
    readings = {reading: attribution(values, names, config.level) for reading, values in lattices.items()}
    success = mean_interval(lattice(records, names, "success_gap")[-1], level=config.level)
    return {
        "channels": list(names),
        "idle": list(idle),
        "success_gap": success.record(),
        **readings,
        "statements": [vars(s) for s in _statements(lattices, names, idle, config.level)],
    }


def lattice(records: Sequence[Record], names: tuple[str, ...], reading: str) -> Array:
    """The gap of every subset and seed, ``[2^m, S]``.

    Raises:
        ValueError: naming ``records`` where a subset or seed is missing or there twice.
    """
    rows = {SEPARATOR.join(on): i for i, on in enumerate(subsets(names))}
    count = 1 + max((r["seed"] for r in records), default=-1)
    found = np.full((len(rows), count), np.nan)
    for record in records:
        found[rows[record["on"]], record["seed"]] = record[reading]
    if not records or len(records) != found.size or np.isnan(found).any():
        checks.refuse("records", len(records), f"one for each of {len(rows)} subsets and {count} seeds")
    return found


def attribution(values: Array, names: tuple[str, ...], level: float) -> dict[str, Any]:
    """Intervals of the whole gap, of each channel's Shapley value, alone and last, and of each pair's interaction."""
    each = bonferroni(level, len(names))
    pairs = list(combinations(range(len(names)), 2))
    shares, together = shapley_values(values), shapley_interactions(values)
    full = len(values) - 1
    channels = {
        name: {
            "shapley": _reading(mean_interval(shares[i], level=each)),
            "alone": _reading(mean_interval(values[1 << i] - values[0], level=each)),
            "last": _reading(mean_interval(values[full] - values[full ^ 1 << i], level=each)),
        }
        for i, name in enumerate(names)
    }
    return {
        "whole": _reading(mean_interval(values[full], level=level)),
        "largest_gap_all_off": float(np.abs(values[0]).max()),
        "by_channel": channels,
        "interactions": {
            f"{names[i]} x {names[j]}": _reading(mean_interval(together[i, j], level=bonferroni(level, len(pairs))))
            for i, j in pairs
        },
    }


def exchanged(values: Array) -> Array:
    """Rules A and B exchanged in every other seed: on average there is no gap, and no channel has a part in it."""
    return values * np.where(np.arange(values.shape[-1]) % 2 == 0, 1.0, -1.0)


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """The statements for claim `channels`."""
    return [Statement(**record) for record in analysis["statements"]]


def _statements(
    lattices: Mapping[str, Array], names: tuple[str, ...], idle: tuple[str, ...], level: float
) -> list[Statement]:
    alive = [name for name in names if name not in idle]
    covered = {name for group in TOGETHER.values() for name in group[1:]}
    listed = [_nothing_left(lattices)]
    listed += [_idle(lattices, names, name, alive) for name in idle if alive]
    return listed + [_has_a_part(lattices, names, name, level) for name in alive if name not in covered]


def _nothing_left(lattices: Mapping[str, Array]) -> Statement:
    off, on = (max(float(np.abs(v[row]).max()) for v in lattices.values()) for row in (0, -1))
    return Statement(
        says="with every channel off the two rules train alike",
        found=off <= ROUNDING,
        detail=f"largest gap of a seed {off:.2g} nats",
        planted="every channel on",
        control_found=on <= ROUNDING,
        control_detail=f"largest gap of a seed {on:.2g} nats",
    )


def _idle(lattices: Mapping[str, Array], names: tuple[str, ...], name: str, alive: Sequence[str]) -> Statement:
    parts = {n: max(float(np.abs(shapley_values(v)[i]).max()) for v in lattices.values()) for i, n in enumerate(names)}
    largest = max(alive, key=lambda n: parts[n])
    return Statement(
        says=f"{name}: no part of the gap, as the two rules agree in it",
        found=parts[name] <= ROUNDING,
        detail=f"largest part in a seed {parts[name]:.2g} nats",
        planted=f"the part of {largest} in its place",
        control_found=parts[largest] <= ROUNDING,
        control_detail=f"largest part in a seed {parts[largest]:.2g} nats",
    )


def _has_a_part(lattices: Mapping[str, Array], names: tuple[str, ...], name: str, level: float) -> Statement:
    group = TOGETHER.get(name, (name,))
    found, detail = part(lattices, names, group, level)
    control, control_detail = part({k: exchanged(v) for k, v in lattices.items()}, names, group, level)
    return Statement(
        says=f"{' or '.join(group)}: a part of the gap, at equal steps or at equal progress",
        found=found,
        detail=detail,
        planted="the two rules exchanged in every other seed",
        control_found=control,
        control_detail=control_detail,
    )


def part(lattices: Mapping[str, Array], names: Sequence[str], group: Sequence[str], level: float) -> tuple[bool, str]:
    """Whether a Shapley value of the group's is apart from 0 in a reading; corrected for all channels and readings."""
    each = bonferroni(level, len(names) * len(lattices))
    found = {
        f"{name} {READINGS[reading]}": mean_interval(shapley_values(values)[names.index(name)], level=each)
        for name in group
        for reading, values in lattices.items()
    }
    said = "; ".join(f"{where} {interval}" for where, interval in found.items())
    return any(interval.excludes(0.0) for interval in found.values()), said


def _reading(interval: Interval) -> dict[str, Any]:
    return {**interval.record(), "found": interval.excludes(0.0)}
