"""Read the records of `league`: differences to the reference, ranks, what tuning and noise do, and the situations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.curves.statistics import bonferroni
from simulators.experiments.base import Record
from simulators.experiments.common.columns import seed_columns
from simulators.experiments.common.shares import in_records
from simulators.experiments.league.findings import alternated_to, found_in
from simulators.experiments.league.ranks import ranks
from simulators.experiments.league.situations import PRICE, Columns, difference, judged, mean_or_none

EQUAL, TUNED = "equal settings", "tuned"
LABELS = ("condition", "rule", "kind")
SETTINGS = ("step_factor", "own_factor")


def analyse(config: Any, records: Sequence[Record]) -> dict[str, Any]:
    """Return every condition's figures and ranks, tuned ones, losses to noise and wrong settings, and the verdicts.

    The intervals of one reading (a condition and a measure) hold together over all rules, those of a situation over all
    its comparisons, and those of a ranking over all pairs of rules.

    Args:
        config: a ``LeagueConfig``.
        records: of all cells.
    """
    equal = {condition.name: by_rule(records, condition.name, EQUAL) for condition in config.conditions}
    tuned = {name: by_rule(records, name, TUNED) for name in config.tuned}
    turned = {name: alternated_to(columns, config.reference) for name, columns in equal.items()}
    situations, statements = [], []
    for situation in config.situations:
        judgement = judged(situation, equal, reference=config.reference, level=config.level)
        on_turned = judged(situation, turned, reference=config.reference, level=config.level)
        situations.append(judgement)
        statements.append(found_in(judgement, on_turned, reference=config.reference))
    return {
        "rules": list(config.rules),
        "reference": config.reference,
        "level": config.level,
        "conditions": {name: readings(columns, config) for name, columns in equal.items()},
        "tuned": {name: tuned_readings(records, name, columns, config) for name, columns in tuned.items()},
        "noise": losses_to_noise(equal, config),
        "situations": situations,
        "statements": in_records(statements),
    }


def by_rule(records: Sequence[Record], condition: str, kind: str) -> dict[str, dict[str, Array]]:
    """Return the measures ``[S]`` of one condition and kind of run, by rule."""
    chosen = []
    for record in records:
        if record["condition"] == condition and record["kind"] == kind:
            chosen.append({name: value for name, value in record.items() if name not in SETTINGS})
    return {rule: measures for (_, rule, _), measures in seed_columns(chosen, *LABELS).items()}


def readings(columns: Columns, config: Any) -> dict[str, Any]:
    """Return, for every measure, each rule's mean, its difference to the reference, and its rank."""
    measures = list(columns[config.reference])
    return {measure: reading(columns, measure, config) for measure in measures}


def reading(columns: Columns, measure: str, config: Any) -> dict[str, Any]:
    """Return one measure's figures by rule; ranks only where every seed of every rule has a value."""
    others = max(1, len(columns) - 1)
    each = bonferroni(config.level, others)
    complete = {rule: column[measure] for rule, column in columns.items() if not np.isnan(column[measure]).any()}
    places = ranks(complete, level=config.level) if len(complete) > 1 else {}
    figures = {}
    for rule, column in columns.items():
        figures[rule] = {
            "mean": _record(mean_or_none(column[measure], level=each)),
            "difference": None
            if rule == config.reference
            else _record(difference(columns, rule, config.reference, measure=measure, level=each)),
            "rank": dict(places[rule]._asdict()) if rule in places else None,
        }
    return figures


def tuned_readings(records: Sequence[Record], condition: str, columns: Columns, config: Any) -> dict[str, Any]:
    """Return a condition's figures after tuning, the settings chosen, and what a wrong own setting costs.

    ``wrong`` has, for every rule that has a hyper-parameter of its own, success at half and at twice the tuned value
    less success at the tuned value, on the same seeds.
    """
    each = bonferroni(config.level, 2 * len(columns))
    wrong: dict[str, dict[str, Any]] = {}
    for kind in ("half", "double"):
        for rule, measures in by_rule(records, condition, kind).items():
            lost = mean_or_none(measures[PRICE] - columns[rule][PRICE], level=each)
            wrong.setdefault(rule, {})[kind] = _record(lost)
    chosen = {}
    for record in records:
        if record["condition"] == condition and record["kind"] == TUNED and record["seed"] == 0:
            chosen[record["rule"]] = {name: record[name] for name in SETTINGS}
    return {"measures": readings(columns, config), "chosen": chosen, "wrong": wrong}


def losses_to_noise(equal: Mapping[str, Columns], config: Any) -> dict[str, Any]:
    """Return success under a noisy verifier less success without, by condition and rule, from the same starts."""
    found = {}
    for condition in config.conditions:
        if condition.factor != "noise":
            continue
        noisy, clean = equal[condition.name], equal[condition.base]
        each = bonferroni(config.level, len(noisy))
        of_rules = {}
        for rule in noisy:
            of_rules[rule] = _record(mean_or_none(noisy[rule][PRICE] - clean[rule][PRICE], level=each))
        found[condition.name] = of_rules
    return found


def _record(interval: Any) -> dict[str, Any] | None:
    return None if interval is None else interval.record()
