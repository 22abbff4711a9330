"""The four outcomes: by definition, their error rate and power by simulation, and what lines say of planted effects."""

from __future__ import annotations

import numpy as np
import pytest

from qae_theory.claims.model import Answer
from qae_theory.claims.run import NEGATIVE_CRITERION
from qae_theory.curves.findings import control_of, finding_of, finding_of_all
from qae_theory.curves.outcomes import (
    MOST_SEEDS,
    Line,
    Moments,
    line,
    moments_of,
    moments_of_line,
    outcome_of,
    pooled,
    power,
    read_line,
    seeds_to_decide,
)
from tests.assertions import refuses

DRAWS = 1500


def made(sample: object, smallest: float = 0.1) -> Line:
    return line(sample, smallest, claim="claim", condition="place/way", says="it is so", unit="nats")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.11, 0.2, Answer.FOUND),
        (0.1, 0.2, Answer.UNDECIDED),  # an end on the margin decides nothing
        (-0.2, -0.11, Answer.OPPOSITE),
        (-0.2, -0.1, Answer.UNDECIDED),
        (-0.09, 0.09, Answer.ABSENT),
        (0.01, 0.09, Answer.ABSENT),  # above zero, and too small to matter
        (-0.1, 0.05, Answer.UNDECIDED),
        (0.05, 0.2, Answer.UNDECIDED),
        (-np.inf, np.inf, Answer.UNDECIDED),
        (np.nan, np.nan, Answer.UNDECIDED),
    ],
)
def test_an_outcome_is_where_the_interval_lies(low: float, high: float, expected: Answer) -> None:
    assert outcome_of(low, high, 0.1) is expected


@pytest.mark.parametrize("smallest", [0.0, -0.1, np.inf, np.nan])
def test_a_smallest_effect_that_is_none_is_refused(smallest: float) -> None:
    refuses(lambda: outcome_of(0.0, 1.0, smallest), "smallest_effect", smallest)


def test_a_line_has_students_interval_and_its_own_residuals_as_controls() -> None:
    one = made([0.3, 0.32, 0.28, 0.3])
    assert one.id == "claim@place/way"
    assert (one.n, one.outcome, one.planted, one.control) == (4, Answer.FOUND, Answer.FOUND, Answer.ABSENT)
    assert one.effect == pytest.approx(0.3)
    # Three degrees of freedom: 3.182 standard errors.
    error = np.std([0.3, 0.32, 0.28, 0.3], ddof=1) / 2
    assert (one.low, one.high) == pytest.approx((0.3 - 3.1824 * error, 0.3 + 3.1824 * error), rel=1e-4)
    assert one.deciding is None
    assert made([-0.3, -0.32, -0.28, -0.3]).outcome is Answer.OPPOSITE
    assert made([0.01, -0.01, 0.02, 0.0]).outcome is Answer.ABSENT


def test_seeds_without_an_effect_are_left_out() -> None:
    assert made([0.3, np.nan, 0.31, 0.29]).n == 3
    lonely = made([0.3])
    assert (lonely.n, lonely.outcome, lonely.power) == (1, Answer.UNDECIDED, 0.0)
    nothing = made([])
    assert (nothing.n, nothing.outcome, nothing.deciding) == (0, Answer.UNDECIDED, MOST_SEEDS)
    record = nothing.record()
    assert record["effect"] is record["low"] is record["high"] is None
    assert record["outcome"] == "undecided"


@pytest.mark.parametrize(
    ("spread", "seeds"),
    [(0.08, 8), pytest.param(0.05, 8, marks=pytest.mark.slow), pytest.param(0.05, 3, marks=pytest.mark.slow)],
)
def test_the_power_is_the_rate_at_which_twice_the_smallest_effect_is_found(spread: float, seeds: int) -> None:
    rng = np.random.default_rng(1)
    sample = 0.2 + spread * rng.normal(size=(DRAWS, seeds))
    found = np.mean([made(row).outcome is Answer.FOUND for row in sample])
    expected = power(seeds, spread, 0.1)
    # Five standard errors of a rate over so many draws.
    assert abs(found - expected) < 5 * np.sqrt(0.25 / DRAWS)
    assert 0.2 < expected < 0.999


@pytest.mark.slow
def test_an_effect_on_the_margin_is_found_in_one_case_of_forty() -> None:
    rng = np.random.default_rng(2)
    sample = 0.1 + 0.05 * rng.normal(size=(DRAWS, 8))
    found = np.mean([made(row).outcome is Answer.FOUND for row in sample])
    assert abs(found - 0.025) < 5 * np.sqrt(0.025 * 0.975 / DRAWS)


def test_no_effect_is_hardly_ever_found() -> None:
    rng = np.random.default_rng(3)
    spread = 0.06  # at which eight seeds have a power above .9
    assert power(8, spread, 0.1) > 0.9
    sample = spread * rng.normal(size=(DRAWS, 8))
    outcomes = [made(row).outcome for row in sample]
    assert outcomes.count(Answer.FOUND) + outcomes.count(Answer.OPPOSITE) <= 3  # expected less than one
    assert outcomes.count(Answer.ABSENT) > 0.8 * DRAWS


@pytest.mark.parametrize("estimate", [0.05, 0.13, 0.3, -0.2])
def test_so_many_seeds_would_decide(estimate: float) -> None:
    spread = 0.2
    seeds = seeds_to_decide(estimate, spread, 0.1)
    rng = np.random.default_rng(4)

    def outcome(count: int) -> Answer:
        sample = rng.normal(size=count)
        sample = (sample - sample.mean()) / sample.std(ddof=1)
        return made(estimate + spread * sample).outcome

    assert outcome(seeds) is not Answer.UNDECIDED
    assert outcome(seeds - 1) is Answer.UNDECIDED
    assert seeds_to_decide(0.1, spread, 0.1) == MOST_SEEDS


def test_findings_carry_the_answer_and_the_control_is_rejected_for_the_same_reason() -> None:
    for sample, answer in (([0.3, 0.31], Answer.FOUND), ([0.0, 0.01], Answer.ABSENT), ([-0.3, -0.31], Answer.OPPOSITE)):
        one = made(sample)
        finding, control = finding_of(one, "run x"), control_of(one)
        assert (finding.passed, finding.answer) == (answer is Answer.FOUND, answer)
        assert finding.criterion == control.criterion == NEGATIVE_CRITERION
        assert not control.passed
        assert "run x" in finding.detail
        assert str(answer) in finding.detail


def test_a_line_that_does_not_find_what_is_planted_is_broken_and_not_negative() -> None:
    from dataclasses import replace

    spoilt = replace(made([0.0, 0.01, 0.02]), planted=Answer.UNDECIDED)
    assert finding_of(spoilt, "run").criterion != NEGATIVE_CRITERION
    weak = replace(spoilt, power=0.5)
    assert finding_of(weak, "run").criterion == NEGATIVE_CRITERION


def test_lines_that_differ_are_undecided_together() -> None:
    found, absent = made([0.3, 0.31]), made([0.0, 0.01])
    assert finding_of_all([found, found], "run").passed
    assert finding_of_all([absent, absent], "run").answer is Answer.ABSENT
    assert finding_of_all([found, absent], "run").answer is Answer.UNDECIDED


@pytest.mark.parametrize("sizes", [(8,), (3, 5), (1, 1), (1, 4, 2), (0, 3), (2, 0, 0)])
def test_pooled_moments_are_those_of_all_seeds_together(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    samples = [rng.normal(size=size) for size in sizes]
    whole, found = moments_of(np.concatenate(samples)), pooled([moments_of(sample) for sample in samples])
    assert found.n == whole.n == sum(sizes)
    np.testing.assert_allclose(found[1:], whole[1:], rtol=1e-12)


def test_nothing_pooled_is_nothing() -> None:
    for found in (pooled([]), pooled([Moments(0, np.nan, np.nan)])):
        assert found.n == 0
        assert np.isnan(found.mean)
        assert np.isnan(found.spread)
    one = pooled([Moments(0, np.nan, np.nan), Moments(1, 0.2, np.nan)])
    assert (one.n, one.mean) == (1, 0.2)
    assert np.isnan(one.spread)


@pytest.mark.parametrize("sample", [[0.1, 0.3, 0.2], [0.1, np.nan, 0.3], [0.2], [], [0.1, 0.1]])
def test_a_line_can_be_made_again_from_its_record(sample: list[float]) -> None:
    """JSON has no NaN and no infinity, which a line of fewer than two seeds has."""
    first = made(sample)
    assert repr(read_line(first.record())) == repr(first)  # by text, because NaN is not equal to itself
    facts = {name: getattr(first, name) for name in ("claim", "condition", "says", "unit", "level")}
    again = line(moments_of_line(first), first.smallest_effect, **facts)
    for name, value in first.record().items():
        assert again.record()[name] == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
