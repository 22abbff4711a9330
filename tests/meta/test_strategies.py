"""What the strategies promise: every kind of case that they are there for does come up, and nothing outside it."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings

from tests import strategies as s

SEARCH = settings(max_examples=2000, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


def reaches(strategy: Any, wanted: Any) -> bool:
    """Whether some draw is wanted; ``find`` raises where none is."""
    return bool(wanted(find(strategy, wanted, settings=SEARCH)))


def shares(strategy: Any, classify: Any, examples: int = 400) -> Counter[str]:
    """How often each class of draws occurs."""
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
    @given(strategy)
    def draw(value: Any) -> None:
        seen[classify(value)] += 1

    draw()
    return seen


def regime(case: s.Case) -> str:
    rate = sum(case.group) / len(case.group)
    return "threshold" if rate == 1 - case.k else "hard" if rate < 1 - case.k else "easy"


def is_mixed(group: list[Fraction]) -> bool:
    return 0 < sum(group) < len(group)


@pytest.mark.parametrize(
    ("strategy", "wanted"),
    [
        pytest.param(s.levels(), lambda k: k == Fraction(2, 5), id="the default level"),
        pytest.param(s.levels(), lambda k: k == Fraction(11, 20), id="a level that floats get wrong"),
        pytest.param(s.levels(), lambda k: k.denominator > 30, id="a large denominator"),
        pytest.param(s.binary_groups(), lambda g: len(g) == 1, id="one response"),
        pytest.param(s.binary_groups(), lambda g: len(g) == s.MAX_GROUP, id="the largest group"),
        pytest.param(s.binary_groups(), lambda g: not any(g), id="all wrong"),
        pytest.param(s.binary_groups(), lambda g: all(g) and len(g) > 1, id="all correct"),
        pytest.param(s.tied_groups(), lambda g: 1 < len(set(g)) < len(g), id="ties"),
        pytest.param(s.tied_groups(), lambda g: len(set(g)) == 1 and len(g) > 1, id="nothing but ties"),
        pytest.param(s.tied_groups(), lambda g: len(set(g)) >= 3, id="three values"),
        pytest.param(s.tied_groups(), lambda g: min(g) < 0 < max(g), id="both signs"),
        pytest.param(s.dapo_groups(), lambda g: min(g) < -1 and max(g) == 1, id="an overlong failure beside a success"),
        pytest.param(s.dapo_groups(), lambda g: any(-1 < x < 1 for x in g), id="a penalised success"),
        pytest.param(s.masked_groups(), lambda g: any(map(math.isnan, g.rewards)), id="NaN"),
        pytest.param(s.masked_groups(), lambda g: any(map(math.isinf, g.rewards)), id="infinity"),
        pytest.param(s.masked_groups(), lambda g: sum(g.mask) == 0, id="nothing scorable"),
        pytest.param(s.masked_groups(), lambda g: sum(g.mask) == 1 and len(g.mask) > 1, id="one scorable row"),
        pytest.param(s.masked_groups(), lambda g: all(g.mask) and len(g.mask) > 2, id="everything scorable"),
        pytest.param(s.masked_groups(), lambda g: not g.mask[0] and sum(g.mask) > 1, id="the first row unscorable"),
        pytest.param(s.logits(), lambda z: len(z) == 1, id="one arm"),
        pytest.param(s.logits(), lambda z: len(set(z)) == 1 and len(z) > 1, id="uniform"),
        pytest.param(s.logits(), lambda z: len(z) > 1 and max(z) - sorted(z)[-2] > 1000, id="a gap above 1000"),
        pytest.param(s.logits(), lambda z: len(z) > 1 and 20 < max(z) - sorted(z)[-2] < 40, id="a gap of about 30"),
        pytest.param(s.huge_logits(), lambda z: math.isinf(max(z) - min(z)), id="a gap beyond float64"),
        pytest.param(s.directions(3), lambda d: len(set(d)) == 1 and d[0] != 0, id="a constant direction"),
        pytest.param(s.directions(3), lambda d: max(map(abs, d)) > 100, id="a long direction"),
        pytest.param(s.directions(3), lambda d: 0 < max(map(abs, d)) < 1e-3, id="a short direction"),
        pytest.param(s.step_sizes(), lambda eta: 0 < eta < 1e-7, id="a tiny step"),
        pytest.param(s.step_sizes(), lambda eta: eta < -1, id="a long step back"),
        pytest.param(s.step_sizes(), lambda eta: eta == 0, id="no step"),
        pytest.param(s.queries(), lambda q: sum(q.arm_rewards) > 1, id="two right responses"),
        pytest.param(s.success_probs(), lambda p: p < Fraction(1, 10**10), id="almost never right"),
        pytest.param(s.success_probs(), lambda p: p > 1 - Fraction(1, 10**10), id="almost always right"),
        pytest.param(s.batch_shapes(), lambda shape: 0 in shape, id="an empty batch"),
        pytest.param(s.batch_shapes(), lambda shape: shape == (), id="no batch"),
    ],
)
def test_reaches(strategy: Any, wanted: Any) -> None:
    assert reaches(strategy, wanted)


def test_gate_cases_come_in_every_regime() -> None:
    # A fifth of 400 draws each: rarer, and the property tests of the gate would hardly look there.
    seen = shares(s.gate_cases(), regime)
    assert {name for name, count in seen.items() if count >= 80} == {"hard", "easy", "threshold"}, seen


def test_binary_groups_are_degenerate_now_and_then_and_not_mostly() -> None:
    seen = shares(s.binary_groups(), lambda g: "mixed" if is_mixed(g) else "degenerate")
    assert min(seen["mixed"], seen["degenerate"]) >= 40, seen


@given(s.threshold_cases())
def test_threshold_cases_are_on_the_threshold(case: s.Case) -> None:
    assert regime(case) == "threshold"
    assert is_mixed(case.group)


@given(s.levels())
def test_levels_are_inside_the_unit_interval(k: Fraction) -> None:
    assert 0 < k < 1
    assert all(Fraction(str(form)) == k for form in s.level_forms(k))


@given(s.groups())
def test_float_image_of_a_group_is_the_group(group: list[Fraction]) -> None:
    assert [Fraction(x) for x in s.as_floats(group).tolist()] == group
    assert s.as_exact(group).tolist() == group


@given(s.dapo_groups())
def test_dapo_rewards_stay_in_their_range(group: list[Fraction]) -> None:
    assert all(-2 <= x <= 1 for x in group)


@given(s.masked_groups())
def test_scorable_rows_are_finite(drawn: s.MaskedGroup) -> None:
    assert len(drawn.rewards) == len(drawn.mask)
    assert all(math.isfinite(x) for x, keep in zip(drawn.rewards, drawn.mask, strict=True) if keep)


@given(s.queries())
def test_queries_have_both_outcomes(query: s.Query) -> None:
    assert len(query.logits) == len(query.arm_rewards)
    assert set(query.arm_rewards) == {0, 1}


@given(s.logits())
def test_logits_are_finite(drawn: list[float]) -> None:
    assert np.isfinite(drawn).all()
    assert max(drawn) - min(drawn) <= s.PEAKED_GAP * 1.001
