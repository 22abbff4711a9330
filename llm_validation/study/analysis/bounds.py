"""Tell how often the measured change lies within bounds that can fail, and by how much it lies outside, by step size.

Four kinds are predictions. ``predicted`` are the sharpest bounds of ``qae_theory`` at the displacement of
log-probabilities that was predicted before the step, ``first_order`` in the probes table: they hold for a step along
that displacement, and fail where the network bends. ``paper`` is the interval between the identity's changes at b = 0
and at b = 1, within which Sec. 4.3 of arXiv 2509.22611 has the change under any baseline in [0, 1]; ``arms`` is the
same interval with the changes that were measured under b = 0 and b = 1. ``box`` is what H would change by if clipping
kept every ratio in its range.

``measured`` are bounds at the measured displacement. They cannot fail but for rounding: a consistency check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.common.resampling import Resampling, cluster_sums, codes_of, interval, resampled_totals
from llm_validation.common.tables import Table, take
from llm_validation.study.analysis.ladder import FLOOR, groups
from llm_validation.study.analysis.pairs import setting_names
from qae_theory.arrays import Array
from qae_theory.runs.plain import finite_or_none

ENDS = ("constant-0", "constant-1")
PREDICTED = ("predicted", "paper", "arms", "box")
CHECK = "measured"
BETWEEN = ("constant-0", "mean", "constant-1", "quantile-")  # arms whose baseline lies in [0, 1]


def bounds(table: Table, how: Resampling) -> list[dict[str, Any]]:
    """Return one record for each substrate, setting and kind of bound.

    Args:
        table: the probes table.
        how: resamples and level.

    Returns:
        ``substrate``, ``setting``, ``size``, ``bound``, ``checked`` rows, ``violations``, ``coverage`` with its
        interval over probes, and of the violations ``median`` and ``largest`` excess in nats and ``median_relative``,
        the excess over the size of the change; None where there is none.
    """
    records = []
    for substrate, setting, group in groups(table):
        size = float(group["size"][0]) if "size" in group else float("nan")
        for name, low, high, rows in _intervals(group):
            part = take(group, rows)
            # Guaranteed bounds are rounded outward; the ends of the others are rounded as the change is.
            record = _record(part, low[rows], high[rows], how, rounding=0.0 if name == CHECK else FLOOR)
            records.append(
                {
                    "substrate": substrate,
                    "setting": setting,
                    "size": None if np.isnan(size) else size,
                    "bound": name,
                    **record,
                }
            )
    return records


def _intervals(group: Table) -> Iterator[tuple[str, Array, Array, Array]]:
    """Yield each kind of bound: its name, its ends for every row, and which rows it is about."""
    everywhere = np.ones(len(group["change"]), dtype=bool)
    yield "predicted", group["first_order_low"], group["first_order_high"], everywhere
    yield CHECK, group["guaranteed_low"], group["guaranteed_high"], everywhere
    between = np.array([arm.startswith(BETWEEN) for arm in group["arm"].tolist()])
    for name, column in (("paper", "identity"), ("arms", "change")):
        ends = _ends(group, column)
        # The measured ends are in their own interval whatever they are, and test nothing.
        inner = between & ~np.isin(group["arm"], ENDS) if name == "arms" else between
        yield name, ends.min(axis=1), ends.max(axis=1), inner & np.isfinite(ends).all(axis=1)
    if "box_low" in group:
        yield "box", group["box_low"], group["box_high"], everywhere


def _ends(group: Table, column: str) -> Array:
    """Return a column under b = 0 and b = 1 on the same prompt of the same probe, [rows, 2].

    It is NaN where an arm was not taken.
    """
    keys = list(zip(group["probe"].tolist(), group["prompt"].tolist(), strict=True))
    ends = np.full((len(keys), 2), np.nan)
    for side, arm in enumerate(ENDS):
        rows = np.flatnonzero(group["arm"] == arm)
        known = {keys[row]: float(group[column][row]) for row in rows.tolist()}
        ends[:, side] = [known.get(key, np.nan) for key in keys]
    return ends


def _record(group: Table, low: Array, high: Array, how: Resampling, *, rounding: float) -> dict[str, Any]:
    """Return how often changes lie outside their bounds and by how much, with the coverage's interval."""
    change = group["change"]
    excess = np.maximum(np.maximum(low - change, change - high), 0.0)
    outside = ~(excess <= rounding)  # NaN lies within nothing
    empty: dict[str, Any] = {"median": None, "largest": None, "median_relative": None}
    if not len(change):
        none = {"estimate": None, "low": None, "high": None}
        return {"checked": 0, "violations": 0, "coverage": none, **empty}
    codes, clusters = codes_of(group["probe"])
    sums = cluster_sums(codes, clusters, np.stack([np.ones(len(change)), ~outside], axis=1).astype(np.float64))
    totals, resampled = sums.sum(axis=0), resampled_totals(sums, how)
    covered = interval(totals[1] / totals[0], resampled[:, 1] / resampled[:, 0], clusters, how.level)
    if outside.any():
        relative = excess[outside] / np.maximum(np.abs(change[outside]), FLOOR)
        sizes = {
            "median": float(np.median(excess[outside])),
            "largest": float(excess.max()),
            "median_relative": float(np.median(relative)),
        }
        empty = finite_or_none(sizes)
    return {"checked": len(change), "violations": int(outside.sum()), "coverage": covered, **empty}


def settings_by_size(table: Table) -> Mapping[float, Sequence[str]]:
    """Return the settings of each step size, from the smallest."""
    if "size" not in table:
        return {}
    names = setting_names(table)
    sizes = sorted({size for size in table["size"].tolist() if not np.isnan(size)})
    return {size: sorted(set(names[table["size"] == size].tolist())) for size in sizes}
