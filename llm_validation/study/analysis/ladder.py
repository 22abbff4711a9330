"""The prediction ladder: how near each prediction of the entropy change comes to the measured one.

For the rows of a task and a setting, with x predicted and y measured, in nats: ``bias`` mean(x - y); ``slope`` and
``r2`` of y regressed on x with an intercept; ``explained`` 1 - sum (y - x)^2 / sum (y - mean y)^2, of the prediction as
it stands; ``sign_agreement`` over rows where both are above the rounding floor in size; ``coverage`` of the predicted
bounds. Intervals by bootstrap over probes. The same for contrasts between arms on one prompt, which is what Prop. 4.2
is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_validation.common.resampling import Resampling, cluster_sums, codes_of, interval, resampled_totals
from llm_validation.common.tables import Table, need, take
from llm_validation.study.analysis.pairs import Match, Pair, matched, pairs, setting_names
from qae_theory.arrays import Array
from qae_theory.curves.rungs import RUNGS

STATISTICS = ("bias", "slope", "r2", "explained", "sign_agreement", "coverage")
FLOOR = 1e-9  # nats: changes below it are rounding
COLUMNS = ("probe", "task", "arm", "scaled", "prompt", "optimiser", "adam_eps", "updates", "clipped", "change")

# Of one row, or summed: rows, centred x and y and their products, (y - x)^2, compared signs and equal ones, bounds and
# measured changes within.
_N, _X, _Y, _XX, _XY, _YY, _DD, _SIGNS, _EQUAL, _BOUNDED, _WITHIN = range(11)


class Rows(NamedTuple):
    """Predicted and measured changes with their predicted bounds and their clusters, ``[rows]`` each."""

    predicted: Array
    measured: Array
    low: Array
    high: Array
    clusters: Array


class Sums(NamedTuple):
    """What the statistics are computed from: sums of each cluster ``[C, 11]``, and the means that x and y are less."""

    sums: Array
    mean_x: float
    mean_y: float


def ladder(table: Table, how: Resampling, *, floor: float = FLOOR) -> dict[str, Any]:
    """Return every rung's statistics, in JSON's types.

    Args:
        table: the probes table.
        how: resamples and level.
        floor: in nats; the sign of a change below it, and the slope on predictions that spread less, are not defined.

    Returns:
        ``tasks``: task, setting, rung, statistic, over all arms; ``plain`` and ``standardised``: the same for the arms
        with r - b and for those that divide by the standard deviation; ``contrasts``: task, setting, contrast, rung,
        statistic; ``guaranteed``: task, setting, how many were checked and violated.

    Raises:
        ValueError: a column is missing.
    """
    need(table, (*COLUMNS, *(f"{rung}{end}" for rung in RUNGS for end in ("", "_low", "_high"))))
    found: dict[str, Any] = {"tasks": {}, "plain": {}, "standardised": {}, "contrasts": {}, "guaranteed": {}}
    for task, setting, group in groups(table):
        parts = list(_parts(group))
        records = _records([rows for _, rows in parts], how, floor)
        for ((kind, *path), _), record in zip(parts, records, strict=True):
            place = found[kind]
            for name in (task, setting, *path[:-1]):
                place = place.setdefault(name, {})
            place[path[-1]] = record
        found["guaranteed"].setdefault(task, {})[setting] = guaranteed(group)
    return {"level": how.level, "resamples": how.resamples, "floor": floor, **found}


def groups(table: Table) -> Iterator[tuple[str, str, dict[str, Array]]]:
    """Yield substrate, setting and rows of each combination, in the order of their names."""
    settings, places = setting_names(table), table.get("substrate", table["task"])
    for place in np.unique(places):
        here = places == place
        for setting in np.unique(settings[here]):
            yield str(place), str(setting), take(table, here & (settings == setting))


def guaranteed(table: Table) -> dict[str, int]:
    """Return how many guaranteed bounds there are, and how many of them the measured change violates."""
    need(table, ("guaranteed_low", "guaranteed_high", "change"))
    low, high, change = (table[name] for name in ("guaranteed_low", "guaranteed_high", "change"))
    there = np.isfinite(low) & np.isfinite(high)
    return {"checked": int(there.sum()), "violations": int((there & ~((low <= change) & (change <= high))).sum())}


def rung_rows(table: Table, rung: str) -> Rows:
    """Return a rung's predictions of the changes themselves."""
    low, high = (table[f"{rung}_{end}"] for end in ("low", "high"))
    return Rows(table[rung], table["change"], low, high, codes_of(table["probe"])[0])


def contrast_rows(rows: Rows, matches: Sequence[Match]) -> Rows:
    """Return predictions of differences between arms on one prompt, with bounds by interval arithmetic."""
    one, other = (np.concatenate([match[i] for match in matches]) for i in (0, 1))
    return Rows(
        rows.predicted[one] - rows.predicted[other],
        rows.measured[one] - rows.measured[other],
        rows.low[one] - rows.high[other],
        rows.high[one] - rows.low[other],
        rows.clusters[one],
    )


def statistics_of(totals: Array, mean_x: float, mean_y: float, floor: float) -> dict[str, Array]:
    """Return the statistics from sums ``[..., 11]``, ``[...]`` each; NaN where one is not defined."""
    n = totals[..., _N]
    with np.errstate(divide="ignore", invalid="ignore"):
        sxx = totals[..., _XX] - totals[..., _X] ** 2 / n
        syy = totals[..., _YY] - totals[..., _Y] ** 2 / n
        sxy = totals[..., _XY] - totals[..., _X] * totals[..., _Y] / n
        sxx, syy = (np.where(s > n * floor**2, s, np.nan) for s in (sxx, syy))
        return {
            "bias": (totals[..., _X] - totals[..., _Y]) / n + mean_x - mean_y,
            "slope": sxy / sxx,
            "r2": sxy**2 / (sxx * syy),
            "explained": 1 - totals[..., _DD] / syy,
            "sign_agreement": totals[..., _EQUAL] / totals[..., _SIGNS],
            "coverage": totals[..., _WITHIN] / totals[..., _BOUNDED],
        }


def sums_of(rows: Rows, clusters: int, floor: float) -> Sums:
    """Return the sums over each cluster's rows that have a prediction and a measurement."""
    there = np.isfinite(rows.predicted) & np.isfinite(rows.measured)
    x, y, low, high, codes = (column[there] for column in rows)
    mean_x, mean_y = (float(column.mean()) if len(column) else 0.0 for column in (x, y))
    signs = (np.abs(x) > floor) & (np.abs(y) > floor)
    bounded = np.isfinite(low) & np.isfinite(high)
    u, v = x - mean_x, y - mean_y
    columns = [
        np.ones(len(x)),
        *(u, v, u * u, u * v, v * v, (y - x) ** 2),
        *(signs, signs & (np.sign(x) == np.sign(y))),
        *(bounded, bounded & (low <= y) & (y <= high)),
    ]
    return Sums(cluster_sums(codes, clusters, np.stack(columns, axis=1).astype(np.float64)), mean_x, mean_y)


def _parts(group: Table) -> Iterator[tuple[tuple[str, ...], Rows]]:
    """Yield each set of rows that gets statistics, and where they go: kind, contrast if it is one, rung."""
    rows = {rung: rung_rows(group, rung) for rung in RUNGS}
    scaled = np.asarray(group["scaled"], dtype=bool)
    for kind, chosen in (("tasks", np.ones_like(scaled)), ("plain", ~scaled), ("standardised", scaled)):
        for rung in RUNGS:
            yield (kind, rung), Rows(*(column[chosen] for column in rows[rung]))
    found = matched(group, pairs(group["arm"]))
    for name, compared in contrasts(group["arm"]).items():
        for rung in RUNGS:
            yield ("contrasts", name, rung), contrast_rows(rows[rung], [found[pair] for pair in compared])


def contrasts(arms: Array) -> dict[str, list[Pair]]:
    """Return the arms that each contrast is over: all plain pairs, all standardised ones, and each pair by itself."""
    listed = pairs(arms)
    pooled = {
        "quantile - others": [pair for pair in listed if not pair.scaled],
        "qae - grpo": [pair for pair in listed if pair.scaled],
    }
    return {name: some for name, some in pooled.items() if some} | {pair.name: [pair] for pair in listed}


def _records(parts: Sequence[Rows], how: Resampling, floor: float) -> list[dict[str, Any]]:
    """Return the statistics of each part, from the same resamples of the probes."""
    clusters = 1 + max(int(part.clusters.max(initial=0)) for part in parts)
    sums = [sums_of(part, clusters, floor) for part in parts]
    totals = np.split(resampled_totals(np.concatenate([one.sums for one in sums], axis=1), how), len(sums), axis=1)
    return [_record(one, resampled, how.level, floor) for one, resampled in zip(sums, totals, strict=True)]


def _record(one: Sums, resampled: Array, level: float, floor: float) -> dict[str, Any]:
    total = one.sums.sum(axis=0)
    probes = int((one.sums[:, _N] > 0).sum())
    estimates = statistics_of(total, one.mean_x, one.mean_y, floor)
    spread = statistics_of(resampled, one.mean_x, one.mean_y, floor)
    return {
        **{name: interval(float(estimates[name]), spread[name], probes, level) for name in STATISTICS},
        "rows": int(total[_N]),
        "sign_rows": int(total[_SIGNS]),
        "bounded_rows": int(total[_BOUNDED]),
        "probes": probes,
    }
