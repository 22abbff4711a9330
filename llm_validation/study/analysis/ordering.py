"""Count how often Prop. 4.2's order holds for measured changes of entropy, prompt by prompt.

On hard prompts the change under the K-quantile is at most that under any other baseline, on easy ones at least. A
prompt is hard by its exact success probability, V <= 1 - K, or by its group, m/G <= 1 - K; both are decided in
rational arithmetic. Groups whose rewards are all equal are counted apart: there the arms that standardise take no
step. Counted apart too are differences below the rounding floor, and, for plain arms, prompts on which both baselines
are the same number: there the proposition says that the changes are equal, and what differs comes from other prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from llm_validation.common.resampling import Resampling, at_least, cluster_sums, codes_of, interval, resampled_totals
from llm_validation.common.tables import Table, need, take
from llm_validation.study.analysis.ladder import FLOOR, groups
from llm_validation.study.analysis.pairs import Match, Pair, matched, pairs
from qae_theory.arrays import Array
from qae_theory.baselines import is_hard_group
from qae_theory.checks import quantile_level

REGIMES = ("hard", "easy")
BY = ("V", "group")  # what a prompt's regime is read from
COUNTS = ("holds", "fails", "ties", "same_baseline")


def ordering(table: Table, how: Resampling, *, floor: float = FLOOR) -> list[dict[str, Any]]:
    """Return the rates at which the order holds.

    There is one record for each task, setting, pair, regime and kind of group.

    Args:
        table: the probes table.
        how: resamples and level.
        floor: differences of at most so many nats are ties.

    Returns:
        Records with ``task``, ``setting``, ``quantile``, ``other`` (``any`` for all pairs of that K together), ``k``,
        ``scaled``, ``by``, ``regime``, ``groups`` (``mixed`` or ``degenerate``), the counts, ``probes``, and ``rate``:
        of holds among holds and fails, with its interval over probes.

    Raises:
        ValueError: a column is missing.
    """
    need(table, ("success_prob", "num_correct", "group_size", "change", "enumerable", "arm", "probe"))
    records = []
    for task, setting, group in groups(table):
        for record in _of_group(group, how, floor):
            records.append({"task": task, "setting": setting, **record})
    return records


def is_hard(table: Table, k: str, by: str) -> Array:
    """Return whether each row's prompt is hard at this level, ``[rows]`` of bool.

    Args:
        table: the rows.
        k: K as text.
        by: ``V``, or ``group``.
    """
    level = quantile_level(k)
    if by == "group":
        groups_of_rows = zip(table["num_correct"].tolist(), table["group_size"].tolist(), strict=True)
        return np.array([is_hard_group(m, size, level) for m, size in groups_of_rows], dtype=bool)
    # A float's own rational value, exactly: V = 1 - K is hard, and rounding must not decide it.
    return np.array([Fraction(v) <= 1 - level for v in table["success_prob"].tolist()], dtype=bool)


def outcomes(table: Table, pair: Pair, match: Match, by: str, floor: float) -> tuple[Array, Array, Array]:
    """Return what became of each comparison of a pair.

    Args:
        table: the rows of all arms.
        pair: the two arms.
        match: their rows.
        by: what a prompt's regime is read from, ``V`` or ``group``.
        floor: differences of at most so many nats are ties.

    Returns:
        Indicators of holds, fails, ties and equal baselines ``[matches, 4]``; whether hard and whether degenerate,
        ``[matches]`` each.
    """
    rows = take(table, match.one)
    difference = rows["change"] - table["change"][match.other]
    hard, size = is_hard(rows, pair.k, by), rows["group_size"]
    degenerate = (rows["num_correct"] == 0) | (rows["num_correct"] == size)
    same = _same_baseline(rows, pair)
    tied = ~same & (np.abs(difference) <= floor)
    decided = ~same & ~tied
    holds = decided & np.where(hard, difference < 0, difference > 0)
    return np.stack([holds, decided & ~holds, tied, same], axis=1), hard, degenerate


def reversed_order(table: Table) -> dict[str, Array]:
    """Return the table with the sign of every change turned round: data for a control, in which the order fails."""
    return {**table, "change": -table["change"]}


def _same_baseline(rows: Table, pair: Pair) -> Array:
    """Return whether a plain pair's baselines are one number on a row.

    The quantile is 0 on hard groups and 1 on easy ones; the mean is 0 or 1 where all rewards are equal.
    """
    if pair.scaled:
        return np.zeros(len(rows["change"]), dtype=bool)
    hard = is_hard(rows, pair.k, "group")
    m, size = rows["num_correct"], rows["group_size"]
    return {"constant-0": hard, "constant-1": ~hard, "mean": (m == 0) | (m == size)}[pair.other]


def _of_group(group: Table, how: Resampling, floor: float) -> Iterator[dict[str, Any]]:
    """Yield the records of one task and setting, all from the same resamples of its probes."""
    codes, clusters = codes_of(group["probe"])
    known = bool(np.all(group["enumerable"]))
    listed = pairs(group["arm"])
    matches = matched(group, listed)
    labels, sums = [], []
    for pooled in _pooled(listed):
        for by in BY if known else BY[1:]:
            compared = [(matches[pair].one, *outcomes(group, pair, matches[pair], by, floor)) for pair in pooled]
            rows, counted, hard, degenerate = map(np.concatenate, zip(*compared, strict=True))
            for regime in REGIMES:
                for kind in ("mixed", "degenerate"):
                    chosen = (hard == (regime == "hard")) & (degenerate == (kind == "degenerate"))
                    labels.append({**_named(pooled), "by": by, "regime": regime, "groups": kind})
                    sums.append(cluster_sums(codes[rows[chosen]], clusters, counted[chosen].astype(np.float64)))
    if not sums:
        return
    totals = np.split(resampled_totals(np.concatenate(sums, axis=1), how), len(sums), axis=1)
    for label, of_label, resampled in zip(labels, sums, totals, strict=True):
        yield {**label, **_record(of_label, resampled, how.level)}


def _pooled(listed: Sequence[Pair]) -> list[list[Pair]]:
    """Return each pair by itself, and the plain pairs of one K together."""
    alone = [[pair] for pair in listed]
    plain: dict[str, list[Pair]] = {}
    for pair in listed:
        if not pair.scaled:
            plain.setdefault(pair.k, []).append(pair)
    return alone + [of_k for of_k in plain.values() if len(of_k) > 1]


def _named(pooled: Sequence[Pair]) -> dict[str, Any]:
    """Return the columns that name a pair, or all plain pairs of one K."""
    first = pooled[0]
    other = first.other if len(pooled) == 1 else "any"
    return {"quantile": first.quantile, "other": other, "k": first.k, "scaled": first.scaled}


def _record(sums: Array, resampled: Array, level: float) -> dict[str, Any]:
    """Return the counts, and the rate at which the order holds with its interval."""
    counts = {name: int(total) for name, total in zip(COUNTS, sums.sum(axis=0), strict=True)}
    decided = counts["holds"] + counts["fails"]
    probes = int((sums[:, :2].sum(axis=1) > 0).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = resampled[:, 0] / (resampled[:, 0] + resampled[:, 1])
    rate = interval(counts["holds"] / decided if decided else float("nan"), spread, probes, level)
    # Equal shares in all probes leave the bootstrap without spread, which is no certainty.
    if rate["low"] is not None and rate["low"] == rate["high"]:
        rate = _equal_shares(rate, probes, level)
    return {**counts, "probes": probes, "rate": rate, **_against(rate)}


def _equal_shares(rate: Mapping[str, Any], probes: int, level: float) -> dict[str, Any]:
    """Return the interval where all probes have the same share c, so that resamples have no spread.

    With L the Clopper-Pearson bound for "a probe has c" (all of them do), the mean share is between L c and L c + 1 -
    L. Where all comparisons hold, or all fail, it stays a point: the bootstrap sees no more than was drawn, and the
    statement that the order always holds is given the benefit of it.
    """
    share, likely = float(rate["estimate"]), (1 - level) ** (1 / probes)
    if share in (0.0, 1.0):
        return dict(rate)
    return {"estimate": share, "low": likely * share, "high": 1 - likely * (1 - share)}


def _against(rate: Mapping[str, Any]) -> dict[str, bool | None]:
    """Return the interval against a coin's 50 % and against what the proposition says; None without one."""
    if rate["low"] is None:
        return {"above_half": None, "below_half": None, "always": None}
    return {"above_half": rate["low"] > 0.5, "below_half": rate["high"] < 0.5, "always": at_least(rate, 1.0)}
