"""Adaptive clip against its recipe in plain Python, in the engine's passes, and in a closed loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import World, initial_state, random_bandits, train
from simulators.engine import step_on_groups
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.methods.model.entropy import logged_entropy
from simulators.tabular.policy import Policy, policy, token_entropy
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators.cases import random_case
from tests.simulators.methods.contexts import bandit_context, tree_context


def test_k_follows_the_sign_and_stays_in_its_bounds() -> None:
    target = 0.85
    method = get_method("adaptive_clip", target=target)
    memory: Any = None
    plain, apart = [0.0] * 3, []
    for t in range(40):
        context = tree_context(np.random.default_rng([1, t]))
        context = context._replace(memory=method.start(context) if memory is None else memory)
        memory = method.remember(context, context.behaviour)
        for s, entropy in enumerate(logged_entropy(context)):
            towards = int(entropy < target) - int(entropy > target)
            plain[s] = min(max(plain[s] + 0.25 * towards, 0.0), 2.5)
        assert memory["k"].tolist() == plain
        apart.append(len(set(plain)) > 1)
    assert any(apart)  # a seed's k is its own


@pytest.mark.parametrize("k", [0.0, 0.5, 2.5])
def test_the_engine_clips_where_the_memory_says(k: float) -> None:
    """A pass with this k is that of GRPO with the range written out."""
    case = random_case("tree", np.random.default_rng(2), stale=2.0, queries=20)
    memory = {"k": np.array([k, 0.0])}
    own = step_on_groups(
        case.state._replace(memory=memory),
        case.env,
        Update(method="adaptive_clip", group_size=5),
        get_method("adaptive_clip"),
        case.responses,
        (),
    ).passes[0]
    clipped = {}
    for s, width in enumerate((k, 0.0)):
        fixed = Update(method="grpo", group_size=5, clip_low=0.6, clip_high=1 / 0.4 + width - 1)
        wanted = step_on_groups(case.state, case.env, fixed, get_method("grpo"), case.responses, ()).passes[0]
        np.testing.assert_array_equal(own.values[s], wanted.values[s])
        np.testing.assert_array_equal(own.clipped_high[s], wanted.clipped_high[s])
        clipped[s] = bool(own.clipped_high[s].any())
    assert clipped[1]
    assert clipped[0] == (k < 2)  # the control: a wide range clips nothing here


def test_the_update_s_own_range_counts_first() -> None:
    case = random_case("tree", np.random.default_rng(2), stale=1.0)
    update = Update(method="adaptive_clip", group_size=5, clip_high=np.inf)
    step = step_on_groups(case.state, case.env, update, get_method("adaptive_clip"), case.responses, ())
    assert not step.passes[0].clipped_high.any()


def test_on_policy_it_is_grpo() -> None:
    case = random_case("tree", np.random.default_rng(3), stale=0.0)
    finals = []
    for name in ("grpo", "adaptive_clip"):
        update = Update(method=name, group_size=5)
        finals.append(step_on_groups(case.state, case.env, update, get_method(name), case.responses, ()).after.logits)
    np.testing.assert_array_equal(*finals)


@pytest.mark.parametrize("clip", [0.6, 0.2])
def test_without_a_step_it_is_grpo_with_a_fixed_range(clip: float) -> None:
    rng = np.random.default_rng(4)
    env = bandit((rng.random((2, 4, 5)) < 0.5).astype(float))
    logits = rng.normal(size=(2, 4, 5))
    finals = []
    for update in (
        Update(method="adaptive_clip", options={"delta": 0.0, "clip": clip}, epochs=4, step_size=2.0),
        Update(method="grpo", clip_low=clip, clip_high=1 / (1 - clip) - 1, epochs=4, step_size=2.0),
    ):
        rngs = [np.random.default_rng([5, s]) for s in range(2)]
        *_, last = train(initial_state(logits, env), env, update, 3, rngs)
        finals.append(last.after.logits)
    np.testing.assert_array_equal(*finals)


def test_it_oscillates_in_a_narrow_band_where_entropy_answers_at_once() -> None:
    """The entropy of two arms rises with k and crosses the target between two values of k, which then take turns."""
    method = get_method("adaptive_clip", target=0.5)
    context = bandit_context(np.zeros((1, 1, 4)))
    memory = method.start(context)
    seen, entropies = [], []
    for _ in range(60):
        p = 0.05 + 0.1 * float(memory["k"][0])
        probs = np.array([[[[p, 1 - p]]]])
        context = context._replace(behaviour=Policy(np.log(probs), probs), memory=memory)
        seen.append(float(memory["k"][0]))
        entropies.append(float(logged_entropy(context)[0]))
        memory = method.remember(context, context.behaviour)
    assert len(set(seen[20:])) == 2
    assert max(seen[20:]) - min(seen[20:]) == 0.25
    assert min(entropies[20:]) < 0.5 < max(entropies[20:])


def test_on_bandits_it_does_not_hold_its_target() -> None:
    """Training takes the entropy below the target and k to its largest value, from which nothing is left to steer with.

    The range without k is [.4, 2.5] already, and hardly any ratio leaves it from above in a few passes.
    """
    rng = np.random.default_rng(6)
    env, logits = random_bandits(World(queries=8, arms=8), [rng, np.random.default_rng(7)])
    update = Update(method="adaptive_clip", options={"target": 1.0}, group_size=16, epochs=4, step_size=0.5)
    rngs = [np.random.default_rng([8, s]) for s in range(2)]
    *_, last = train(initial_state(logits, env), env, update, 60, rngs)
    entropy = token_entropy(policy(last.before.logits), env.tree).mean(axis=-1)
    assert (entropy < 0.5).all()
    assert (last.after.memory["k"] == 2.5).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [("clip", 1.0), ("clip", -0.1), ("target", -1.0), ("delta", -0.1), ("largest", float("inf")), ("eps", -1.0)],
)
def test_bad_options_are_refused_by_name(option: str, value: Any) -> None:
    refuses(lambda: get_method("adaptive_clip", **{option: value}), option, value)
