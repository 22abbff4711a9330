"""What the ``paired`` experiment's counts say: the law, and how far from always and from half the order holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni
from simulators.experiments.base import Config, Record
from simulators.experiments.common.shares import grouped, in_json, in_records, pooled_share, total

GROUPINGS: tuple[tuple[str, ...], ...] = (
    ("regime",),
    ("regime", "success_from", "success_to"),
    ("regime", "spread"),
    ("regime", "arms", "group_size"),
)


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Shares of mixed groups in order, by regime, difficulty and concentration; breaks of the law, counted.

    Intervals hold together with the configuration's level.
    """
    counted = [row for row in records if row["rows"]]
    fields = [name for name in counted[0] if name.startswith(("holds@", "agree@"))]
    fields = ["law_holds", "first_order_holds", *fields]
    tables = [grouped(counted, *keys) for keys in GROUPINGS]
    level = bonferroni(config.level, len(fields) * sum(len(table) for table in tables))
    return {
        "rows": total(counted, "rows"),
        "outside_the_law": total(counted, "rows") - total(counted, "lawful"),
        "ties": total(counted, "ties"),
        "violations": total(counted, "sign_breaks") + total(counted, "size_breaks"),
        "control_violations": total(counted, "other_sign_breaks"),
        "shares": [
            {
                **dict(zip(keys, values, strict=True)),
                **{field: _share(rows, field, level) for field in fields},
            }
            for keys, table in zip(GROUPINGS, tables, strict=True)
            for values, rows in table.items()
        ],
        "statements": in_records([_law(counted), _neither_always_nor_never(counted, level)]),
    }


def _share(rows: Sequence[Record], field: str, level: float) -> dict[str, Any]:
    share = pooled_share(rows, field, level=level)
    return {**in_json(share), "excludes_half": share.excludes(0.5), "excludes_one": share.excludes(1.0)}


def _law(counted: Sequence[Record]) -> Statement:
    lawful, sign, size, others = (
        total(counted, field) for field in ("lawful", "sign_breaks", "size_breaks", "other_sign_breaks")
    )
    return Statement(
        says="At first order the order of the two rules holds exactly where S >= 0, and by as much as S says.",
        found=lawful > 0 and sign == 0 and size == 0,
        detail=f"{lawful} groups, {sign} with another sign, {size} with another size",
        planted="S with the frequencies of another query's group",
        control_found=others == 0,
        control_detail=f"{lawful} groups, {others} with another sign",
    )


def _neither_always_nor_never(counted: Sequence[Record], level: float) -> Statement:
    planted = [{**row, "law_holds": row["rows"]} for row in counted]
    (found, detail), (control, control_detail) = (_undecided(rows, level) for rows in (counted, planted))
    return Statement(
        says="On hard and on easy groups alike, the order holds for a part of the groups only.",
        found=found,
        detail=detail,
        planted="S >= 0 for every group",
        control_found=control,
        control_detail=control_detail,
    )


def _undecided(rows: Sequence[Record], level: float) -> tuple[bool, str]:
    shares = {
        regime: pooled_share(group, "law_holds", level=level) for (regime,), group in grouped(rows, "regime").items()
    }
    return all(_inside(share) for share in shares.values()), "; ".join(
        f"{key}: {value}" for key, value in shares.items()
    )


def _inside(share: Interval) -> bool:
    return share.excludes(0.0) and share.excludes(1.0)
