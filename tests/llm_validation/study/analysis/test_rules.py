"""Rules are named by estimator and K, or by their runs where these differ in something else."""

from __future__ import annotations

from typing import Any

import numpy as np

from llm_validation.study.analysis.records import rules_of


def rows(*runs: tuple[str, str, float]) -> dict[str, Any]:
    """One row for each run, its name, its estimator and its K."""
    names, estimators, levels = zip(*runs, strict=True)
    return {"run": np.array(names), "estimator": np.array(estimators), "k": np.array(levels)}


def test_a_rule_has_its_estimator_s_name_and_k() -> None:
    found = rules_of(rows(("a", "grpo", np.nan), ("b", "qae", 0.4), ("a", "grpo", np.nan)))
    assert {name: len(table["run"]) for name, table in found.items()} == {"grpo": 2, "qae-0.4": 1}


def test_runs_of_one_estimator_that_differ_otherwise_are_kept_apart() -> None:
    found = rules_of(rows(("grpo", "grpo", np.nan), ("entropy_bonus", "grpo", np.nan), ("q", "qae", 0.4)))
    assert {name: table["run"].tolist() for name, table in found.items()} == {
        "grpo": ["grpo"],
        "entropy_bonus": ["entropy_bonus"],
        "qae-0.4": ["q"],
    }


def test_a_table_without_names_of_runs_is_read_by_estimator() -> None:
    table = rows(("a", "grpo", np.nan), ("b", "grpo", np.nan))
    del table["run"]
    assert list(rules_of(table)) == ["grpo"]
