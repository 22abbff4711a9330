"""Summarise the study in one JSON file: what ran on each substrate, its ladder, and every line with its outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from llm_validation.common.tables import Table
from llm_validation.study.analysis.ladder import ladder, rung_rows
from llm_validation.study.analysis.records import aligned, conditions, seeds_of
from llm_validation.study.analysis.robust import fresh, how, robust
from llm_validation.study.analysis.step_lines import plain_sgd
from qae_theory.arrays import Array
from qae_theory.curves.outcomes import Line
from qae_theory.curves.rungs import RUNGS

TENTH = 0.1  # the share of a run's steps over which its first and last figures are means
SUMMARY = "summary.json"


def summary(
    tables: Mapping[str, Table], models: Mapping[str, Mapping[str, Any]], lines: Sequence[Line]
) -> dict[str, Any]:
    """Return the summary, in JSON's types.

    Args:
        tables: ``probes`` and ``runs``.
        models: for each substrate ``model``, ``parameters``, ``vocabulary`` and ``pretrained``.
        lines: the lines that count.

    Returns:
        ``substrates``: for each its model's facts; ``runs``, one record per training run outside of the maps, whose
            ``first`` and ``last`` figures are means over the first and last tenth of its steps; ``ladder``, one record
            per rung, on plain arms at the smallest step of SGD. ``lines``: one record per line.
    """
    probed = tables["probes"].get("substrate", tables["probes"]["task"])
    names = dict.fromkeys([*models, *tables["runs"]["substrate"].tolist(), *probed.tolist()])
    ladders = dict(_ladders(tables["probes"]))
    runs: dict[str, list[dict[str, Any]]] = {}
    for run in run_records(tables["runs"]):
        substrate = run.pop("substrate")
        runs.setdefault(substrate, []).append(run)
    substrates = {}
    for name in names:
        # A substrate without a model is the bandit's table of logits.
        facts = models.get(name, TABLE_OF_LOGITS)
        substrates[name] = {**facts, "runs": runs.get(name, []), "ladder": ladders.get(name, [])}
    return {"substrates": substrates, "lines": [line_record(line) for line in lines]}


TABLE_OF_LOGITS: Mapping[str, Any] = {
    "model": "table of logits",
    "parameters": None,
    "vocabulary": 32,
    "pretrained": False,
}


def line_record(line: Line) -> dict[str, Any]:
    """Return one line in the summary's form."""
    record = line.record()
    return {
        "claim": line.claim,
        "condition": line.condition,
        "n": line.n,
        "effect": record["effect"],
        "interval": [record["low"], record["high"]],
        "smallest_effect": line.smallest_effect,
        "power": line.power,
        "outcome": record["outcome"],
    }


def run_records(runs: Table) -> list[dict[str, Any]]:
    """Return one record for each training run outside of the maps: what it began and ended with."""
    records: list[dict[str, Any]] = []
    for condition in conditions(runs):
        records += _of_condition(condition.substrate, condition.name, condition.rules)
    return records


def merged(summaries: Sequence[Mapping[str, Any]], lines: Sequence[Line] = ()) -> dict[str, Any]:
    """Return several studies' summaries as one.

    Args:
        summaries: each as :func:`summary` returns it. Of a substrate in two of them the model and the ladder are the
            first one's, and the runs are those of both; of a run or line in two of them the first counts.
        lines: over the seeds of several studies; they count where they have more seeds than those of the summaries.
    """
    substrates: dict[str, Any] = {}
    by_id: dict[tuple[str, str], Any] = {}
    for of_study in summaries:
        for name, facts in of_study["substrates"].items():
            known = substrates.setdefault(name, {**facts, "runs": []})
            there = {_run_id(run) for run in known["runs"]}
            known["runs"] += [run for run in facts["runs"] if _run_id(run) not in there]
        for record in of_study["lines"]:
            by_id.setdefault((record["claim"], record["condition"]), record)
    for line in lines:
        known = by_id.get((line.claim, line.condition))
        if known is None or known["n"] < line.n:
            by_id[line.claim, line.condition] = line_record(line)
    return {"substrates": substrates, "lines": list(by_id.values())}


def _run_id(run: Mapping[str, Any]) -> tuple[str, str, int]:
    return run["condition"], run["rule"], run["seed"]


def _of_condition(substrate: str, name: str, rules: Mapping[str, Table]) -> Iterator[dict[str, Any]]:
    """Yield one record for each run under a condition."""
    for rule, rows in rules.items():
        seeds = np.unique(rows["seed"]).tolist()
        assert seeds_of(rows) == len(seeds)
        (run,) = aligned([rows], {"success": "success", "entropy": "entropy"})
        figures = {}
        for curve, values in run.curves.items():
            for end, means in _ends(values).items():
                figures[f"{curve}_{end}"] = means
        for index, seed in enumerate(seeds):
            yield {
                "substrate": substrate,
                "rule": rule,
                "condition": name,
                "seed": int(seed),
                "steps": len(run.steps),
                **{key: float(means[index]) for key, means in figures.items()},
            }


def _ends(values: Array) -> dict[str, Array]:
    """Return the means over the first and the last tenth of the steps, at least one step, [S, steps] -> [S] each."""
    count = max(1, round(TENTH * values.shape[1]))
    return {"first": values[:, :count].mean(axis=1), "last": values[:, -count:].mean(axis=1)}


def _ladders(probes: Table) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each substrate's ladder at its smallest step of SGD, on plain arms."""
    done = set()
    for substrate, setting, rows in plain_sgd(probes):
        if substrate in done:  # the smallest step comes first
            continue
        done.add(substrate)
        by_substrate = ladder(rows, how())["plain"]
        (by_setting,) = by_substrate.values()
        yield substrate, [_rung(rung, rows, by_setting[setting][rung]) for rung in RUNGS]


def _rung(rung: str, rows: Table, sums: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one rung, sums and robust ones together."""
    steady = robust(rung_rows(rows, rung), fresh())
    return {
        "rung": rung,
        "n": steady["rows"],
        "rank": steady["rank"]["estimate"],
        "sign_agreement": sums["sign_agreement"]["estimate"],
        "r2": sums["r2"]["estimate"],
        "median_relative_error": steady["median_relative_error"]["estimate"],
        "coverage": sums["coverage"]["estimate"],
    }
