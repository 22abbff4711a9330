"""What counts as found on Qwen3: by the fixed criteria, and never in the planted data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llm_validation.common.tables import select
from llm_validation.study.analysis.ladder import RUNGS
from llm_validation.study.analysis.pairs import FAVOURABLE
from llm_validation.study.analysis.verdicts import (
    favourable,
    ladder_statements,
    ordering_statements,
    passes,
    permuted,
    rates_hold,
)
from tests.llm_validation.study.analysis.synthetic import ADAM, SGD, probes
from tests.llm_validation.study.test_ordering import obedient


def table(seed: int = 0, **options: Any) -> dict[str, Any]:
    return probes(np.random.default_rng(seed), **{"count": 10, "settings": (SGD, ADAM), **options})


def figure(low: float | None) -> dict[str, float | None]:
    return {"estimate": low, "low": low, "high": low}


@pytest.mark.parametrize(
    ("r2", "signs", "expected"),
    [(0.5, 0.9, True), (0.49, 0.9, False), (0.5, 0.89, False), (None, 0.9, False), (0.5, None, False)],
)
def test_the_criterion_of_the_ladder(r2: float | None, signs: float | None, expected: bool) -> None:
    assert passes({"r2": figure(r2), "sign_agreement": figure(signs)}) is expected


def rate(regime: str, low: float | None) -> dict[str, Any]:
    return {"regime": regime, "by": "group", "rate": figure(low)}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([rate("hard", 0.99), rate("easy", 1.0)], True),
        ([rate("hard", 0.99), rate("hard", None), rate("easy", 1.0)], True),  # silent
        ([rate("hard", 0.99), {**rate("hard", 0.0), "by": "V"}, rate("easy", 1.0)], True),
        ([rate("hard", 0.98), rate("easy", 1.0)], False),
        ([rate("hard", 1.0), rate("easy", None)], False),
        ([rate("hard", 1.0)], False),
        ([], False),
        ([rate("hard", 1.0), rate("easy", 1.0) | {"rate": {"estimate": 1.0, "low": None, "high": None}}], False),
    ],
)
def test_the_criterion_of_the_order(records: list[dict[str, Any]], expected: bool) -> None:
    assert rates_hold(records) is expected


def test_only_plain_arms_in_the_favourable_setting_count() -> None:
    data = table(tasks=("digits", "sums"))
    found = favourable(data)
    assert list(found) == ["digits", "sums"]
    for task, rows in found.items():
        assert set(rows["optimiser"].tolist()) == {"sgd"}
        assert not rows["scaled"].any()
        assert set(rows["task"].tolist()) == {task}
    other = {**data, "identity": np.where(data["scaled"] | (data["optimiser"] == "adam"), 9.0, data["identity"])}
    assert ladder_statements(other) == ladder_statements(data)
    assert (
        ladder_statements(select(data, optimiser="adam")) == ordering_statements(select(data, optimiser="adam")) == []
    )


def test_an_identity_that_holds_is_found_and_not_when_dealt_out_anew() -> None:
    (one,) = ladder_statements(table())
    assert one.found
    assert not one.control_found
    assert FAVOURABLE in one.says
    for rung in RUNGS:
        assert f"{rung} " in one.detail
    assert "sampled does not pass" in one.detail
    assert "second_order passes" in one.detail


@pytest.mark.parametrize("options", [{"slope": -1.0}, {"noise": 3.0}, {"slope": 0.0}])
def test_an_identity_that_fails_is_not_found(options: dict[str, Any]) -> None:
    """By its signs at slope -1 although R^2 is near 1, by both under noise; the true changes pass all the same."""
    (one,) = ladder_statements(table(**options))
    assert not one.found
    assert "identity does not pass" in one.detail
    assert "first_order passes" in one.detail


def test_permuted_predictions_keep_their_bounds() -> None:
    data = table()
    dealt = permuted(data, np.random.default_rng(1))
    assert sorted(dealt["identity"].tolist()) == sorted(data["identity"].tolist())
    assert not np.array_equal(dealt["identity"], data["identity"])
    gap = data["identity_high"] - data["identity_low"]
    assert np.allclose(dealt["identity_high"] - dealt["identity_low"], gap, rtol=0, atol=1e-12)
    assert np.array_equal(dealt["change"], data["change"])


def test_an_order_that_holds_is_found_and_not_when_turned_round() -> None:
    (one,) = ordering_statements(obedient(np.random.default_rng(2), count=8, prompts=10))
    assert one.found, one.detail
    assert not one.control_found
    for k in ("0.4", "0.8"):
        for regime in ("hard", "easy"):
            assert f"K = {k}, {regime} by group: 1 [1, 1]" in one.detail
            assert f"K = {k}, {regime} by group: 0 [0, 0]" in one.control_detail
            assert f"K = {k}, {regime} by V: " in one.detail


def test_an_order_that_holds_mostly_is_not_found() -> None:
    (one,) = ordering_statements(obedient(np.random.default_rng(3), wrong=0.05, count=8, prompts=10))
    assert not one.found
    (coin,) = ordering_statements(table(4))
    assert not coin.found
    assert not coin.control_found


def test_the_same_figures_at_every_call() -> None:
    data = table(5)
    assert ladder_statements(data) == ladder_statements(data)
    assert ordering_statements(data) == ordering_statements(data)
