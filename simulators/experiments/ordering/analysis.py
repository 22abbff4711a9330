"""What the ``ordering`` experiment's counts say: shares by step size, conditions, certified against actual steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, proportion_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.common.shares import grouped, in_json, in_records, pooled_share, quantile_interval, total

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
COMPARISON = ("update", "against", "regime")


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Shares of policies in order, by update, regime and step size, pooled and by kind of policy; certified steps.

    A share's rows are different policies at one step size; step size 0 is the first-order change.
    All intervals hold together with the configuration's level.
    """
    counted = [row for row in records if "step_size" in row]
    certified = [row for row in records if "certified" in row]
    pooled = grouped(counted, *COMPARISON, "step_size")
    by_cell = grouped(counted, *COMPARISON, "step_size", "arms", "spread")
    pairs = grouped(certified, "pair", "regime")
    level = bonferroni(config.level, 2 * len(pooled) + len(by_cell) + len(pairs) * (1 + len(QUANTILES)))
    shares = _shares(pooled, (*COMPARISON, "step_size"), level=level, strictly=True)
    return {
        "shares": shares,
        "by_policy": _shares(by_cell, (*COMPARISON, "step_size", "arms", "spread"), level=level),
        "largest_steps": _largest_steps(shares),
        "certified": [_certified(pair, rows, level=level) for pair, rows in pairs.items()],
        "violations": total(certified, "failures"),
        "rows": len(certified),
        "statements": in_records([_no_certified_step_fails(certified), *_about_updates(counted, level=level)]),
    }


def _shares(
    groups: dict[tuple[Any, ...], list[Record]], keys: Sequence[str], *, level: float, strictly: bool = False
) -> list[Record]:
    fields = ("holds", "strict") if strictly else ("holds",)
    return [
        {
            **dict(zip(keys, values, strict=True)),
            **{field: in_json(pooled_share(rows, field, level=level)) for field in fields},
        }
        for values, rows in groups.items()
        if total(rows, "rows")
    ]


def _largest_steps(shares: Sequence[Record]) -> list[Record]:
    """Of each comparison, up to which step size of the grid every policy seen kept the order (None: not one)."""
    found = []
    for values, rows in grouped(shares, *COMPARISON).items():
        kept = [row["holds"]["estimate"] == 1 for row in rows]
        first = kept.index(False) if False in kept else len(kept)
        found.append(
            {
                **dict(zip(COMPARISON, values, strict=True)),
                "always_in_order_up_to": rows[first - 1]["step_size"] if first else None,
                "policies": min(row["holds"]["draws"] for row in rows),
            }
        )
    return found


def _certified(pair: tuple[Any, ...], rows: Sequence[Record], *, level: float) -> Record:
    failing = [row for row in rows if row["actual"] is not None]
    ratios = np.array([row["certified"] / row["actual"] for row in failing if row["certified"] is not None])
    quantiles = [(q, quantile_interval(ratios, q, level=level)) for q in QUANTILES] if len(ratios) else []
    return {
        "pair": pair[0],
        "regime": pair[1],
        "policies": len(rows),
        "violations": total(rows, "failures"),
        "order_fails_at_some_step": in_json(proportion_interval(len(failing), len(rows), level=level)),
        "certified_over_actual": {f"{q:g}": in_json(interval) for q, interval in quantiles},
    }


def _no_certified_step_fails(rows: Sequence[Record]) -> Statement:
    detail, control = (f"{total(rows, field)} failures" for field in ("failures", "stretched_failures"))
    return Statement(
        says="No certified step breaks the order of the uncentred update.",
        found=bool(rows) and total(rows, "failures") == 0,
        detail=f"{len(rows)} pairs of baselines, {detail}",
        planted="the certified steps, several times as large",
        control_found=total(rows, "stretched_failures") == 0,
        control_detail=f"{len(rows)} pairs of baselines, {control}",
    )


def _about_updates(counted: Sequence[Record], *, level: float) -> list[Statement]:
    first = [row for row in counted if row["step_size"] == 0]
    uncentred = [row for row in first if row["update"] == "uncentred"]
    flat = [row for row in counted if row["update"] in ("policy_gradient", "natural_gradient")]
    sampled = [row for row in counted if (row["update"], row["against"]) == ("sampled_group qae", "grpo")]
    told = (
        ("At first order the uncentred update keeps the strict order on every policy.", uncentred, _always_strict),
        ("Policy gradient and natural gradient: the baseline makes no difference at all.", flat, _always_equal),
        ("Sampled groups: some policies break the order of QAE against GRPO in expectation.", sampled, _broken),
    )
    return [_statement(says, rows, judge, level=level) for says, rows, judge in told if rows]


Judge = Callable[[Iterable[Record], float], tuple[bool, str]]


def _statement(says: str, rows: Sequence[Record], judge: Judge, *, level: float) -> Statement:
    found, detail = judge(rows, level)
    opposite = [_OPPOSITE[judge](row) for row in rows]
    control_found, control_detail = judge(opposite, level)
    return Statement(
        says=says,
        found=found,
        detail=detail,
        planted=_PLANTED[judge],
        control_found=control_found,
        control_detail=control_detail,
    )


def _always_strict(rows: Iterable[Record], level: float) -> tuple[bool, str]:
    where, least = _least(rows, "strict", level)
    return least.estimate == 1, f"least share in strict order: {least}, {where}"


def _always_equal(rows: Iterable[Record], level: float) -> tuple[bool, str]:
    told = [{**row, "not_strict": row["rows"] - row["strict"]} for row in rows]
    (_, in_order), (_, not_strict) = (_least(told, field, level) for field in ("holds", "not_strict"))
    return in_order.estimate == not_strict.estimate == 1, f"least shares in order: {in_order}; as equals: {not_strict}"


def _broken(rows: Iterable[Record], level: float) -> tuple[bool, str]:
    """Found where, at one step size and in one regime at least, the share in order is below 1 by its interval."""
    where, least = _least(rows, "holds", level)
    return least.high < 1, f"least share in order: {least}, {where}"


def _least(rows: Iterable[Record], field: str, level: float) -> tuple[str, Interval]:
    """The comparison and step size with the smallest share; rows of one of them are independent policies."""
    groups = grouped((row for row in rows if row["rows"]), *COMPARISON, "step_size")
    shares = {key: pooled_share(group, field, level=level) for key, group in groups.items()}
    (update, against, regime, step), least = min(shares.items(), key=lambda item: item[1].estimate)
    return f"{update} against {against}, {regime} queries, step size {step:g}", least


_OPPOSITE: dict[Judge, Callable[[Record], Record]] = {
    _always_strict: lambda row: {**row, "strict": row["rows"] - 1 if row["rows"] else 0},
    _always_equal: lambda row: {**row, "strict": 1 if row["rows"] else 0},
    _broken: lambda row: {**row, "holds": row["rows"]},
}
_PLANTED: dict[Judge, str] = {
    _always_strict: "one policy of each count out of strict order",
    _always_equal: "one policy of each count in strict order",
    _broken: "every policy in order",
}
