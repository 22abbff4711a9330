"""Options at which a remedy is GRPO, exactly, over several updates; and that seeds do not disturb one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import initial_state, train
from simulators.environments import Environment, environment
from simulators.tabular.trees import token_tree
from simulators.update import Update

TREE = token_tree(2, 3)
STEPS = 4
# Clip range, passes and normaliser are the same for both, so that only the rule differs.
SHARED: dict[str, Any] = {
    "epochs": 2,
    "clip_low": 0.2,
    "clip_high": 0.28,
    "step_size": 0.5,
    "aggregation": "sequence_mean",
}


def world(seeds: int, queries: int = 3) -> tuple[Any, Environment]:
    rng = np.random.default_rng(1)
    right = (rng.random((seeds, queries, TREE.responses)) < 0.4).astype(float)
    logits = rng.normal(size=(seeds, queries, TREE.nodes, TREE.actions))
    # Every query has a wrong answer. That of the last one, to end at once, is rare, so that one answer is often correct
    # and 512 are never all correct.
    right[..., -1, :] = 1.0
    right[..., 0] = 0.0
    logits[..., -1, 0, 0] -= 1.5
    return logits, environment(TREE, right)


def trained(name: str, *, seeds: tuple[int, ...] = (0, 1), group_size: int = 6, **options: Any) -> Any:
    """The logits after a few updates of some of the two seeds' runs."""
    logits, env = world(2)
    picked = list(seeds)
    env = environment(TREE, env.arm_rewards[picked])
    update = Update(method=name, options=options, group_size=group_size, **SHARED)
    rngs = [np.random.default_rng([2, s]) for s in picked]
    *_, last = train(initial_state(logits[picked], env), env, update, STEPS, rngs)
    return last.after.logits


LIMITS: dict[str, dict[str, Any]] = {
    "clip_range": {"low": 0.2, "high": 0.2},
    "high_entropy": {"share": 1.0},
    "ace": {"alpha": 0.0},
    "stapo": {"rare": 0.0},
    "oar": {"level": 0.0, "beta": 0.0},
    "entropy_bonus": {"coefficient": 0.0},
    "adaptive_entropy": {"delta": 0.0},
    "aer": {"gain": 0.0},
    "kl_penalty": {"beta": 0.0},
    "trajectory_entropy": {"rate": 0.0},
    "dph_rl": {"samples": 512},
}
# Options at which the same rules act within four updates.
ACTING: dict[str, dict[str, Any]] = {
    "high_entropy": {},
    "ace": {},
    "stapo": {"rare": 0.3},
    "oar": {},
    "less": {},
    "disco": {},
    "entropy_bonus": {},
    "adaptive_entropy": {"target": 2.0},
    "aer": {"tau": 2.0},
    "kl_penalty": {},
    "trajectory_entropy": {"share": 2.0},
    "dph_rl": {"samples": 1},
}


@pytest.fixture(scope="module")
def grpo() -> Any:
    return trained("grpo")


@pytest.mark.parametrize("name", LIMITS)
def test_it_is_grpo_at_its_limit(name: str, grpo: Any) -> None:
    # The same operations but for products with 1 and sums with 0, and OAR's guard of 1e-8 in a denominator.
    np.testing.assert_allclose(trained(name, **LIMITS[name]), grpo, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ACTING)
def test_it_is_not_grpo_where_it_acts(name: str, grpo: Any) -> None:
    assert np.abs(trained(name, **ACTING[name]) - grpo).max() > 1e-4


def test_less_is_grpo_with_two_responses_and_no_recurring_run() -> None:
    """A mixed group of two has n+ = n- = 1, and no run here has five tokens."""
    np.testing.assert_array_equal(trained("less", group_size=2), trained("grpo", group_size=2))


@pytest.mark.parametrize("name", ACTING)
def test_a_seed_does_not_depend_on_the_others(name: str) -> None:
    together = trained(name, **ACTING[name])
    for s in (0, 1):
        np.testing.assert_array_equal(trained(name, seeds=(s,), **ACTING[name])[0], together[s])
