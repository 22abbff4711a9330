"""Shapes of training curves against a known truth, each with data that must not show it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from llm_validation.common.tables import select, take
from llm_validation.study import curves as shapes
from qae_theory.arrays import Array
from qae_theory.claims.statements import Statement
from qae_theory.curves.statistics import bonferroni
from tests.llm_validation.study.analysis.synthetic import runs

CLAIMS = {
    "shape-entropy-rises-with-k": 2,
    "shape-negative-samples-lead-growth": 1,
    "shape-negative-samples-hold-more-entropy": 2,
    "shape-mask-ordering": 3,
    "shape-sparsity-over-training": 2,
}
EFFECT: dict[str, Any] = {"rises": 1.0, "nearer": 0.2, "leads": 0.2, "negative": 0.5, "zeros": 0.8, "noise": 1e-3}


def table(seed: int = 0, **options: Any) -> dict[str, Array]:
    return runs(np.random.default_rng(seed), **{"tasks": ("digits", "sums"), **options})


def found(data: dict[str, Array]) -> dict[str, list[bool]]:
    return {claim: [one.found for one in listed] for claim, listed in shapes.statements(data).items()}


def test_what_is_there_is_found_and_not_in_the_planted_data() -> None:
    listed = shapes.statements(table(**EFFECT))
    assert {claim: len(some) for claim, some in listed.items()} == CLAIMS
    for claim, some in listed.items():
        for one in some:
            assert one.found, (claim, one.says, one.detail)
            assert not one.control_found, (claim, one.says, one.control_detail)


def test_what_is_not_there_is_not_found() -> None:
    """No effect: a 1 % error in each of the statements, which all need several intervals at once."""
    assert not any(any(some) for some in found(table(zeros=0.5)).values())


@pytest.mark.parametrize(
    ("claim", "change", "expected"),
    [
        ("shape-entropy-rises-with-k", {"rises": -1.0}, [False, False]),
        ("shape-negative-samples-lead-growth", {"negative": -0.5}, [False]),
        ("shape-negative-samples-hold-more-entropy", {"negative": -0.5}, [False, False]),
        ("shape-mask-ordering", {"nearer": 0.0, "leads": 0.2}, [False, False, True]),
        ("shape-mask-ordering", {"nearer": 0.2, "leads": -0.2}, [True, True, False]),
        ("shape-sparsity-over-training", {"zeros": 0.7}, [False, False]),
    ],
)
def test_an_effect_turned_round_is_not_found(claim: str, change: dict[str, Any], expected: list[bool]) -> None:
    assert found(table(**(EFFECT | change)))[claim] == expected


def test_one_condition_without_the_effect_is_enough() -> None:
    data = table(**EFFECT)
    other = table(**(EFFECT | {"rises": -1.0, "zeros": 0.9}))
    mixed = {name: np.where(data["task"] == "sums", other[name], column) for name, column in data.items()}
    assert found(mixed)["shape-entropy-rises-with-k"] == [False, False]
    assert found(mixed)["shape-sparsity-over-training"] == [False, False]


def test_the_slope_in_k_by_hand() -> None:
    data = table(1, tasks=("digits",), rises=0.3, steps=25, seeds=3)
    slope = shapes.rises(data)
    assert slope is not None
    got = slope["slopes"]["digits, adamw"]["equal steps"]
    by_seed = []
    for seed in range(3):
        ends = []
        for k in (0.2, 0.4, 0.8):
            rows = [
                float(data["entropy"][i])
                for i in range(len(data["step"]))
                if data["run"][i] == f"qae-{k}" and data["seed"][i] == seed and data["step"][i] in (24, 25)
            ]
            assert len(rows) == 2  # the last of ten windows over 25 steps
            ends.append(sum(rows) / 2)
        by_seed.append(float(np.polyfit([0.2, 0.4, 0.8], ends, 1)[0]))
    centre, error = np.mean(by_seed), np.std(by_seed, ddof=1) / math.sqrt(3)
    half = stats.t.ppf(0.5 + bonferroni(0.99, 2) / 2, 2) * error
    # A mean of a dozen numbers of size one.
    assert got["estimate"] == pytest.approx(centre, abs=1e-12)
    assert (got["low"], got["high"]) == pytest.approx((centre - half, centre + half), abs=1e-10)


def test_the_signs_by_hand() -> None:
    data = table(2, tasks=("digits",), negative=0.2, seeds=3)
    data["growth_positive"][data["seed"] == 0] -= 10.0  # entropy falls there: it says nothing about growth
    signs = shapes.by_sign(data)
    assert signs is not None
    row = next(one for one in signs["found"] if one["rule"] == "grpo")
    lead, gap = [], []
    for seed in range(3):
        rows = [i for i in range(len(data["step"])) if (data["run"][i], data["seed"][i]) == ("grpo", seed)]
        rows = [i for i in rows if math.isfinite(data["entropy_positive"][i])]
        assert len(rows) == 2
        parts = [(float(data["growth_positive"][i]), float(data["growth_negative"][i])) for i in rows]
        if all(positive + negative > 0 for positive, negative in parts):
            lead.append(sum(negative - positive for positive, negative in parts) / 2)
        gap.append(sum(float(data["entropy_negative"][i] - data["entropy_positive"][i]) for i in rows) / 2)
    assert len(lead) == 2
    assert row["lead"]["estimate"] == pytest.approx(np.mean(lead), abs=1e-12)
    assert row["lead"]["draws"] == 2
    assert row["level_gap"]["estimate"] == pytest.approx(np.mean(gap), abs=1e-12)
    assert row["updates_with_growth"] == 4


def test_a_sign_that_no_sample_has_changes_nothing() -> None:
    """Hard groups under QAE have no negative advantage: its part is 0, and its entropy no figure."""
    data = table(3, tasks=("digits",))
    here = data["run"] == "qae-0.2"
    data["growth_negative"][here] = math.nan
    data["entropy_negative"][here] = math.nan
    signs = shapes.by_sign(data)
    assert signs is not None
    row = next(one for one in signs["found"] if one["rule"] == "qae-0.2")
    assert row["lead"]["high"] < 0
    assert row["level_gap"] is None


def test_windows_average_steps_and_seeds_stay_rows() -> None:
    data = select(table(4, tasks=("digits",), steps=23, seeds=2), run="grpo")
    shuffled = take(data, np.random.default_rng(0).permutation(len(data["step"])))
    run = shapes.trajectory(shuffled, shapes.CURVES)
    assert run.curves["success"].shape == (2, 10)
    assert run.steps[0] == 2  # of 1, 2, 3: 23 steps in ten windows are three of 3 and seven of 2
    expected = [data["success"][(data["seed"] == 1) & (data["step"] <= 3)].mean(), run.curves["success"][1, 0]]
    assert expected[0] == pytest.approx(expected[1], abs=1e-12)
    whole = shapes.trajectory(shuffled, shapes.CURVES, windows=None)
    assert whole.curves["sequence_entropy"].shape == (2, 23)
    few = shapes.trajectory(select(data, step=(1, 2)), shapes.CURVES)
    assert few.steps.tolist() == [1, 2]


def test_a_step_that_a_seed_lacks_is_refused() -> None:
    data = table(5, tasks=("digits",))
    some = take(data, np.arange(1, len(data["step"])))
    with pytest.raises(ValueError, match=r"^table must be each of 4 seeds' 20 steps once in \['grpo'\]; got 79"):
        shapes.statements(some)
    doubled = {name: np.concatenate([column[1:2], column[1:]]) for name, column in data.items()}
    with pytest.raises(ValueError, match="once in"):
        shapes.statements(doubled)


def test_what_was_not_run_has_no_statements() -> None:
    data = table(6, **EFFECT)
    without = {
        "shape-mask-ordering": data["estimator"] != "neg_mask",
        "shape-sparsity-over-training": data["run"] != "qae-0.4",
        "shape-entropy-rises-with-k": ~np.isin(data["run"], ["qae-0.2", "qae-0.4"]),
    }
    for claim, rows in without.items():
        listed = shapes.statements(take(data, rows))
        assert listed[claim] == []
        assert listed["shape-negative-samples-lead-growth"]
    one_seed = shapes.statements(select(data, seed=0))
    assert one_seed == {claim: [] for claim in CLAIMS}
    nothing = np.full(len(data["step"]), np.nan)
    unprobed = {**data, **{name: nothing for name in data if name.startswith(("entropy_", "growth_"))}}
    assert shapes.statements(unprobed)["shape-negative-samples-hold-more-entropy"] == []


def test_a_seed_without_samples_of_a_sign_is_a_seed_still() -> None:
    data = table(6, **EFFECT)
    one = (data["seed"] == 0) & (data["step"] == data["step"].min())
    bare = {name: np.where(one, np.nan, column) for name, column in data.items() if name.startswith("entropy_")}
    assert shapes.statements({**data, **bare})["shape-negative-samples-lead-growth"]


def test_a_missing_column_is_named() -> None:
    data = table(7)
    del data["mixed_zero_share"]
    with pytest.raises(ValueError, match="'mixed_zero_share'"):
        shapes.statements(data)


def test_details_carry_figures() -> None:
    for some in shapes.statements(table(8)).values():
        for one in some:
            assert isinstance(one, Statement)
            assert any(character.isdigit() for character in one.detail)
            assert any(character.isdigit() for character in one.control_detail)
