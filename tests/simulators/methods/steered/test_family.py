"""Given their memory, which of these rules stay in the family of claim `neutrality`, and how far the others leave it.

All groups of four responses of a bandit are enumerated, so that mean steps are exact up to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qae_theory.group_expectation import gain
from simulators.engine import State, step_on_groups
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.optimisers import Moments
from simulators.outcomes import outcome_table
from simulators.tabular.groups import all_groups
from simulators.update import Update

LOGITS = np.array([0.4, -0.3, 0.9, 0.0])
RIGHT = np.array([1.0, 0.0, 0.0, 1.0])
LENGTHS = np.array([3, 1, 2, 1])
GROUP_SIZE = 4
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum()
SUCCESS = float(PROBS @ RIGHT)
SLOPE = PROBS * (RIGHT - SUCCESS)  # gradient of the success probability


def mean_step(name: str, memory: Any, **options: Any) -> Any:
    """The mean first step over all groups, each a mini-batch of its own with this memory."""
    groups, weights = all_groups(np.log(PROBS)[None], GROUP_SIZE)
    count = len(groups)
    env = bandit(np.broadcast_to(RIGHT, (1, count, 1, 4)), LENGTHS)
    logits = np.broadcast_to(LOGITS, (1, count, 1, 1, 4))
    method = get_method(name, **options)
    wide = {key: np.broadcast_to(value, (1, count, *np.shape(value))) for key, value in memory.items()}
    state = State(logits, Moments(), logits, memory=wide or None)
    update = Update(method=name, options=options, group_size=GROUP_SIZE, aggregation="token_sum")
    step = step_on_groups(state, env, update, method, groups[None, :, None, :], ())
    return (weights[:, 0, None] * step.direction[0, :, 0, 0]).sum(axis=0)


def gain_of(name: str, **options: Any) -> float:
    return float(gain(SUCCESS, outcome_table(get_method(name, **options), GROUP_SIZE)))


def off_the_line(step: Any) -> float:
    """The share of a step's length that is not along the gradient of success."""
    along = (step @ SLOPE) / (SLOPE @ SLOPE) * SLOPE
    return float(np.linalg.norm(step - along) / np.linalg.norm(step))


@pytest.mark.parametrize("level", [0.2, 0.4, 0.8])
def test_a_schedule_has_the_gain_of_its_level(level: float) -> None:
    step = mean_step("qae_schedule", {"updates": np.array(3.0)}, k0=0.5, k1=level, steps=3)
    np.testing.assert_allclose(step, gain_of("qae", k=level) * SLOPE, rtol=1e-9)


@pytest.mark.parametrize("level", [0.2, 0.8])
@pytest.mark.parametrize("delay", [0, 1])
def test_a_steered_level_has_the_gain_of_that_level(level: float, delay: int) -> None:
    """On a bandit the logged entropy does not depend on the group, so that this is so at no delay too."""
    memory = {"integral": np.array(level), "k": np.array(0.5), "target": np.array(1.0), "errors": np.zeros(delay)}
    step = mean_step("qae_steered", memory, gain=0.0, proportional=0.0, delay=delay)
    np.testing.assert_allclose(step, gain_of("qae", k=level) * SLOPE, rtol=1e-9)
    moved = mean_step("qae_steered", memory, gain=0.0, proportional=50.0, delay=0, high=0.9, low=0.1)
    assert off_the_line(moved) < 1e-12


@pytest.mark.parametrize("baseline", [0.0, 0.37, 1.0])
def test_a_streaming_baseline_has_gain_one(baseline: float) -> None:
    step = mean_step("streaming_quantile", {"baseline": np.array([baseline])})
    np.testing.assert_allclose(step, SLOPE, rtol=1e-9)


def test_adaptive_clip_has_grpo_s_gain() -> None:
    step = mean_step("adaptive_clip", {"k": np.array(1.0)})
    np.testing.assert_allclose(step, gain_of("grpo") * SLOPE, rtol=1e-9)


def test_a_penalty_on_failures_changes_the_gain_and_one_on_lengths_the_direction() -> None:
    memory = {"multiplier": np.array(1.0), "quantiles": np.full(100, np.nan)}
    failures = mean_step("tilted_quantile", memory, rate=0.0)
    assert off_the_line(failures) < 1e-12
    multiple = float(failures @ SLOPE / (SLOPE @ SLOPE))
    assert abs(multiple - gain_of("grpo") / 2) > 0.01  # half of GRPO's would be the share of its own advantage
    lengths = mean_step("tilted_quantile", memory, rate=0.0, cost="length", limit=2.0)
    assert off_the_line(lengths) > 0.03  # 5 % of its length here
