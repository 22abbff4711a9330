"""`length` end to end at a tiny size; its analysis finds what is planted and nothing else; its closed form is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import Update, bandit, initial_state
from simulators.experiments.length.analysis import analyse, statements
from simulators.experiments.length.cells import EXPERIMENT, LengthConfig, cells, run_cell
from simulators.experiments.length.length_terms import (
    AGGREGATIONS,
    enumerated_direction,
    expected_direction,
    expected_length,
    length_slope,
    mean_gradient,
)
from simulators.tabular.policy import policy
from simulators.tabular.trees import token_tree

TINY = LengthConfig.model_validate({"exact_seeds": 2, "seeds": 2, "steps": 3, "sharing": [4, 8], "levels": ["0.4"]})


def records(seed: int) -> list[dict[str, Any]]:
    return [row for cell in cells(TINY) for row in run_cell(cell.settings, np.random.SeedSequence([seed, cell.stream]))]


def planted(effect: float) -> list[dict[str, Any]]:
    """The term decays as N ** -effect, lengths grow by effect b, and the closed form errs by 1 - effect."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for seed in range(12):
        noise = 0.01 * rng.standard_normal(3)
        rows += [
            {"part": "exact", "world": world, "aggregation": "token_sum", "rule": rule, "seed": seed, "slope": 0.0}
            | {"error": 1 - effect, "control_error": 1.0}
            for world in ("bandit", "tree")
            for rule in ("b=0", "b=1")
        ]
        rows += [
            {"part": "decay", "world": world, "aggregation": name, "sharing": n, "seed": seed, "size": size}
            for world in ("bandit", "tree")
            for n in (32, 64, 128)
            for name, size in (("token_mean", n**-effect), ("sequence_mean", 1.0))
        ]
        rows += [
            {"part": "train", "aggregation": "sequence_mean", "rule": rule, "seed": seed, "success": 0.5}
            | {"length": 2 + effect * b + noise[0] * b, "length_at_gain": 2 + effect * b + noise[1] * b}
            for rule, b in (("b=0", 0), ("b=1", 1))
        ]
    return rows


def test_same_seed_same_records_other_seed_others() -> None:
    first = records(1)
    assert first == records(1)
    assert first != records(2)
    analysis = analyse(TINY, first)
    assert analysis["exact"]["largest_error"] < 1e-12  # the closed form is exact at any size
    assert len(statements(analysis)) == 3
    assert [claim.claim for claim in EXPERIMENT.claims] == ["channels"]


def test_finds_what_is_planted() -> None:
    found = statements(analyse(TINY, planted(1.0)))
    assert [s.found for s in found] == [True, True, True]
    assert [s.control_found for s in found] == [False, False, False]


def test_finds_nothing_in_null_records() -> None:
    assert [s.found for s in statements(analyse(TINY, planted(0.0)))] == [False, False, False]


def test_order_of_records_does_not_matter() -> None:
    rows = planted(1.0)
    assert analyse(TINY, rows)["trained"] == analyse(TINY, sorted(rows, key=lambda row: -row["seed"]))["trained"]


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_enumeration_agrees_with_the_closed_form_where_queries_share_a_normaliser(aggregation: Any) -> None:
    rng = np.random.default_rng(3)
    env = bandit(rng.integers(0, 2, (2, 3, 3)), [1, 2, 5])
    logits = rng.standard_normal((2, 3, 1, 3))
    update = Update(method="constant", options={"baseline": 0.3}, group_size=2, aggregation=aggregation)
    exact = enumerated_direction(initial_state(logits, env), env, update)
    form = expected_direction(policy(logits), env, aggregation, group_size=2, gain=1.0, baseline=0.3)
    np.testing.assert_allclose(exact, form, atol=1e-12)  # a few hundred products of size 1
    wrong = expected_direction(policy(logits), env, aggregation, group_size=3, gain=1.0, baseline=0.3)
    if aggregation == "token_mean":  # one response more in the normaliser
        assert np.abs(exact - wrong).max() > 1e-3


def test_gradients_agree_with_finite_differences() -> None:
    rng = np.random.default_rng(4)
    tree = token_tree(2, 3)
    env = type(bandit([[1, 0]]))(tree, rng.integers(0, 2, (1, 2, tree.responses)).astype(float), tree.lengths)
    logits = rng.standard_normal((1, 2, tree.nodes, tree.actions))
    direction = rng.standard_normal(logits.shape)
    step = 1e-5  # central difference: error step^2 = 1e-10, rounding 1e-11
    ahead, behind = (expected_length(logits + sign * step * direction, env) for sign in (1, -1))
    numeric = (ahead - behind) / (2 * step)
    pi = policy(logits)
    np.testing.assert_allclose(length_slope(direction, pi, env), numeric, atol=1e-8)
    lengths = np.broadcast_to(env.lengths, env.arm_rewards.shape)
    gradient = mean_gradient(lengths, pi, tree)
    np.testing.assert_allclose((gradient * direction).sum(axis=(-2, -1)), numeric, atol=1e-8)
    assert np.abs((gradient * direction).sum(axis=(-2, -1)) + numeric).max() > 1e-3  # the wrong sign is caught
