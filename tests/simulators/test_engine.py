"""The engine against an update in plain Python, and what must not change its results."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from qae_theory import expected_entropy_change
from qae_theory.baselines import is_hard_group
from qae_theory.checks import quantile_level
from qae_theory.entropy_change import entropy_change
from qae_theory.group_expectation import gain
from qae_theory.paper.overlong import Overlong
from simulators import initial_state, token_tree, train, update_on_all_groups, update_once
from simulators.engine import State, Step, step_on_groups
from simulators.environments import bandit, environment
from simulators.measures import displacement
from simulators.methods import get_method, method_names
from simulators.neutrality import predict
from simulators.optimisers import Moments
from simulators.outcomes import outcome_table
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators import slow
from tests.simulators.cases import Case, batch_of, clipped, policies, random_case, switches_of

# Tens of float64 operations on numbers near 1, summed in another order.
CLOSE = {"rtol": 1e-9, "atol": 1e-12}
# Adam divides by the root of a second moment: a gradient that is 0 but for rounding would become a full step. With this
# eps it does not.
ADAM_EPS = 1e-2


def updates() -> st.SearchStrategy[Update]:
    """Every switch of an update, the random token rules left out."""
    return st.builds(
        Update,
        method=st.sampled_from(["grpo", "dr_grpo", "rloo", "dapo", "gspo"]),
        group_size=st.just(5),
        step_size=st.sampled_from([0.1, 2.0]),
        epochs=st.integers(1, 3),
        clip_low=st.sampled_from([None, 0.05, 0.9]),
        clip_high=st.sampled_from([None, 0.05, np.inf]),
        dual_clip=st.sampled_from([None, 1.2, 3.0]),
        aggregation=st.sampled_from(["token_sum", "token_mean", "sequence_mean"]),
        dynamic_sampling=st.booleans(),
        signed_rewards=st.booleans(),
        # Rewards in quarters, so that a reward equal to its group's mean is so in float64 too, and A = 0 exactly.
        overlong=st.sampled_from([None, Overlong(max_length=4, cache=4), Overlong(max_length=3, cache=2)]),
        optimiser=st.sampled_from(["sgd", "adam"]),
        adam_eps=st.just(ADAM_EPS),
        adam_betas=st.sampled_from([(0.9, 0.999), (0.0, 0.5)]),
        max_grad_norm=st.sampled_from([None, 0.05, 1e3]),
        importance_ratio=st.booleans(),
    )


def run(case: Case, update: Update) -> Step:
    method = get_method(update.method, **update.options)
    return step_on_groups(case.state, case.env, update, method, case.responses, ())


@pytest.mark.parametrize("shape", ["bandit", "tree", "line"])
@given(update=updates(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_an_update_is_the_plain_one(shape: str, update: Update, seed: int) -> None:
    case = random_case(shape, np.random.default_rng(seed))
    step = run(case, update)
    for s in range(2):
        policy, old = policies(case, s)
        wanted, gradient, low, high = slow.update(policy, old, batch_of(case, update, s), switches_of(update))
        np.testing.assert_allclose(step.direction[s], gradient, **CLOSE)
        np.testing.assert_allclose(step.after.logits[s], wanted, **CLOSE)
        assert clipped(step, s) == (low, high)


@given(seed=st.integers(0, 2**32 - 1), method=st.sampled_from(["qae", "qae_linear", "psr", "nsr", "pos_mask"]))
@settings(max_examples=40)
def test_rules_for_binary_rewards_are_the_plain_ones(seed: int, method: str) -> None:
    case = random_case("tree", np.random.default_rng(seed))
    update = Update(method=method, group_size=5, epochs=2, step_size=1.0)
    step = run(case, update)
    for s in range(2):
        wanted = slow.update(*policies(case, s), batch_of(case, update, s), switches_of(update))[0]
        np.testing.assert_allclose(step.after.logits[s], wanted, **CLOSE)


@pytest.mark.parametrize("change", ["aggregation", "clip_high", "dual_clip", "importance_ratio", "sequence"])
def test_the_plain_update_tells_switches_apart(change: str) -> None:
    """The control: with one switch turned in the plain version alone, the two disagree."""
    case = random_case("tree", np.random.default_rng(1), stale=1.0)
    update = Update(method="grpo", group_size=5, dual_clip=1.2, aggregation="token_mean")
    step = run(case, update)
    wrong: dict[str, dict[str, Any]] = {
        "aggregation": {"aggregation": "sequence_mean"},
        "clip_high": {"clip_high": 5.0},
        "dual_clip": {"dual_clip": None},
        "importance_ratio": {"importance_ratio": False},
        "sequence": {"sequence_ratio": True},
    }
    switches = switches_of(update)
    for name, value in wrong[change].items():
        setattr(switches, name, value)
    gradients = [slow.update(*policies(case, s), batch_of(case, update, s), switches)[1] for s in range(2)]
    assert not np.allclose(step.direction, gradients, rtol=1e-3)


def test_adam_keeps_its_moments_from_update_to_update() -> None:
    case = random_case("bandit", np.random.default_rng(2), stale=0.0)
    update = Update(method="grpo", group_size=5, optimiser="adam", adam_eps=ADAM_EPS, epochs=2)
    method = get_method("grpo")
    memory = [slow.Adam(), slow.Adam()]
    state = case.state
    plain = [policies(case, s)[0] for s in range(2)]
    for _ in range(3):
        state = step_on_groups(state, case.env, update, method, case.responses, ()).after
        for s in range(2):
            batch = batch_of(case, update, s)
            plain[s] = slow.update(plain[s], plain[s], batch, switches_of(update), memory[s])[0]
        np.testing.assert_allclose(state.logits, plain, **CLOSE)
    assert state.moments.steps == 6


def test_adam_without_eps_leaves_untouched_logits_alone() -> None:
    case = random_case("tree", np.random.default_rng(3), stale=0.0)
    update = Update(method="grpo", group_size=5, optimiser="adam", adam_eps=0.0, step_size=0.25)
    responses = np.zeros_like(case.responses)  # the end token at once: deeper nodes are not visited
    responses[..., 0] = 1
    arm_rewards = np.zeros_like(case.env.arm_rewards)
    arm_rewards[..., 0] = 1
    env = environment(case.env.tree, arm_rewards)
    step = step_on_groups(case.state, env, update, get_method("grpo"), responses, ())
    moved = np.abs(step.after.logits - case.state.logits)
    visited = step.direction != 0
    assert not moved[~visited].any()
    # The first Adam step without eps is the sign of the gradient times the step size.
    np.testing.assert_allclose(moved[visited], 0.25, rtol=1e-9)
    assert visited.any()
    assert not visited.all()


def world(seeds: int, *, queries: int = 4, seed: int = 4) -> tuple[Any, Any, Any]:
    """Tree policies of several seeds, the environment, and each seed's generators."""
    tree = token_tree(2, 2)
    generators = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(seeds)]
    logits = np.stack([rng.normal(size=(queries, tree.nodes, tree.actions)) for rng in generators])
    rewards = np.stack([(rng.random((queries, tree.responses)) < 0.5) * 1.0 for rng in generators])
    return logits, environment(tree, rewards), generators


OPTIONS: dict[str, dict[str, Any]] = {
    "clip_cov": {"share": 0.2, "low": 0.0},
    "kl_cov": {"share": 0.2},
}


@pytest.mark.parametrize("name", method_names())
def test_seeds_run_together_are_seeds_run_alone(name: str) -> None:
    update = Update(method=name, options=OPTIONS.get(name, {}), group_size=6, epochs=2, step_size=1.0)
    logits, env, rngs = world(3)
    together = [step.after.logits for step in train(initial_state(logits, env), env, update, 3, rngs)]
    logits, env, rngs = world(3)
    for s in (2, 0, 1):
        alone = environment(env.tree, env.arm_rewards[s : s + 1])
        state = initial_state(logits[s : s + 1], alone)
        for step, wanted in zip(train(state, alone, update, 3, rngs[s : s + 1]), together, strict=True):
            np.testing.assert_array_equal(step.after.logits[0], wanted[s])


@pytest.mark.parametrize("name", ["qae", "clip_cov"])
def test_the_same_generators_give_the_same_run(name: str) -> None:
    update = Update(method=name, options=OPTIONS.get(name, {}), group_size=6)

    def final(seed: int) -> Any:
        logits, env, _ = world(2)
        rngs = [np.random.default_rng([seed, s]) for s in range(2)]
        *_, last = train(initial_state(logits, env), env, update, 3, rngs)
        return last.after.logits

    np.testing.assert_array_equal(final(1), final(1))
    assert not np.array_equal(final(1), final(2))


def test_mini_batches_do_not_see_one_another() -> None:
    """An axis between seed and query is a mini-batch: its token mean and its norm are its own."""
    case = random_case("tree", np.random.default_rng(5), seeds=4)
    update = Update(method="grpo", group_size=5, max_grad_norm=0.05)
    apart = run(case, update)
    env = environment(case.env.tree, case.env.arm_rewards[None])
    wide = State(case.state.logits[None], Moments(), case.state.behaviour[None])
    joined = step_on_groups(wide, env, update, get_method("grpo"), case.responses[None], ())
    np.testing.assert_array_equal(joined.after.logits[0], apart.after.logits)


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
def test_behaviour_policy_is_renewed_every_lag_updates(lag: int) -> None:
    logits, env, rngs = world(2)
    update = Update(method="grpo", group_size=6, behaviour_lag=lag, step_size=1.0)
    steps = list(train(initial_state(logits, env), env, update, 7, rngs))
    policies_seen = [steps[0].before.logits, *(step.after.logits for step in steps)]
    for t, step in enumerate(steps):
        latest = 0 if lag == 0 else t - t % lag
        np.testing.assert_array_equal(step.before.behaviour, policies_seen[latest])
        assert step.before.updates == t
    assert all(not np.array_equal(a, b) for a, b in pairwise(policies_seen))


def test_groups_come_from_the_behaviour_policy() -> None:
    """The behaviour policy is all but certain of one arm, the policy of another."""
    env = bandit(np.array([[[1.0, 0.0, 0.0]]]))
    state = State(np.array([[[[0.0, 0.0, 50.0]]]]), Moments(), np.array([[[[0.0, 50.0, 0.0]]]]))
    step = update_once(state, env, Update(method="nsr", group_size=4), [np.random.default_rng(6)])
    assert step.rollouts.responses.tolist() == [[[1, 1, 1, 1]]]


def test_without_ratio_stale_samples_count_as_fresh() -> None:
    case = random_case("tree", np.random.default_rng(7), stale=1.0)
    stale = run(case, Update(method="grpo", group_size=5, importance_ratio=False))
    fresh = run(case._replace(state=case.state._replace(behaviour=case.state.logits)), Update(group_size=5))
    np.testing.assert_array_equal(stale.direction, fresh.direction)
    assert not np.allclose(run(case, Update(method="grpo", group_size=5)).direction, fresh.direction, rtol=1e-2)


@pytest.mark.parametrize("k", ["0.2", "0.4", "0.7"])
def test_clip_sides_under_qae(k: str) -> None:
    """Claim `clip-sides`: hard groups meet only clip-high, easy ones only clip-low; GRPO's groups meet both."""

    def sides(name: str, **options: Any) -> tuple[Any, Any, Any]:
        rng = np.random.default_rng(8)
        logits = rng.normal(size=(1, 400, 6))
        env = bandit((rng.random((1, 400, 6)) < 0.5).astype(float))
        update = Update(
            method=name, options=options, group_size=8, epochs=6, step_size=2.0, clip_low=0.1, clip_high=0.1
        )
        step = update_once(initial_state(logits, env), env, update, [rng])
        hard = is_hard_group(step.rollouts.correct.sum(axis=-1), 8, quantile_level(k))[..., None, None]
        low = np.any([p.clipped_low for p in step.passes], axis=0)
        high = np.any([p.clipped_high for p in step.passes], axis=0)
        return hard, low, high

    hard, low, high = sides("qae", k=k)
    assert not (low & hard).any()
    assert not (high & ~hard).any()
    assert (high & hard).any()
    assert (low & ~hard).any()
    hard, low, high = sides("grpo")
    assert (low & hard).any()
    assert (high & ~hard).any()


@pytest.mark.parametrize("shape", ["bandit", "tree"])
@pytest.mark.parametrize("name", ["grpo", "qae", "rloo", "psr", "nsr", "neg_mask", "w_reinforce", "gspo"])
def test_exact_mean_update_is_gain_times_gradient_of_success(shape: str, name: str) -> None:
    case = random_case(shape, np.random.default_rng(9), seeds=1, queries=2, stale=0.0)
    rewards = case.env.arm_rewards.copy()
    rewards[..., 0], rewards[..., 1] = 1.0, 0.0
    env = environment(case.env.tree, rewards)
    update = Update(method=name, group_size=4, aggregation="token_sum")
    step, weights = update_on_all_groups(case.state, env, update)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, rtol=1e-12)
    mean = (weights[..., None, None] * step.direction).sum(axis=0)[0]
    table = outcome_table(get_method(name), 4)
    prediction = predict(case.state.logits[0], environment(case.env.tree, rewards[0]), table)
    np.testing.assert_allclose(mean, prediction.mean[:, None, None] * prediction.along, rtol=1e-9, atol=1e-13)
    # The control: another rule's gain is not this one's.
    if name in ("grpo", "qae"):
        other = predict(
            case.state.logits[0], environment(case.env.tree, rewards[0]), outcome_table(get_method("rloo"), 4)
        )
        assert not np.allclose(mean, other.mean[:, None, None] * other.along, rtol=1e-3)


@pytest.mark.parametrize("name", ["grpo", "qae", "qae_linear", "psr"])
def test_exact_entropy_change_is_that_of_the_theory(name: str) -> None:
    logits, rewards = np.array([0.3, -1.0, 1.2, 0.1]), np.array([1.0, 0.0, 0.0, 1.0])
    env = bandit(rewards[None, None])
    step, weights = update_on_all_groups(
        initial_state(logits[None, None], env), env, Update(method=name, group_size=5, step_size=1.5)
    )
    log_probs = logits - np.log(np.exp(logits).sum())
    changes = entropy_change(np.broadcast_to(log_probs, (len(weights), 1, 1, 4)), displacement(step, env), 1.0)
    wanted = float(expected_entropy_change(logits, rewards, 5, name, 1.5))
    assert float((weights * changes).sum()) == pytest.approx(wanted, rel=1e-9)


def test_dynamic_sampling_drops_degenerate_groups() -> None:
    """Exact mean under PSR, whose degenerate groups do count otherwise: P(mixed) times the gain on mixed groups."""
    logits, rewards = np.array([0.3, -1.0, 1.2]), np.array([1.0, 0.0, 0.0])
    env = bandit(rewards[None, None])
    probs = np.exp(logits) / np.exp(logits).sum()
    p = probs[0]
    means = {}
    for dynamic in (False, True):
        update = Update(method="psr", group_size=3, aggregation="token_sum", dynamic_sampling=dynamic)
        step, weights = update_on_all_groups(initial_state(logits[None, None], env), env, update)
        means[dynamic] = (weights[..., None, None] * step.direction).sum(axis=0)[0, 0, 0]
    table = outcome_table(get_method("psr"), 3)
    mixed = 1 - p**3 - (1 - p) ** 3
    slope = probs * (rewards - p)
    np.testing.assert_allclose(means[True], mixed * gain(p, table, mixed_only=True) * slope, rtol=1e-9)
    np.testing.assert_allclose(means[False], gain(p, table) * slope, rtol=1e-9)
    assert not np.allclose(means[True], means[False], rtol=1e-2)


def test_wrong_shapes_of_logits_are_refused() -> None:
    env = bandit(np.zeros((2, 3, 4)))
    for shape in [(2, 3, 5), (2, 2, 4), (3, 4), (2, 3, 2, 4)]:
        refuses(lambda shape=shape: initial_state(np.zeros(shape), env), "logits", np.zeros(shape))


def test_too_many_groups_are_refused() -> None:
    env = bandit(np.zeros((1, 1, 20)))
    state = initial_state(np.zeros((1, 1, 20)), env)
    refuses(lambda: update_on_all_groups(state, env, Update(group_size=16)), "group_size", 16)
