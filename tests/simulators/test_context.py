"""What the engine shows to rules and remembers for them: context, memory, reference, further directions, noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import initial_state, train, update_on_all_groups, update_once
from simulators.engine import State, step_on_groups
from simulators.environments import bandit, environment
from simulators.fused import advance, fused_table
from simulators.methods import Context, Method, get_method, register_method
from simulators.methods.model import registry
from simulators.tabular.policy import policy
from simulators.tabular.trees import token_tree
from simulators.update import Update
from simulators.verifier import VerifierNoise
from tests.assertions import refuses
from tests.simulators.cases import random_case

NOISE = VerifierNoise(false_positive=0.3, false_negative=0.3)


def world(seeds: int = 2, *, queries: int = 4) -> tuple[Any, Any, Any]:
    """Tree policies of several seeds, the environment, and each seed's generators."""
    tree = token_tree(2, 2)
    rng = np.random.default_rng(1)
    rewards = (rng.random((seeds, queries, tree.responses)) < 0.5).astype(float)
    logits = rng.normal(size=(seeds, queries, tree.nodes, tree.actions))
    return logits, environment(tree, rewards), [np.random.default_rng([2, s]) for s in range(seeds)]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A rule named ``spy`` that counts its updates in a memory and keeps every context that it sees."""
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    seen: list[Any] = []

    def start(context: Context) -> dict[str, Any]:
        seen.append(("start", context, None))
        return {"count": np.zeros(context.responses.shape[:-2])}

    def rule(context: Context) -> Any:
        seen.append(("rule", context, None))
        return context.rewards - 0.5

    def remember(context: Context, after: Any) -> dict[str, Any]:
        seen.append(("remember", context, after))
        return {"count": context.memory["count"] + 1}

    def make() -> Method:
        return Method("spy", "a test", lambda r: r - 0.5, start=start, context_advantages=rule, remember=remember)

    register_method("spy", make, source="a test")
    return seen


def calls(seen: list[Any], name: str) -> list[Any]:
    return [entry for entry in seen if entry[0] == name]


def test_memory_goes_from_update_to_update(spy: list[Any]) -> None:
    logits, env, rngs = world()
    steps = list(train(initial_state(logits, env), env, Update(method="spy", group_size=5), 3, rngs))
    assert len(calls(spy, "start")) == 1
    assert calls(spy, "start")[0][1].memory == {}
    assert [float(c.memory["count"][0]) for _, c, _ in calls(spy, "rule")] == [0, 1, 2]
    assert [float(step.after.memory["count"][1]) for step in steps] == [1, 2, 3]
    assert steps[0].before.memory is None


def test_rules_remember_after_the_update(spy: list[Any]) -> None:
    logits, env, rngs = world()
    update = Update(method="spy", group_size=5, epochs=2, step_size=1.0)
    *_, last = train(initial_state(logits, env), env, update, 2, rngs)
    _, context, after = calls(spy, "remember")[-1]
    np.testing.assert_array_equal(after.probs, policy(last.after.logits).probs)
    np.testing.assert_array_equal(context.behaviour.probs, policy(last.before.logits).probs)
    assert not np.allclose(after.probs, context.behaviour.probs)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_the_reference_stays_where_training_started(spy: list[Any], lag: int) -> None:
    logits, env, rngs = world()
    update = Update(method="spy", group_size=5, step_size=1.0, behaviour_lag=lag)
    steps = list(train(initial_state(logits, env), env, update, 4, rngs))
    for _, context, _ in spy:
        np.testing.assert_array_equal(context.reference.probs, policy(logits).probs)
    np.testing.assert_array_equal(steps[-1].after.reference, logits)
    assert not np.allclose(steps[-1].after.logits, logits)


def test_a_state_without_a_reference_takes_the_policy_as_it_stands(spy: list[Any]) -> None:
    logits, env, rngs = world()
    state = initial_state(logits, env)._replace(reference=None)
    update_once(state, env, Update(method="spy", group_size=5), rngs)
    np.testing.assert_array_equal(spy[-1][1].reference.probs, policy(logits).probs)


def test_the_context_is_that_of_the_rollouts(spy: list[Any]) -> None:
    logits, env, rngs = world()
    update = Update(method="spy", group_size=5, signed_rewards=True, noise=NOISE)
    step = update_once(initial_state(logits, env), env, update, rngs)
    _, context, _ = calls(spy, "rule")[0]
    np.testing.assert_array_equal(context.responses, step.rollouts.responses)
    np.testing.assert_array_equal(context.rewards, step.rollouts.rewards)
    np.testing.assert_array_equal(context.rewards, 2 * context.verdicts - 1)
    np.testing.assert_array_equal(context.lengths, env.lengths[context.responses])
    np.testing.assert_array_equal(context.arm_rewards, env.arm_rewards)
    truth = np.take_along_axis(env.arm_rewards, context.responses, axis=-1)
    np.testing.assert_array_equal(step.rollouts.correct, truth)
    assert not np.array_equal(context.verdicts, truth)
    np.testing.assert_array_equal(step.rollouts.advantages, context.rewards - 0.5)


def test_noise_leaves_the_truth_alone_and_moves_the_update() -> None:
    steps = {}
    for noise in (None, VerifierNoise(), NOISE):
        logits, env, rngs = world()
        update = Update(method="dr_grpo", group_size=5, noise=noise)
        steps[noise] = update_once(initial_state(logits, env), env, update, rngs)
    for step in steps.values():
        truth = np.take_along_axis(env.arm_rewards, step.rollouts.responses, axis=-1)
        np.testing.assert_array_equal(step.rollouts.correct, truth)
    # Groups are drawn before verdicts: one update's groups are the same with and without noise.
    np.testing.assert_array_equal(steps[NOISE].rollouts.responses, steps[None].rollouts.responses)
    np.testing.assert_array_equal(steps[VerifierNoise()].after.logits, steps[None].after.logits)
    assert not np.array_equal(steps[NOISE].after.logits, steps[None].after.logits)


def test_dynamic_sampling_goes_by_the_verdicts() -> None:
    """All responses are correct; groups count where the verifier rejects some of them."""
    env = bandit(np.ones((1, 200, 3)))
    update = Update(method="grpo", group_size=4, dynamic_sampling=True, noise=VerifierNoise(false_negative=0.3))
    step = update_once(initial_state(np.zeros((1, 200, 3)), env), env, update, [np.random.default_rng(3)])
    accepted = step.rollouts.rewards.sum(axis=-1)
    np.testing.assert_array_equal(step.rollouts.kept, (accepted > 0) & (accepted < 4))
    assert step.rollouts.kept.any()
    assert not step.rollouts.kept.all()
    assert (step.rollouts.correct == 1).all()


def test_a_rule_s_direction_is_added_in_every_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    push = np.random.default_rng(4).normal(size=(7, 4))[:3, :3]  # one number a node and action of the tree

    def make() -> Method:
        return Method(
            "pusher", "a test", lambda r: 0 * r, direction=lambda batch, weights: push + 0 * batch.policy.probs
        )

    register_method("pusher", make, source="a test")
    case = random_case("tree", np.random.default_rng(5), stale=0.0)
    update = Update(method="pusher", group_size=5, epochs=3, step_size=0.5)
    step = step_on_groups(case.state, case.env, update, get_method("pusher"), case.responses, ())
    np.testing.assert_allclose(step.after.logits - case.state.logits, np.broadcast_to(1.5 * push, (2, 3, 3, 3)))
    np.testing.assert_allclose(step.direction, np.broadcast_to(push, (2, 3, 3, 3)))


def test_a_rule_may_do_without_importance_ratios() -> None:
    case = random_case("tree", np.random.default_rng(6), stale=1.0)
    passes = []
    for name, ratio in (("asymre", True), ("asymre", False)):
        update = Update(method=name, group_size=5, importance_ratio=ratio)
        passes.append(step_on_groups(case.state, case.env, update, get_method(name), case.responses, ()).passes[0])
    np.testing.assert_array_equal(passes[0].values, passes[1].values)


def test_the_exact_mode_refuses_noise_and_memory() -> None:
    logits, env, _ = world()
    state = initial_state(logits, env)
    noisy = Update(method="grpo", group_size=2, noise=NOISE)
    with pytest.raises(ValueError, match="noise must be left out"):
        update_on_all_groups(state, env, noisy)
    refuses(
        lambda: update_on_all_groups(state, env, Update(method="qae_steered", group_size=2)), "method", "qae_steered"
    )
    update_on_all_groups(state, env, Update(method="qae", group_size=2))  # the control


def flat_world() -> tuple[State, Any, Any]:
    rng = np.random.default_rng(7)
    env = bandit((rng.random((2, 3, 5)) < 0.5).astype(float))
    return initial_state(rng.normal(size=(2, 3, 5)), env), env, [np.random.default_rng([8, s]) for s in range(2)]


def test_the_fused_path_refuses_noise_and_memory() -> None:
    _, env, _ = flat_world()
    assert fused_table(env, Update(method="qae")) is not None
    assert fused_table(env, Update(method="qae_noisy")) is not None
    assert fused_table(env, Update(method="qae", noise=NOISE)) is None
    # On-policy an adaptive clip clips nothing, but its memory has to move on.
    for name in ("adaptive_clip", "qae_steered", "streaming_quantile", "asymre"):
        assert fused_table(env, Update(method=name)) is None


@pytest.mark.parametrize(
    "update",
    [Update(method="qae"), Update(method="qae", noise=NOISE), Update(method="adaptive_clip")],
    ids=["fused", "noise", "memory"],
)
def test_advance_keeps_reference_and_memory(update: Update) -> None:
    state, env, rngs = flat_world()
    found = advance(state, env, update, 5, rngs)
    np.testing.assert_array_equal(found.reference, state.logits)
    assert not np.array_equal(found.logits, state.logits)
    state, env, rngs = flat_world()
    *_, last = train(state, env, update, 5, rngs)
    np.testing.assert_allclose(found.logits, last.after.logits, rtol=1e-9, atol=1e-12)
    if update.method == "adaptive_clip":
        assert found.memory is not None
        np.testing.assert_array_equal(found.memory["k"], last.after.memory["k"])
