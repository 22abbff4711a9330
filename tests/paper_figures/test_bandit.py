"""Which condition of a bandit experiment is shown, and that its curves are the records' means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paper_figures.bandit import bandit_curves, nearest_condition
from paper_figures.runs import Results
from qae_theory.runs.stored import MissingError
from tests.paper_figures.small_runs import mean_by_step, store_bandit
from tests.paper_figures.stored import store

ADAM: dict[str, Any] = {"optimiser": "adam"}


@pytest.mark.parametrize(
    ("updates", "nearest"),
    [
        ([{}, ADAM], 1),
        ([ADAM, {"epochs": 16}], 0),
        ([{**ADAM, "adam_eps": 1e-2}, ADAM], 1),
        ([ADAM, {**ADAM, "epochs": 16}], 1),
        ([{"clip_high": 0.2}, {"clip_high": 0.28}], 1),
        ([{**ADAM, "clip_high": 0.28}, {**ADAM, "epochs": 16}], 1),
        ([ADAM, ADAM], 0),
    ],
)
def test_the_nearest_condition(tmp_path: Path, updates: list[dict[str, Any]], nearest: int) -> None:
    conditions = [{"name": f"number {i}", "update": update} for i, update in enumerate(updates)]
    store(tmp_path, "dance", config={"settings": {"conditions": conditions}})
    run = Results(tmp_path).run("dance", command="")
    assert nearest_condition(run) == (f"number {nearest}", f"number {nearest}")


def test_of_several_difficulties_the_first(tmp_path: Path) -> None:
    settings = {"update": ADAM, "difficulties": [{"name": "uniform"}, {"name": "hard"}]}
    store(tmp_path, "dance", config={"settings": settings})
    run = Results(tmp_path).run("dance", command="")
    assert nearest_condition(run) == ("uniform", "Adam, difficulty uniform")


def test_curves_are_means_of_the_records_of_that_condition(tmp_path: Path) -> None:
    records = store_bandit(tmp_path, "dance", ["height", "width"], [{"rule": "a"}, {"rule": "b"}])
    rules = {"first": {"rule": "a"}, "second": {"rule": "b"}}
    columns = {", high": "height", ", wide": "width"}
    found = bandit_curves(Results(tmp_path), "dance", rules, columns=columns, ylabel="metres")
    assert list(found.curves) == ["first, high", "first, wide", "second, high", "second, wide"]
    steps, means = mean_by_step(records, "width", condition="Adam 1e-8, 16 passes", rule="b")
    assert found.curves["second, wide"].steps.tolist() == steps
    assert found.curves["second, wide"].mean.tolist() == pytest.approx(means)
    assert found.stand_in == "not a language model: softmax bandit, Adam 1e-8, 16 passes"
    other = bandit_curves(Results(tmp_path), "dance", rules, columns="width", ylabel="metres", condition="SGD")
    assert other.curves["second"].mean.tolist() == pytest.approx([mean + 5 for mean in means])


def test_without_a_run_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="not run: qae simulate dance"):
        bandit_curves(Results(tmp_path), "dance", {}, columns="height", ylabel="metres")
