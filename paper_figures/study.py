"""The one-machine study of ``qae validate``, whose small Qwen3s stand in for the paper's models.

They have under two million parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from paper_figures.curves import Curve, CurveSet, curve, differences, in_blocks, of_whole_seeds, select
from paper_figures.runs import Results, Run
from qae_theory.paper import paper_facts
from qae_theory.runs.stored import Columns, MissingError

COMMAND = "qae validate"
ENTROPY = "entropy (nats per token)"
SUCCESS = "success rate in training"
LENGTH = "response length (tokens)"
# Measured on a run's own questions at its checkpoints.
FOLLOWED = frozenset({"sequence_entropy", "pass1"})

Where = Mapping[str, Any]  # the values by which a rule's runs are selected


class Trained(NamedTuple):
    """What stands in for a model of the paper: the task that tells its runs from others, and what it is called.

    Responses differ in length on both tasks.
    """

    task: str
    name: str


SMALL = Trained("addition", "small Qwen3")
LARGER = Trained("totals", "larger Qwen3")


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


def study_of(results: Results, trained: Trained = SMALL) -> Run:
    """Return the study that counts among those that train this model.

    Raises:
        MissingError: there is none.
    """
    return results.run_with("validate", lambda run: bool(_tasks(run, trained)), command=COMMAND)


def study_curves(
    results: Results,
    rules: Mapping[str, Where],
    columns: str | Mapping[str, str],
    *,
    ylabel: str,
    trained: Trained = SMALL,
    less: Where | None = None,
    whole_seeds: bool = False,
) -> CurveSet:
    """Return columns of the study's runs.

    Args:
        results: the results folder.
        rules: the label of each rule, and what selects its runs.
        columns: one column, or several by what is added to the rule's label. A column of ``follow.parquet``, such as
            ``sequence_entropy`` and ``pass1``, is measured on the same questions at every checkpoint; all others are of
            the training batches.
        ylabel: of the axis.
        trained: the model.
        less: what selects the runs that are subtracted, seed by seed; none are if not given.
        whole_seeds: whether seeds are left out that lack a value where others have one, and not steps.

    Raises:
        MissingError: there is no study, or it has not run one of the rules.
    """
    run = study_of(results, trained)
    named = {"": columns} if isinstance(columns, str) else columns
    table = _table(run, trained, tuple(named.values()))
    base = None if less is None else _of_rule(run, table, "rule to compare with", where=less)
    curves: dict[str, Curve] = {}
    block = 1
    for label, where in rules.items():
        rows = _of_rule(run, table, label, where=where)
        for added, column in named.items():
            shown = rows if base is None else differences(rows, base, column)
            shown, block = in_blocks(of_whole_seeds(shown, column) if whole_seeds else shown, column)
            curves[f"{label}{added}"] = curve(shown, column)
    return CurveSet(
        curves=curves,
        ylabel=ylabel,
        sources=(run,),
        subject=trained.name,
        stand_in=stand_in(run, trained),
        note=f"Each point is a mean over {block} steps." if block > 1 else "",
    )


def rules_there(results: Results) -> dict[str, Where]:
    """Return GRPO, and QAE at each K that the study has, with what selects their runs.

    A small study may lack the paper's own K.
    """
    return {"GRPO": grpo(), **{f"QAE, K = {k}": at_k(k) for k in levels_there(study_of(results))}}


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


def stand_in(run: Run, trained: Trained = SMALL) -> str:
    """Return which model was trained, and on which task."""
    models = dict.fromkeys(task["model"] for task in _tasks(run, trained))
    return f"not the paper's model: Qwen3 of preset {' or '.join(models)} on {trained.task}"


def _tasks(run: Run, trained: Trained) -> list[Mapping[str, Any]]:
    """Return the study's tasks on which this model is trained."""
    return [task for task in run.config["settings"]["tasks"] if task["task"] == trained.task]


def _names(run: Run) -> set[str]:
    """Return the names of the study's runs in the usual condition; those of its grids differ in more than the rule."""
    return {training["name"] for training in run.config["settings"]["runs"]}


def _table(run: Run, trained: Trained, columns: Sequence[str]) -> Columns:
    """Return the steps, or the checkpoints, of the study's runs in the usual condition."""
    file = "follow.parquet" if FOLLOWED.issuperset(columns) else "runs.parquet"
    table = select(run.parquet(file), task=trained.task)
    usual = np.isin(table["run"], sorted(_names(run)))
    return {column: values[usual] for column, values in table.items()}


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
    """Return the runs of ``qae train`` that the study's usual condition is made of, with their settings."""
    # The results folder may hold other training runs, which are no part of the study. A part is named by its substrate,
    # its run, which may have a comma of its own, and its seed.
    names = _names(study)
    ids = {part["train"] for name, part in study.json("parts.json").items() if _run_of(name) in names}
    trained = [run for run in results.runs("train") if run.folder.name in ids]
    return [(run.config, run) for run in trained if run.config["task"] == SMALL.task]


def _run_of(part: str) -> str:
    """Return the run that a part of a study is named after.

    >>> _run_of("tiny-addition, grpo, clip 0.2, seed 0")
    'grpo, clip 0.2'
    """
    return part.partition(", ")[2].rpartition(", ")[0]


def _matches(config: Mapping[str, Any], rules: Iterable[Where]) -> bool:
    """Return whether a training run's configuration is that of one of the rules."""
    # The K of a run is among its estimator's options, while a rule is selected by it.
    own = {**config, "k": _level(config["options"])}
    return any(all(own[name] == value for name, value in rule.items()) for rule in rules)


def _level(options: Mapping[str, Any]) -> float:
    """Return the K of a rule; NaN, which selects nothing, for a rule without K."""
    return float(options.get("k", "nan"))
