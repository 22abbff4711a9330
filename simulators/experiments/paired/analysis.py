"""Read the counts of the experiment `paired`: the law, and how far from always and from half the order holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import bonferroni
from simulators.experiments.base import Config, Record
from simulators.experiments.common.shares import grouped, in_json, in_records, pooled_share, total

# The shares are given for all groups of a regime, and by the query's difficulty, by concentration and by size.
GROUPINGS: tuple[tuple[str, ...], ...] = (
    ("regime",),
    ("regime", "success_from", "success_to"),
    ("regime", "spread"),
    ("regime", "arms", "group_size"),
)


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Return shares of mixed groups in order, by regime, difficulty and concentration, and breaks of the law.

    Intervals hold together with the configuration's level.

    Args:
        config: for the level of the intervals.
        records: counts of groups by regime and difficulty.
    """
    counted = [record for record in records if record["rows"]]
    by_step = [name for name in counted[0] if name.startswith(("holds@", "agree@"))]
    fields = ["law_holds", "first_order_holds", *by_step]
    tables = [grouped(counted, *keys) for keys in GROUPINGS]
    level = bonferroni(config.level, len(fields) * sum(len(table) for table in tables))
    shares = []
    for keys, table in zip(GROUPINGS, tables, strict=True):
        for values, of_group in table.items():
            labels = dict(zip(keys, values, strict=True))
            shares.append({**labels, **{field: _share(of_group, field, level) for field in fields}})
    return {
        "rows": total(counted, "rows"),
        "outside_the_law": total(counted, "rows") - total(counted, "lawful"),
        "ties": total(counted, "ties"),
        "violations": total(counted, "sign_breaks") + total(counted, "size_breaks"),
        "control_violations": total(counted, "other_sign_breaks"),
        "shares": shares,
        "statements": in_records([_law(counted), _neither_always_nor_never(counted, level)]),
    }


def _share(records: Sequence[Record], field: str, level: float) -> dict[str, Any]:
    """Return the share of groups that a field counts, and whether its interval leaves out one half and all."""
    share = pooled_share(records, field, level=level)
    return {**in_json(share), "excludes_half": share.excludes(0.5), "excludes_one": share.excludes(1.0)}


def _law(counted: Sequence[Record]) -> Statement:
    """Return the statement that the law holds in every group; the control uses the frequencies of another group."""
    lawful = total(counted, "lawful")
    sign, size = total(counted, "sign_breaks"), total(counted, "size_breaks")
    other_sign = total(counted, "other_sign_breaks")
    return Statement(
        says="At first order the order of the two rules holds exactly where S >= 0, and by as much as S says.",
        found=lawful > 0 and sign == 0 and size == 0,
        detail=f"{lawful} groups, {sign} with another sign, {size} with another size",
        planted="S with the frequencies of another query's group",
        control_found=other_sign == 0,
        control_detail=f"{lawful} groups, {other_sign} with another sign",
    )


def _neither_always_nor_never(counted: Sequence[Record], level: float) -> Statement:
    """Return the statement that the order holds for some groups and not for others, on hard and on easy ones alike."""
    always = [{**record, "law_holds": record["rows"]} for record in counted]
    found, detail = _sometimes(counted, level)
    control_found, control_detail = _sometimes(always, level)
    return Statement(
        says="On hard and on easy groups alike, the order holds for a part of the groups only.",
        found=found,
        detail=detail,
        planted="S >= 0 for every group",
        control_found=control_found,
        control_detail=control_detail,
    )


def _sometimes(records: Sequence[Record], level: float) -> tuple[bool, str]:
    """Return whether the share of groups in order is between 0 and 1 by its interval in both regimes."""
    shares = {}
    for (regime,), of_regime in grouped(records, "regime").items():
        shares[regime] = pooled_share(of_regime, "law_holds", level=level)
    between = all(share.excludes(0.0) and share.excludes(1.0) for share in shares.values())
    return between, "; ".join(f"{regime}: {share}" for regime, share in shares.items())
