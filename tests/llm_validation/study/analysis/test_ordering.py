"""Rates of the order against loops in rational arithmetic, and against a known truth."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from llm_validation.common.resampling import Resampling
from llm_validation.study.analysis.ladder import FLOOR
from llm_validation.study.analysis.ordering import is_hard, ordering, reversed_order
from llm_validation.study.analysis.pairs import FAVOURABLE
from qae_theory.arrays import Array
from tests.llm_validation.study.analysis.synthetic import ADAM, ARMS, SGD, probes

PLAIN = ("constant-0", "mean", "constant-1")


def how(seed: int = 0) -> Resampling:
    return Resampling(np.random.default_rng(seed), resamples=400)


def baseline(arm: str, m: int, size: int) -> Fraction:
    """By the sorted list of rewards."""
    if arm == "mean":
        return Fraction(m, size)
    if arm.startswith("constant-"):
        return Fraction(arm.removeprefix("constant-"))
    rewards = sorted([0] * (size - m) + [1] * m)
    level = Fraction(arm.partition("-")[2])
    return Fraction(next(r for i, r in enumerate(rewards, start=1) if Fraction(i, size) >= level))


def by_loops(table: dict[str, Array], quantile: str, other: str, by: str) -> Counter[tuple[str, str, str]]:
    """Regime, kind of group and outcome of every comparison."""
    k = Fraction(quantile.partition("-")[2])
    rows = [{name: column[i] for name, column in table.items()} for i in range(len(table["arm"]))]
    found: Counter[tuple[str, str, str]] = Counter()
    for one in rows:
        for two in rows:
            if one["arm"] != quantile or two["arm"] != other:
                continue
            if any(one[key] != two[key] for key in ("probe", "prompt", "optimiser")):
                continue
            m, size = int(one["num_correct"]), int(one["group_size"])
            value = Fraction(m, size) if by == "group" else Fraction(float(one["success_prob"]))
            regime = "hard" if value <= 1 - k else "easy"
            kind = "degenerate" if m in (0, size) else "mixed"
            difference = float(one["change"] - two["change"])
            if other != "grpo" and baseline(quantile, m, size) == baseline(other, m, size):
                outcome = "same_baseline"
            elif abs(difference) <= FLOOR:
                outcome = "ties"
            else:
                outcome = "holds" if (difference < 0) == (regime == "hard") else "fails"
            found[regime, kind, outcome] += 1
    return found


def record_of(records: list[dict[str, Any]], **wanted: Any) -> dict[str, Any]:
    (one,) = [record for record in records if all(record[key] == value for key, value in wanted.items())]
    return one


@pytest.mark.parametrize("by", ["group", "V"])
def test_counts_are_the_loops(by: str) -> None:
    table = probes(np.random.default_rng(0), count=3, prompts=7)
    table["change"] = np.round(table["change"])  # many ties
    records = ordering(table, how())
    listed = [(q, other) for q in ("quantile-0.4", "quantile-0.8") for other in PLAIN]
    pooled: Counter[tuple[str, str, str]] = Counter()
    for quantile, other in [*listed, ("qae-0.4", "grpo"), ("qae-0.8", "grpo")]:
        expected = by_loops(table, quantile, other, by)
        pooled += expected if quantile == "quantile-0.4" else Counter()
        assert sum(expected.values()) == 21
        for regime in ("hard", "easy"):
            for kind in ("mixed", "degenerate"):
                one = record_of(records, quantile=quantile, other=other, by=by, regime=regime, groups=kind)
                _agrees(one, expected, regime, kind)
                if other != "any" and kind == "mixed" and regime == "hard" and quantile == "quantile-0.4":
                    everyone = record_of(records, quantile=quantile, other="any", by=by, regime=regime, groups=kind)
                    assert everyone["holds"] >= one["holds"]
    for regime in ("hard", "easy"):
        one = record_of(records, quantile="quantile-0.4", other="any", by=by, regime=regime, groups="mixed")
        _agrees(one, pooled, regime, "mixed")
    assert {outcome for _, _, outcome in pooled} == {"holds", "fails", "ties", "same_baseline"}


def _agrees(record: dict[str, Any], expected: Counter[tuple[str, str, str]], regime: str, kind: str) -> None:
    for outcome in ("holds", "fails", "ties", "same_baseline"):
        assert record[outcome] == expected[regime, kind, outcome], (record, outcome)
    decided = record["holds"] + record["fails"]
    assert record["rate"]["estimate"] == (record["holds"] / decided if decided else None)


def test_the_threshold_is_decided_in_rationals() -> None:
    """K = .9, G = 10, m = 1 lies on it; in floats 1 - .9 is below .1. V = 3/5 is below 1 - .4 only as a float."""
    rows = {
        "num_correct": np.array([1, 2, 45, 46]),
        "group_size": np.array([10, 10, 100, 100]),
        "success_prob": np.array([0.1, 0.0999999, 0.6, math.nextafter(0.6, 1)]),
    }
    assert is_hard(rows, "0.9", "group").tolist() == [True, False, False, False]
    assert is_hard(rows, "0.55", "group").tolist() == [True, True, True, False]
    assert is_hard(rows, "0.9", "V").tolist() == [False, True, False, False]
    assert is_hard(rows, "0.4", "V").tolist() == [True, True, True, False]
    assert 1 - 0.9 < 0.1  # what a float would make of it


def obedient(rng: np.random.Generator, *, wrong: float = 0.0, **options: Any) -> dict[str, Array]:
    """Changes that fall with the arm's baseline as the proposition has it, each turned round with a probability."""
    table = probes(rng, **options)
    for i in range(len(table["arm"])):
        arm, m, size = str(table["arm"][i]), int(table["num_correct"][i]), int(table["group_size"][i])
        plain = arm.replace("qae-", "quantile-").replace("grpo", "mean")
        # Larger b, larger change: what the proposition is about at first order.
        table["change"][i] = float(baseline(plain, m, size)) * (-1 if rng.random() < wrong else 1)
    return table


def test_an_order_that_holds_always_and_its_reverse() -> None:
    table = obedient(np.random.default_rng(1), count=8, prompts=12)
    for data, rate in ((table, 1.0), (reversed_order(table), 0.0)):
        records = [one for one in ordering(data, how()) if one["by"] == "group" and one["groups"] == "mixed"]
        speaking = [one for one in records if one["rate"]["estimate"] is not None]
        assert {one["regime"] for one in speaking} == {"hard", "easy"}
        for one in speaking:
            assert one["rate"] == {"estimate": rate, "low": rate, "high": rate}
            assert one["ties"] == 0
            assert (one["above_half"], one["below_half"], one["always"]) == (rate == 1, rate == 0, rate == 1)


def test_equal_shares_of_few_probes_are_no_certainty() -> None:
    """Two comparisons in each of three probes, one of which holds: resamples have no spread, the truth may have."""
    table = probes(np.random.default_rng(8), count=3, prompts=2, arms=("constant-1", "quantile-0.4"))
    table["num_correct"][:] = 5  # hard at K = .4
    quantile = table["arm"] == "quantile-0.4"
    table["change"] = np.where(quantile, np.where(table["prompt"] == 0, -1.0, 1.0), 0.0)
    one = record_of(ordering(table, how()), other="constant-1", by="group", regime="hard", groups="mixed")
    likely = 0.01 ** (1 / 3)
    assert one["rate"]["estimate"] == 0.5
    assert (one["rate"]["low"], one["rate"]["high"]) == pytest.approx((likely / 2, 1 - likely / 2))
    assert (one["above_half"], one["below_half"], one["always"]) == (False, False, False)


def test_a_coin_is_told_from_both() -> None:
    table = probes(np.random.default_rng(2), count=30, prompts=12)
    one = record_of(
        ordering(table, how()), quantile="quantile-0.4", other="any", by="group", regime="hard", groups="mixed"
    )
    assert one["rate"]["low"] < 0.5 < one["rate"]["high"] < 1
    assert (one["above_half"], one["below_half"], one["always"]) == (False, False, False)


def test_a_probability_of_holding_is_estimated() -> None:
    """Of b = 0 (quantile, hard) against b = 1: the sign of the second alone is turned round, in 30 % of the rows."""
    table = obedient(np.random.default_rng(3), wrong=0.3, count=60, prompts=10)
    records = ordering(table, how())
    one = record_of(records, quantile="quantile-0.4", other="constant-1", by="group", regime="hard", groups="mixed")
    assert one["rate"]["low"] <= 0.7 <= one["rate"]["high"]
    assert one["rate"]["high"] - one["rate"]["low"] < 0.25


def test_degenerate_groups_are_apart() -> None:
    table = probes(np.random.default_rng(4), count=2, prompts=6)
    table["num_correct"] = np.where(table["prompt"] < 3, 0, 10)
    for one in ordering(table, how()):
        counts = one["holds"] + one["fails"] + one["ties"] + one["same_baseline"]
        assert (counts == 0) or one["groups"] == "degenerate"
        if one["other"] == "mean":
            assert one["holds"] + one["fails"] == 0  # the group's mean is its quantile


def test_v_is_asked_only_where_it_is_known() -> None:
    table = probes(np.random.default_rng(5), count=2, tasks=("digits", "sums"), settings=(SGD, ADAM))
    found = {(one["task"], one["by"]) for one in ordering(table, how())}
    assert found == {("digits", "V"), ("digits", "group"), ("sums", "group")}
    assert {one["setting"] for one in ordering(table, how())} == {FAVOURABLE, "adam eps 1e-08, 16 updates, clipped"}


def test_no_pairs_no_records() -> None:
    assert ordering(probes(np.random.default_rng(6), count=1, arms=("mean", "grpo")), how()) == []
    assert ordering(probes(np.random.default_rng(6), count=1, arms=ARMS[:1]), how()) == []


def test_a_missing_column_is_named() -> None:
    table = probes(np.random.default_rng(7), count=1)
    del table["num_correct"]
    with pytest.raises(ValueError, match="'num_correct'"):
        ordering(table, how())
