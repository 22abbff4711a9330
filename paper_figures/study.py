"""The one-machine study of ``qae validate``, whose small Qwen3 stands in for the paper's models.

The model has under a million parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from paper_figures.curves import CurveSet, curve, select
from paper_figures.runs import Results, Run
from qae_theory.paper import paper_facts
from qae_theory.runs.stored import Columns, MissingError

TASK = "addition"  # the one of the study's tasks whose responses differ in length
SUBJECT = "small Qwen3"
COMMAND = "qae validate"
ENTROPY = "entropy (nats per token)"
SUCCESS = "success rate in training"
LENGTH = "response length (tokens)"

MEAN_LENGTH = "completions/mean_length"  # as TRL logs it

Where = Mapping[str, Any]  # the values by which a rule's runs are selected


def grpo() -> Where:
    """Return what selects the runs of GRPO under clip-higher."""
    return {"estimator": "grpo", "clip_high": paper_facts()["training"]["clip_high"]}


def at_k(k: str, *, estimator: str = "qae", clip_high: float | None = None) -> Where:
    """Return what selects the runs of a rule at a level K.

    Args:
        k: the level.
        estimator: the rule.
        clip_high: upper clip range; clip-higher's if not given.
    """
    clip = paper_facts()["training"]["clip_high"] if clip_high is None else clip_high
    return {"estimator": estimator, "k": float(k), "clip_high": clip}


def study_curves(
    results: Results, rules: Mapping[str, Where], columns: str | Mapping[str, str], *, ylabel: str
) -> CurveSet:
    """Return columns of the study's runs.

    Args:
        results: the results folder.
        rules: the label of each rule, and what selects its runs.
        columns: one column, or several by what is added to the rule's label.
        ylabel: of the axis.

    Raises:
        MissingError: there is no study, or it has not run one of the rules.
    """
    run = results.run("validate", command=COMMAND)
    table = select(run.parquet("runs.parquet"), task=TASK)
    named = {"": columns} if isinstance(columns, str) else columns
    curves = {}
    for label, where in rules.items():
        for added, column in named.items():
            curves[f"{label}{added}"] = curve(_of_rule(run, table, label, where=where), column)
    return CurveSet(curves=curves, ylabel=ylabel, sources=(run,), subject=SUBJECT, stand_in=stand_in(run))


def length_curves(results: Results, rules: Mapping[str, Where]) -> CurveSet:
    """Return the mean response length in the training runs that the study consists of.

    Raises:
        MissingError: there is no study, it has not run one of the rules, or its training runs are gone.
    """
    run = results.run("validate", command=COMMAND)
    trained = _training_runs(results, run)
    steps = []
    for config, training in trained:
        labels = {name: config[name] for name in ("clip_high", "estimator", "seed")} | {"k": _level(config["options"])}
        steps += [{**labels, "step": line["step"], "length": line.get(MEAN_LENGTH)} for line in training.records]
    if not steps:
        raise MissingError(f"the training runs of {run.named} are not there: {COMMAND} makes them again")
    table = {}
    for name in steps[0]:
        table[name] = np.array([step[name] for step in steps])
    curves = {label: curve(_of_rule(run, table, label, where=where), "length") for label, where in rules.items()}
    used = tuple(training for config, training in trained if _matches(config, rules.values()))
    return CurveSet(curves=curves, ylabel=LENGTH, sources=(run, *used), subject=SUBJECT, stand_in=stand_in(run))


def rules_there(results: Results) -> dict[str, Where]:
    """Return GRPO, and QAE at each K that the study has, with what selects their runs.

    A small study may lack the paper's own K.
    """
    run = results.run("validate", command=COMMAND)
    return {"GRPO": grpo(), **{f"QAE, K = {k}": at_k(k) for k in levels_there(run)}}


def levels_there(run: Run) -> list[str]:
    """Return the K of a study's QAE, ascending."""
    listed = run.config["settings"]["runs"]
    return sorted({training["options"]["k"] for training in listed if training["estimator"] == "qae"})


def training_runs(results: Results, study: Run, where: Where) -> list[Run]:
    """Return the study's training runs under a rule, by seed.

    Raises:
        MissingError: there is none.
    """
    by_seed = [(config["seed"], run) for config, run in _training_runs(results, study) if _matches(config, [where])]
    if not by_seed:
        raise MissingError(f"the training runs of {study.named} are not there: {COMMAND} makes them again")
    return [run for _, run in sorted(by_seed, key=lambda pair: pair[0])]


def stand_in(run: Run) -> str:
    """Return which model was trained, and on which task."""
    models = [task["model"] for task in run.config["settings"]["tasks"] if task["task"] == TASK]
    return f"not the paper's model: Qwen3 of preset {' or '.join(models)} on {TASK}"


def _of_rule(run: Run, table: Columns, label: str, *, where: Where) -> Columns:
    """Return a rule's part of the table.

    Raises:
        MissingError: the study has no run of the rule.
    """
    of_rule = select(table, **where)
    if not len(of_rule["step"]):
        raise MissingError(f"{run.named} has no {label}: {COMMAND}")
    return of_rule


def _training_runs(results: Results, study: Run) -> list[tuple[dict[str, Any], Run]]:
    """Return the runs of ``qae train`` on the task that the study was made of, with their configurations."""
    # The results folder may hold other training runs, which are no part of the study.
    ids = {parts["train"] for parts in study.json("parts.json").values()}
    trained = [run for run in results.runs("train") if run.folder.name in ids]
    return [(run.config, run) for run in trained if run.config["task"] == TASK]


def _matches(config: Mapping[str, Any], rules: Iterable[Where]) -> bool:
    """Return whether a training run's configuration is that of one of the rules."""
    # The K of a run is among its estimator's options, while a rule is selected by it.
    own = {**config, "k": _level(config["options"])}
    return any(all(own[name] == value for name, value in rule.items()) for rule in rules)


def _level(options: Mapping[str, Any]) -> float:
    """Return the K of a rule; NaN, which selects nothing, for a rule without K."""
    return float(options.get("k", "nan"))
