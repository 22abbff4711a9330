"""Read the study's training runs as trajectories: substrate, condition, rule, and curves by seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.tables import Table, select, take
from qae_theory.arrays import Array
from qae_theory.curves.families import ENTROPY, SUCCESS
from qae_theory.curves.trajectories import Trajectory

# The settings that make a condition, with the values that its name leaves unsaid.
USUAL: Mapping[str, Any] = {"clip_low": 0.2, "clip_high": 0.28, "adam_eps": 1e-8, "rounding": "none", "loss": "dapo"}
CHANNELS = ("adam_eps", "rounding", "loss")
SETTINGS = ("optimiser", "updates", *USUAL)
RUN = ("substrate", "run", "seed")  # what tells one training run from another
MAPS = "map"  # names of parts of the study begin so where they are a map, which has no conditions
FOLLOWED = {ENTROPY: "sequence_entropy", "token_entropy": "token_entropy", SUCCESS: "pass1", "pass16": "pass16"}
HELD_OUT = {ENTROPY: "held_out_sequence_entropy", SUCCESS: "held_out_pass1"}


class Condition(NamedTuple):
    """Hold the runs of one substrate under one condition.

    Attributes:
        substrate: name of the substrate.
        name: name of the condition.
        rules: the rows of each rule, by ``estimator`` or ``estimator-K``.
    """

    substrate: str
    name: str
    rules: Mapping[str, Table]


def condition_name(settings: Mapping[str, Any]) -> str:
    """Return the condition of a training run in the form that ids of lines have.

    >>> usual = {"optimiser": "adamw", "updates": 4, **USUAL}
    >>> condition_name(usual), condition_name(usual | {"clip_high": 0.2, "adam_eps": 1e-4})
    ('adam-4updates', 'adam-4updates-clip0.2-0.2-eps0.0001')
    """
    # The study decays no weights, and AdamW without decay is Adam.
    parts = [str(settings["optimiser"]).removesuffix("w"), f"{settings['updates']}updates"]
    low, high = settings["clip_low"], settings["clip_high"]
    if (low, high) != (USUAL["clip_low"], USUAL["clip_high"]):
        parts.append(f"clip{low:g}-{high:g}")
    if settings["adam_eps"] != USUAL["adam_eps"]:
        parts.append(f"eps{settings['adam_eps']:g}")
    if settings["rounding"] != USUAL["rounding"]:
        parts.append(f"rounded-{settings['rounding']}".replace("_", "-"))
    if settings["loss"] != USUAL["loss"]:
        parts.append(f"loss-{settings['loss']}".replace("_", "-"))
    return "-".join(parts)


def is_channel(condition: Condition) -> bool:
    """Return whether a condition takes one channel out or puts it in: Adam's eps, rounding, or another normaliser."""
    rows = next(iter(condition.rules.values()))
    return any(rows[name][0] != USUAL[name] for name in CHANNELS)


def conditions(table: Table) -> Iterator[Condition]:
    """Yield each condition of each substrate, that of the usual settings first; maps are left out."""
    is_map = np.array([str(part).startswith(MAPS) for part in table["part"]], dtype=bool)
    rows = take(table, ~is_map)
    names = np.array([condition_name(dict(zip(SETTINGS, values, strict=True))) for values in _values(rows, SETTINGS)])
    for substrate in dict.fromkeys(rows["substrate"].tolist()):
        here = rows["substrate"] == substrate
        # The usual condition has the shortest name, since it says nothing but optimiser and updates.
        for name in sorted(set(names[here].tolist()), key=lambda text: (len(text), text)):
            yield Condition(substrate, name, rules_of(take(rows, here & (names == name))))


def rules_of(rows: Table) -> dict[str, dict[str, Array]]:
    """Return the rows of each rule; a rule with a K is named with it.

    Runs that differ in something else, such as a bonus on entropy, are rules of their own with the names of the runs.
    """
    labels = np.array([rule_label(*pair) for pair in _values(rows, ("estimator", "k"))], dtype=object)
    for label in dict.fromkeys(labels.tolist()):
        here = labels == label
        if "run" in rows and len(set(rows["run"][here].tolist())) > 1:
            labels[here] = rows["run"][here]
    return {label: take(rows, labels == label) for label in dict.fromkeys(labels.tolist())}


def rule_label(estimator: str, k: float) -> str:
    """Return a rule's name, with its K.

    >>> rule_label("qae", 0.4), rule_label("grpo", float("nan"))
    ('qae-0.4', 'grpo')
    """
    return estimator if np.isnan(k) else f"{estimator}-{k:g}"


def aligned(rules: Sequence[Table], curves: Mapping[str, str]) -> list[Trajectory]:
    """Return a trajectory for each rule, over the seeds and steps that all of them have; a row is a seed.

    Args:
        rules: the rows of each rule.
        curves: the column of each curve, by the curve's name.
    """
    seeds = sorted(set.intersection(*(set(rows["seed"].tolist()) for rows in rules)))
    steps = sorted(set.intersection(*(set(rows["step"].tolist()) for rows in rules)))
    return [_trajectory(rows, seeds, steps, curves) for rows in rules]


def with_batch_success(follow: Table, runs: Table) -> dict[str, Array]:
    """Return the checkpoints with one more column: success in the training batches since the checkpoint before.

    ``batch_success`` of the start is the first batch's; NaN where a run has no steps.

    Args:
        follow: one row for each checkpoint.
        runs: one row for each step.
    """
    batches: dict[tuple[Any, ...], dict[int, float]] = {}
    for *run, step, success in _values(runs, (*RUN, "step", "success")):
        batches.setdefault(tuple(run), {})[step] = success
    before: dict[tuple[Any, ...], int] = {}
    column = []
    for *run, step in _values(follow, (*RUN, "step")):
        of_run = batches.get(tuple(run), {})
        since = range(before.get(tuple(run), 0) + 1, max(step, 1) + 1)
        successes = [of_run[number] for number in since if number in of_run]
        column.append(float(np.mean(successes)) if successes else np.nan)
        before[tuple(run)] = step
    return {**follow, "batch_success": np.array(column)}


def looks_at(condition: Condition) -> int:
    """Return how often the lines of a condition are read: as often as those of any of its rules."""
    return max(int(rows["looks"].max()) for rows in condition.rules.values())


def seeds_of(rows: Table) -> int:
    """Return how many seeds there are."""
    return len(np.unique(rows["seed"]))


def _trajectory(rows: Table, seeds: Sequence[int], steps: Sequence[int], curves: Mapping[str, str]) -> Trajectory:
    """Return the curves of some rows, ``[seeds, steps]`` each."""
    chosen = select(rows, seed=tuple(seeds), step=tuple(steps))
    order = np.lexsort((chosen["step"], chosen["seed"]))
    shape = (len(seeds), len(steps))
    by_name = {}
    for name, column in curves.items():
        by_name[name] = chosen[column][order].astype(np.float64).reshape(shape)
    return Trajectory(np.array(steps), by_name)


def _values(rows: Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns, row by row."""
    yield from zip(*(rows[name].tolist() for name in names), strict=True)
