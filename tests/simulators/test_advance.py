"""``fused.advance``: the trajectory of ``train`` without its records, whatever the batch and the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

from qae_theory.advantages import estimator_names
from simulators import Update, World, bandit_tree, environment, initial_state, random_bandits, train
from simulators.engine import State
from simulators.environments import Environment
from simulators.fused import advance
from simulators.methods import method_names
from tests.assertions import refuses

STEPS = 20

# Each departs in one switch from what the fused kernel does.
OTHERS = {
    "adam": {"optimiser": "adam"},
    "norm": {"max_grad_norm": 0.5},
    "epochs": {"epochs": 2},
    "lag": {"behaviour_lag": 3},
    "never renewed": {"behaviour_lag": 0},
    "signs": {"signed_rewards": True, "method": "grpo"},
    "overlong": {"overlong": {"max_length": 4, "cache": 2}, "method": "grpo"},
    "token weights": {"method": "clip_cov"},
}
FUSED = {
    "dynamic sampling": {"dynamic_sampling": True},
    "token sum": {"aggregation": "token_sum"},
    "sequence mean": {"aggregation": "sequence_mean"},
    "options": {"options": {"k": "0.7", "eps": 1e-2}},
    "clip": {"clip_low": 0.0, "clip_high": 0.0, "dual_clip": 2.0},
    "no ratio": {"importance_ratio": False},
}


def _generators(seeds: int = 3) -> list[np.random.Generator]:
    return [np.random.default_rng(s) for s in range(seeds)]


def _start(*, queries: int = 11, arms: int = 9, lengths: Any = None) -> tuple[State, Environment]:
    start = random_bandits(World(queries=queries, arms=arms), _generators())
    env = environment(bandit_tree(arms), start.env.arm_rewards, lengths)
    return initial_state(start.logits, env), env


def _trained(state: State, env: Environment, update: Update, steps: int = STEPS) -> State:
    for step in train(state, env, update, steps, _generators()):
        state = step.after
    return state


def _same(found: State, wanted: State, tolerance: float) -> None:
    np.testing.assert_allclose(found.logits, wanted.logits, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.behaviour, wanted.behaviour, rtol=0, atol=tolerance)
    assert found.updates == wanted.updates
    assert (found.behaviour is found.logits) == (wanted.behaviour is wanted.logits)


@pytest.mark.parametrize("method", estimator_names())
def test_fused_and_recorded_trajectories_agree(method: str) -> None:
    """One response drawn differently would move a logit by over 1e-3."""
    state, env = _start()
    update = Update(method=method, group_size=8, step_size=0.5)
    found = advance(state, env, update, STEPS, _generators())
    assert np.abs(found.logits - state.logits).max() > 0.05
    _same(found, _trained(state, env, update), 1e-12)


@pytest.mark.parametrize("name", method_names())
def test_every_method_advances_as_it_trains(name: str) -> None:
    state, env = _start()
    update = Update(method=name, group_size=8, step_size=0.5)
    _same(advance(state, env, update, STEPS, _generators()), _trained(state, env, update), 1e-12)


@pytest.mark.parametrize("switches", FUSED.values(), ids=FUSED)
def test_switches_of_the_fused_kernel(switches: dict[str, Any]) -> None:
    state, env = _start()
    update = Update(**{"method": "qae", "group_size": 4, "step_size": 0.5, **switches})
    _same(advance(state, env, update, STEPS, _generators()), _trained(state, env, update), 1e-12)


@pytest.mark.parametrize("switches", OTHERS.values(), ids=OTHERS)
def test_other_updates_are_the_recorded_ones(switches: dict[str, Any]) -> None:
    """Bit for bit: they are the same computation."""
    state, env = _start()
    update = Update(**{"method": "qae", "group_size": 4, "step_size": 0.5, **switches})
    _same(advance(state, env, update, STEPS, _generators()), _trained(state, env, update), 0.0)


@pytest.mark.parametrize("aggregation", ["token_sum", "token_mean", "sequence_mean"])
def test_arms_with_lengths(aggregation: str) -> None:
    state, env = _start(lengths=np.arange(1, 10))
    update = Update(method="qae", aggregation=aggregation, step_size=0.5)
    _same(advance(state, env, update, STEPS, _generators()), _trained(state, env, update), 1e-12)


def test_a_stale_start_is_caught_up_first() -> None:
    """The first update samples from another policy; from then on all are on-policy."""
    state, env = _start()
    state = state._replace(behaviour=np.zeros_like(state.logits))
    update = Update(method="qae", step_size=0.5)
    _same(advance(state, env, update, STEPS, _generators()), _trained(state, env, update), 1e-12)


def test_mini_batches_as_an_axis() -> None:
    state, env = _start(queries=12)
    shape = (3, 4, 3, 9)
    env = environment(env.tree, env.arm_rewards.reshape(shape))
    state = initial_state(state.logits.reshape(3, 4, 3, 1, 9), env)
    update = Update(method="qae", step_size=0.5)
    _same(advance(state, env, update, STEPS, _generators(), batch=5), _trained(state, env, update), 1e-12)


@pytest.mark.parametrize("batch", [1, 2, 10, 11, 12, 23, 33, 1000])
def test_batch_never_changes_a_bit(batch: int) -> None:
    state, env = _start()
    update = Update(method="qae", step_size=0.5)
    wanted, found = (advance(state, env, update, 5, _generators(), size) for size in (None, batch))
    np.testing.assert_array_equal(found.logits, wanted.logits)


def test_batch_bounds_memory() -> None:
    """Uniforms of all queries are 3 x 800 x 400 x 8 B, 7.7 MB; of a batch of 50, 0.16 MB; the logits are 0.06 MB."""
    state, env = _start(queries=800, arms=3)
    update = Update(method="grpo", group_size=400)
    peaks = []
    for batch in (None, 50):
        tracemalloc.start()
        advance(state, env, update, 1, _generators(), batch)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] > 7e6
    assert peaks[1] < 1e6


def test_the_start_is_left_alone_and_no_step_is_no_change() -> None:
    state, env = _start()
    before = state.logits.copy()
    assert advance(state, env, Update(), 0, _generators()) is state
    advance(state, env, Update(), 2, _generators())
    np.testing.assert_array_equal(state.logits, before)


THREADS = """
import numba, numpy as np
from simulators import Update, World, initial_state, random_bandits, update_once
from simulators.fused import advance
found = []
for threads in (1, 2):
    numba.set_num_threads(threads)
    rngs = [np.random.default_rng(s) for s in range(2)]
    start = random_bandits(World(queries=200), rngs)
    state = initial_state(start.logits, start.env)
    for batch in (None, 7, 150):
        state = advance(state, start.env, Update(method="qae", step_size=1.0), 3, rngs, batch)
        state = update_once(state, start.env, Update(method="qae", step_size=1.0), rngs).after
    found.append(state.logits.tobytes())
assert found[0] == found[1]
"""


def test_threads_never_change_a_bit() -> None:
    """In a process of its own: Numba fixes the largest number of threads when it is loaded."""
    subprocess.run([sys.executable, "-c", THREADS], check=True, env={**os.environ, "NUMBA_NUM_THREADS": "2"})


@pytest.mark.parametrize(
    ("name", "value"), [("steps", -1), ("batch", 0), ("rngs", _generators(2)), ("rngs", _generators(4))]
)
def test_bad_arguments_are_refused_by_name(name: str, value: Any) -> None:
    state, env = _start()
    arguments = {"steps": 1, "rngs": _generators(), name: value}
    refuses(lambda: advance(state, env, Update(), **arguments), name, value)
