"""One group under two rules: the law, and what is seen where it is broken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators.experiments.common.shares import generators
from simulators.experiments.paired.cells import checked, ordering_sum, paired_groups
from simulators.update import Update
from simulators.worlds import World, random_bandits
from tests.simulators.experiments.harness import analysis_of, config_of, found, records_of

TINY = {
    "seeds": 2,
    "queries": 100,
    "arms": [4],
    "spreads": [1.0],
    "group_sizes": [8],
    "step_sizes": [0.1, 10.0],
}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return records_of("paired", config_of("paired", **TINY))


def test_same_seed_same_records(records: list[dict[str, Any]]) -> None:
    assert records == records_of("paired", config_of("paired", **TINY))
    assert records != records_of("paired", config_of("paired", **TINY), seed=1)


def test_the_law_holds_and_its_controls_do_not(records: list[dict[str, Any]]) -> None:
    analysis = analysis_of("paired", config_of("paired", **TINY), records)
    assert found(analysis) == [True, True]
    assert not any(statement["control_found"] for statement in analysis["statements"])
    assert analysis["violations"] == analysis["outside_the_law"] == 0
    assert analysis["control_violations"] > 0
    assert 100 < analysis["rows"] <= 200  # mixed groups


@pytest.mark.parametrize("field", ["sign_breaks", "size_breaks"])
def test_a_single_break_of_the_law_is_seen(records: list[dict[str, Any]], field: str) -> None:
    index = next(i for i, row in enumerate(records) if row["rows"])
    planted = [*records[:index], {**records[index], field: 1}, *records[index + 1 :]]
    analysis = analysis_of("paired", config_of("paired", **TINY), planted)
    assert found(analysis)[0] is False
    assert analysis["violations"] == 1


def test_an_order_that_always_holds_is_not_called_undecided(records: list[dict[str, Any]]) -> None:
    null = [{**row, "law_holds": row["rows"]} for row in records]
    assert found(analysis_of("paired", config_of("paired", **TINY), null))[1] is False


def pair_under(rule: str, other: str) -> Any:
    rngs = generators(np.random.SeedSequence(5), 1)
    start = random_bandits(World(queries=50, arms=4), rngs)
    updates = [Update(method=name, group_size=8, aggregation="token_sum") for name in (rule, other)]
    return paired_groups(start, updates[0], updates[1], rngs=rngs)


def test_both_rules_see_the_same_group_and_policy() -> None:
    pair = pair_under("qae", "qae")
    assert np.array_equal(*pair.directions)
    assert np.all(pair.shift == 0)


def test_rules_that_do_not_differ_by_a_shift_are_outside_the_law() -> None:
    pair = pair_under("grpo", "dr_grpo")
    mixed = (pair.correct > 0) & (pair.correct < 8)
    assert mixed.any()
    assert np.all(np.isnan(pair.shift[mixed]))
    assert not checked(pair, mixed, [0.1])["sign_breaks"].any()


def test_the_sum_of_the_law_has_mean_zero_over_the_policy() -> None:
    """E[S] = 0 exactly: S is linear in the frequencies, and these average to pi."""
    log_probs = np.log([0.2, 0.5, 0.3])
    each = ordering_sum(log_probs, np.eye(3))
    assert float(np.exp(log_probs) @ each) == pytest.approx(0, abs=1e-15)
    assert np.abs(each).max() > 0.1


def test_k_is_given_to_the_rules_that_have_it() -> None:
    low, high = (records_of("paired", config_of("paired", **TINY, k=k)) for k in ("0.1", "0.9"))
    hard = [sum(row["rows"] for row in rows if row["regime"] == "hard") for rows in (low, high)]
    assert hard[0] > hard[1]
    for rows in (low, high):
        assert sum(row["sign_breaks"] + row["size_breaks"] for row in rows) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rules", ["qae", "no such rule"]),
        ("k", "0"),
        ("edges", [0.0, 0.5]),
        ("edges", [0.0, 0.5, 0.5, 1.0]),
        ("group_sizes", [1]),
        ("spreads", []),
    ],
)
def test_bad_sizes_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        config_of("paired", **{field: value})
