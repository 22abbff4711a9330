"""Guaranteed bounds hold wherever they are looked at, and bounds that are none are caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qae_theory import entropy_change_bounds
from simulators.experiments.bounds.cells import random_trees
from simulators.experiments.bounds.held_bounds import by_seed, checked, coverage, scaled_bounds
from simulators.experiments.common.rules import COMPARED
from simulators.experiments.common.shares import generators
from tests.simulators.experiments.harness import analysis_of, config_of, found, records_of

TINY = {
    "seeds": 4,
    "arms": [4],
    "spreads": [1.0],
    "policies": 30,
    "step_sizes": [1.0],
    "group_size": 4,
    "methods": ["qae", "psr"],
    "steps": 8,
    "queries": 4,
    "train_arms": 4,
    "symbols": 1,
    "max_length": 2,
}
# Every part of the experiment, for what does not hang on its numbers.
SMALLEST = {**TINY, "seeds": 2, "policies": 2, "steps": 2, "queries": 2}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return records_of("bounds", config_of("bounds", **TINY))


def test_same_seed_same_records() -> None:
    config = config_of("bounds", **SMALLEST)
    records = records_of("bounds", config)
    assert records == records_of("bounds", config)
    assert records != records_of("bounds", config, seed=1)


def test_bounds_hold_and_smaller_ones_do_not(records: list[dict[str, Any]]) -> None:
    analysis = analysis_of("bounds", config_of("bounds", **TINY), records)
    assert found(analysis)[0] is True
    assert not any(statement["control_found"] for statement in analysis["statements"])
    assert analysis["violations"] == 0
    assert analysis["planted_violations"] > 0
    of_updates, of_training = 4 * 30 * (3 * 3 + 2), 2 * 2 * 2 * 4 * 8 * 4
    assert analysis["rows"] == of_updates + of_training


def test_every_registered_method_is_run_unless_some_are_named() -> None:
    records = records_of("bounds", config_of("bounds", **{**SMALLEST, "methods": []}))
    assert {row["method"] for row in records if "method" in row} == set(COMPARED)


def test_a_single_violation_is_seen(records: list[dict[str, Any]]) -> None:
    planted = [{**records[0], "violations": 1}, *records[1:]]
    analysis = analysis_of("bounds", config_of("bounds", **TINY), planted)
    assert found(analysis)[0] is False
    assert analysis["violations"] == 1
    assert analysis["updates"][0]["seeds_without_violation"]["estimate"] == 0.75


@pytest.mark.parametrize(("share", "misses"), [(1.0, False), (0.5, True)])
def test_an_interval_that_misses_is_told_from_one_that_covers(
    records: list[dict[str, Any]], share: float, misses: bool
) -> None:
    """Ten seeds a group, alike up to one row, so that nothing but the share decides."""
    template = next(row for row in records if row["part"] == "training")
    planted = [
        {
            **template,
            "seed": seed,
            "covered_moved_rows": 100,
            "covered_moved": round(100 * share) - (seed % 2) * (share < 1),
        }
        for seed in range(10)
    ]
    statements = analysis_of("bounds", config_of("bounds", **TINY), planted)["statements"]
    assert statements[1]["found"] is misses
    assert statements[1]["control_found"] is False


def random_steps() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    return np.log(rng.dirichlet(np.ones(5), size=200)), rng.standard_normal((200, 5))


def test_scaled_bounds_at_scale_1_are_the_guaranteed_ones() -> None:
    """Where these are not cut by [-H, log n - H], and to the rounding that both allow for."""
    log_probs, direction = random_steps()
    guaranteed = entropy_change_bounds(log_probs, direction, 0.01, method="brackets")
    for bound, shipped in zip(scaled_bounds(log_probs, direction, 0.01, 1.0), guaranteed, strict=True):
        assert np.abs(bound - shipped).max() < 1e-10


def test_smaller_brackets_fail_and_larger_ones_do_not() -> None:
    log_probs, direction = random_steps()
    outside = {scale: checked(log_probs, direction, 0.5, planted_scale=scale).outside_planted for scale in (0.1, 1.0)}
    assert outside[0.1].any()
    assert not outside[1.0].any()


def test_counts_and_widths_of_each_seed() -> None:
    """Two seeds of one query: the first does not move."""
    log_probs = np.log(np.array([[[0.4, 0.6]], [[0.4, 0.6]]]))
    direction = np.array([[[0.0, 0.0]], [[1.0, 0.0]]])
    check = checked(log_probs, direction, 0.1, planted_scale=0.1)
    rows = by_seed(check, {"inside": coverage(check.change, np.full((2, 1), -1.0), np.full((2, 1), 1.0))})
    assert [row["rows"] for row in rows] == [1, 1]
    assert [row["width_0.5"] is None for row in rows] == [True, False]
    assert [(row["inside"], row["inside_moved"], row["inside_moved_rows"]) for row in rows] == [(1, 0, 0), (1, 1, 1)]


def test_trees_have_right_and_wrong_responses() -> None:
    start = random_trees(2, 2, 3, generators(np.random.SeedSequence(0), 2))
    assert start.logits.shape == (2, 3, 3, 3)
    assert start.env.arm_rewards.sum(axis=-1).tolist() == [[4.0] * 3] * 2  # of seven responses


@pytest.mark.parametrize(("field", "value"), [("seeds", 1), ("planted_scale", 1.0), ("methods", ["no such rule"])])
def test_bad_sizes_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        config_of("bounds", **{field: value})
