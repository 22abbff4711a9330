"""Read the counts of the experiment `bounds`: coverage with seeds as draws, violations, and tightness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval, proportion_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.bounds.held_bounds import QUANTILES
from simulators.experiments.common.shares import grouped, in_json, in_records, seed_share, total

Groups = Mapping[tuple[Any, ...], Sequence[Record]]

# What tells the updates of random policies apart, what tells the training runs apart, and the counted coverages.
UPDATES = ("update", "arms", "spread", "step_size")
RUNS = ("method", "optimiser", "world")
COVERAGES = ("paper_covered", "covered", "paper_covered_moved", "covered_moved")


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Return coverage and tightness by update and by method, and counts over all queries.

    The queries of a seed are not independent, so that the draws of every interval are seeds. All intervals hold
    together with the configuration's level.

    Args:
        config: for the level of the intervals.
        records: one for each seed of every update or training run.
    """
    of_policies = [record for record in records if record["part"] == "policies"]
    of_training = [record for record in records if record["part"] == "training"]
    by_update, by_method = grouped(of_policies, *UPDATES), grouped(of_training, *RUNS)
    # Each group has an interval for its clean seeds, for each coverage and for each quantile of the width.
    figures = 1 + len(COVERAGES) + len(QUANTILES)
    level = bonferroni(config.level, figures * (len(by_update) + len(by_method)))
    return {
        "rows": total(records, "rows"),
        "violations": total(records, "violations"),
        "planted_violations": total(records, "planted_violations"),
        "updates": _tables(by_update, UPDATES, level),
        "methods": _tables(by_method, RUNS, level),
        "statements": in_records([_bounds_hold(records), *_interval_misses(by_update, by_method, level)]),
    }


def _tables(groups: Groups, keys: Sequence[str], level: float) -> list[Record]:
    """Return the figures of every group, each labelled with the values of ``keys``."""
    tables = []
    for values, records in groups.items():
        labels = dict(zip(keys, values, strict=True))
        tables.append({**labels, **_figures(records, level)})
    return tables


def _figures(records: Sequence[Record], level: float) -> Record:
    """Return counts, coverages and widths of one group, from the records of its seeds."""
    clean = sum(record["violations"] == 0 for record in records)
    # The records of random policies lack the coverage by the rule's gain, which they do not have.
    coverages = {name: _in_json(_coverage(records, name, level)) for name in COVERAGES if name in records[0]}
    widths = {f"width_{q:g}": _width(records, f"width_{q:g}", level) for q in QUANTILES}
    return {
        "rows": total(records, "rows"),
        "violations": total(records, "violations"),
        "planted_violations": total(records, "planted_violations"),
        "seeds_without_violation": in_json(proportion_interval(clean, len(records), level=level)),
        **coverages,
        **widths,
    }


def _coverage(records: Sequence[Record], field: str, level: float) -> Interval | None:
    """Return the mean coverage over the seeds that have queries to cover; None where fewer than two seeds have."""
    counted = [record for record in records if record[f"{field}_rows"]]
    if len(counted) < 2:
        return None
    inside = [record[field] for record in counted]
    return seed_share(inside, [record[f"{field}_rows"] for record in counted], level=level)


def _in_json(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else in_json(interval)


def _width(records: Sequence[Record], field: str, level: float) -> dict[str, Any] | None:
    """Return the mean over seeds of a quantile of (upper - lower) / |dH|; None where fewer than two seeds moved."""
    widths = [record[field] for record in records if record[field] is not None]
    return in_json(mean_interval(np.array(widths), level=level)) if len(widths) >= 2 else None


def _bounds_hold(records: Sequence[Record]) -> Statement:
    """Return the statement that no entropy change is outside its guaranteed bounds."""
    queries = total(records, "rows")
    violations, planted = total(records, "violations"), total(records, "planted_violations")
    return Statement(
        says="The guaranteed bounds hold at every step of every on-policy method and update.",
        found=queries > 0 and violations == 0,
        detail=f"{queries} rows checked, {violations} violations",
        planted="curvature brackets many times too small",
        control_found=planted == 0,
        control_detail=f"{queries} rows checked, {planted} violations",
    )


def _interval_misses(by_update: Groups, by_method: Groups, level: float) -> list[Statement]:
    """Return the statements that some changes leave Prop. 4.2's interval, for each part that has records."""
    statements = []
    if by_update:
        sentence = "Some updates of random policies leave Prop. 4.2's interval."
        statements.append(_misses(sentence, by_update, field="paper_covered_moved", level=level))
    if by_method:
        sentence = "Some methods in training leave Prop. 4.2's interval times the rule's gain."
        statements.append(_misses(sentence, by_method, field="covered_moved", level=level))
    return statements


def _misses(sentence: str, groups: Groups, *, field: str, level: float) -> Statement:
    """Return the statement with its control, in which every change is counted as inside the interval."""
    planted = {}
    for key, records in groups.items():
        planted[key] = [{**record, field: record[f"{field}_rows"]} for record in records]
    found, detail = _missed(groups, field, level)
    control_found, control_detail = _missed(planted, field, level)
    return Statement(
        says=sentence,
        found=found,
        detail=detail,
        planted="every change inside",
        control_found=control_found,
        control_detail=control_detail,
    )


def _missed(groups: Groups, field: str, level: float) -> tuple[bool, str]:
    """Return whether some group's coverage is below 1 by its interval over seeds, and which coverage is the least.

    Queries whose entropy did not change at all are left out; they are inside any interval that holds 0.
    """
    coverages = {key: _coverage(records, field, level) for key, records in groups.items()}
    shares = {key: share for key, share in coverages.items() if share is not None}
    if not shares:
        return False, "nothing moved"
    missed = sum(share.high < 1 for share in shares.values())
    where, least = min(shares.items(), key=lambda item: item[1].estimate)
    return missed > 0, f"{missed} of {len(shares)} coverages below 1; least: {' '.join(map(str, where))}, {least}"
