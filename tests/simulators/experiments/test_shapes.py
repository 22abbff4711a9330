"""The experiments on the paper's shapes: deterministic; each effect is found where it is planted only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from simulators.configuration import changed_config
from simulators.experiments import get_experiment
from simulators.experiments.base import Config, Experiment, Record, Statement
from simulators.experiments.masks import step_size
from simulators.experiments.sign_split import LAW

SHAPES = ("k-sweep", "sparsity", "sign-split", "masks")
TINY: dict[str, Any] = {"seeds": 4, "steps": 4, "every": 2}


def tiny(name: str) -> tuple[Experiment, Config]:
    experiment = get_experiment(name)
    changes = [TINY, {"law_queries": 20}] if name == "sign-split" else [TINY]
    return experiment, changed_config(experiment, changes, quick=True)


def run(experiment: Experiment, config: Config, seed: int) -> list[Record]:
    cells = experiment.cells(config)
    return [row for cell in cells for row in experiment.run_cell(cell.settings, np.random.SeedSequence(seed))]


@pytest.mark.parametrize("name", SHAPES)
def test_end_to_end_is_deterministic(name: str) -> None:
    experiment, config = tiny(name)
    records = run(experiment, config, 1)
    assert records == run(experiment, config, 1)
    assert records != run(experiment, config, 2)
    assert len({cell.name for cell in experiment.cells(config)}) == len(experiment.cells(config))
    analysis = experiment.analyse(config, records)
    for speaking in experiment.claims:
        assert speaking.statements(analysis)


def planted(name: str, change: Callable[[Record], dict[str, float]]) -> list[list[Statement]]:
    """Statements on records of the experiment's own layout, with figures from ``change`` and a little noise."""
    experiment, config = tiny(name)
    rng = np.random.default_rng(7)
    rows = []
    for cell in experiment.cells(config):
        for row in experiment.run_cell(cell.settings, np.random.SeedSequence(3)):
            figures = {key: value + 1e-4 * rng.standard_normal() for key, value in change(row).items()}
            rows.append({**row, **figures})
    analysis = experiment.analyse(config, rows)
    return [list(speaking.statements(analysis)) for speaking in experiment.claims]


def found(statements: Sequence[Sequence[Statement]]) -> list[bool]:
    assert not any(one.control_found for group in statements for one in group)
    return [all(one.found for one in group) for group in statements]


@pytest.mark.parametrize(("slope", "expected"), [(1.0, True), (0.0, False), (-1.0, False)])
def test_k_sweep_finds_a_planted_slope(slope: float, expected: bool) -> None:
    experiment, config = tiny("k-sweep")
    rows = []
    rng = np.random.default_rng(0)
    for cell in experiment.cells(config):
        for row in experiment.run_cell(cell.settings, np.random.SeedSequence(3)):
            entropy = 1 + slope * float(row["k"]) * row["step"] / 4 + 1e-3 * rng.standard_normal()
            rows.append({**row, "sequence_entropy": entropy, "success": 0.5 + row["step"] / 100})
    (statements,) = [speaking.statements(experiment.analyse(config, rows)) for speaking in experiment.claims]
    assert [one.found for one in statements] == [expected, expected]
    assert not any(one.control_found for one in statements)


@pytest.mark.parametrize(("share", "expected"), [(0.8, True), (0.7, False), (0.9, False)])
def test_sparsity_finds_a_planted_share(share: float, expected: bool) -> None:
    def change(row: Record) -> dict[str, float]:
        value = 0.0 if row["k"] == "grpo" else share
        return {"zero_share": value, "zero_share_mixed": value}

    assert found(planted("sparsity", change)) == [expected]


def test_sparsity_wants_the_share_throughout() -> None:
    def change(row: Record) -> dict[str, float]:
        value = 0.0 if row["k"] == "grpo" else 0.8 if row["step"] < 4 else 0.95
        return {"zero_share": value, "zero_share_mixed": value}

    assert found(planted("sparsity", change)) == [False]


@pytest.mark.parametrize(("lead", "level", "trend"), [(1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_sign_split_finds_what_is_planted_reading_by_reading(lead: int, level: int, trend: int) -> None:
    def change(row: Record) -> dict[str, float]:
        if row["condition"] == LAW:
            return {}
        return {
            "entropy_change": 0.1,
            "negative": 0.05 * lead,
            "positive": 0.0,
            "negative_sample_entropy": level * 1.0 + trend * 0.1 * row["step"] - (0 if level else 0.2 * trend),
            "positive_sample_entropy": 0.0,
        }

    assert found(planted("sign-split", change)) == [bool(lead), bool(level and trend)]


@pytest.mark.parametrize(("near", "ahead"), [(True, True), (False, True), (True, False)])
def test_masks_finds_what_is_planted(near: bool, ahead: bool) -> None:
    def change(row: Record) -> dict[str, float]:
        apart = {"qae": 0.0, "neg_mask": 0.01 if near else 0.1, "pos_mask": 0.1 if near else 0.01}
        final = {"qae": 0.0, "neg_mask": 0.0, "pos_mask": 0.1 if ahead else -0.1}
        return {"success": 0.5 + (apart if row["clip"] == "weak" else final)[row["rule"]] * row["step"] / 4}

    (statements,) = planted("masks", change)
    assert [one.found for one in statements] == [near, ahead]
    assert not any(one.control_found for one in statements)


def test_masks_match_the_mean_gain() -> None:
    _, config = tiny("masks")
    condition = config.conditions[0]  # type: ignore[attr-defined]
    own = condition.update["step_size"]
    assert step_size(condition, "pos_mask", "QAE's step size", "0.4") == own
    assert step_size(condition, "qae", "matched gain", "0.4") == own
    assert 0.5 * own < step_size(condition, "pos_mask", "matched gain", "0.4") < own  # a mask's gain is the larger one
