"""What the ``bounds`` experiment's counts say: coverage with seeds as draws, violations, and tightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, mean_interval, proportion_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.bounds.held_bounds import QUANTILES
from simulators.experiments.common.shares import grouped, in_json, in_records, seed_share, total

UPDATES = ("update", "arms", "spread", "step_size")
RUNS = ("method", "optimiser", "world")
COVERAGES = ("paper_covered", "covered", "paper_covered_moved", "covered_moved")


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Coverage and tightness by update and by method; rows and violations over all.

    Rows within a seed hang together, so that the draws are seeds. Intervals hold together with the configuration's
    level.
    """
    parts = [[row for row in records if row["part"] == part] for part in ("policies", "training")]
    by_update, by_method = (grouped(rows, *keys) for rows, keys in zip(parts, (UPDATES, RUNS), strict=True))
    figures = 1 + len(COVERAGES) + len(QUANTILES)
    level = bonferroni(config.level, figures * (len(by_update) + len(by_method)))
    return {
        "rows": total(records, "rows"),
        "violations": total(records, "violations"),
        "planted_violations": total(records, "planted_violations"),
        "updates": [_figures(UPDATES, key, rows, level) for key, rows in by_update.items()],
        "methods": [_figures(RUNS, key, rows, level) for key, rows in by_method.items()],
        "statements": in_records([_bounds_hold(records), *_interval_misses(by_update, by_method, level)]),
    }


def _figures(keys: Sequence[str], values: Sequence[Any], rows: Sequence[Record], level: float) -> Record:
    clean = sum(row["violations"] == 0 for row in rows)
    return {
        **dict(zip(keys, values, strict=True)),
        "rows": total(rows, "rows"),
        "violations": total(rows, "violations"),
        "planted_violations": total(rows, "planted_violations"),
        "seeds_without_violation": in_json(proportion_interval(clean, len(rows), level=level)),
        **{name: _in_json(_coverage(rows, name, level)) for name in COVERAGES if name in rows[0]},
        **{f"width_{q:g}": _width(rows, f"width_{q:g}", level) for q in QUANTILES},
    }


def _coverage(rows: Sequence[Record], field: str, level: float) -> Interval | None:
    """Over seeds that have such rows; None where fewer than two have."""
    counts = [(row[field], row[f"{field}_rows"]) for row in rows if row[f"{field}_rows"]]
    return seed_share(*zip(*counts, strict=True), level=level) if len(counts) >= 2 else None


def _in_json(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else in_json(interval)


def _width(rows: Sequence[Record], field: str, level: float) -> dict[str, Any] | None:
    """Mean over seeds of a quantile of (upper - lower) / |dH|; None where fewer than two seeds moved."""
    widths = [row[field] for row in rows if row[field] is not None]
    return in_json(mean_interval(np.array(widths), level=level)) if len(widths) >= 2 else None


def _bounds_hold(records: Sequence[Record]) -> Statement:
    rows = total(records, "rows")
    violations, planted = (total(records, field) for field in ("violations", "planted_violations"))
    return Statement(
        says="The guaranteed bounds hold at every step of every on-policy method and update.",
        found=rows > 0 and violations == 0,
        detail=f"{rows} rows checked, {violations} violations",
        planted="curvature brackets many times too small",
        control_found=planted == 0,
        control_detail=f"{rows} rows checked, {planted} violations",
    )


def _interval_misses(
    by_update: dict[tuple[Any, ...], list[Record]], by_method: dict[tuple[Any, ...], list[Record]], level: float
) -> list[Statement]:
    told = (
        ("Some updates of random policies leave Prop. 4.2's interval.", by_update, "paper_covered_moved"),
        ("Some methods in training leave Prop. 4.2's interval times the rule's gain.", by_method, "covered_moved"),
    )
    return [_misses(says, groups, field, level) for says, groups, field in told if groups]


def _misses(says: str, groups: dict[tuple[Any, ...], list[Record]], field: str, level: float) -> Statement:
    planted = {key: [{**row, field: row[f"{field}_rows"]} for row in rows] for key, rows in groups.items()}
    (found, detail), (control, control_detail) = (_missed(table, field, level) for table in (groups, planted))
    return Statement(
        says=says,
        found=found,
        detail=detail,
        planted="every change inside",
        control_found=control,
        control_detail=control_detail,
    )


def _missed(groups: dict[tuple[Any, ...], list[Record]], field: str, level: float) -> tuple[bool, str]:
    """Found where the coverage of one group at least is below 1 by its interval over seeds; changes of 0 apart."""
    found = {key: _coverage(rows, field, level) for key, rows in groups.items()}
    shares = {key: share for key, share in found.items() if share is not None}
    if not shares:
        return False, "nothing moved"
    missed = sum(share.high < 1 for share in shares.values())
    where, least = min(shares.items(), key=lambda item: item[1].estimate)
    return missed > 0, f"{missed} of {len(shares)} coverages below 1; least: {' '.join(map(str, where))}, {least}"
