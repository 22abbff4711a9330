"""`stale` end to end at a tiny size; what its analysis finds and what not; its flow and limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import Update, initial_state, update_on_all_groups
from simulators.environments import bandit
from simulators.experiments.stale import asymmetric
from simulators.experiments.stale.analysis import analyse, limit_reached, statements
from simulators.experiments.stale.cells import StaleConfig, cells, run_cell

TINY = StaleConfig.model_validate(
    {
        "seeds": 2,
        "queries": 2,
        "offsets": [-0.2, 0.2],
        "flow_steps": 5,
        "rules": ["grpo"],
        "levels": ["0.2", "0.8"],
        "values": [0.4],
        "steps": 3,
        "lags": [1, 4],
        "lag_steps": 8,
    }
)


def records(seed: int) -> list[dict[str, Any]]:
    return [row for cell in cells(TINY) for row in run_cell(cell.settings, np.random.SeedSequence([seed, cell.stream]))]


def planted(effect: float) -> list[dict[str, Any]]:
    """Entropy 1 is predicted below V_mu and 0 above; a share ``effect`` of that is there, and of K's part at lag 8."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for seed in range(12):
        for offset in (-0.2, 0.2):
            predicted = float(offset < 0)
            reached = {
                "entropy": effect * predicted + (1 - effect) * 0.5 + 0.001 * rng.standard_normal(),
                "predicted": predicted,
                "exchanged": 1 - predicted,
                "success": 1.0,
            }
            errors = {"error": (1 - effect) / 2, "control_error": (1 + effect) / 2, "allowed": 0.02}
            rows.append({"part": "flow", "world": "tied", "offset": offset, "seed": seed, **reached, **errors})
            rows.append({"part": "sampled", "world": "tied", "offset": offset, "seed": seed, **reached})
            side = {"rule": "qae K=0.2", "value": 0.5 + offset, "effective_offset": offset}
            rows.append({"part": "sides", "seed": seed, **side, **reached})
        rows += [
            {"part": "lag", "rule": rule, "lag": lag, "ratio": ratio, "seed": seed, "success": 0.9}
            | {"entropy": 0.5 + effect * held * (lag > 1) + 0.001 * rng.standard_normal()}
            | {"bound_violations": 0.0, "rows": 4.0}
            for rule, held in (("qae K=0.2", 0.3), ("qae K=0.8", 0.0))
            for lag in (1, 8)
            for ratio in (True, False)
        ]
    return rows


def test_same_seed_same_records_other_seed_others() -> None:
    first = records(1)
    assert first == records(1)
    assert first != records(2)
    analysis = analyse(TINY, first)
    assert analysis["bound_violations"] == 0
    assert analysis["bound_rows"] > 0
    assert {row["side"] for row in analysis["sides"] if row["rule"] == "grpo"} == {"edge"}
    assert {row["rule"]: row["side"] for row in analysis["sides"]} == {
        "grpo": "edge",
        "qae K=0.2": "holds",  # V = .4 is a hard query for K = .2, b = 0, and an easy one for K = .8, b = 1
        "qae K=0.8": "collapses",
    }


def test_finds_what_is_planted() -> None:
    found = statements(analyse(TINY, planted(1.0)))
    assert [s.found for s in found] == [True] * 5
    assert [s.control_found for s in found] == [False] * 5


def test_finds_nothing_in_null_records() -> None:
    assert [s.found for s in statements(analyse(TINY, planted(0.0)))] == [False] * 5


def test_flow_is_the_engines_expected_update() -> None:
    rng = np.random.default_rng(5)
    logits, old = rng.standard_normal((2, 2, 4))
    env = bandit(np.array([[[1.0, 0, 1, 0], [0, 1, 1, 0]]]))
    state = initial_state(logits[None], env)._replace(behaviour=old[None, :, None])
    update = Update(
        method="constant",
        options={"baseline": 0.3},
        group_size=2,
        behaviour_lag=0,
        importance_ratio=False,
        aggregation="token_sum",
    )
    step, weights = update_on_all_groups(state, env, update)
    mean = (weights[..., None, None] * step.direction).sum(axis=0)[..., 0, :]
    mu, pi = (np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True) for z in (old[None], logits[None]))
    expected = asymmetric.flow(mu, pi, env.arm_rewards, np.full((1, 2), 0.3))
    np.testing.assert_allclose(mean, expected, atol=1e-14)  # ten groups, sums of numbers below 1
    on_policy = asymmetric.flow(pi, pi, env.arm_rewards, np.full((1, 2), 0.3))
    assert np.abs(mean - on_policy).max() > 1e-2


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=8), st.integers(1, 5), st.floats(0.05, 1.5))
def test_limit_is_a_distribution_at_which_the_flow_stands_still(sizes: list[float], right: int, room: float) -> None:
    """On the support the flow is one number tau, which shifts all logits alike; off it, it is less."""
    mu = np.array(sizes) / sum(sizes)
    rewards = (np.arange(len(mu)) < min(right, len(mu) - 1)).astype(float)
    b = np.array((mu * rewards).sum() - room)
    end = asymmetric.limit(mu, rewards, b)
    assert abs(end.sum() - 1) < 1e-9  # rounding of mu (r - b), below 3, over room, above 0.05
    assert end.min() >= 0
    speed = asymmetric.flow(mu, end, rewards, b)
    tau = speed[end > 0].mean()
    assert np.abs(speed[end > 0] - tau).max() < 1e-9
    assert np.all(speed[end == 0] <= tau + 1e-9)


def test_limit_above_the_transition_is_not_given() -> None:
    mu = np.array([0.5, 0.3, 0.2])
    assert np.isnan(asymmetric.limit(mu, np.array([1.0, 0, 0]), np.array(0.6))).all()
    assert asymmetric.limit_entropy(mu, np.array([1.0, 1, 0]), np.array(0.9)) == 0
    assert asymmetric.exchanged_entropy(mu, np.array([1.0, 1, 0]), np.array(0.9)) > 0.1


@pytest.mark.parametrize("divisor", [1, 10])
def test_time_allowed_is_enough_and_a_tenth_of_it_is_not(divisor: int) -> None:
    """At b = 2/7 the second arm is on the edge of the support, a_1 - a_2 = c, and still 1/(c t) away at time t."""
    mu, rewards, b = np.array([0.4, 0.1, 0.5]), np.array([1.0, 1.0, 0.0]), np.array(2 / 7)
    end = np.exp(asymmetric.follow(np.log(mu), mu, rewards, b, steps=4000, step_size=1.0))
    distance = np.abs(end / end.sum() - asymmetric.limit(mu, rewards, b)).sum()
    allowed = asymmetric.distance_allowed(3, np.array(0.5 - 2 / 7), 4000.0, -np.log(mu).min())
    assert (distance <= allowed / divisor) == (divisor == 1)


def test_limit_reached_reads_what_is_allowed() -> None:
    row = {"offset": 0.1, "error": 0.01, "allowed": 0.02}
    assert limit_reached([row], "error")
    assert not limit_reached([row, {**row, "error": 0.03}], "error")
    assert limit_reached([row, {**row, "offset": 0.0, "error": 1.0}], "error")
