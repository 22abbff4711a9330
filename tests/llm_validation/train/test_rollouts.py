from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qae_theory
from llm_validation.train.rollouts import (
    Rollouts,
    batch_metrics,
    group_advantages,
    is_mixed,
    process_slice,
    records,
    success_rate,
)
from llm_validation.train.settings import TrainConfig

NAN = math.nan
REWARDS = st.sampled_from([0.0, 1.0, -0.5, NAN])


@given(st.lists(st.lists(REWARDS, min_size=4, max_size=4), min_size=1, max_size=5), st.sampled_from(["grpo", "qae"]))
def test_advantages_are_those_of_each_group_alone(groups: list[list[float]], estimator: str) -> None:
    together = group_advantages(np.array(groups).reshape(-1), 4, estimator, {"eps": 0})
    for group, found in zip(groups, together.reshape(-1, 4), strict=True):
        scorable = [reward for reward in group if not math.isnan(reward)]
        alone = iter(qae_theory.advantages(scorable, estimator, eps=0) if len(scorable) > 1 else [0.0] * 4)
        wanted = [0.0 if math.isnan(reward) else next(alone) for reward in group]
        # Sums over four and over fewer numbers, in any order: a few roundings.
        np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-14)


# Two groups of four: [1, 0, 0, 0] with the variance 3/16, or 1/4 by Bessel, and [1, 1, 1, 1]. The variance of all
# eight by Bessel is 5 * 3 / (8 * 7). Before the divisor, R - b of the first group and of the second:
NUMERATORS = {
    "grpo": ([3 / 4, -1 / 4, -1 / 4, -1 / 4], [0, 0, 0, 0]),
    "dr_grpo": ([3 / 4, -1 / 4, -1 / 4, -1 / 4], [0, 0, 0, 0]),
    "rloo": ([1, -1 / 3, -1 / 3, -1 / 3], [0, 0, 0, 0]),
    "qae": ([1, 0, 0, 0], [0, 0, 0, 0]),
    "qae_linear": ([1, 0, 0, 0], [0, 0, 0, 0]),
    "psr": ([1, 0, 0, 0], [1, 1, 1, 1]),
    "nsr": ([0, -1, -1, -1], [0, 0, 0, 0]),
    "pos_mask": ([1, -1, -1, -1], [0, 0, 0, 0]),
    "neg_mask": ([1, 0, 0, 0], [0, 0, 0, 0]),
}
SPREADS = {"none": 1.0, "population": math.sqrt(3) / 4, "bessel": 1 / 2, "batch": math.sqrt(15 / 56)}


@pytest.mark.parametrize("std", SPREADS)
@pytest.mark.parametrize("estimator", qae_theory.estimator_names())
def test_every_baseline_has_every_divisor(estimator: str, std: str) -> None:
    eps = 1 / 8
    mixed, equal = NUMERATORS[estimator]
    scale = 1.0 if std == "none" else SPREADS[std] + eps
    wanted = np.array([*mixed, *(equal if std == "none" else [0] * 4)]) / scale
    options = {"std": std, "eps": eps}
    assert TrainConfig(estimator=estimator, options=options, group_size=4).options == options
    found = group_advantages(np.array([1.0, 0, 0, 0, 1, 1, 1, 1]), 4, estimator, options)
    # One subtraction, one root and one division of numbers near 1.
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("estimator", qae_theory.estimator_names())
def test_a_divisor_of_the_batch_leaves_out_what_could_not_be_scored(estimator: str) -> None:
    rewards = np.array([1.0, 0, NAN, 0, 0, 1, 1, 0, NAN, 1])
    found = group_advantages(rewards, 5, estimator, {"std": "batch", "eps": 0})
    undivided = group_advantages(rewards, 5, estimator, {"std": "none"})
    # Four of eight are right: Bessel's variance is 4 * 4 / (8 * 7).
    np.testing.assert_allclose(found, undivided / math.sqrt(2 / 7), rtol=1e-14)
    assert found[[2, 8]].tolist() == [0, 0]


@given(st.lists(REWARDS, min_size=1, max_size=6))
def test_a_group_is_mixed_if_two_scores_differ(group: list[float]) -> None:
    different = {reward for reward in group if not math.isnan(reward)}
    assert is_mixed(np.array([group])).tolist() == [len(different) > 1]


@given(st.integers(1, 4), st.integers(1, 5))
def test_slices_of_all_processes_are_the_whole(processes: int, rows: int) -> None:
    whole = list(range(processes * rows))
    slices = [whole[process_slice(index, rows)] for index in range(processes)]
    assert sum(slices, []) == whole  # noqa: RUF017, a handful
    assert {len(part) for part in slices} == {rows}


def batch(correct: list[float | None], group_size: int) -> Rollouts:
    rewards = np.array([NAN if score is None else score for score in correct], dtype=float)
    texts = [f"row {row}" for row in range(len(correct))]
    return Rollouts(texts, texts, [1] * len(correct), correct, rewards, np.nan_to_num(rewards), group_size)


@pytest.mark.parametrize(("k", "hard"), [("0.8", True), ("4/5", True), (0.8, True), ("0.8000001", False)])
def test_a_success_rate_of_just_one_minus_k_is_hard(k: str | float, hard: bool) -> None:
    assert batch_metrics(batch([1, 0, 0, 0, 0], 5), "qae", {"k": k})["hard_group_share"] == hard


def test_the_gate_and_the_share_agree() -> None:
    """A group counts as hard when its quantile is 0, for every G and m, at levels that floats get wrong."""
    for k in ("0.1", "0.2", "0.3", "0.4", "0.55", "0.6", "0.7", "0.8", "0.9", "1/3", "2/3"):
        for size in range(2, 13):
            for right in range(size + 1):
                group = [1.0] * right + [0.0] * (size - right)
                share = batch_metrics(batch(group, size), "qae", {"k": k})["hard_group_share"]
                assert share == (qae_theory.quantile_baseline(group, k) == 0)


def test_estimators_without_k_have_no_hard_groups() -> None:
    assert "hard_group_share" not in batch_metrics(batch([1, 0], 2), "grpo", {})


def test_what_is_not_defined_is_not_a_number() -> None:
    metrics = batch_metrics(batch([None] * 4, 2), "qae", {})
    assert math.isnan(metrics["success_rate"])
    assert math.isnan(metrics["hard_group_share"])
    assert metrics["unscorable_share"] == metrics["degenerate_share"] == metrics["zero_advantage_share"] == 1
    assert math.isnan(success_rate(np.array([])))


def test_rewards_and_not_advantages_decide_what_is_degenerate() -> None:
    """A rule without a baseline gives the one scored response 1 and the other 0."""
    assert batch_metrics(batch([1, 1, None, 0, 1, 0], 3), "psr", {})["degenerate_share"] == 1 / 2


def test_records_say_which_group_and_have_none_for_what_is_missing() -> None:
    found = records(batch([1.0, None, 0.0, 1.0], 2))
    assert [row["group"] for row in found] == [0, 0, 1, 1]
    assert found[1] == {
        "group": 0,
        "prompt": "row 1",
        "completion": "row 1",
        "tokens": 1,
        "correct": None,
        "reward": None,
        "advantage": 0.0,
    }
