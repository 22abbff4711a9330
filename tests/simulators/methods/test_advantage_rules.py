"""GSPO, W-REINFORCE and A-GRAE against their formulas in plain Python."""

from __future__ import annotations

from math import sqrt
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from simulators.engine import step_on_groups
from simulators.methods import get_method
from simulators.outcomes import outcome_table
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators.cases import random_case

GROUPS = st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=1, max_size=4)


def plain_a_grae(batch: list[list[int]], alpha: float, eps: float = 1e-6, mean: float | None = None) -> Any:
    """The released function (grpo_weight 2), group by group."""
    overall = sum(sum(g) / len(g) for g in batch) / len(batch) if mean is None else mean
    result = []
    for group in batch:
        p, size = sum(group) / len(group), len(group)
        std = sqrt(sum((r - p) ** 2 for r in group) / (size - 1))
        scores = []
        for r in group:
            score = (r - p) / (std + eps)
            hard, easy = 0.5 * score / (sqrt(p) + eps), 0.5 * score / (1 - sqrt(p) + eps)
            score = (1 - overall) * easy + overall * hard
            scores.append(score * min(1, overall / alpha) if score > 0 else score)
        result.append(scores)
    return result


@given(batch=GROUPS, alpha=st.sampled_from([0.5, 1.0]))
def test_a_grae_is_the_released_function(batch: list[list[int]], alpha: float) -> None:
    found = get_method("a_grae", alpha=alpha).advantages(np.array(batch, dtype=float))
    np.testing.assert_allclose(found, plain_a_grae(batch, alpha), rtol=1e-9, atol=1e-12)


@given(batch=GROUPS, mean=st.sampled_from([0.0, 0.25, 1.0]))
def test_a_grae_with_a_given_mean_looks_at_one_group_at_a_time(batch: list[list[int]], mean: float) -> None:
    method = get_method("a_grae", batch_success=mean)
    found = method.advantages(np.array(batch, dtype=float))
    np.testing.assert_allclose(found, plain_a_grae(batch, 1.0, mean=mean), rtol=1e-9, atol=1e-12)
    alone = [method.advantages(np.array(group, dtype=float)) for group in batch]
    np.testing.assert_array_equal(found, alone)


def test_a_grae_s_batch_is_the_mini_batch() -> None:
    batch = np.array([[[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    method = get_method("a_grae")
    together = method.advantages(batch)
    np.testing.assert_array_equal(together, [method.advantages(part) for part in batch])
    assert not np.allclose(together[0, 0], together[1, 0])


def test_a_grae_lifts_unsampled_responses_unless_the_batch_is_solved() -> None:
    """The sum of advantages is that of the attenuation: negative, and 0 where the batch's mean reaches alpha."""
    rewards = np.array([[1.0, 1.0, 0.0, 0.0]])
    sums = [float(get_method("a_grae", batch_success=p).advantages(rewards).sum()) for p in (0.1, 0.5, 1.0)]
    assert sums[0] < sums[1] < -0.1
    assert sums[2] == pytest.approx(0, abs=1e-12)


def test_w_reinforce_weighs_successes_with_lambda() -> None:
    rewards = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert get_method("w_reinforce").advantages(rewards).tolist() == [[0.1, -1.0], [0.1, 0.1], [-1.0, -1.0]]
    nsr = get_method("nsr").advantages(rewards)
    np.testing.assert_array_equal(get_method("w_reinforce", lam=0.0).advantages(rewards), nsr)
    table = outcome_table(get_method("w_reinforce", lam=0.25), 4)
    np.testing.assert_array_equal(table.correct, [0, 0.25, 0.25, 0.25, 0.25])
    np.testing.assert_array_equal(table.wrong, [-1, -1, -1, -1, 0])


@pytest.mark.parametrize("name", ["w_reinforce", "a_grae"])
def test_other_rewards_than_0_and_1_are_refused(name: str) -> None:
    method = get_method(name)
    assert method.binary_only
    refuses(lambda: method.advantages([1.0, -1.0]), "rewards", [1.0, -1.0])


@pytest.mark.parametrize("shape", ["bandit", "tree"])
def test_gspo_is_grpo_at_the_first_pass_and_not_after(shape: str) -> None:
    """Clipped by neither, they differ at the second pass by the ratio alone."""
    case = random_case(shape, np.random.default_rng(31), stale=0.0)
    wide = {"clip_low": 1.0, "clip_high": np.inf}
    passes = {}
    for name in ("grpo", "gspo"):
        update = Update(method=name, group_size=5, aggregation="sequence_mean", epochs=2, step_size=2.0, **wide)
        passes[name] = step_on_groups(case.state, case.env, update, get_method(name), case.responses, ()).passes
    np.testing.assert_array_equal(passes["gspo"][0].values, passes["grpo"][0].values)
    assert not np.allclose(passes["gspo"][1].values, passes["grpo"][1].values, rtol=1e-3)
