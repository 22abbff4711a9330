"""The KL penalty's coefficients against the derivative of k3, and which divergence their mean descends."""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest

from simulators import update_on_all_groups
from simulators.engine import State
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.optimisers import Moments
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.simulators.methods.given import case_off_its_reference, given_batch, sampled_tokens, stepped


@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_the_penalty_is_minus_beta_times_the_derivative_of_k3(shape: str) -> None:
    case = case_off_its_reference(shape, 1)
    found = get_method("kl_penalty", beta=0.3).token_penalty(given_batch(case))
    pi, reference = policy(case.state.logits), policy(case.state.reference)

    def k3(log_prob: float, of_reference: float) -> float:
        return exp(of_reference - log_prob) - (of_reference - log_prob) - 1

    for place in np.ndindex(case.responses.shape):
        for t, token in enumerate(sampled_tokens(case, place)):
            own = float(pi.log_probs[place[:2]][token])
            other = float(reference.log_probs[place[:2]][token])
            slope = (k3(own + 1e-6, other) - k3(own - 1e-6, other)) / 2e-6
            # The error of the quotient is of order 1e-9 here.
            assert found[place][t] == pytest.approx(-0.3 * slope, rel=1e-6, abs=1e-7)


def test_it_is_added_after_clipping_and_normalised_as_the_loss_is() -> None:
    case = case_off_its_reference("tree", 2)
    update = Update(aggregation="sequence_mean", clip_low=0.0, clip_high=0.0)
    with_penalty = stepped(case, get_method("kl_penalty", beta=0.3), update).passes[0]
    without = stepped(case, get_method("grpo"), update).passes[0]
    penalty = get_method("kl_penalty", beta=0.3).token_penalty(given_batch(case))
    added = np.where(without.weights > 0, penalty, 0.0) * without.weights
    np.testing.assert_allclose(with_penalty.values - without.values, added, rtol=1e-9, atol=1e-14)


def mean_pull() -> tuple[Any, Any, Any]:
    """Exact mean of what the penalty adds on-policy with beta = 1, the policy and the reference, ``[n]`` each."""
    rng = np.random.default_rng(3)
    logits, reference = rng.normal(size=(2, 1, 1, 1, 5))
    env = bandit([[[1.0, 0.0, 1.0, 0.0, 0.0]]])
    state = State(logits, Moments(), logits, reference=reference)
    directions = []
    for beta in (1.0, 0.0):
        step, weights = update_on_all_groups(
            state, env, Update(method="kl_penalty", options={"beta": beta}, group_size=3)
        )
        directions.append((weights[..., None, None] * step.direction).sum(axis=0)[0, 0, 0])
    return directions[0] - directions[1], policy(logits).probs[0, 0, 0], policy(reference).probs[0, 0, 0]


def test_its_mean_descends_forward_kl_and_not_reverse_kl() -> None:
    added, pi, reference = mean_pull()
    np.testing.assert_allclose(added, reference - pi, rtol=1e-9, atol=1e-12)
    log_ratio = np.log(pi / reference)
    reverse = -pi * (log_ratio - (pi * log_ratio).sum())
    assert np.abs(added - reverse).max() > 0.01


def test_nothing_pulls_at_the_reference() -> None:
    case = case_off_its_reference("tree", 4)
    at_reference = case._replace(state=case.state._replace(reference=case.state.logits))
    penalty = get_method("kl_penalty").token_penalty(given_batch(at_reference))
    assert not penalty.any()
    method = get_method("kl_penalty")
    assert (method.clip_low, method.clip_high) == (0.2, 0.2)
