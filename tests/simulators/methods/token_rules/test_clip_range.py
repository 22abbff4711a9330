"""Clip ranges as options: which tokens each bound cuts, and what that does to entropy under random rewards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators.engine import State, step_on_groups
from simulators.environments import bandit
from simulators.methods import Method, get_method
from simulators.optimisers import Moments
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.simulators.methods.given import case_off_its_reference, given_batch, stepped

PLAIN = Update(aggregation="token_sum")


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.28), (0.05, 0.5), (1.0, np.inf), (0.0, 0.0)])
def test_a_bound_cuts_the_side_to_which_the_advantage_pushes(low: float, high: float) -> None:
    case = case_off_its_reference("tree", 1, queries=6)
    batch = given_batch(case)
    values = stepped(case, get_method("clip_range", low=low, high=high), PLAIN).passes[0].values
    cut = 0
    for place in np.argwhere(batch.mask):
        at = tuple(place)
        ratio = np.exp(batch.log_probs[at] - batch.old_log_probs[at])
        advantage = batch.advantages[at]
        is_cut = (advantage < 0 and ratio < 1 - low) or (advantage > 0 and ratio > 1 + high)
        expected = 0.0 if is_cut else ratio * advantage / case.responses.shape[-1]
        assert values[at] == pytest.approx(expected, rel=1e-12)
        cut += bool(is_cut)
    assert (cut > 0) == (high < np.inf)


def entropy_change(pi: Any, old: Any, low: float, high: float) -> float:
    """First-order change of entropy per unit step with random rewards: every arm drawn by ``old``, +1 or -1 evenly."""
    n = len(pi)
    signed = Method("signed", "random rewards of size 1", lambda r: 2 * r - 1, clip_low=low, clip_high=high)
    # One seed for each arm that may be drawn, and a query for each of the two rewards.
    logits, behaviour = (np.broadcast_to(np.log(x), (n, 2, 1, n)) for x in (pi, old))
    env = bandit(np.array([np.ones(n), np.zeros(n)]))
    responses = np.broadcast_to(np.arange(n)[:, None, None], (n, 2, 1))
    state = State(logits, Moments(), behaviour)
    step = step_on_groups(state, env, PLAIN, method=signed, responses=responses, rngs=())
    mean = (old[:, None, None, None] * 0.5 * step.direction).sum(axis=(0, 1, 2))
    entropy = -(pi * np.log(pi)).sum()
    return float((-pi * (np.log(pi) + entropy) * mean).sum())


def formula(pi: Any, old: Any, low: float, high: float) -> float:
    """The paper's, with mu = 1 and nu = 1/2: p (E Q - E[Q | low]) / 2 - q (E Q - E[Q | high]) / 2."""
    q = pi * (np.log(pi) - (pi * np.log(pi)).sum())
    mean = (pi * q).sum()
    total = 0.0
    for sign, cut in ((1, pi / old < 1 - low), (-1, pi / old > 1 + high)):
        mass = pi[cut].sum()
        if mass > 0:
            total += sign * 0.5 * mass * (mean - (pi[cut] * q[cut]).sum() / mass)
    return float(total)


@pytest.mark.parametrize("seed", range(8))
def test_the_paper_s_formula_for_random_rewards(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pi, old = (policy(1.5 * rng.normal(size=(1, 6))).probs[0] for _ in range(2))
    for low, high in ((0.2, 0.2), (0.05, np.inf), (1.0, 0.1)):
        assert entropy_change(pi, old, low, high) == pytest.approx(formula(pi, old, low, high), rel=1e-9, abs=1e-13)
    assert entropy_change(pi, old, 1.0, np.inf) == pytest.approx(0.0, abs=1e-13)


def test_the_sign_is_not_guaranteed() -> None:
    """The lower bound raises entropy where unlikely arms fell, and lowers it where the likely one did."""
    unlikely_fell = entropy_change(np.array([0.9, 0.1]), np.array([0.6, 0.4]), 0.2, np.inf)
    likely_fell = entropy_change(np.array([0.6, 0.4]), np.array([0.9, 0.1]), 0.2, np.inf)
    assert likely_fell < 0 < unlikely_fell


def test_the_defaults_are_ppo_s() -> None:
    method = get_method("clip_range")
    assert (method.clip_low, method.clip_high) == (0.2, 0.2)
    assert method.rewards_alone
