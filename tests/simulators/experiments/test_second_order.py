"""Remainders of the second-order prediction: slopes, the rule of the window, and a sampled check."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qae_theory.group_expectation import expected_second_order_change
from simulators.experiments.common.shares import generators
from simulators.experiments.second_order.analysis import analyse, seed_slopes, window
from simulators.experiments.second_order.cells import sampled_curvature
from simulators.update import Update
from simulators.worlds import World, random_bandits
from tests.simulators.experiments.harness import analysis_of, config_of, found, records_of

TINY = {
    "seeds": 4,
    "queries": 8,
    "shapes": [[2, 2]],
    "steps_a_decade": 2,
    "sampled_arms": 6,
    "sampled_queries": 4,
    "sampled_group_size": 8,
    "blocks": 12,
    "block_groups": 200,
}
STEPS = np.geomspace(1e-5, 1, 16)


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return records_of("second-order", config_of("second-order", **TINY))


@pytest.mark.slow
def test_same_seed_same_records(records: list[dict[str, Any]]) -> None:
    assert records == records_of("second-order", config_of("second-order", **TINY))
    assert records != records_of("second-order", config_of("second-order", **TINY), seed=1)


def test_predictions_hold_and_without_their_second_order_do_not(records: list[dict[str, Any]]) -> None:
    analysis = analysis_of("second-order", config_of("second-order", **TINY), records)
    assert found(analysis) == [True, True]
    assert not any(statement["control_found"] for statement in analysis["statements"])
    assert analysis["violations"] == 0
    assert all(row["slope_without_second_order"]["high"] < 2.5 for row in analysis["slopes"])


def synthetic(order: float, bias: float) -> list[dict[str, Any]]:
    """Remainders of a given order, with a constant of the seed's own, and sampled curvatures with a given bias."""
    rng = np.random.default_rng(1)
    slopes = [
        {
            "estimator": "x",
            "arms": 2,
            "group_size": 2,
            "seed": seed,
            "step_size": step,
            "remainder": constant * step**order * (1 + 0.1 * step),
            "remainder_without": constant * step**2,
        }
        for seed, constant in enumerate(rng.uniform(0.1, 1, 8))
        for step in STEPS
    ]
    noise = 0.01 * rng.standard_normal(16)
    blocks = [{"estimator": "x", "predicted": 1.0, "measured": 1 + bias + error} for error in noise]
    return slopes + blocks


@pytest.mark.parametrize(("order", "slopes_found"), [(3.0, True), (4.0, True), (2.8, False), (2.0, False)])
def test_only_orders_of_three_and_more_pass(order: float, slopes_found: bool) -> None:
    assert found(analysis_of("second-order", config_of("second-order"), synthetic(order, 0.0))) == [slopes_found, True]


def test_a_biased_curvature_is_rejected() -> None:
    analysis = analysis_of("second-order", config_of("second-order"), synthetic(3.0, 0.05))
    assert found(analysis) == [True, False]
    assert analysis["violations"] == 1


def test_the_window_leaves_out_round_off_and_large_steps() -> None:
    left = np.maximum(1e-3 * STEPS**3, 1e-13 * STEPS)  # a floor of round-off under a third-order remainder
    chosen = window(STEPS, left, 0.1)
    assert STEPS[chosen].max() == pytest.approx(0.1)
    assert not chosen[:2].any()
    assert np.all(left[chosen] == 1e-3 * STEPS[chosen] ** 3)
    rows = [{"seed": 0, "step_size": step, "r": value} for step, value in zip(STEPS, left, strict=True)]
    assert seed_slopes(rows, "r", 0.1) == pytest.approx([3.0], abs=1e-6)
    assert np.isnan(seed_slopes(rows, "r", 1e-4)).all()  # fewer steps than a slope is fitted to


def test_a_window_that_is_too_short_is_no_pass() -> None:
    short = config_of("second-order", largest_fitted=1e-5)
    analysis = analyse(short, synthetic(3.0, 0.0))  # type: ignore[arg-type]
    assert analysis["slopes"][0]["slope"] is None
    assert analysis["statements"][0]["found"] is False


def test_blocks_average_over_seeds_and_queries() -> None:
    rngs = generators(np.random.SeedSequence(0), 2)
    start = random_bandits(World(queries=2, arms=3), rngs)
    update = Update(method="psr", group_size=4, step_size=0.003, aggregation="token_sum")
    predicted = expected_second_order_change(start.logits, start.env.arm_rewards, 4, "psr").mean()
    draws = np.array([sampled_curvature(start, update, 500, rngs) for _ in range(20)])
    # Five standard errors: an error rate below 1e-4 with 19 degrees of freedom.
    assert abs(draws.mean() - predicted) < 5 * draws.std(ddof=1) / np.sqrt(20)
    assert abs(draws.mean()) > 5 * draws.std(ddof=1) / np.sqrt(20)  # a prediction of nothing would be rejected


@pytest.mark.parametrize("field", ["queries", "blocks", "largest_fitted", "step_high"])
def test_bad_sizes_are_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        config_of("second-order", **{field: 0})
