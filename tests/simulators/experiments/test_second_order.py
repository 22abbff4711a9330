"""The remainder's order and the sampled curvature: found where they are, not found where something else was planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators.experiments.second_order import (
    SLOPE_TOLERANCE,
    SecondOrderConfig,
    analyse,
    cells,
    run_cell,
    sampled_curvature,
    slopes,
)

TINY = SecondOrderConfig(
    steps=(0.064, 0.032, 0.016),
    policies=4,
    pooled=2,
    arms=3,
    group_size=3,
    sampled_arms=6,
    sampled_group_size=4,
    sampled_step=0.2,
    draws=400,
)


def records(seed: int) -> list[dict[str, Any]]:
    return [row for cell in cells(TINY) for row in run_cell(cell.settings, np.random.SeedSequence(seed))]


def test_end_to_end_is_deterministic_and_has_no_violation() -> None:
    rows = records(1)
    assert rows == records(1)
    assert rows != records(2)
    result = analyse(TINY, rows)
    assert result["violations"] == 0
    assert all(entry["slopes"] == 2 for entry in result["estimators"].values())
    assert all(entry["control_rejected"] > 0 for entry in result["estimators"].values())


def planted(order: float) -> list[dict[str, Any]]:
    return [
        {"kind": "enumerated", "bandit": 0, "step": step, "actual": step + step**order, "first_order": step}
        for step in TINY.steps
    ]


@pytest.mark.parametrize("order", [2.0, 3.0, 4.0])
def test_slopes_are_those_planted(order: float) -> None:
    (slope,) = slopes(planted(order), ("first_order",), 1)
    assert slope == pytest.approx(order, abs=1e-6)
    assert (slope < 3 - SLOPE_TOLERANCE) == (order < 3)


def test_residuals_at_round_off_are_left_out() -> None:
    assert slopes([{**row, "actual": row["step"] + 1e-14} for row in planted(3)], ("first_order",), 1) == []


def test_a_residual_that_changes_its_sign_does_not_spoil_a_pool() -> None:
    crossing = [
        {**row, "bandit": 1, "actual": row["step"] + 40 * row["step"] ** 3 * (row["step"] - 0.032)}
        for row in planted(3)
    ]
    (slope,) = slopes([*planted(3), *crossing], ("first_order",), 2)
    assert slope >= 3 - SLOPE_TOLERANCE


def test_sampled_curvature_covers_its_mean_and_nothing_far_from_it() -> None:
    row = {"mean": 1.0, "std": 1.0, "draws": 10_000, "predicted": 1.0}
    assert sampled_curvature(row, 0.99)["covered"]
    assert not sampled_curvature({**row, "predicted": 1.05}, 0.99)["covered"]  # five standard errors away
