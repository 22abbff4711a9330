"""Name what happens at each place of the map: entropy collapses or explodes, or success is destroyed.

A place is a clip range, a number of inner updates and a learning rate. What a run does there is read off its training
batches, in means over tenths of the run, against the entropy per token and the success of the model that it started
from. A place has the name that most of a rule's seeds have, and is ``split`` where none has most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.common.tables import Table, matches, take
from llm_validation.study.analysis.curve_lines import windows
from llm_validation.study.analysis.records import MAPS, aligned, rules_of, seeds_of
from qae_theory.arrays import Array
from qae_theory.curves.families import difference
from qae_theory.curves.outcomes import interval_of
from qae_theory.runs.plain import finite_or_none

AXES = ("clip_low", "clip_high", "updates", "learning_rate")
COLLAPSED, EXPLODED, DESTROYED, STEADY, SPLIT = "collapses", "explodes", "destroys success", "steady", "split"
HALF = 0.5  # entropy that halves collapses, that grows by half explodes, and success that halves is destroyed
LEVEL = 0.95


def map_places(runs: Table, follow: Table) -> list[dict[str, Any]]:
    """Return one record for each place and rule.

    Args:
        runs: one row for each step of a run.
        follow: one row for each checkpoint of a run.

    Returns:
        The axes; ``rule``; ``seeds``; ``name``, and ``names_by_seed``; by seed ``entropy_ratio`` (late over start),
        ``peak_ratio`` (largest over start), ``success_first`` and ``success_last``.
    """
    records = []
    for place, by_rule in _places(runs, follow):
        for rule, (rows, checkpoints) in by_rule.items():
            records.append({**place, "rule": rule, **_record(rows, checkpoints)})
    return records


def map_contrasts(runs: Table, follow: Table, *, one: str, other: str) -> list[dict[str, Any]]:
    """Return how much more entropy a rule has than another at equal success, place by place.

    The difference is in shares of the entropy at the start, with Student's interval over seeds; None where a seed's
    runs share no gain of success, for then there is nothing to compare at.

    Args:
        runs: one row for each step of a run.
        follow: one row for each checkpoint of a run.
        one: the rule whose entropy is compared.
        other: the rule that it is compared with.
    """
    records = []
    for place, by_rule in _places(runs, follow):
        if one in by_rule and other in by_rule:
            pair = aligned(
                [by_rule[one][1], by_rule[other][1]], {"sequence_entropy": "sequence_entropy", "success": "pass1"}
            )
            effect = difference(pair[0], pair[1], "equal-success")
            comparable = effect[np.isfinite(effect)]
            gap = interval_of(comparable, LEVEL)
            figures = {
                "low": finite_or_none(gap.low),
                "high": finite_or_none(gap.high),
                "estimate": finite_or_none(gap.estimate),
            }
            records.append({**place, "one": one, "other": other, "seeds": len(comparable), **figures})
    return records


def boundaries(places: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return from which learning rate on a rule's runs have a name, by clip range and updates.

    The rate of a seed is the smallest at which its run has the name. ``low`` and ``high`` are the least and the
    greatest over the seeds that ever have it, None where none has.

    Args:
        places: the records of :func:`map_places`.
        name: one of the names.
    """
    first_rates: dict[tuple[Any, ...], dict[int, float]] = {}  # by clip range, updates and rule; then by seed
    seeds: dict[tuple[Any, ...], int] = {}
    for place in places:
        key = (*(place[axis] for axis in AXES[:-1]), place["rule"])
        seeds[key] = max(seeds.get(key, 0), len(place["names_by_seed"]))
        for seed, name_of_seed in enumerate(place["names_by_seed"]):
            if name_of_seed == name:
                rates = first_rates.setdefault(key, {})
                rates[seed] = min(rates.get(seed, float("inf")), place["learning_rate"])
    records = []
    for key, count in seeds.items():
        reached = list(first_rates.get(key, {}).values())
        record = {
            **dict(zip((*AXES[:-1], "rule"), key, strict=True)),
            "name": name,
            "seeds": count,
            "reached": len(reached),
            "low": min(reached, default=None),
            "high": max(reached, default=None),
        }
        records.append(record)
    return records


def name_of(entropy_ratio: float, peak_ratio: float, success_first: float, success_last: float) -> str:
    """Return the name of what one run does; destroyed success comes first, for entropy means little without it.

    Args:
        entropy_ratio: entropy late over that at the start.
        peak_ratio: largest entropy over that at the start.
        success_first: success at the start.
        success_last: success late.

    >>> name_of(0.4, 1.0, 0.3, 0.6), name_of(0.9, 1.6, 0.3, 0.4), name_of(0.4, 1.0, 0.3, 0.1)
    ('collapses', 'explodes', 'destroys success')
    """
    if success_last < HALF * success_first:
        return DESTROYED
    if peak_ratio > 1 + HALF:
        return EXPLODED
    return COLLAPSED if entropy_ratio < HALF else STEADY


def _places(runs: Table, follow: Table) -> Iterator[tuple[dict[str, Any], Mapping[str, tuple[Table, Table]]]]:
    """Yield each place, and each rule's steps and checkpoints there."""
    rows = take(runs, np.array([str(part).startswith(MAPS) for part in runs["part"]]))
    listed = dict.fromkeys(zip(*(rows[axis].tolist() for axis in ("substrate", *AXES)), strict=True))
    for substrate, *values in sorted(listed):
        wanted = {"substrate": substrate, **dict(zip(AXES, values, strict=True))}
        parts = tuple(set(rows["part"].tolist()))
        steps = rules_of(take(rows, matches(rows, **wanted)))
        checkpoints = rules_of(take(follow, matches(follow, **wanted, part=parts)))
        both: dict[str, tuple[Table, Table]] = {
            rule: (steps[rule], checkpoints[rule]) for rule in steps if rule in checkpoints
        }
        yield wanted, both


def _record(rows: Table, checkpoints: Table) -> dict[str, Any]:
    """Return what a rule's runs do at one place, seed by seed and by most of the seeds."""
    (steps,) = aligned([rows], {"entropy": "entropy", "success": "success"})
    (kept,) = aligned([checkpoints], {"entropy": "token_entropy", "success": "pass1"})
    entropy, success = windows(steps.curves["entropy"]), windows(steps.curves["success"])
    start = kept.curves["entropy"][:, 0]
    columns = {
        "entropy_ratio": entropy[:, -1] / start,
        "peak_ratio": entropy.max(axis=1) / start,
        "success_first": kept.curves["success"][:, 0],
        "success_last": success[:, -1],
    }
    names = [name_of(*values) for values in zip(*columns.values(), strict=True)]
    name, count = Counter(names).most_common(1)[0]
    return {
        "seeds": seeds_of(rows),
        "name": name if 2 * count > len(names) else SPLIT,  # most means more than half of the seeds
        "names_by_seed": names,
        **{key: _list(column) for key, column in columns.items()},
    }


def _list(column: Array) -> list[float]:
    """Return a column as a list of Python's numbers."""
    return [float(value) for value in column]
