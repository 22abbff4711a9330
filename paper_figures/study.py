"""The one-machine study of ``qae validate``, a Qwen3 of under a million parameters that stands in for the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from paper_figures.curves import Shown, curve, rows_where
from paper_figures.runs import Results, Run
from qae_theory.paper import paper_facts
from qae_theory.runs.stored import Columns, MissingError

TASK = "addition"  # of the study's tasks the one whose responses differ in length
SUBJECT = "small Qwen3"
COMMAND = "qae validate"
ENTROPY = "entropy (nats per token)"
SUCCESS = "success rate in training"
LENGTH = "response length (tokens)"

Where = Mapping[str, Any]


def grpo() -> Where:
    """The runs of GRPO under clip-higher."""
    return {"estimator": "grpo", "clip_high": paper_facts()["training"]["clip_high"]}


def at_k(k: str, *, estimator: str = "qae", clip_high: float | None = None) -> Where:
    """The runs of a rule at a level; under clip-higher if not said otherwise."""
    clip = paper_facts()["training"]["clip_high"] if clip_high is None else clip_high
    return {"estimator": estimator, "k": float(k), "clip_high": clip}


def study_curves(results: Results, rules: Mapping[str, Where], columns: str | Mapping[str, str], ylabel: str) -> Shown:
    """Columns of the study's runs.

    Args:
        results: the results folder.
        rules: label and rows of each rule.
        columns: one column, or several by what is added to the rule's label.
        ylabel: of the axis.

    Raises:
        MissingError: there is no study, or it has not run one of the rules.
    """
    run = results.run("validate", command=COMMAND)
    table = rows_where(run.parquet("runs.parquet"), task=TASK)
    named = {"": columns} if isinstance(columns, str) else columns
    found = {
        f"{label}{added}": curve(_of_rule(run, table, label, where), column)
        for label, where in rules.items()
        for added, column in named.items()
    }
    return Shown(found, ylabel, (run,), SUBJECT, stand_in(run))


def length_curves(results: Results, rules: Mapping[str, Where]) -> Shown:
    """Mean response length in the training runs that the study consists of."""
    run = results.run("validate", command=COMMAND)
    trained = _training_runs(results, run)
    rows = [
        (one["clip_high"], one["estimator"], _level(one["options"]), one["seed"], line["step"], line.get(_LENGTH))
        for one, of in trained
        for line in of.records
    ]
    if not rows:
        raise MissingError(f"the training runs of {run.named} are not there: {COMMAND} makes them again")
    names = ("clip_high", "estimator", "k", "seed", "step", "length")
    table = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    found = {label: curve(_of_rule(run, table, label, where), "length") for label, where in rules.items()}
    wanted = [_matches(config, rules.values()) for config, _ in trained]
    used = tuple(of for (_, of), is_used in zip(trained, wanted, strict=True) if is_used)
    return Shown(found, LENGTH, (run, *used), SUBJECT, stand_in(run))


def rules_there(results: Results) -> dict[str, Where]:
    """GRPO and QAE at each K that the study has; for a small study without the paper's own K."""
    run = results.run("validate", command=COMMAND)
    return {"GRPO": grpo(), **{f"QAE, K = {k}": at_k(k) for k in levels_there(run)}}


def levels_there(run: Run) -> list[str]:
    """The K of a study's QAE, from the smallest."""
    return sorted({one["options"]["k"] for one in run.config["settings"]["runs"] if one["estimator"] == "qae"})


def training_runs(results: Results, study: Run, where: Where) -> list[Run]:
    """The study's training runs under a rule, by seed.

    Raises:
        MissingError: there is none.
    """
    found = [(config["seed"], run) for config, run in _training_runs(results, study) if _matches(config, [where])]
    if not found:
        raise MissingError(f"the training runs of {study.named} are not there: {COMMAND} makes them again")
    return [run for _, run in sorted(found, key=lambda pair: pair[0])]


def stand_in(run: Run) -> str:
    """Which model, on which task."""
    models = [task["model"] for task in run.config["settings"]["tasks"] if task["task"] == TASK]
    return f"not the paper's model: Qwen3 of preset {' or '.join(models)} on {TASK}"


_LENGTH = "completions/mean_length"


def _of_rule(run: Run, table: Columns, label: str, where: Where) -> Columns:
    rows = rows_where(table, **where)
    if not len(rows["step"]):
        raise MissingError(f"{run.named} has no {label}: {COMMAND}")
    return rows


def _training_runs(results: Results, study: Run) -> list[tuple[dict[str, Any], Run]]:
    """Return the runs of ``qae train`` on the task that the study was made of, with their configurations."""
    ids = {parts["train"] for parts in study.json("parts.json").values()}
    trained = [run for run in results.runs("train") if run.folder.name in ids]
    return [(run.config, run) for run in trained if run.config["task"] == TASK]


def _matches(config: Mapping[str, Any], rules: Iterable[Where]) -> bool:
    own = {**config, "k": _level(config["options"])}
    return any(all(own[name] == value for name, value in rule.items()) for rule in rules)


def _level(options: Mapping[str, Any]) -> float:
    return float(options.get("k", "nan"))
