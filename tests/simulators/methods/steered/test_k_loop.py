"""K on a schedule and K steered by entropy, against loops in plain Python; limits, seeds, refusals."""

from __future__ import annotations

from fractions import Fraction
from math import cos, exp, log, pi
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from simulators import initial_state, train
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.methods.model.entropy import logged_entropy
from simulators.methods.steered.levels import qae_at
from simulators.update import Update
from tests import oracles
from tests.assertions import refuses
from tests.simulators.methods.contexts import bandit_context, tree_context

CLOSE = {"rtol": 1e-9, "atol": 1e-12}  # tens of float64 operations on numbers near 1


def plain_entropy(context: Any, s: int) -> float:
    """Mean entropy of seed s's sampled tokens, token by token."""
    total, count = 0.0, 0
    for q, group in enumerate(context.responses[s]):
        for y in group:
            for cell in context.tree.cells[y]:
                if cell >= 0:
                    row = context.behaviour.probs[s, q, cell // context.tree.actions]
                    total -= sum(float(p) * log(p) for p in row)
                    count += 1
    return total / count


def test_logged_entropy_is_the_mean_over_sampled_tokens() -> None:
    context = tree_context(np.random.default_rng(1))
    found = logged_entropy(context)
    assert found.shape == (3,)
    np.testing.assert_allclose(found, [plain_entropy(context, s) for s in range(3)], **CLOSE)


def test_logged_entropy_of_a_bandit_does_not_depend_on_the_responses() -> None:
    right, wrong = bandit_context([[[1, 1]], [[0, 1]]]), bandit_context([[[0, 0]], [[1, 0]]])
    np.testing.assert_array_equal(logged_entropy(right), logged_entropy(wrong))
    np.testing.assert_allclose(logged_entropy(right), log(2), rtol=1e-12)


@given(
    groups=st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=2, max_size=4),
    tenths=st.integers(1, 9),
)
@settings(max_examples=50)
def test_each_mini_batch_has_its_own_level(groups: list[list[int]], tenths: int) -> None:
    rewards = np.array(groups, dtype=float)[:, None, :]
    levels = np.array([(tenths + i) % 9 + 1 for i in range(len(groups))]) / 10
    wanted = [
        [[float(a) for a in oracles.advantages([Fraction(r) for r in group], "qae", k=Fraction(str(level)))]]
        for group, level in zip(groups, levels.tolist(), strict=True)
    ]
    np.testing.assert_allclose(qae_at(rewards, levels), wanted, **CLOSE)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_the_schedule_is_followed(shape: str) -> None:
    """Update t has the advantages of QAE at K_t, from a plain formula."""
    method = get_method("qae_schedule", k0=0.2, k1=0.8, steps=4, shape=shape)
    rewards = np.random.default_rng(2).integers(0, 2, (2, 3, 8))
    context = bandit_context(rewards)
    context = context._replace(memory=method.start(context))
    seen = []
    for t in range(7):
        x = min(t / 4, 1)
        level = 0.2 + 0.6 * (x if shape == "linear" else (1 - cos(pi * x)) / 2)
        wanted = get_method("qae", k=round(level, 9)).advantages(rewards.astype(float))
        np.testing.assert_allclose(method.context_advantages(context), wanted, **CLOSE)
        seen.append(wanted)
        context = context._replace(memory=method.remember(context, context.behaviour))
    assert not np.allclose(seen[0], seen[-1])  # the control: the levels do differ on these groups
    np.testing.assert_array_equal(seen[4], seen[6])


def test_a_schedule_that_stays_is_qae() -> None:
    finals = [final(name, options) for name, options in (("qae", {}), ("qae_schedule", {"k0": 0.4, "k1": 0.4}))]
    np.testing.assert_array_equal(*finals)
    assert not np.array_equal(finals[0], final("qae_schedule", {"k0": 0.4, "k1": 0.8, "steps": 2}))


def test_a_loop_without_gains_is_qae() -> None:
    still = {"gain": 0, "proportional": 0}
    np.testing.assert_array_equal(final("qae_steered", {"k": 0.4, **still}), final("qae", {"k": 0.4}))
    assert not np.array_equal(final("qae_steered", {"k": 0.4, "proportional": 20}), final("qae", {"k": 0.4}))


def final(name: str, options: dict[str, Any], *, updates: int = 8) -> Any:
    """Logits after some updates of three seeds' bandits with Adam, under which K matters."""
    logits, env, rngs = bandits()
    update = Update(method=name, options=options, group_size=8, step_size=0.05, optimiser="adam", epochs=2)
    *_, last = train(initial_state(logits, env), env, update, updates, rngs)
    return last.after.logits


def bandits() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(3)
    env = bandit((rng.random((3, 6, 5)) < 0.4).astype(float))
    return rng.normal(size=(3, 6, 5)), env, [np.random.default_rng([4, s]) for s in range(3)]


class PlainLoop:
    """The loop of one seed in plain Python, from the definition."""

    def __init__(self, options: dict[str, Any], entropy: float) -> None:
        self.options = options
        self.target = options["target"] if options["target"] is not None else options["share"] * entropy
        self.integral = options["k"]
        self.past = [0.0] * options["delay"]

    def level(self, entropy: float) -> float:
        o = self.options
        error = self.target - entropy
        if abs(error) <= o["band"]:
            error = 0.0
        self.past.append(error)
        acting = self.past.pop(0)
        if o["error"] == "sign":
            acting = float((acting > 0) - (acting < 0))
        self.integral = min(max(self.integral + o["gain"] * acting, o["low"]), o["high"])
        return min(max(self.integral + o["proportional"] * acting, o["low"]), o["high"])


LOOPS = st.fixed_dictionaries(
    {
        "target": st.sampled_from([None, 0.9, 1.2]),
        "share": st.sampled_from([0.7, 1.1]),
        "gain": st.sampled_from([0.0, 0.03, 0.4]),
        "proportional": st.sampled_from([0.0, 0.3, 2.0]),
        "delay": st.integers(0, 3),
        "band": st.sampled_from([0.0, 0.05]),
        "error": st.sampled_from(["proportional", "sign"]),
        "k": st.just(0.4),
        "low": st.sampled_from([0.1, 0.3]),
        "high": st.sampled_from([0.5, 0.9]),
    }
)


@given(options=LOOPS)
@settings(max_examples=60)
def test_the_loop_is_the_plain_one(options: dict[str, Any]) -> None:
    """Every seed's level follows that seed's own entropy, over ten updates of chosen entropies."""
    method = get_method("qae_steered", **options)
    context = bandit_context(np.random.default_rng(5).integers(0, 2, (3, 2, 8)))
    entropies = 0.95 + 0.3 * np.random.default_rng(6).random((10, 3))
    first = with_entropy(context, entropies[0])
    context = first._replace(memory=method.start(first))
    loops = [PlainLoop(options, float(h)) for h in logged_entropy(first)]
    for row in entropies:
        context = with_entropy(context, row)
        levels = [loop.level(float(h)) for loop, h in zip(loops, logged_entropy(context), strict=True)]
        advantages = method.context_advantages(context)
        context = context._replace(memory=method.remember(context, context.behaviour))
        np.testing.assert_allclose(context.memory["k"], levels, rtol=1e-12)
        np.testing.assert_array_equal(advantages, qae_at(context.rewards, context.memory["k"]))


def with_entropy(context: Any, entropies: Any) -> Any:
    """The context with a policy whose entropy per seed is about a number below log 2 + ..., by its probabilities."""
    # Any policy will do, because both sides read the entropy from it; these spread over a range around the targets.
    p = np.array([1 / (1 + exp(4 * (h - 0.95))) for h in entropies])
    probs = np.stack([p, 1 - p], axis=-1)[:, None, None, :] * np.ones((1, context.responses.shape[1], 1, 1))
    scale = np.array(entropies)[:, None, None, None]
    # Scaled log-probabilities stretch the entropy beyond that of two arms, so that targets near 1 nat are crossed.
    return context._replace(behaviour=context.behaviour._replace(probs=probs, log_probs=np.log(probs) * (1 + scale)))


def test_entropy_below_the_target_raises_k_and_above_lowers_it() -> None:
    context = bandit_context(np.zeros((1, 1, 4)))
    for target, rises in ((5.0, True), (0.1, False)):
        method = get_method("qae_steered", target=target)
        moved = method.remember(context._replace(memory=method.start(context)), context.behaviour)["k"]
        assert (moved > 0.4) == rises


def test_memory_is_that_of_each_mini_batch() -> None:
    context = bandit_context(np.zeros((2, 3, 4, 5)))
    memory = get_method("qae_steered", delay=2).start(context)
    assert {name: x.shape for name, x in memory.items()} == {
        "integral": (2, 3), "k": (2, 3), "target": (2, 3), "errors": (2, 3, 2),
    }  # fmt: skip


BAD = [
    ("qae_schedule", "k0", 0.0),
    ("qae_schedule", "k1", 1.0),
    ("qae_schedule", "steps", 0),
    ("qae_schedule", "shape", "step"),
    ("qae_schedule", "std", "sample"),
    ("qae_steered", "target", 0.0),
    ("qae_steered", "share", -1.0),
    ("qae_steered", "gain", -0.1),
    ("qae_steered", "proportional", float("nan")),
    ("qae_steered", "delay", -1),
    ("qae_steered", "delay", 1.5),
    ("qae_steered", "band", -0.1),
    ("qae_steered", "error", "squared"),
    ("qae_steered", "k", 0.95),
    ("qae_steered", "low", 0.0),
    ("qae_steered", "high", 0.05),
]


@pytest.mark.parametrize(("name", "option", "value"), BAD)
def test_bad_options_are_refused_by_name(name: str, option: str, value: Any) -> None:
    refuses(lambda: get_method(name, **{option: value}), option, value)
