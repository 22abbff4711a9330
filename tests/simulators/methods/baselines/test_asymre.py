"""AsymRE: no ratio, no clip, and the limits of its flow on both sides of V = V_mu."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import initial_state, update_on_all_groups
from simulators.engine import step_on_groups
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators.cases import random_case

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@pytest.mark.parametrize("baseline", [0.0, 0.3, -1.0])
def test_a_constant_is_taken_off(baseline: float) -> None:
    rewards = np.random.default_rng(1).normal(size=(3, 4))
    np.testing.assert_array_equal(get_method("asymre", baseline=baseline).advantages(rewards), rewards - baseline)


def test_the_default_is_a_shift_below_the_group_s_mean() -> None:
    rewards = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    wanted = [[0.85, -0.15, -0.15, -0.15], [0.1] * 4]
    np.testing.assert_allclose(get_method("asymre").advantages(rewards), wanted, **CLOSE)
    np.testing.assert_allclose(
        get_method("asymre", shift=0).advantages(rewards), get_method("dr_grpo").advantages(rewards), **CLOSE
    )


@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_stale_samples_count_as_fresh_and_are_never_clipped(shape: str) -> None:
    """It is the rule of the constant baseline with the update's ratio switched off, on samples far off-policy."""
    case = random_case(shape, np.random.default_rng(2), stale=2.0)
    own = Update(method="asymre", options={"baseline": 0.5}, group_size=5, epochs=3, step_size=1.0)
    wanted = Update(
        method="constant", options={"baseline": 0.5}, group_size=5, epochs=3, step_size=1.0, importance_ratio=False
    )
    steps = [
        step_on_groups(case.state, case.env, u, get_method(u.method, **u.options), case.responses, ())
        for u in (own, wanted, wanted.model_copy(update={"importance_ratio": True}))
    ]
    np.testing.assert_array_equal(steps[0].after.logits, steps[1].after.logits)
    assert not any(p.clipped_low.any() or p.clipped_high.any() for p in steps[0].passes)
    assert not np.allclose(steps[0].after.logits, steps[2].after.logits)  # the control: ratios would have mattered


MU = np.array([0.4, 0.3, 0.2, 0.1])
RIGHT = np.array([1.0, 0.0, 1.0, 0.0])
V_MU = 0.6


START = np.array([0.3, -0.5, 0.2, 0.0])


def softmax(logits: Any) -> Any:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def flow(logits: Any, advantages: Any) -> Any:
    """The mean step on samples of mu, whose responses have these advantages, from the definition."""
    return MU * advantages - softmax(logits) * (MU @ advantages)


@pytest.mark.parametrize("baseline", [0.0, 0.5, 0.9])
def test_the_mean_step_of_the_engine_is_that_of_the_flow(baseline: float) -> None:
    env = bandit(RIGHT[None, None])
    behaviour = np.log(MU)[None, None, None]
    state = initial_state(START[None, None], env)._replace(behaviour=behaviour)
    update = Update(method="asymre", options={"baseline": baseline}, group_size=3, behaviour_lag=0)
    step, weights = update_on_all_groups(state, env, update)
    mean = (weights[..., None, None] * step.direction).sum(axis=0)[0, 0, 0]
    np.testing.assert_allclose(mean, flow(START, RIGHT - baseline), **CLOSE)


def after(baseline: float, updates: int = 20_000) -> Any:
    """The policy to which the flow of the rule's own advantages leads."""
    logits, advantages = START, get_method("asymre", baseline=baseline).advantages(RIGHT)
    for _ in range(updates):
        logits = logits + flow(logits, advantages)
    return softmax(logits)


def limit(baseline: float) -> Any:
    """(mu (r - V) - tau)_+ / (V_mu - V), tau by bisection so that it sums to 1."""
    signal = MU * (RIGHT - baseline)
    low, high = float(signal.min()) - 1, float(signal.max())
    for _ in range(200):
        tau = (low + high) / 2
        total = np.maximum(signal - tau, 0).sum() / (V_MU - baseline)
        low, high = (tau, high) if total > 1 else (low, tau)
    return np.maximum(signal - low, 0) / (V_MU - baseline)


@pytest.mark.parametrize("baseline", [-0.5, 0.0, 0.3, 0.4])
def test_below_v_mu_the_policy_tends_to_the_stated_limit(baseline: float) -> None:
    probs = after(baseline)
    np.testing.assert_allclose(probs, limit(baseline), atol=1e-3)
    assert (probs > 0.05).sum() >= 2


def test_the_limit_narrows_to_one_response_before_v_mu() -> None:
    """At V = 1/2 < V_mu = 3/5 only the response of largest mu is left; the transition ends there, not at V_mu."""
    assert limit(0.5).round(9).tolist() == [1, 0, 0, 0]
    assert after(0.55).argmax() == 0
    assert after(0.55).max() > 0.999


@pytest.mark.parametrize("baseline", [0.7, 1.0])
def test_above_v_mu_one_response_remains(baseline: float) -> None:
    """V = 1 is QAE's easy side."""
    assert after(baseline).max() > 0.999


@pytest.mark.parametrize(
    ("option", "value"), [("baseline", float("nan")), ("baseline", "mean"), ("shift", float("inf")), ("shift", None)]
)
def test_bad_options_are_refused(option: str, value: Any) -> None:
    refuses(lambda: get_method("asymre", **{option: value}), option, value)
