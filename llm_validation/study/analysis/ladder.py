"""Measure how near each prediction of the entropy change comes to the measured one: the prediction ladder.

For the rows of a task and a setting, with x predicted and y measured, in nats: ``bias`` mean(x - y); ``slope`` and
``r2`` of y regressed on x with an intercept; ``explained`` 1 - sum (y - x)^2 / sum (y - mean y)^2, of the prediction
as it stands; ``sign_agreement`` over rows where both are above the rounding floor in size; ``coverage`` of the
predicted bounds. Intervals are by bootstrap over probes. The same is computed for contrasts between arms on one
prompt, which Prop. 4.2 is about. Statistics that are no sums are in ``robust``.
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

# Columns of the sums: rows, centred x and y and their products, (y - x)^2, compared signs and equal ones, bounds and
# measured changes within them. All statistics follow from sums, so that a resample costs one matrix product.
_N, _X, _Y, _XX, _XY, _YY, _DD, _SIGNS, _EQUAL, _BOUNDED, _WITHIN = range(11)


class Rows(NamedTuple):
    """Hold predicted and measured changes with their predicted bounds and their clusters, ``[rows]`` each."""

    predicted: Array
    measured: Array
    low: Array
    high: Array
    clusters: Array


class Sums(NamedTuple):
    """Hold what the statistics are computed from.

    Attributes:
        sums: sums over each cluster's rows, ``[C, 11]``.
        mean_x: mean of x, which was subtracted.
        mean_y: mean of y, which was subtracted.
    """

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
        ``tasks``: by task, setting, rung and statistic, over all arms; ``plain`` and ``standardised``: the same for
            the arms with r - b and for those that divide by the standard deviation; ``contrasts``: by task, setting,
            contrast, rung and statistic.

    Raises:
        ValueError: a column is missing.
    """
    wanted = list(COLUMNS)
    for rung in RUNGS:
        wanted += [rung, f"{rung}_low", f"{rung}_high"]
    need(table, wanted)
    by_kind: dict[str, Any] = {"tasks": {}, "plain": {}, "standardised": {}, "contrasts": {}}
    for task, setting, group in groups(table):
        parts = list(_parts(group))
        records = _records([rows for _, rows in parts], how, floor)
        for ((kind, *path), _), record in zip(parts, records, strict=True):
            branch = by_kind[kind]
            for name in (task, setting, *path[:-1]):
                branch = branch.setdefault(name, {})
            branch[path[-1]] = record
    return {"level": how.level, "resamples": how.resamples, "floor": floor, **by_kind}


def groups(table: Table) -> Iterator[tuple[str, str, dict[str, Array]]]:
    """Yield substrate, setting and rows of each combination, in the order of their names."""
    # A table without names of substrates has one substrate per task.
    settings, substrates = setting_names(table), table.get("substrate", table["task"])
    for substrate in np.unique(substrates):
        here = substrates == substrate
        for setting in np.unique(settings[here]):
            yield str(substrate), str(setting), take(table, here & (settings == setting))


def rung_rows(table: Table, rung: str) -> Rows:
    """Return a rung's predictions of the changes themselves.

    Args:
        table: the probes table.
        rung: name of the rung.
    """
    low, high = (table[f"{rung}_{end}"] for end in ("low", "high"))
    return Rows(table[rung], table["change"], low, high, codes_of(table["probe"])[0])


def contrast_rows(rows: Rows, matches: Sequence[Match]) -> Rows:
    """Return predictions of differences between arms on one prompt, with bounds by interval arithmetic.

    Args:
        rows: predictions of the changes.
        matches: the rows of the arms that are compared.
    """
    one = np.concatenate([match.one for match in matches])
    other = np.concatenate([match.other for match in matches])
    return Rows(
        predicted=rows.predicted[one] - rows.predicted[other],
        measured=rows.measured[one] - rows.measured[other],
        low=rows.low[one] - rows.high[other],
        high=rows.high[one] - rows.low[other],
        clusters=rows.clusters[one],  # both rows of a pair are of one probe
    )


def statistics_of(totals: Array, mean_x: float, mean_y: float, floor: float) -> dict[str, Array]:
    """Return the statistics from sums ``[..., 11]``, ``[...]`` each; NaN where one is not defined.

    Args:
        totals: sums over clusters.
        mean_x: mean of x, which was subtracted.
        mean_y: mean of y, which was subtracted.
        floor: in nats; a spread below it is rounding.
    """
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
    # Centred first: sums of squares of nearly equal changes would cancel to nothing.
    u, v = x - mean_x, y - mean_y
    columns = [
        np.ones(len(x)),
        *(u, v, u * u, u * v, v * v, (y - x) ** 2),
        *(signs, signs & (np.sign(x) == np.sign(y))),
        *(bounded, bounded & (low <= y) & (y <= high)),
    ]
    return Sums(cluster_sums(codes, clusters, np.stack(columns, axis=1).astype(np.float64)), mean_x, mean_y)


def _parts(group: Table) -> Iterator[tuple[tuple[str, ...], Rows]]:
    """Yield each set of rows that gets statistics, with its path: kind, contrast if it is one, rung."""
    rows = {rung: rung_rows(group, rung) for rung in RUNGS}
    scaled = np.asarray(group["scaled"], dtype=bool)
    for kind, chosen in (("tasks", np.ones_like(scaled)), ("plain", ~scaled), ("standardised", scaled)):
        for rung in RUNGS:
            yield (kind, rung), Rows(*(column[chosen] for column in rows[rung]))
    matches = matched(group, pairs(group["arm"]))
    for name, compared in contrasts(group["arm"]).items():
        for rung in RUNGS:
            yield ("contrasts", name, rung), contrast_rows(rows[rung], [matches[pair] for pair in compared])


def contrasts(arms: Array) -> dict[str, list[Pair]]:
    """Return the pairs of arms that each contrast is over: all plain, all standardised, and each by itself."""
    listed = pairs(arms)
    pooled = {
        "quantile - others": [pair for pair in listed if not pair.scaled],
        "qae - grpo": [pair for pair in listed if pair.scaled],
    }
    return {name: some for name, some in pooled.items() if some} | {pair.name: [pair] for pair in listed}


def _records(parts: Sequence[Rows], how: Resampling, floor: float) -> list[dict[str, Any]]:
    """Return the statistics of each part, from the same resamples of the probes."""
    clusters = 1 + max(int(part.clusters.max(initial=0)) for part in parts)
    by_part = [sums_of(part, clusters, floor) for part in parts]
    side_by_side = np.concatenate([part.sums for part in by_part], axis=1)
    totals = np.split(resampled_totals(side_by_side, how), len(by_part), axis=1)
    return [_record(part, resampled, how.level, floor) for part, resampled in zip(by_part, totals, strict=True)]


def _record(part: Sums, resampled: Array, level: float, floor: float) -> dict[str, Any]:
    """Return the statistics of one part with their intervals, and how many rows and probes they are from."""
    total = part.sums.sum(axis=0)
    probes = int((part.sums[:, _N] > 0).sum())
    estimates = statistics_of(total, part.mean_x, part.mean_y, floor)
    spread = statistics_of(resampled, part.mean_x, part.mean_y, floor)
    return {
        **{name: interval(float(estimates[name]), spread[name], probes, level) for name in STATISTICS},
        "rows": int(total[_N]),
        "sign_rows": int(total[_SIGNS]),
        "bounded_rows": int(total[_BOUNDED]),
        "probes": probes,
    }
