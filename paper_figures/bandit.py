"""Curves of experiments on softmax bandits, which stand in for training runs, and the condition that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paper_figures.curves import CurveSet, curve, differences, select
from paper_figures.runs import Results, Run, columns_of
from qae_theory.paper import paper_facts

ENTROPY = "entropy (nats per response)"
SUCCESS = "success rate"
SUBJECT = "softmax bandit"
OPTIMISERS = {"adam": "Adam", "sgd": "SGD"}


def bandit_curves(
    results: Results,
    experiment: str,
    rules: Mapping[str, Mapping[str, Any]],
    *,
    columns: str | Mapping[str, str],
    ylabel: str,
    condition: str | None = None,
    less: Mapping[str, Any] | None = None,
) -> CurveSet:
    """Return columns of an experiment under the condition that is nearest to the paper's training.

    Args:
        results: the results folder.
        experiment: an experiment of ``qae simulate``.
        rules: the label of each rule, and the values by which its records are selected.
        columns: one column, or several by what is added to the rule's label.
        ylabel: of the axis.
        condition: a condition to show in place of the nearest one.
        less: what selects the records that are subtracted, seed by seed; none are if not given.

    Raises:
        MissingError: there is no run, or a curve has fewer than two steps.
    """
    run = results.run(experiment, command=f"qae simulate {experiment}")
    shown, description = (condition, condition) if condition is not None else nearest_condition(run)
    table = select(columns_of(run.records), condition=shown)
    named = {"": columns} if isinstance(columns, str) else columns
    curves = {}
    for label, where in rules.items():
        rows = select(table, **where)
        for added, column in named.items():
            shown_rows = rows if less is None else differences(rows, select(table, **less), column)
            curves[f"{label}{added}"] = curve(shown_rows, column)
    return CurveSet(
        curves=curves,
        ylabel=ylabel,
        sources=(run,),
        subject=SUBJECT,
        stand_in=f"not a language model: softmax bandit, {description}",
    )


def nearest_condition(run: Run) -> tuple[str, str]:
    """Return the condition whose update is nearest to the paper's, and a description of it.

    Adam comes before SGD, a small eps before a large one, many passes before few, and clip-higher before other ranges.
    Of conditions that are equally near, the first counts. An experiment with one update and several distributions of
    difficulty shows the first distribution.
    """
    settings = run.config["settings"]
    if "conditions" not in settings:
        name = settings["difficulties"][0]["name"]
        return name, f"{OPTIMISERS[settings['update'].get('optimiser', 'sgd')]}, difficulty {name}"
    clip_high = paper_facts()["training"]["clip_high"]

    # A tuple is compared entry by entry, the most important one first.
    def nearness(condition: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what is compared between conditions; the largest is the nearest to the paper's training."""
        update = condition["update"]
        return (
            update.get("optimiser", "sgd") == "adam",
            -update.get("adam_eps", 1e-8),
            update.get("epochs", 1),
            update.get("clip_high") == clip_high,
        )

    name = max(settings["conditions"], key=nearness)["name"]
    return name, name
