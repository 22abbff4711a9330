"""DisCO's direction against finite differences of its objective, its identity with GRPO, and its penalty."""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import Any

import numpy as np
import pytest

from qae_theory import advantages
from simulators.methods import get_method
from simulators.methods.token_rules.disco import balanced_advantages, negative_shares
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators.cases import Case, tokens_of
from tests.simulators.methods.given import case_off_its_reference, direction_of


def plain_objective(case: Case, logits: Any, s: int, options: dict[str, Any]) -> float:
    """Seed s's objective, summed over queries, by plain loops; shares of KL are the released ones, halved."""
    pi, old = policy(logits), policy(case.state.behaviour)
    paths = tokens_of(case.env.tree)
    total, kl, tokens = 0.0, 0.0, 0
    queries, group = case.responses.shape[1:]
    for q in range(queries):
        right, wrong = [], []
        for i in range(group):
            y = int(case.responses[s, q, i])
            logs = [float(pi.log_probs[s, q][t]) for t in paths[y]]
            ratios = [exp(new - float(old.log_probs[s, q][t])) for new, t in zip(logs, paths[y], strict=True)]
            values = logs if options["score"] == "logL" else ratios
            score = sum(values) / len(values)
            (right if case.env.arm_rewards[s, q, y] == 1 else wrong).append(score)
            kl += sum(x - 1 - log(x) for x in ratios)
            tokens += len(ratios)
        if right and wrong:
            total += sum(right) / len(right)
            tau = options["tau"]
            total -= sum(wrong) / len(wrong) if tau == inf else tau * log(sum(exp(x / tau) for x in wrong) / len(wrong))
    return total - queries * options["beta"] / 2 * max(kl / tokens - options["delta"], 0.0) ** 2


OPTIONS: list[dict[str, Any]] = [
    {"score": "logL", "tau": 10.0, "beta": 0.0, "delta": 0.0},
    {"score": "logL", "tau": 0.3, "beta": 0.0, "delta": 0.0},
    {"score": "logL", "tau": inf, "beta": 5.0, "delta": 1e-4},
    {"score": "Lratio", "tau": 1.0, "beta": 5.0, "delta": 1e-3},
    {"score": "Lratio", "tau": inf, "beta": 0.0, "delta": 0.0},
]


@pytest.mark.parametrize("shape", ["bandit", "tree"])
@pytest.mark.parametrize("options", OPTIONS)
def test_the_direction_is_the_gradient_of_the_objective(options: dict[str, Any], shape: str) -> None:
    """Off-policy, by central differences along random directions: their error is of order 1e-10 here."""
    case = case_off_its_reference(shape, 1, group_size=6)
    if shape == "bandit":  # whose arms then count one token each, as plain_objective has them
        case = case._replace(env=case.env.__class__(case.env.tree, case.env.arm_rewards, case.env.tree.lengths))
    found = direction_of(case, "disco", **options)
    rng = np.random.default_rng(2)
    step = 1e-5
    for s in range(2):
        for _ in range(3):
            along = np.zeros_like(case.state.logits)
            along[s] = rng.normal(size=along[s].shape)
            up = plain_objective(case, case.state.logits + step * along, s, options)
            down = plain_objective(case, case.state.logits - step * along, s, options)
            assert (found * along).sum() == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8)


def test_the_penalty_is_0_within_delta_and_on_policy() -> None:
    case = case_off_its_reference("tree", 3)
    free = direction_of(case, "disco", beta=0.0)
    np.testing.assert_array_equal(direction_of(case, "disco", beta=10.0, delta=100.0), free)
    assert np.abs(direction_of(case, "disco", beta=10.0) - free).max() > 1e-3
    on_policy = case._replace(state=case.state._replace(behaviour=case.state.logits))
    penalised = direction_of(on_policy, "disco", beta=1e3, delta=0.0)
    np.testing.assert_array_equal(penalised, direction_of(on_policy, "disco", beta=0.0))


@pytest.mark.parametrize("right", range(1, 8))
def test_grpo_is_disco_times_the_weight_of_its_group(right: int) -> None:
    """GRPO with population std and eps = 0 is sqrt(p (1 - p)) times DisCO at tau = inf (the paper's Proposition 1)."""
    rewards = np.array([1.0] * right + [0.0] * (8 - right))
    p = right / 8
    scale = sqrt(p * (1 - p))
    grpo = advantages(rewards, "grpo", eps=0.0)
    np.testing.assert_allclose(grpo, scale * balanced_advantages(rewards), rtol=1e-12)
    assert balanced_advantages(rewards).sum() == pytest.approx(0.0, abs=1e-12)


def test_half_correct_groups_are_grpo_at_twice_the_step() -> None:
    case = case_off_its_reference("tree", 4, group_size=6)
    rewards = np.zeros_like(case.env.arm_rewards)
    rewards[..., :3] = 1.0
    responses = np.broadcast_to(np.array([0, 1, 2, 3, 4, 5]), case.responses.shape)
    half = Case(case.env.__class__(case.env.tree, rewards, case.env.lengths), case.state, responses)
    grpo = direction_of(half, "grpo", eps=0.0)
    disco = direction_of(half, "disco", score="Lratio", tau=inf, beta=0.0)
    np.testing.assert_allclose(disco, 2 * grpo, rtol=1e-9, atol=1e-14)


def test_weights_of_wrong_responses_sum_to_their_number_and_follow_the_softmax() -> None:
    scores = np.array([[-1.0, -2.0, -0.5, -3.0], [-1.0, -2.0, -0.5, -3.0]])
    wrong = np.array([[False, True, True, True], [False, False, False, False]])
    shares = negative_shares(scores, wrong, 0.5)
    masses = [exp(x / 0.5) for x in (-2.0, -0.5, -3.0)]
    np.testing.assert_allclose(shares[0], [1.0, *(3 * m / sum(masses) for m in masses)], rtol=1e-12)
    assert shares[1].tolist() == [1.0] * 4
    assert np.isfinite(negative_shares(1e4 * scores, wrong, 1e-3)).all()


def test_balanced_disco_depends_on_rewards_alone() -> None:
    assert get_method("disco", tau=inf, beta=0.0).rewards_alone
    assert not get_method("disco").rewards_alone
    assert not get_method("disco", tau=inf).rewards_alone


def test_the_score_log_l_has_no_importance_ratio() -> None:
    """With tau = inf its coefficients are the same wherever the sampling policy is."""
    case = case_off_its_reference("tree", 5)
    other = case._replace(state=case.state._replace(behaviour=2.0 * case.state.behaviour))
    options = {"tau": inf, "beta": 0.0}
    first = direction_of(case, "disco", **options)
    np.testing.assert_array_equal(first, direction_of(other, "disco", **options))
    ratio = {"score": "Lratio", **options}
    assert np.abs(direction_of(case, "disco", **ratio) - direction_of(other, "disco", **ratio)).max() > 1e-3


def test_rewards_other_than_0_and_1_are_refused() -> None:
    refuses(lambda: get_method("disco").advantages(np.array([0.5, 1.0])), "rewards", np.array([0.5, 1.0]))
    with pytest.raises(ValueError, match="method"):
        Update(method="disco", signed_rewards=True)
