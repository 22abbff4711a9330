"""Orders of entropy changes: who keeps them, and that the analysis sees planted exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qae_theory import expected_entropy_change
from simulators.environments import bandit
from simulators.experiments.ordering.changes import (
    certificate,
    in_order,
    largest_step,
    order_of_baselines,
    population_changes,
    sampled_changes,
)
from simulators.update import Update
from simulators.worlds import Start
from tests.simulators.experiments.harness import analysis_of, config_of, found, records_of

TINY = {
    "seeds": 2,
    "queries": 20,
    "arms": [2, 4],
    "sampled_arms": [2],
    "spreads": [1.0],
    "group_size": 3,
    "steps_a_decade": 1,
    "scan_a_decade": 4,
}
SCAN = np.geomspace(0.01, 100, 41)


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return records_of("ordering", config_of("ordering", **TINY))


def test_same_seed_same_records(records: list[dict[str, Any]]) -> None:
    assert records == records_of("ordering", config_of("ordering", **TINY))
    assert records != records_of("ordering", config_of("ordering", **TINY), seed=1)


def test_every_statement_is_found_and_no_control(records: list[dict[str, Any]]) -> None:
    analysis = analysis_of("ordering", config_of("ordering", **TINY), records)
    assert found(analysis) == [True] * 4
    assert not any(statement["control_found"] for statement in analysis["statements"])
    assert analysis["violations"] == 0
    assert analysis["rows"] == 2 * 2 * 2 * 20  # pairs of baselines, numbers of arms, seeds, queries


def test_regimes_add_up_to_all_policies(records: list[dict[str, Any]]) -> None:
    chosen = [row for row in records if row["kind"] == "population" and row["update"] == "uncentred"]
    assert sum(row["rows"] for row in chosen if row["step_size"] == 0 and row["against"] == "the mean") == 2 * 40


PLANTS = {
    "a certified step that fails": ("certified", {"failures": 1}, 0),
    "an uncentred policy out of order": ("uncentred", {"strict": 0}, 1),
    "a policy gradient that knows the baseline": ("policy_gradient", {"strict": 1}, 2),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_single_planted_exception_is_seen(records: list[dict[str, Any]], name: str) -> None:
    where, change, statement = PLANTS[name]
    index = next(i for i, row in enumerate(records) if where in (row["kind"], row.get("update")) and row.get("rows", 1))
    planted = [*records[:index], {**records[index], **change}, *records[index + 1 :]]
    assert not found(analysis_of("ordering", config_of("ordering", **TINY), planted))[statement]


def test_sampled_groups_that_keep_the_order_are_not_called_broken(records: list[dict[str, Any]]) -> None:
    null = [{**row, "holds": row["rows"]} if row["kind"] == "sampled" else row for row in records]
    assert found(analysis_of("ordering", config_of("ordering", **TINY), null))[3] is False


def test_the_known_largest_step_of_two_arms_is_found() -> None:
    """theory.md, `prop42-finite-step`: for n = 2, p < 1/2 the order fails iff eta > 2 log((1-p)/p)."""
    p = np.array([0.4, 0.1, 0.6])
    logits = np.log(np.stack([p, 1 - p], axis=-1))
    rewards = np.broadcast_to([1.0, 0.0], logits.shape)
    found_steps = largest_step(logits, rewards, low=np.zeros(3), high=np.ones(3), scan=SCAN)
    assert found_steps[:2] == pytest.approx(2 * np.log((1 - p) / p)[:2], rel=1e-9)
    assert np.isinf(found_steps[2])


def test_stretched_certificates_fail() -> None:
    logits, rewards = np.log([[0.4, 0.6]]), np.array([[1.0, 0.0]])
    checked = certificate(logits, rewards, low=np.zeros(1), high=np.ones(1), scan=SCAN, stretch=10.0)
    assert checked.failures.tolist() == [0]
    assert checked.stretched_failures[0] > 0
    assert 0 < checked.certified[0] <= checked.actual[0]


def test_sampled_changes_are_the_enumerated_ones() -> None:
    logits, rewards = np.log([[[0.2, 0.5, 0.3]]]), np.array([[[1.0, 0.0, 0.0]]])
    start = Start(bandit(rewards), logits)
    changes, slack = sampled_changes(start, Update(method="qae", group_size=4), [0.0, 0.5])
    exact = expected_entropy_change(logits[0, 0], rewards[0, 0], 4, "qae", 0.5)
    assert changes[1, 0] == pytest.approx(float(exact), rel=1e-10)
    assert np.all((slack > 0) & (slack < 1e-10))


def test_the_order_is_read_the_other_way_round_on_easy_queries() -> None:
    none = np.zeros(2)
    hard, easy = np.array([True, True]), np.array([False, False])
    preferred, other = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    assert in_order(preferred, other, slack=none, hard=hard).weak.tolist() == [True, False]
    assert in_order(preferred, other, slack=none, hard=easy).weak.tolist() == [False, True]
    for regime in (hard, easy):
        assert in_order(preferred, preferred, slack=none, hard=regime).weak.all()
        assert not in_order(preferred, preferred, slack=none, hard=regime).strict.any()


def test_one_baseline_out_of_order_is_enough_to_break_it() -> None:
    """Paper's identity on the finite step of theory.md's witness: pi = (2/5, 3/5), r = (1, 0), eta = 1 fails."""
    logits, rewards = np.log([[0.4, 0.6]]), np.array([[1.0, 0.0]])
    baselines = np.array([[0.0], [0.25], [1.0]])
    changes, slack = population_changes(logits, rewards, "uncentred", baselines=baselines, steps=[0.0, 0.1, 1.0])
    assert changes[2, 0, 0] == pytest.approx(0.02013, abs=1e-5)
    assert changes[2, 2, 0] == pytest.approx(0.01543, abs=1e-5)
    order = order_of_baselines(changes, slack, baselines=baselines, hard=np.array([True]))
    assert order.weak[:, 0].tolist() == [True, True, False]
    assert order.strict[:, 0].tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("group_size", 1),
        ("stretch", 1.0),
        ("step_low", 0.0),
        ("step_high", 0.001),
        ("baselines", [1.5]),
        ("arms", []),
        ("arms", [1]),
        ("spreads", [-1.0]),
        ("k", "1"),
    ],
)
def test_bad_sizes_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        config_of("ordering", **{field: value})
