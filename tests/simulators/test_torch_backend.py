"""The torch back end follows NumPy's engine from the same uniforms, on the CPU, and refuses what it does not do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qae_theory.advantages import estimator_names
from simulators import Update, World, initial_state, random_bandits
from simulators.fused import advance
from simulators.torch_backend import train_on_torch
from simulators.worlds import Start
from tests.assertions import refuses

pytestmark = pytest.mark.torch

STEPS, SEEDS, QUERIES, ARMS, GROUP = 50, 2, 12, 9, 8


def _generators() -> list[np.random.Generator]:
    return [np.random.default_rng(seed) for seed in range(SEEDS)]


def _start() -> Start:
    return random_bandits(World(queries=QUERIES, arms=ARMS), _generators())


def _uniforms() -> Any:
    """What ``advance`` draws from the same generators."""
    return np.stack([rng.random((STEPS, QUERIES, GROUP)) for rng in _generators()], axis=1)


def _moved(start: Start, update: Update) -> tuple[Any, Any]:
    """Logits by NumPy's engine and by torch."""
    wanted = advance(initial_state(start.logits, start.env), start.env, update, STEPS, _generators())
    return wanted.logits[..., 0, :], train_on_torch(start.logits, start.env.arm_rewards, update, _uniforms())


@pytest.mark.parametrize("method", [*estimator_names(), "dapo"])
def test_follows_the_numpy_engine(method: str) -> None:
    """Rounding stays far below 1e-10; one response drawn differently moves a logit by over 1e-3."""
    start = _start()
    wanted, found = _moved(start, Update(method=method, group_size=GROUP, step_size=0.5))
    assert np.abs(found - start.logits).max() > 0.05
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)


def test_dynamic_sampling_and_options() -> None:
    start = _start()
    update = Update(method="nsr", group_size=GROUP, step_size=0.5, dynamic_sampling=True)
    wanted, found = _moved(start, update)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)
    other = train_on_torch(
        start.logits, start.env.arm_rewards, update.model_copy(update={"dynamic_sampling": False}), _uniforms()
    )
    assert np.abs(found - other).max() > 1e-3


def test_extreme_logits_and_the_last_uniform() -> None:
    logits = np.array([[[1e300, -1e300, -1e300], [0.0, 0.0, -1e5]]])
    rewards, update = np.array([[[1, 0, 0], [0, 1, 0]]]), Update(method="dr_grpo", group_size=2)
    uniforms = np.full((1, 1, 2, 2), np.nextafter(1.0, 0.0))
    found = train_on_torch(logits, rewards, update, uniforms)
    # All draw the last arm that has any probability: both right, so that nobody moves.
    np.testing.assert_array_equal(found, logits)


@pytest.mark.parametrize(
    "switches",
    [{"optimiser": "adam"}, {"epochs": 2}, {"max_grad_norm": 1.0}, {"method": "clip_cov"}, {"signed_rewards": True}],
)
def test_other_updates_are_refused(switches: dict[str, Any]) -> None:
    start, update = _start(), Update(group_size=GROUP, **switches)
    refuses(lambda: train_on_torch(start.logits, start.env.arm_rewards, update, _uniforms()), "update", update)


@pytest.mark.parametrize(
    "uniforms",
    [
        np.zeros((1, SEEDS, QUERIES, GROUP + 1)),
        np.zeros((SEEDS, QUERIES, GROUP)),
        np.ones((1, SEEDS, QUERIES, GROUP)),
        np.full((1, SEEDS, QUERIES, GROUP), -0.1),
        np.full((1, SEEDS, QUERIES, GROUP), np.nan),
        np.zeros((1, SEEDS, QUERIES, GROUP), dtype=np.float32),
    ],
    ids=["group", "rank", "one", "negative", "nan", "float32"],
)
def test_bad_uniforms_are_refused(uniforms: Any) -> None:
    start = _start()
    update = Update(group_size=GROUP)
    refuses(lambda: train_on_torch(start.logits, start.env.arm_rewards, update, uniforms), "uniforms", uniforms)


def test_bad_logits_are_refused() -> None:
    start = _start()
    logits = start.logits.copy()
    logits[0, 0, 0] = np.inf
    refuses(
        lambda: train_on_torch(logits, start.env.arm_rewards, Update(group_size=GROUP), _uniforms()), "logits", logits
    )
