"""Read the counts of the experiment `ordering`: shares by step size, and certified steps against actual ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import Interval, bonferroni, proportion_interval
from simulators.experiments.base import Config, Record
from simulators.experiments.common.shares import grouped, in_json, in_records, pooled_share, quantile_interval, total

Groups = Mapping[tuple[Any, ...], Sequence[Record]]
Judge = Callable[[Iterable[Record], float], tuple[bool, str]]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the certified step as a share of the actual one
COMPARISON = ("update", "against", "regime")  # what one share is about, beside its step size


def analyse(config: Config, records: Sequence[Record]) -> dict[str, Any]:
    """Return shares of policies in order, by update, regime and step size, and how tight certified steps are.

    The draws of a share are different policies at one step size; step size 0 stands for the first-order change. Shares
    are given pooled and by kind of policy. All intervals hold together with the configuration's level.

    Args:
        config: for the level of the intervals.
        records: counts for each update and step size, and a record for each certified step.
    """
    counted = [record for record in records if "step_size" in record]
    certified = [record for record in records if "certified" in record]
    pooled_by, cell_by = (*COMPARISON, "step_size"), (*COMPARISON, "step_size", "arms", "spread")
    pooled, by_cell = grouped(counted, *pooled_by), grouped(counted, *cell_by)
    pairs = grouped(certified, "pair", "regime")
    # Pooled groups have two shares each, and pairs of baselines one share and the quantiles.
    level = bonferroni(config.level, 2 * len(pooled) + len(by_cell) + len(pairs) * (1 + len(QUANTILES)))
    shares = _shares(pooled, pooled_by, fields=("holds", "strict"), level=level)
    return {
        "shares": shares,
        "by_policy": _shares(by_cell, cell_by, fields=("holds",), level=level),
        "largest_steps": _largest_steps(shares),
        "certified": [_certified(pair, of_pair, level=level) for pair, of_pair in pairs.items()],
        "violations": total(certified, "failures"),
        "rows": len(certified),
        "statements": in_records([_no_certified_step_fails(certified), *_about_updates(counted, level=level)]),
    }


def _shares(groups: Groups, keys: Sequence[str], *, fields: Sequence[str], level: float) -> list[Record]:
    """Return the shares of every group that has policies, labelled with the values of ``keys``."""
    shares = []
    for values, records in groups.items():
        if total(records, "rows"):
            labels = dict(zip(keys, values, strict=True))
            of_group = {field: in_json(pooled_share(records, field, level=level)) for field in fields}
            shares.append({**labels, **of_group})
    return shares


def _largest_steps(shares: Sequence[Record]) -> list[Record]:
    """Return, for each comparison, up to which step size of the grid every policy kept the order (None: at none)."""
    largest = []
    for values, of_comparison in grouped(shares, *COMPARISON).items():
        kept = [share["holds"]["estimate"] == 1 for share in of_comparison]
        first = kept.index(False) if False in kept else len(kept)
        largest.append(
            {
                **dict(zip(COMPARISON, values, strict=True)),
                "always_in_order_up_to": of_comparison[first - 1]["step_size"] if first else None,
                "policies": min(share["holds"]["draws"] for share in of_comparison),
            }
        )
    return largest


def _certified(pair: tuple[Any, ...], records: Sequence[Record], *, level: float) -> Record:
    """Return how often the order of a pair of baselines fails at some step, and how much of that step is certified."""
    failing = [record for record in records if record["actual"] is not None]
    tried = [record for record in failing if record["certified"] is not None]
    ratios = np.array([record["certified"] / record["actual"] for record in tried])
    quantiles = {}
    if len(ratios):
        quantiles = {f"{q:g}": in_json(quantile_interval(ratios, q, level=level)) for q in QUANTILES}
    return {
        "pair": pair[0],
        "regime": pair[1],
        "policies": len(records),
        "violations": total(records, "failures"),
        "order_fails_at_some_step": in_json(proportion_interval(len(failing), len(records), level=level)),
        "certified_over_actual": quantiles,
    }


def _no_certified_step_fails(records: Sequence[Record]) -> Statement:
    """Return the statement that no certified step breaks the order; the control tries steps many times as large."""
    failures, stretched = total(records, "failures"), total(records, "stretched_failures")
    return Statement(
        says="No certified step breaks the order of the uncentred update.",
        found=bool(records) and failures == 0,
        detail=f"{len(records)} pairs of baselines, {failures} failures",
        planted="the certified steps, several times as large",
        control_found=stretched == 0,
        control_detail=f"{len(records)} pairs of baselines, {stretched} failures",
    )


class Question(NamedTuple):
    """Put a question to the counts of one update.

    ``judge`` answers it. ``opposite`` turns one record into its planted opposite, and ``planted`` says what that is.
    """

    sentence: str
    judge: Judge
    planted: str
    opposite: Callable[[Record], Record]


def _about_updates(counted: Sequence[Record], *, level: float) -> list[Statement]:
    """Return the statements about the updates that have records."""
    first_order = [record for record in counted if record["step_size"] == 0]
    uncentred = [record for record in first_order if record["update"] == "uncentred"]
    centred = [record for record in counted if record["update"] in ("policy_gradient", "natural_gradient")]
    sampled = [record for record in counted if (record["update"], record["against"]) == ("sampled_group qae", "grpo")]
    asked = ((UNCENTRED, uncentred), (CENTRED, centred), (SAMPLED, sampled))
    return [_statement(question, records, level=level) for question, records in asked if records]


def _statement(question: Question, records: Sequence[Record], *, level: float) -> Statement:
    """Return the statement with its control: the same question to the opposite of every record."""
    found, detail = question.judge(records, level)
    control_found, control_detail = question.judge([question.opposite(record) for record in records], level)
    return Statement(
        says=question.sentence,
        found=found,
        detail=detail,
        planted=question.planted,
        control_found=control_found,
        control_detail=control_detail,
    )


def _always_strict(records: Iterable[Record], level: float) -> tuple[bool, str]:
    """Return whether every policy is in strict order."""
    where, least = _least(records, "strict", level)
    return least.estimate == 1, f"least share in strict order: {least}, {where}"


def _always_equal(records: Iterable[Record], level: float) -> tuple[bool, str]:
    """Return whether every policy is in order and none strictly, so that all changes are equal."""
    counted = [{**record, "not_strict": record["rows"] - record["strict"]} for record in records]
    _, in_order = _least(counted, "holds", level)
    _, not_strict = _least(counted, "not_strict", level)
    return in_order.estimate == not_strict.estimate == 1, f"least shares in order: {in_order}; as equals: {not_strict}"


def _broken(records: Iterable[Record], level: float) -> tuple[bool, str]:
    """Return whether, at some step size and in some regime, the share in order is below 1 by its interval."""
    where, least = _least(records, "holds", level)
    return least.high < 1, f"least share in order: {least}, {where}"


def _least(records: Iterable[Record], field: str, level: float) -> tuple[str, Interval]:
    """Return the comparison and step size with the smallest share, whose draws are independent policies."""
    with_policies = [record for record in records if record["rows"]]
    groups = grouped(with_policies, *COMPARISON, "step_size")
    shares = {key: pooled_share(of_group, field, level=level) for key, of_group in groups.items()}
    (update, against, regime, step), least = min(shares.items(), key=lambda item: item[1].estimate)
    return f"{update} against {against}, {regime} queries, step size {step:g}", least


UNCENTRED = Question(
    sentence="At first order the uncentred update keeps the strict order on every policy.",
    judge=_always_strict,
    planted="one policy of each count out of strict order",
    opposite=lambda record: {**record, "strict": record["rows"] - 1 if record["rows"] else 0},
)
CENTRED = Question(
    sentence="Policy gradient and natural gradient: the baseline makes no difference at all.",
    judge=_always_equal,
    planted="one policy of each count in strict order",
    opposite=lambda record: {**record, "strict": 1 if record["rows"] else 0},
)
SAMPLED = Question(
    sentence="Sampled groups: some policies break the order of QAE against GRPO in expectation.",
    judge=_broken,
    planted="every policy in order",
    opposite=lambda record: {**record, "holds": record["rows"]},
)
