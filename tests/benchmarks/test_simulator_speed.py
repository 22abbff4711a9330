"""Figures, not tests: group updates of a softmax bandit beside plain NumPy and beside the floor, and how they grow.

All draw their own random numbers. The aim at 64 arms, G = 16 and 4096 queries: 60 times the plain loop, and within 6
times the floor, which is one exponential for each logit and one random number for each response.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numba
import numpy as np
import pytest

from simulators import Update, World, initial_state, random_bandits, update_once
from simulators.engine import State
from simulators.environments import Environment
from simulators.fused import advance

ARMS, GROUP, QUERIES = 64, 16, 4096
STEP_SIZE = 0.1
# Two decades each, the other two as above or, for speed, smaller.
GROWTH = {
    **{f"arms-{n}": (n, GROUP, 1024) for n in (16, 160, 1600)},
    **{f"queries-{q}": (ARMS, GROUP, q) for q in (128, 1280, 12800)},
    **{f"group-{g}": (ARMS, g, 1024) for g in (2, 20, 200)},
}
SMALLEST = {"arms": "arms-16", "queries": "queries-128", "group": "group-2"}
BATCHES = (64, 512, QUERIES)


def _bandits(arms: int = ARMS, queries: int = QUERIES) -> tuple[State, Environment]:
    """One seed of random bandits."""
    start = random_bandits(World(queries=queries, arms=arms), [np.random.default_rng(0)])
    return initial_state(start.logits, start.env), start.env


def _update(group_size: int = GROUP) -> Update:
    return Update(method="qae", group_size=group_size, step_size=STEP_SIZE)


def _loop(logits: Any, arm_rewards: Any, rng: np.random.Generator) -> Any:
    """QAE at K = 0.4, a query at a time, in plain NumPy."""
    moved = logits.copy()
    for q in range(len(logits)):
        probs = np.exp(logits[q] - logits[q].max())
        probs /= probs.sum()
        responses = rng.choice(len(probs), size=GROUP, p=probs)
        rewards = arm_rewards[q, responses]
        baseline, std = np.quantile(rewards, 0.4, method="inverted_cdf"), rewards.std()
        advantages = np.zeros(GROUP) if std == 0 else (rewards - baseline) / (std + 1e-6)
        direction = -advantages.sum() * probs
        np.add.at(direction, responses, advantages)
        moved[q] += STEP_SIZE * direction / GROUP
    return moved


def _rate(benchmark: Any, queries: int) -> None:
    """Group updates a second, by the median; nothing where timing is switched off."""
    benchmark.extra_info["threads"] = numba.get_num_threads()
    if benchmark.stats is not None:
        benchmark.extra_info["groups_per_s"] = round(queries / benchmark.stats.stats.median)


@pytest.mark.parametrize("peer", ["loop", "floor[1]"])
def test_fused_update(benchmark: Any, peer: str) -> None:
    """One step of ``advance``, random numbers and fresh memory for the logits included."""
    state, env = _bandits()
    rngs, update = [np.random.default_rng(1)], _update()
    benchmark.extra_info["peer"] = f"test_{peer}"
    after = benchmark.pedantic(advance, (state, env, update, 1, rngs), rounds=100, warmup_rounds=5)
    _rate(benchmark, QUERIES)
    assert np.any(after.logits != state.logits)


def test_fused_trajectory(benchmark: Any) -> None:
    """20 steps at once, beside the floor of as many: fresh memory once."""
    state, env = _bandits()
    rngs, update = [np.random.default_rng(1)], _update()
    benchmark.extra_info["peer"] = "test_floor[20]"
    after = benchmark.pedantic(advance, (state, env, update, 20, rngs), rounds=20, warmup_rounds=1)
    _rate(benchmark, 20 * QUERIES)
    assert np.any(after.logits != state.logits)


@pytest.mark.parametrize("peer", ["loop", "floor[1]"])
def test_recorded_update(benchmark: Any, peer: str) -> None:
    """``update_once``, which keeps responses, rewards, advantages, ratios and clip flags."""
    state, env = _bandits()
    rngs, update = [np.random.default_rng(1)], _update()
    benchmark.extra_info["peer"] = f"test_{peer}"
    step = benchmark.pedantic(update_once, (state, env, update, rngs), rounds=20, warmup_rounds=2)
    _rate(benchmark, QUERIES)
    assert np.any(step.after.logits != state.logits)


def test_loop(benchmark: Any) -> None:
    """Plain NumPy, a query at a time."""
    state, env = _bandits()
    logits, rewards, rng = state.logits[0, :, 0], env.arm_rewards[0], np.random.default_rng(1)
    moved = benchmark.pedantic(_loop, (logits, rewards, rng), rounds=3)
    _rate(benchmark, QUERIES)
    assert np.any(moved != logits)


@pytest.mark.parametrize("steps", [1, 20])
def test_floor(benchmark: Any, steps: int) -> None:
    """The exponentials and the random numbers alone, into memory at hand."""
    logits, rng = _bandits()[0].logits[0, :, 0], np.random.default_rng(1)
    weights, uniforms = np.empty_like(logits), np.empty((QUERIES, GROUP))

    def floor() -> None:
        for _ in range(steps):
            np.exp(logits, out=weights)
            rng.random(out=uniforms)

    benchmark.pedantic(floor, rounds=50, warmup_rounds=5)
    _rate(benchmark, steps * QUERIES)
    assert np.all(weights > 0)


@pytest.mark.parametrize("size", GROWTH)
def test_growth(benchmark: Any, size: str) -> None:
    """Growth with arms, queries and G, beside the smallest of each."""
    arms, group_size, queries = GROWTH[size]
    state, env = _bandits(arms, queries)
    smallest = SMALLEST[size.split("-")[0]]
    if size != smallest:
        benchmark.extra_info["peer"] = f"test_growth[{smallest}]"
    rngs, update = [np.random.default_rng(1)], _update(group_size)
    benchmark.pedantic(advance, (state, env, update, 10, rngs), rounds=10, warmup_rounds=1)
    _rate(benchmark, 10 * queries)


@pytest.mark.parametrize("batch", BATCHES)
def test_memory_by_batch(benchmark: Any, batch: int) -> None:
    """Time by ``batch``, and the peak of memory beside the start: the new logits and a batch's random numbers."""
    state, env = _bandits()
    rngs, update = [np.random.default_rng(1)], _update(256)
    if batch != QUERIES:
        benchmark.extra_info["peer"] = f"test_memory_by_batch[{QUERIES}]"
    advance(state, env, update, 1, rngs, batch)
    tracemalloc.start()
    advance(state, env, update, 1, rngs, batch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    benchmark.extra_info["peak_MiB"] = round(peak / 2**20, 3)
    benchmark.extra_info["logits_MiB"] = round(state.logits.nbytes / 2**20, 3)
    benchmark.pedantic(advance, (state, env, update, 1, rngs, batch), rounds=20, warmup_rounds=2)
    assert peak < state.logits.nbytes + batch * 256 * 8 + 2**18
