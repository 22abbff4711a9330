"""Intervals from counts: they cover as often as they say, and not much more often where that can be told."""

from __future__ import annotations

import numpy as np
import pytest

from qae_theory import entropy_change, update_direction
from qae_theory.claims.statements import Statement
from simulators.experiments.common.shares import (
    generators,
    grouped,
    in_json,
    in_records,
    pooled_share,
    quantile_interval,
    read_statements,
    rounding,
    seed_share,
    total,
)

ROWS = [{"a": 1, "b": "x", "hits": 3, "rows": 4}, {"a": 2, "b": "x", "hits": 1, "rows": 4}]


def test_generators_are_independent_of_each_other_and_reproducible() -> None:
    one, two = (generators(np.random.SeedSequence(3), 2) for _ in range(2))
    assert [rng.random() for rng in one] == [rng.random() for rng in two]
    assert one[0].random() != one[1].random()


def test_counts_are_grouped_and_summed() -> None:
    assert {key: len(rows) for key, rows in grouped(ROWS, "b").items()} == {("x",): 2}
    assert list(grouped(ROWS, "a", "b")) == [(1, "x"), (2, "x")]
    assert total(ROWS, "hits") == 4
    share = pooled_share(ROWS, "hits", level=0.9)
    assert (share.estimate, share.draws, share.level) == (0.5, 8, 0.9)


def test_equal_shares_of_seeds_still_give_an_interval_with_width() -> None:
    share = seed_share([5, 5, 5], [5, 5, 5], level=0.9)
    assert share.estimate == share.high == 1
    # Three seeds of three: the one-sided 90 % Clopper-Pearson bound is the cube root of .1.
    assert share.low == pytest.approx(0.1 ** (1 / 3), rel=1e-12)
    none = seed_share([0, 0, 0], [5, 5, 5], level=0.9)
    assert (none.estimate, none.low) == (0, 0)
    assert none.high == pytest.approx(1 - 0.1 ** (1 / 3), rel=1e-12)


def test_shares_of_seeds_stay_between_0_and_1() -> None:
    share = seed_share([9, 10, 10], [10, 10, 10], level=0.99)
    assert share.high == 1
    assert seed_share([0, 0, 1], [10, 10, 10], level=0.99).low == 0
    assert share.estimate == pytest.approx(29 / 30)


# 400 intervals of level .9 from independent draws miss at most 40 times on average; more than 65 misses have a
# probability below 1e-4. The control's intervals, of level .6, miss some 130 times or more: at most 65 with a
# probability below 1e-9.
TRIES, MOST_MISSES = 400, 65


def misses(level: float) -> int:
    rng = np.random.default_rng(11)
    intervals = [quantile_interval(rng.exponential(size=60), 0.5, level=level) for _ in range(TRIES)]
    return sum(interval.excludes(np.log(2)) for interval in intervals)


def test_quantile_intervals_cover_as_often_as_they_say() -> None:
    assert misses(0.9) <= MOST_MISSES
    assert misses(0.6) > MOST_MISSES  # a test that could not fail would pass here too


def test_too_few_draws_leave_a_quantile_open() -> None:
    interval = quantile_interval(np.array([1.0, 2.0]), 0.5, level=0.99)
    assert (interval.low, interval.high) == (-np.inf, np.inf)
    assert in_json(interval)["low"] is None


def test_statements_survive_storage() -> None:
    statement = Statement(says="a", found=True, detail="b", planted="c", control_found=False, control_detail="d")
    assert read_statements({"statements": in_records([statement])}) == [statement]


def test_rounding_is_above_what_the_arithmetic_does_and_below_what_matters() -> None:
    """Against the exact change of a two-armed policy, whose first order is known in closed form."""
    logits, rewards = np.array([[0.0, 1.0], [0.0, 8.0]]), [[1, 0], [1, 0]]
    shifted = logits + 100.0  # the same policy, with other roundings
    direction = update_direction(logits, rewards, "natural_gradient")
    changes = [entropy_change(z, direction, 0.5) for z in (logits, shifted)]
    slack = rounding(logits, direction, 0.5)
    assert np.all(np.abs(changes[0] - changes[1]) <= slack)
    assert np.all(slack < 1e-8 * np.abs(changes[0]))
    assert rounding(logits, direction, -0.5).tolist() == slack.tolist()
