"""Lengths of responses and groups of dynamic sampling, against sums, samples and a play of verl's rule."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.estimate.workload import Lengths, beta_degenerate_share, degenerate_share, generation_factor

shares = st.floats(0.02, 0.98)
cuts = st.floats(0.0, 0.3)


@given(share=shares, cut=cuts)
def test_the_law_has_its_mean_and_square(share: float, cut: float) -> None:
    """E[L] and E[L^2] as integrals of the survival, by the midpoint rule on a grid that grows fine towards 0."""
    law = Lengths(1000 * share, 1000.0, cut)
    u = (np.arange(200_000) + 0.5) / 200_000
    t, width = 1000 * u**3, 3000 * u**2 / 200_000  # the law is steep near 0 where the mean is small
    assert np.sum(law.survival(t) * width) == pytest.approx(law.mean, rel=1e-4)
    assert np.sum(2 * t * law.survival(t) * width) == pytest.approx(law.square, rel=1e-4)


@given(share=shares, cut=cuts, count=st.floats(1, 1e6), t=st.floats(0, 999))
def test_more_responses_leave_one_longer(share: float, cut: float, count: float, t: float) -> None:
    law, at = Lengths(1000 * share, 1000.0, cut), np.asarray(t)
    one, few, many = (float(law.any_left(at, number)) for number in (1, count, 2 * count))
    assert one == pytest.approx(float(law.survival(at)), abs=1e-12)
    assert 0 <= one <= few * (1 + 1e-12)
    assert few <= many <= 1


def test_by_hand() -> None:
    # a = 1: uniform on (0, 1000). E[L^2] = 10^6 / 3; of two, one is longer than 900 with probability .19.
    law = Lengths(500.0, 1000.0)
    assert law.exponent == 1
    assert law.square == pytest.approx(1e6 / 3)
    assert law.mean_age == pytest.approx(1000 / 3)
    assert float(law.any_left(np.asarray(900.0), 2)) == pytest.approx(0.19)
    assert law.square_with_prompt(10.0) == pytest.approx(100 + 2 * 10 * 500 + 1e6 / 3)
    # One in ten is cut: the other nine have mean 400 / 0.9.
    cut = Lengths(500.0, 1000.0, 0.1)
    assert cut.exponent == pytest.approx(0.9 * 1000 / 400 - 1)
    assert float(cut.survival(np.asarray(999.999))) == pytest.approx(0.1, abs=1e-6)
    assert float(cut.survival(np.asarray(1000.0))) == 0


def test_equal_lengths() -> None:
    law = Lengths(1000.0, 1000.0)
    assert law.survival(np.asarray([999.0, 1000.0])).tolist() == [1.0, 0.0]
    assert law.square == 1e6
    assert law.mean_age == 500


@pytest.mark.parametrize(("mean", "cut"), [(0.0, 0.0), (-1.0, 0.0), (1001.0, 0.0), (float("nan"), 0.0), (500.0, 1.0)])
def test_impossible_lengths(mean: float, cut: float) -> None:
    with pytest.raises(ValueError, match="must be in"):
        Lengths(mean, 1000.0, cut)


@pytest.mark.parametrize("group_size", [1, 2, 5, 16])
def test_degenerate_share_is_a_sum_over_groups(group_size: int) -> None:
    """Over all rewards of a group, exactly: those with no or only successes."""
    success = [(Fraction(1, 4), Fraction(1, 10)), (Fraction(3, 4), Fraction(2, 3))]
    mixed = sum(
        weight * comb(group_size, m) * p**m * (1 - p) ** (group_size - m)
        for weight, p in success
        for m in range(1, group_size)
    )
    assert degenerate_share(success, group_size) == 1 - mixed
    assert isinstance(degenerate_share(success, group_size), Fraction)


@pytest.mark.parametrize("group_size", [2, 4, 16])
def test_uniform_difficulty(group_size: int) -> None:
    assert beta_degenerate_share(1.0, group_size) == pytest.approx(2 / (group_size + 1), rel=1e-12)


@pytest.mark.parametrize("shape", [0.25, 0.5, 2.0])
def test_beta_against_a_sum(shape: float) -> None:
    """The Beta law by its own quantiles, as a distribution of many equal weights."""
    from scipy import stats

    u = (np.arange(200_000) + 0.5) / 200_000
    p = stats.beta.ppf(u, shape, shape)
    assert beta_degenerate_share(shape, 16) == pytest.approx(np.mean(p**16 + (1 - p) ** 16), rel=1e-3)


@given(shape=st.floats(0.05, 20), group_size=st.integers(2, 64))
def test_larger_groups_and_easier_choices_are_less_degenerate(shape: float, group_size: int) -> None:
    q = beta_degenerate_share(shape, group_size)
    assert 0 < beta_degenerate_share(shape, group_size + 1) < q < 1
    assert beta_degenerate_share(2 * shape, group_size) < q


def played(q: float, batch: int, refill: int, inflight: int, rng: np.random.Generator) -> float:
    """Groups that verl's synchronous buffer generates for one of ``batch``: groups end one at a time."""
    waiting, sent, kept, credit = batch, batch, 0, 0
    while waiting:
        waiting -= 1
        if rng.random() < q:
            if kept < batch:
                credit += refill
        else:
            kept += 1
        if kept >= batch:
            credit = 0
        more = min(credit, inflight * batch - waiting)
        credit, sent, waiting = credit - more, sent + more, waiting + more
    return sent / batch


@pytest.mark.parametrize("q", [0.0, 0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("inflight", [1, 3])
def test_generation_factor_against_a_play_of_the_rule(q: float, inflight: int) -> None:
    """Five standard errors of a hundred plays, and a percent for the finite batch."""
    rng = np.random.default_rng(20)
    plays = [played(q, 512, 2, inflight, rng) for _ in range(100)]
    error = 5 * np.std(plays) / 10 + 0.01 * np.mean(plays)
    assert generation_factor(q, refill=2, inflight_batches=inflight) == pytest.approx(np.mean(plays), abs=error)


def test_the_play_tells_rules_apart() -> None:
    """The negative control: with one new prompt for each thrown away the play gives another number."""
    rng = np.random.default_rng(20)
    plays = [played(0.5, 512, 1, 3, rng) for _ in range(20)]
    assert np.mean(plays) == pytest.approx(generation_factor(0.5), rel=0.05)
    assert np.mean(plays) < 0.8 * generation_factor(0.5, refill=2, inflight_batches=3)


def test_factor_by_hand() -> None:
    assert generation_factor(0.0, refill=2, inflight_batches=3) == 1
    assert generation_factor(0.5) == 2
    assert generation_factor(0.5, refill=2, inflight_batches=3) == 3
    assert generation_factor(0.8, refill=2, inflight_batches=3) == pytest.approx(5 + 3)


@given(q=st.floats(0, 0.95), more=st.floats(0, 0.04))
def test_factor_grows(q: float, more: float) -> None:
    assert 1 <= generation_factor(q) <= generation_factor(q + more)
    assert generation_factor(q, refill=2, inflight_batches=3) <= generation_factor(
        q + more, refill=2, inflight_batches=3
    )


@pytest.mark.parametrize("q", [1.0, -0.1, float("nan")])
def test_impossible_shares(q: float) -> None:
    with pytest.raises(ValueError, match="degenerate must be in"):
        generation_factor(q)


@pytest.mark.parametrize(
    ("success", "group_size"),
    [([(Fraction(1, 2), Fraction(1, 2))], 4), ([(1, 2)], 4), ([], 4), ([(1, Fraction(1, 2))], 0)],
)
def test_impossible_distributions(success: list[tuple[object, object]], group_size: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        degenerate_share(success, group_size)
