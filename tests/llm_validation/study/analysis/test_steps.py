"""One step: robust figures, bounds that can fail, terms, lines and their positive control, on a bandit and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from llm_validation.study.analysis.bounds import bounds
from llm_validation.study.analysis.ladder import Rows, groups, rung_rows
from llm_validation.study.analysis.robust import (
    fresh,
    how,
    median_relative_error,
    rank_correlation,
    robust,
    trimmed_slope,
)
from llm_validation.study.analysis.step_lines import positive_control, step_lines
from llm_validation.study.analysis.terms import chain_records
from llm_validation.study.bandit import bandit_probes
from qae_theory.claims.model import Answer

ARMS = ("constant-0", "mean", "constant-1", "quantile-0.4", "quantile-0.8", "grpo", "qae-0.4")


@pytest.fixture(scope="module")
def bandit() -> Any:
    return bandit_probes(ARMS, (0.01, 0.5), probes=10, seed=3)


def by_size(table: Any, size: float) -> Any:
    return {name: column[table["size"] == size] for name, column in table.items()}


# Robust figures


def test_rank_correlation_is_spearmans_and_slopes_are_lines() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    y = x**3 + 0.1 * rng.normal(size=50)
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1)
    assert np.isnan(rank_correlation(x, np.ones(50)))
    assert trimmed_slope(x, 3 * x + 1) == pytest.approx(3)


def test_a_few_large_rows_do_not_decide() -> None:
    """Control: they do decide the plain slope."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=100)
    y = 2 * x + 0.01 * rng.normal(size=100)
    x, y = np.append(x, [50.0, 60.0]), np.append(y, [-500.0, -700.0])
    assert trimmed_slope(x, y) == pytest.approx(2, abs=0.05)
    assert np.polyfit(x, y, 1)[0] < -5


def test_the_median_error_leaves_out_what_rounding_hides() -> None:
    assert median_relative_error(np.array([1.1, 2.0, 5.0]), np.array([1.0, 1.0, 0.0])) == pytest.approx(0.55)
    assert np.isnan(median_relative_error(np.ones(2), np.zeros(2)))


def test_intervals_are_over_probes_and_hold_the_estimate(bandit: Any) -> None:
    table = by_size(bandit, 0.5)
    found = robust(rung_rows(table, "centred"), fresh())
    assert found["probes"] == 10
    for name in ("rank", "trimmed_slope", "median_relative_error"):
        assert found[name]["low"] < found[name]["estimate"] < found[name]["high"]
    assert found == robust(rung_rows(table, "centred"), fresh())
    lonely = Rows(*(column[:30] for column in rung_rows(table, "centred")[:4]), np.zeros(30, dtype=int))
    assert robust(lonely, fresh())["rank"]["low"] is None


# The bandit


def test_on_a_table_of_logits_the_second_order_predicts_and_the_identity_does_not(bandit: Any) -> None:
    small = by_size(bandit, 0.01)
    assert positive_control(small)["usable"]
    assert robust(rung_rows(small, "sampled"), fresh())["rank"]["estimate"] > 0.99
    assert robust(rung_rows(small, "identity"), fresh())["rank"]["high"] < 0.7
    np.testing.assert_allclose(small["sampled"], small["first_order"], rtol=1e-9, atol=1e-15)


def test_its_sizes_are_those_of_the_rule(bandit: Any) -> None:
    rates = {size: np.unique(by_size(bandit, size)["learning_rate"]) for size in (0.01, 0.5)}
    np.testing.assert_allclose(rates[0.5], 50 * rates[0.01], rtol=1e-12)
    assert len(rates[0.01]) == 10  # one a probe


# Bounds


def record(records: Any, kind: str, size: float) -> Any:
    (found,) = [one for one in records if one["bound"] == kind and one["size"] == size]
    return found


def test_bounds_at_the_real_step_hold_and_the_paper_s_interval_does_not(bandit: Any) -> None:
    records = bounds(bandit, how())
    for size in (0.01, 0.5):
        for kind in ("predicted", "measured"):
            # On a table of logits the predicted displacement is the real one.
            assert record(records, kind, size)["violations"] == 0
        paper = record(records, "paper", size)
        assert 0 < paper["violations"] < paper["checked"]
        assert paper["coverage"]["low"] < paper["coverage"]["estimate"] < paper["coverage"]["high"] < 1
        assert 0 < paper["median"] <= paper["largest"]
    assert record(records, "box", 0.5)["violations"] > record(records, "box", 0.01)["violations"] == 0


def test_what_lies_between_the_ends_is_judged_on_arms_between_them(bandit: Any) -> None:
    one = record(bounds(bandit, how()), "arms", 0.01)
    # Two plain arms of five are the ends themselves; standardised ones are no baselines in [0, 1].
    assert one["checked"] == len(bandit["arm"]) // 2 * 3 // 7


def test_an_excess_is_how_far_a_change_lies_outside(bandit: Any) -> None:
    table = {name: column.copy() for name, column in by_size(bandit, 0.01).items()}
    table["first_order_low"][:] = table["change"] - 1
    table["first_order_high"][:] = table["change"] + 1
    table["change"][5] += 3.0
    one = record(bounds(table, how()), "predicted", 0.01)
    assert (one["violations"], one["largest"], one["median"]) == (1, pytest.approx(2.0), pytest.approx(2.0))
    assert one["median_relative"] == pytest.approx(2.0 / abs(table["change"][5]))


def test_no_number_lies_within_bounds(bandit: Any) -> None:
    table = {name: column.copy() for name, column in by_size(bandit, 0.01).items()}
    table["change"][5] = np.nan
    table["guaranteed_low"][3] = table["change"][3]  # on the bound is within
    one = record(bounds(table, how()), "measured", 0.01)
    assert (one["violations"], one["largest"], one["median_relative"]) == (1, None, None)


def test_guaranteed_bounds_leave_no_room_for_rounding(bandit: Any) -> None:
    table = {name: column.copy() for name, column in by_size(bandit, 0.01).items()}
    table["guaranteed_high"][3] = np.nextafter(table["change"][3], -1)
    table["first_order_high"][3] = table["guaranteed_high"][3]
    assert record(bounds(table, how()), "measured", 0.01)["violations"] == 1
    assert record(bounds(table, how()), "predicted", 0.01)["violations"] == 0


# Terms


def test_terms_are_shares_and_their_sum_is_checked(bandit: Any) -> None:
    table = {name: column.copy() for name, column in by_size(bandit, 0.5).items()}
    (one,) = chain_records(table, how())
    assert one["frozen_share"]["estimate"] == 1.0
    assert one["error"] == 0.0
    assert 0 < one["unsampled_share"]["low"] < one["unsampled_share"]["high"] < 1
    table["visiting"] = table["frozen"] * -0.5
    (other,) = chain_records(table, how())
    assert other["frozen_share"]["estimate"] == pytest.approx(2 / 3)
    assert other["error"] == pytest.approx(np.abs(table["frozen"]).max() / 2)
    table["functional"] = np.full(len(table["arm"]), "contexts of sampled responses, frozen")
    assert chain_records(table, how())[0]["error"] is None  # estimates need not add up


# Lines


def test_lines_count_probes_and_find_a_prediction_that_is_right(bandit: Any) -> None:
    table = {name: column.copy() for name, column in bandit.items()}
    table["identity"] = table["change"].copy()
    lines = {line.id: line for line in step_lines(table)[0]}
    assert set(lines) == {
        f"{claim}@bandit/sgd-1update-size{size}"
        for claim in ("ladder-qwen3", "ordering-qwen3")
        for size in ("0.01", "0.5")
    }
    right = lines["ladder-qwen3@bandit/sgd-1update-size0.01"]
    assert (right.outcome, right.n) == (Answer.FOUND, 10)
    table["identity"] = -table["change"]
    assert step_lines(table)[0][0].outcome is Answer.OPPOSITE
    rng = np.random.default_rng(0)
    table["identity"] = rng.normal(size=len(table["change"]))
    assert step_lines(table)[0][0].outcome is Answer.ABSENT


def test_an_order_that_holds_is_found_and_a_reversed_one_opposite(bandit: Any) -> None:
    table = {name: column.copy() for name, column in by_size(bandit, 0.01).items()}
    hard = table["num_correct"] / table["group_size"] <= 1 - 0.4
    quantile = np.char.startswith(table["arm"], "quantile-0.4")
    keep = quantile | np.isin(table["arm"], ["mean", "constant-0", "constant-1"])
    table = {name: column[keep] for name, column in table.items()}
    level = np.where(quantile & hard, -1.0, np.where(quantile, 1.0, 0.0))[keep]
    second = table["second_order"] - table["change"]
    for sign, expected in ((1.0, Answer.FOUND), (-1.0, Answer.OPPOSITE)):
        table["change"] = sign * level + 1e-3 * np.arange(len(level)) / len(level)
        table["second_order"] = table["change"] + 0 * second
        (one,) = [line for line in step_lines(table)[0] if line.claim == "ordering-qwen3"]
        assert one.outcome is expected


def test_where_the_second_order_does_not_predict_a_substrate_is_out(bandit: Any) -> None:
    table = {name: column.copy() for name, column in bandit.items()}
    table["second_order"] = np.random.default_rng(1).normal(size=len(table["change"]))
    lines, out = step_lines(table)
    assert lines == []
    assert {one["condition"] for one in out} == {"bandit/sgd-1update-size0.01", "bandit/sgd-1update-size0.5"}
    assert not out[0]["usable"]


def test_settings_that_are_not_plain_sgd_have_no_line(bandit: Any) -> None:
    table = {name: column.copy() for name, column in bandit.items()}
    table["optimiser"] = np.full(len(table["arm"]), "adam")
    table["adam_eps"] = np.full(len(table["arm"]), 1e-8)
    assert step_lines(table) == ([], [])
    assert len(list(groups(table))) == 2
