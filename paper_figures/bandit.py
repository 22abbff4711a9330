"""Experiments on softmax bandits that stand in for training runs: which condition is shown, and its curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paper_figures.curves import Shown, curve, rows_where
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
    columns: str | Mapping[str, str],
    ylabel: str,
    *,
    condition: str | None = None,
) -> Shown:
    """Columns of an experiment under the condition that is nearest to the paper's training.

    Args:
        results: the results folder.
        experiment: of ``qae simulate``.
        rules: label and rows of each rule.
        columns: one column, or several by what is added to the rule's label.
        ylabel: of the axis.
        condition: another one than that.
    """
    run = results.run(experiment, command=f"qae simulate {experiment}")
    nearest, said = (condition, condition) if condition is not None else nearest_condition(run)
    table = rows_where(columns_of(run.records), condition=nearest)
    named = {"": columns} if isinstance(columns, str) else columns
    found = {
        f"{label}{added}": curve(rows_where(table, **where), column)
        for label, where in rules.items()
        for added, column in named.items()
    }
    return Shown(found, ylabel, (run,), SUBJECT, f"not a language model: softmax bandit, {said}")


def nearest_condition(run: Run) -> tuple[str, str]:
    """The condition whose update is nearest to the paper's, and words for it.

    Adam before SGD, a small eps before a large one, many passes before few, clip-higher before other ranges; the first
    of those that are equally near. An experiment with one update and several distributions of difficulty: the first.
    """
    settings = run.config["settings"]
    if "conditions" not in settings:
        name = settings["difficulties"][0]["name"]
        return name, f"{OPTIMISERS[settings['update'].get('optimiser', 'sgd')]}, difficulty {name}"
    clip_high = paper_facts()["training"]["clip_high"]

    def nearness(condition: Mapping[str, Any]) -> tuple[Any, ...]:
        update = condition["update"]
        return (
            update.get("optimiser", "sgd") == "adam",
            -update.get("adam_eps", 1e-8),
            update.get("epochs", 1),
            update.get("clip_high") == clip_high,
        )

    name = max(settings["conditions"], key=nearness)["name"]
    return name, name
