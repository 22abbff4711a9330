"""Read the lattice of `channels`: Shapley values with intervals over seeds, interactions, and statements."""

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
from simulators.experiments.common.shares import in_records, read_statements

READINGS = {"gap": "at equal steps", "gap_progress": "at equal progress"}
SEPARATOR = " + "
# Two updates that are the same on paper differ by rounding alone: 1e-16 a step, which Adam can magnify by 1/eps = 1e8.
ROUNDING = 1e-6
# The claim speaks of the optimiser, which is Adam and norm clipping here: a part of the gap through either will do.
TOGETHER = {"optimiser": ("optimiser", "norm_clip")}

Lattices = Mapping[str, Array]  # by reading, the gap of every subset and seed, [2^m, S]


def analyse(config: Config, records: Sequence[Record], names: tuple[str, ...], idle: tuple[str, ...]) -> dict[str, Any]:
    """Return the attribution of the gap to the channels, at equal steps and at equal progress.

    Args:
        config: for the level of the intervals, which hold together over a reading's channels and, apart from these,
            over its interactions.
        records: of all cells.
        names: the channels.
        idle: those channels in which the two rules cannot differ.
    """
    lattices = {reading: lattice(records, names, reading) for reading in READINGS}
    readings = {reading: attribution(values, names, config.level) for reading, values in lattices.items()}
    success = mean_interval(lattice(records, names, "success_gap")[-1], level=config.level)
    return {
        "channels": list(names),
        "idle": list(idle),
        "success_gap": success.record(),
        **readings,
        "statements": in_records(_statements(lattices, names, idle, level=config.level)),
    }


def lattice(records: Sequence[Record], names: tuple[str, ...], reading: str) -> Array:
    """Return the gap of every subset of the channels and every seed.

    Args:
        records: one for each subset and seed.
        names: the channels; bit i of an index says whether ``names[i]`` is on.
        reading: which gap.

    Returns:
        ``[2^m, S]`` in nats.

    Raises:
        ValueError: a subset or seed is missing or there twice; the message names ``records``.
    """
    index_of = {SEPARATOR.join(on): index for index, on in enumerate(subsets(names))}
    seeds = 1 + max((record["seed"] for record in records), default=-1)
    gaps = np.full((len(index_of), seeds), np.nan)
    for record in records:
        gaps[index_of[record["on"]], record["seed"]] = record[reading]
    if not records or len(records) != gaps.size or np.isnan(gaps).any():
        checks.refuse("records", len(records), f"one for each of {len(index_of)} subsets and {seeds} seeds")
    return gaps


def attribution(values: Array, names: tuple[str, ...], level: float) -> dict[str, Any]:
    """Return intervals of the whole gap, of each channel's part in it, and of each pair's interaction.

    A channel has its Shapley value, and what it adds when it is switched on alone and when it is switched on last.

    Args:
        values: of one reading, ``[2^m, S]``.
        names: the channels.
        level: of the intervals of all channels together, and of all interactions together.
    """
    pairs = list(combinations(range(len(names)), 2))
    # Channels and interactions are two questions, and each has the whole error rate.
    of_channels, of_pairs = bonferroni(level, len(names)), bonferroni(level, len(pairs))
    shares, together = shapley_values(values), shapley_interactions(values)
    everything = len(values) - 1
    channels = {}
    for i, name in enumerate(names):
        bit = 1 << i
        channels[name] = {
            "shapley": _reading(mean_interval(shares[i], level=of_channels)),
            "alone": _reading(mean_interval(values[bit] - values[0], level=of_channels)),
            "last": _reading(mean_interval(values[everything] - values[everything ^ bit], level=of_channels)),
        }
    interactions = {}
    for i, j in pairs:
        interactions[f"{names[i]} x {names[j]}"] = _reading(mean_interval(together[i, j], level=of_pairs))
    return {
        "whole": _reading(mean_interval(values[everything], level=level)),
        "largest_gap_all_off": float(np.abs(values[0]).max()),
        "by_channel": channels,
        "interactions": interactions,
    }


def exchanged(values: Array) -> Array:
    """Return the gaps with rules A and B exchanged in every other seed, ``[2^m, S]``.

    On average there is no gap then, and no channel has a part in it.
    """
    return values * np.where(np.arange(values.shape[-1]) % 2 == 0, 1.0, -1.0)


def statements(analysis: Mapping[str, Any]) -> list[Statement]:
    """Return the statements for claim `channels`."""
    return read_statements(analysis)


def _statements(lattices: Lattices, names: tuple[str, ...], idle: tuple[str, ...], *, level: float) -> list[Statement]:
    """Return a statement about all channels off, and one about each channel: idle ones do nothing, others something."""
    alive = [name for name in names if name not in idle]
    # A channel that another one's statement speaks for has none of its own.
    covered = {name for group in TOGETHER.values() for name in group[1:]}
    listed = [_nothing_left(lattices)]
    if alive:  # the control of an idle channel is the part of another one
        listed += [_is_idle(lattices, names, name, alive=alive) for name in idle]
    listed += [_has_a_part(lattices, names, name, level=level) for name in alive if name not in covered]
    return listed


def _nothing_left(lattices: Lattices) -> Statement:
    """Return the statement that there is no gap with every channel off; the control has every channel on."""
    off = max(float(np.abs(values[0]).max()) for values in lattices.values())
    on = max(float(np.abs(values[-1]).max()) for values in lattices.values())
    return Statement(
        says="with every channel off the two rules train alike",
        found=off <= ROUNDING,
        detail=f"largest gap of a seed {off:.2g} nats",
        planted="every channel on",
        control_found=on <= ROUNDING,
        control_detail=f"largest gap of a seed {on:.2g} nats",
    )


def _is_idle(lattices: Lattices, names: tuple[str, ...], name: str, *, alive: Sequence[str]) -> Statement:
    """Return the statement that a channel has no part in any seed; the control is the channel with the largest part."""
    parts = {channel: _largest_part(lattices, i) for i, channel in enumerate(names)}
    largest = max(alive, key=lambda channel: parts[channel])
    return Statement(
        says=f"{name}: no part of the gap, as the two rules agree in it",
        found=parts[name] <= ROUNDING,
        detail=f"largest part in a seed {parts[name]:.2g} nats",
        planted=f"the part of {largest} in its place",
        control_found=parts[largest] <= ROUNDING,
        control_detail=f"largest part in a seed {parts[largest]:.2g} nats",
    )


def _largest_part(lattices: Lattices, channel: int) -> float:
    """Return the largest Shapley value of a channel in any seed and reading, in nats."""
    return max(float(np.abs(shapley_values(values)[channel]).max()) for values in lattices.values())


def _has_a_part(lattices: Lattices, names: tuple[str, ...], name: str, *, level: float) -> Statement:
    """Return the statement that a channel, or one of its group, has a part in the gap."""
    group = TOGETHER.get(name, (name,))
    without_gap = {reading: exchanged(values) for reading, values in lattices.items()}
    found, detail = part(lattices, names, group, level=level)
    control_found, control_detail = part(without_gap, names, group, level=level)
    return Statement(
        says=f"{' or '.join(group)}: a part of the gap, at equal steps or at equal progress",
        found=found,
        detail=detail,
        planted="the two rules exchanged in every other seed",
        control_found=control_found,
        control_detail=control_detail,
    )


def part(lattices: Lattices, names: Sequence[str], group: Sequence[str], *, level: float) -> tuple[bool, str]:
    """Return whether a channel of the group has a Shapley value apart from 0 in a reading, and all these values.

    Args:
        lattices: by reading, ``[2^m, S]``.
        names: the channels.
        group: the channels that are asked about.
        level: of the intervals, which are corrected for all channels and readings.
    """
    each = bonferroni(level, len(names) * len(lattices))
    intervals = {}
    for name in group:
        for reading, values in lattices.items():
            share = shapley_values(values)[names.index(name)]
            intervals[f"{name} {READINGS[reading]}"] = mean_interval(share, level=each)
    detail = "; ".join(f"{where} {interval}" for where, interval in intervals.items())
    return any(interval.excludes(0.0) for interval in intervals.values()), detail


def _reading(interval: Interval) -> dict[str, Any]:
    return {**interval.record(), "found": interval.excludes(0.0)}
