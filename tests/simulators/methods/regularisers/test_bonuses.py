"""Entropy bonuses, fixed and adaptive, against finite differences and a plain controller; AER's closed loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import initial_state, train
from simulators.engine import Step
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.methods.model.entropy import logged_entropy
from simulators.methods.model.registry import method_defaults
from simulators.methods.regularisers.batch_means import token_mean_weights
from simulators.tabular.policy import policy
from simulators.update import Update
from simulators.worlds import Difficulty, World, random_bandits
from tests.simulators.cases import Case
from tests.simulators.methods.given import (
    SEQUENCE_MEAN,
    case_off_its_reference,
    direction_of,
    given_batch,
    node_entropy,
    sampled_tokens,
    stepped,
)

TOKEN_MEAN = Update(clip_low=1.0, clip_high=np.inf)


def bonus(case: Case, logits: Any, s: int, factors: Any, *, token_mean: bool) -> float:
    """Sum over seed s's queries of factor times mean token entropy, in units in which every query counts one."""
    pi = policy(logits)
    queries, group = case.responses.shape[1:]
    lengths = [[len(sampled_tokens(case, (s, q, i))) for i in range(group)] for q in range(queries)]
    total = 0.0
    for q in range(queries):
        for i in range(group):
            share = queries / sum(map(sum, lengths)) if token_mean else 1 / (group * lengths[q][i])
            for node, _ in sampled_tokens(case, (s, q, i)):
                total += factors[q] * share * node_entropy(pi, (s, q), node)
    return total


def assert_gradient(case: Case, found: Any, factors: Any, *, token_mean: bool) -> None:
    """By central differences along random directions, whose error is of order 1e-10 here."""
    rng, step = np.random.default_rng(3), 1e-5
    for s in range(2):
        along = np.zeros_like(case.state.logits)
        along[s] = rng.normal(size=along[s].shape)
        up = bonus(case, case.state.logits + step * along, s, factors[s], token_mean=token_mean)
        down = bonus(case, case.state.logits - step * along, s, factors[s], token_mean=token_mean)
        assert (found * along).sum() == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("update", [SEQUENCE_MEAN, TOKEN_MEAN])
@pytest.mark.parametrize("shape", ["tree", "line"])
def test_the_bonus_is_the_gradient_of_the_mean_entropy(shape: str, update: Update) -> None:
    case = case_off_its_reference(shape, 1)
    added = direction_of(case, "entropy_bonus", update, coefficient=0.3) - direction_of(case, "dapo", update)
    token_mean = update.aggregation == "token_mean"
    assert_gradient(case, added, np.full((2, 3), 0.3), token_mean=token_mean)


def with_memory(case: Case, **memory: Any) -> Case:
    return case._replace(state=case.state._replace(memory=memory))


def test_the_adaptive_bonus_is_a_token_mean_whatever_the_loss_s_normaliser() -> None:
    case = case_off_its_reference("tree", 2)
    # The second seed's entropy is above the target, so that it gets no bonus.
    case = with_memory(case, coefficient=np.array([0.4, 0.4]), entropy=np.array([0.2, 0.2001]))
    for update in (SEQUENCE_MEAN, TOKEN_MEAN):
        added = direction_of(case, "adaptive_entropy", update) - direction_of(case, "grpo", update)
        assert_gradient(case, added, [[0.4] * 3, [0.0] * 3], token_mean=True)
        assert not added[1].any()


def test_aer_s_bonus_counts_hard_queries_more() -> None:
    case = case_off_its_reference("tree", 3)
    case = with_memory(case, alpha=np.array([0.4, 0.1]), target=np.array([1.0, 1.0]))
    added = direction_of(case, "aer", TOKEN_MEAN, spread=0.8) - direction_of(case, "dapo", TOKEN_MEAN)
    right = np.take_along_axis(case.env.arm_rewards, case.responses, axis=-1).mean(axis=-1)
    assert len(np.unique(right)) > 1
    factors = np.array([[0.4], [0.1]]) * (1 + 0.8 * (1 - 2 * right))
    assert_gradient(case, added, factors, token_mean=True)


def test_means_over_the_batch_against_plain_loops() -> None:
    case = case_off_its_reference("tree", 4)
    batch = given_batch(case)
    assert batch.context is not None
    pi = policy(case.state.behaviour)
    for s in range(2):
        places = [(s, q, i) for q in range(3) for i in range(5)]
        nodes = [(place, node) for place in places for node, _ in sampled_tokens(case, place)]
        expected = sum(node_entropy(pi, place[:2], node) for place, node in nodes) / len(nodes)
        assert logged_entropy(batch.context)[s] == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(token_mean_weights(batch.mask)[s][batch.mask[s]], 3 / len(nodes), rtol=1e-12)
    assert not token_mean_weights(batch.mask)[~batch.mask].any()


SEEDS = 4


def run(name: str, steps: int, **options: Any) -> list[Step]:
    """Updates of easy and hard bandits, at a step size at which GRPO's entropy falls by more than half."""
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence(5).spawn(SEEDS)]
    env, logits = random_bandits(World(queries=16, arms=8, difficulty=Difficulty(low=0.2, high=0.8)), rngs)
    state = initial_state(logits, bandit(env.arm_rewards))
    update = Update(method=name, options=options, group_size=8, step_size=1.0)
    return list(train(state, env, update, steps, rngs))


def measured(steps: list[Step]) -> Any:
    """Mean entropy of the sampled nodes before each update, ``[steps, seeds]``: a bandit's tokens share a node."""
    return np.array([[policy_entropy(step.before.logits[s]) for s in range(SEEDS)] for step in steps])


def policy_entropy(logits: Any) -> float:
    log_probs = policy(logits).log_probs
    return float(-(np.exp(log_probs) * log_probs).sum(axis=-1).mean())


def test_the_coefficient_follows_trl_s_controller() -> None:
    """A plain replay of the controller on the entropies that the run itself had, above and below the target."""
    target, delta, most = 1.3, 0.02, 0.5
    steps = run("adaptive_entropy", 60, target=target, delta=delta, most=most)
    entropies = measured(steps)
    assert (entropies > target).any()
    assert (entropies <= target).any()
    coefficients = [0.0] * SEEDS
    for step, row in zip(steps, entropies, strict=True):
        for s, entropy in enumerate(row):
            if entropy <= target:
                coefficients[s] = min(coefficients[s] + delta, most)
            else:
                coefficients[s] = max(coefficients[s] - delta, 0.0)
        memory = step.after.memory
        assert memory is not None
        np.testing.assert_allclose(memory["coefficient"], coefficients, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(memory["entropy"], row, rtol=1e-12)
    assert max(coefficients) <= most


@pytest.mark.train
def test_adaptive_entropy_s_defaults_are_trl_s() -> None:
    from trl import GRPOConfig

    config = GRPOConfig.__dataclass_fields__
    names = {
        "target": "entropy_target",
        "delta": "entropy_coef_delta",
        "coefficient": "entropy_coef",
        "least": "entropy_coef_min",
        "most": "entropy_coef_max",
    }
    defaults = method_defaults("adaptive_entropy")
    assert {option: config[theirs].default for option, theirs in names.items()} == {o: defaults[o] for o in names}


def test_aer_s_alpha_is_the_integral_of_the_error() -> None:
    steps = run("aer", 30, tau=0.6, gain=0.1)
    entropies = measured(steps)
    alpha = np.zeros(SEEDS)
    for step, row in zip(steps, entropies, strict=True):
        alpha = np.maximum(alpha + 0.1 * (0.6 * entropies[0] - row), 0.0)
        memory = step.after.memory
        assert memory is not None
        np.testing.assert_allclose(memory["alpha"], alpha, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(memory["target"], 0.6 * entropies[0], rtol=1e-12)


def test_aer_s_closed_loop_reaches_its_target() -> None:
    """Entropy ends within 10 % of tau H_0 in every seed, where GRPO's is below half of the target.

    Averages of the last 50 of 300 updates; band and steps were fixed before the first run.
    """
    tau = 0.6
    held, free = (measured(run(name, 300, **options)) for name, options in (("aer", {"tau": tau}), ("dapo", {})))
    target = tau * held[0]
    assert (np.abs(held[-50:].mean(axis=0) / target - 1) < 0.1).all()
    assert (free[-50:].mean(axis=0) < target / 2).all()


def test_the_first_update_has_no_bonus() -> None:
    """Nothing has been measured yet: TRL starts from an infinite entropy, AER from alpha = 0."""
    case = case_off_its_reference("bandit", 6)
    for name, same in (("adaptive_entropy", "grpo"), ("aer", "dapo")):
        options = {"coefficient": 0.5} if name == "adaptive_entropy" else {}
        first = stepped(case, get_method(name, **options)).direction
        np.testing.assert_array_equal(first, stepped(case, get_method(same)).direction)
