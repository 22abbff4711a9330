"""MC-GRPO, the leave-one-out quantile and the batch-wise quantile against plain Python; gains against the claims."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from qae_theory.group_expectation import gain
from simulators.methods import get_method
from simulators.methods.baselines.scale import over_std
from simulators.outcomes import outcome_table
from tests import oracles
from tests.assertions import refuses

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
LEVELS = st.sampled_from(["0.2", "0.4", "1/2", "0.55", "0.9"])
# Halves, so that ties and real rewards both occur.
REWARDS = st.lists(st.integers(-2, 3).map(lambda x: x / 2), min_size=2, max_size=7)


def plain_quantile(values: list[float], k: str) -> float:
    return sorted(values)[ceil(Fraction(k) * len(values)) - 1]


def plain_median(values: list[float]) -> float:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2


@given(rewards=REWARDS, eps=st.sampled_from([1e-6, 0.5, 1.0]))
@settings(max_examples=60)
def test_mc_grpo_is_the_plain_one(rewards: list[float], eps: float) -> None:
    median = plain_median(rewards)
    deviation = plain_median([abs(r - median) for r in rewards])
    wanted = [(r - median) / (deviation + eps) for r in rewards]
    np.testing.assert_allclose(get_method("mc_grpo", eps=eps).advantages(rewards), wanted, **CLOSE)


@pytest.mark.parametrize("size", [3, 7, 15])
def test_mc_grpo_is_qae_at_one_half_over_a_constant_in_odd_groups(size: int) -> None:
    """Claim `mc-grpo`, on every number of correct responses; in even groups m = G/2 breaks it."""
    for m in range(size + 1):
        group = np.repeat([1.0, 0.0], [m, size - m])
        wanted = get_method("qae", k="1/2", std="none").advantages(group) / 0.25
        np.testing.assert_array_equal(get_method("mc_grpo", eps=0.25).advantages(group), wanted)
    even = np.repeat([1.0, 0.0], 2)
    assert get_method("mc_grpo", eps=0.5).advantages(even).tolist() == [0.5, 0.5, -0.5, -0.5]


@given(rewards=REWARDS, k=LEVELS)
@settings(max_examples=80)
def test_loo_quantile_is_the_plain_one(rewards: list[float], k: str) -> None:
    wanted = [r - plain_quantile(rewards[:i] + rewards[i + 1 :], k) for i, r in enumerate(rewards)]
    assert get_method("loo_quantile", k=k).advantages(rewards).tolist() == wanted


@pytest.mark.parametrize("size", [2, 5, 8])
@pytest.mark.parametrize("k", ["0.2", "0.4", "0.75"])
def test_loo_quantile_has_gain_one(size: int, k: str) -> None:
    """Claim `loo-quantile`; the quantile of the whole group has not."""
    table = outcome_table(get_method("loo_quantile", k=k), size)
    whole = outcome_table(get_method("qae", k=k, std="none"), size)
    for p in (0.1, 0.5, 0.93):
        assert float(gain(p, table)) == pytest.approx(1, rel=1e-12)
        assert abs(float(gain(p, whole)) - 1) > 1e-6


def test_loo_quantile_of_two_is_rloo() -> None:
    groups = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [-1.5, 2.0]])
    np.testing.assert_array_equal(get_method("loo_quantile").advantages(groups), get_method("rloo").advantages(groups))


@given(
    batch=st.lists(st.lists(st.integers(0, 1), min_size=5, max_size=5), min_size=1, max_size=4),
    k=LEVELS,
    std=st.sampled_from(["population", "bessel", "none"]),
)
@settings(max_examples=80)
def test_batch_quantile_is_the_plain_one(batch: list[list[int]], k: str, std: str) -> None:
    b = plain_quantile([r for group in batch for r in group], k)
    wanted = []
    for group in batch:
        mean = sum(group) / len(group)
        square = sum((r - mean) ** 2 for r in group) / (len(group) - (std == "bessel"))
        scale = 1.0 if std == "none" else square**0.5 + 1e-6
        dead = std != "none" and len(set(group)) == 1
        wanted.append([0.0 if dead else (r - b) / scale for r in group])
    found = get_method("batch_quantile", k=k, std=std).advantages(np.array(batch, dtype=float))
    np.testing.assert_allclose(found, wanted, **CLOSE)


def test_a_batch_of_one_group_is_qae() -> None:
    for m in range(7):
        group = np.repeat([1.0, 0.0], [m, 6 - m])
        wanted = [float(a) for a in oracles.advantages([Fraction(int(r)) for r in group], "qae", k=Fraction(2, 5))]
        np.testing.assert_allclose(get_method("batch_quantile").advantages(group), wanted, **CLOSE)
        np.testing.assert_allclose(get_method("batch_quantile").advantages(group[None]), [wanted], **CLOSE)


def test_a_batch_has_one_regime() -> None:
    """A hard and an easy group of one batch: QAE treats them apart, the batch-wise gate alike."""
    batch = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
    assert np.sign(get_method("qae").advantages(batch)).tolist() == [[1, 0, 0, 0], [0, 0, 0, -1]]
    assert np.sign(get_method("batch_quantile").advantages(batch)).tolist() == [[1, 0, 0, 0], [1, 1, 1, 0]]
    mini_batches = np.stack([batch, 1 - batch])
    found = get_method("batch_quantile").advantages(mini_batches)
    np.testing.assert_array_equal(found, [get_method("batch_quantile").advantages(part) for part in mini_batches])


def test_a_degenerate_group_has_no_advantage_also_without_eps() -> None:
    groups = np.array([[1.0, 1.0], [0.3, 0.3], [1.0, 0.0]])
    found = over_std(groups - 2, groups, std="population", eps=0.0)
    np.testing.assert_allclose(found, [[0, 0], [0, 0], [-2, -4]])


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("mc_grpo", "eps", 0.0),
        ("mc_grpo", "eps", float("inf")),
        ("loo_quantile", "k", 1.0),
        ("batch_quantile", "k", "0"),
        ("batch_quantile", "std", "batch"),
        ("batch_quantile", "eps", -1.0),
    ],
)
def test_bad_options_are_refused(name: str, option: str, value: Any) -> None:
    refuses(lambda: get_method(name, **{option: value}), option, value)


def test_a_lone_response_has_no_others() -> None:
    refuses(lambda: get_method("loo_quantile").advantages([1.0]), "rewards", [1.0], says="two or more")
