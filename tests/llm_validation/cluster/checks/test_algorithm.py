"""Checks of the algorithm; each passes what is right and fails or warns of what is planted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from llm_validation.cluster.checks import algorithm as module
from qae_theory import quantile_baseline
from tests.llm_validation.cluster.collect.settings_of_runs import overlong, run


@pytest.mark.parametrize(
    ("k", "shown"), [("0.4", "K = 2/5"), (0.55, "K = 11/20"), ("1/3", "K = 1/3"), (None, "2/5, the")]
)
def test_a_level_inside_passes(k: Any, shown: str) -> None:
    check = module.check_quantile(run(algorithm__quantile_k=k).algorithm)
    assert check.state == "ok"
    assert shown in check.sentence


@pytest.mark.parametrize("k", ["0", "1", 0, 1, 1.2, -0.1, "two", "", True, [0.4], "nan"])
def test_a_level_outside_fails(k: Any) -> None:
    check = module.check_quantile(run(algorithm__quantile_k=k).algorithm)
    assert check.state == "failed"
    assert check.sentence.startswith("algorithm.quantile_k must be a rational number strictly between 0 and 1")


@pytest.mark.parametrize(
    ("size", "state"),
    [
        (2, "ok"),
        (16, "ok"),
        (1, "failed"),
        (0, "failed"),
        (-3, "failed"),
        ("16", "failed"),
        (True, "failed"),
        (None, "failed"),
    ],
)
def test_a_group_of_one_fails(size: Any, state: str) -> None:
    check = module.check_group(run(actor_rollout_ref__rollout__n=size))
    assert check.state == state
    assert ("must be an integer >= 2" in check.sentence) is (state == "failed")


@pytest.mark.parametrize("size", range(2, 41))
def test_leaks_are_where_theory_md_says(size: int) -> None:
    """Fractional at exactly one m unless (G - 1) K is an integer; the value is the interpolated quantile's."""
    for k in (Fraction(i, 20) for i in range(1, 20)):
        found = module.leaking_counts(size, k)
        assert len(found) == (0 if ((size - 1) * k).denominator == 1 else 1)
        for m, value in found.items():
            group = [0.0] * (size - m) + [1.0] * m
            assert float(quantile_baseline(group, k, method="linear")) == pytest.approx(float(value), abs=1e-15)
            assert 0 < value < 1


def test_the_leaks_that_theory_md_names() -> None:
    assert module.leaking_counts(8, Fraction("0.4")) == {5: Fraction(4, 5)}
    assert module.leaking_counts(32, Fraction("0.4")) == {19: Fraction(2, 5)}
    assert not any(module.leaking_counts(16, Fraction(i, 5)) for i in range(1, 5))


@pytest.mark.parametrize(
    ("estimator", "size", "state", "shown"),
    [
        ("qae", 16, "ok", "the exact one in every group"),
        ("qae_linear", 16, "ok", "the exact one in every group"),
        ("qae_linear", 8, "warning", "at 5 right of 8 it is 0.8"),
        ("qae", 8, "warning", "the exact gate runs and does not leak; the released code's would"),
        ("grpo", 8, "ok", "no quantile baseline runs"),
        ("pos_mask", 8, "ok", "no quantile baseline runs"),
    ],
)
def test_a_leaky_cell_warns(estimator: str, size: int, state: str, shown: str) -> None:
    check = module.check_gate(run(algorithm__adv_estimator=estimator, actor_rollout_ref__rollout__n=size))
    assert (check.state, shown in check.sentence) == (state, True)


@pytest.mark.parametrize("size", [None, "many"])
def test_a_cell_that_is_none_is_left_to_the_other_checks(size: Any) -> None:
    assert module.check_gate(run(actor_rollout_ref__rollout__n=size)).state == "ok"


KEYS = ("score", "acc", "pred")


@pytest.mark.parametrize(
    ("config", "state"),
    [
        (run(), "ok"),
        (run(algorithm__filter_groups__enable=False), "ok"),
        (run(algorithm__filter_groups__metric="reward"), "ok"),
        (overlong(algorithm__filter_groups__metric="reward"), "warning"),
        (run(algorithm__filter_groups__max_num_gen_batches=10), "warning"),
        (run(algorithm__filter_groups__metric="seq_reward"), "failed"),
        (run(algorithm__filter_groups__metric=None), "failed"),
    ],
)
def test_dynamic_sampling_filters_by_what_there_is(config: Any, state: str) -> None:
    assert module.check_dynamic_sampling(config, KEYS).state == state


def test_dynamic_sampling_by_an_unknown_record_fails() -> None:
    assert module.check_dynamic_sampling(run(), None).state == "failed"
    assert module.check_dynamic_sampling(run(algorithm__filter_groups__enable=False), None).state == "ok"
