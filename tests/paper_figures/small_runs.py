"""Small runs of bandit experiments and of the one-machine study for tests of figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.paper_figures.stored import store

PLAIN = {"name": "SGD", "update": {"step_size": 0.3}}
NEAREST = {"name": "Adam 1e-8, 16 passes", "update": {"optimiser": "adam", "epochs": 16}}
CONDITIONS = (PLAIN, NEAREST)
STEPS, SEEDS = (0, 10, 20), (0, 1, 2)
STUDY = "0123456789ab"  # the run id that `store` gives where none is named
TASK = {"task": "addition", "model": "arithmetic", "warmup": {"success": 0.3}, "train": {}}
TRAIN = {"steps": 3, "clip_high": 0.28}


def grid(*rules: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rule, seed and step of every record; ``number`` of the rule and of the record within it."""
    for number, rule in enumerate(rules):
        for seed in SEEDS:
            for place, step in enumerate(STEPS):
                yield {**rule, "seed": seed, "step": step, "rule number": number, "place": place}


def made(condition: str, value: float, *columns: str, rules: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Records whose columns differ by rule, seed and step, starting at ``value``."""
    return [
        {
            **{name: entry for name, entry in one.items() if name not in ("rule number", "place")},
            "condition": condition,
            **{
                column: value + 0.1 * one["rule number"] + 0.01 * one["seed"] ** 2 - 0.05 * one["place"] - 0.3 * number
                for number, column in enumerate(columns)
            },
        }
        for one in grid(*rules)
    ]


def store_bandit(
    root: Path,
    experiment: str,
    columns: Sequence[str],
    rules: Sequence[Mapping[str, Any]],
    *,
    conditions: Sequence[Mapping[str, Any]] = CONDITIONS,
    start: float = 2.0,
    settings: Mapping[str, Any] | None = None,
    analysis: Any = None,
) -> list[dict[str, Any]]:
    """A bandit experiment under conditions, the values of the last one starting at ``start``; returns its records."""
    last = len(conditions) - 1
    records = [
        record
        for number, condition in enumerate(conditions)
        for record in made(condition["name"], start + 5 * (last - number), *columns, rules=rules)
    ]
    store(
        root,
        experiment,
        records=records,
        files={"analysis.json": analysis or {}},
        config={"settings": {"conditions": list(conditions), **(settings or {})}},
    )
    return records


def study_settings(*rules: Mapping[str, Any], seeds: int = 2) -> dict[str, Any]:
    """The study's configuration with these rules: ``name``, ``estimator``, ``options``, ``changes``."""
    runs = [{"options": {}, "changes": {}, **rule} for rule in rules]
    other = {**TASK, "task": "digits"}
    return {
        "preset": "quick",
        "settings": {"tasks": [other, TASK], "runs": runs, "train": TRAIN, "seeds": seeds, "seed": 0},
    }


def store_training(
    root: Path,
    rule: Mapping[str, Any],
    seed: int,
    lengths: Sequence[float],
    *,
    of_study: bool = True,
    **changes: Any,
) -> Path:
    """A training run with its response lengths by step; unless told otherwise the study below ``root`` has it."""
    config = {
        **{name: TASK[name] for name in ("task", "model", "warmup")},
        **TRAIN,
        "estimator": rule["estimator"],
        "options": rule.get("options", {}),
        "seed": seed,
        **rule.get("changes", {}),
        **changes,
    }
    lines = [{"step": step, "completions/mean_length": length} for step, length in enumerate(lengths, start=1)]
    name = hashlib.sha256(str(config).encode()).hexdigest()[:12]
    if of_study:
        parts = root / "validate" / STUDY / "parts.json"
        parts.parent.mkdir(parents=True, exist_ok=True)
        others = json.loads(parts.read_text(encoding="utf-8")) if parts.exists() else {}
        part = f"{config['task']}, {rule.get('name', rule['estimator'])}, seed {seed}"
        parts.write_text(json.dumps({**others, part: {"train": name, "probe": []}}), encoding="utf-8")
    return store(root, "train", records=lines, config=config, run=name)


def row(rule: Mapping[str, Any], seed: int, step: int, **columns: float) -> dict[str, Any]:
    """A row of the study's ``runs.parquet``."""
    return {
        "task": "addition",
        "run": rule.get("name", rule["estimator"]),
        "estimator": rule["estimator"],
        "k": float(rule.get("options", {}).get("k", "nan")),
        "clip_high": rule.get("changes", {}).get("clip_high", TRAIN["clip_high"]),
        "optimiser": "adamw",
        "seed": seed,
        "step": step,
        **columns,
    }


def mean_by_step(records: Sequence[Mapping[str, Any]], column: str, **wanted: Any) -> tuple[list[float], list[float]]:
    """Steps and means over seeds of the records with these values, by plain loops."""
    values: dict[int, list[float]] = {}
    for record in records:
        if all(record[name] == value for name, value in wanted.items()):
            values.setdefault(record["step"], []).append(record[column])
    return [float(step) for step in values], [sum(found) / len(found) for found in values.values()]
