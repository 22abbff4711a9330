"""Runs compared late and at equal success, and the effects of the families, on curves with a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from qae_theory.arrays import Array
from qae_theory.curves import families
from qae_theory.curves.families import ENTROPY, SUCCESS
from qae_theory.curves.progress import at_success, gain, late_mean, mean_at_success, slope, success_levels
from qae_theory.curves.trajectories import Trajectory
from tests.assertions import refuses

STEPS = np.arange(0, 101, 10)
SPEEDS = np.array([1.0, 0.5, 0.25])


def run(entropy: Array, success: Array) -> Trajectory:
    return Trajectory(STEPS, {ENTROPY: np.atleast_2d(entropy), SUCCESS: np.atleast_2d(success)})


def learning(speed: object, offset: float = 0.0) -> Trajectory:
    """Success rises with the steps at a speed; entropy is 2 - success + offset once training has begun."""
    success = np.minimum(0.2 + np.multiply.outer(np.atleast_1d(speed), STEPS / 100), 0.9)
    return run(2 - success + offset * (STEPS > 0), success)


def test_late_is_the_last_share_of_the_steps() -> None:
    curve = np.stack([STEPS, STEPS.astype(float)])
    assert late_mean(STEPS, curve, 0.25).tolist() == [90.0, 90.0]
    assert late_mean(STEPS, curve, 1e-9).tolist() == [100.0, 100.0]
    curve[1, -1] = np.nan
    assert late_mean(STEPS, curve, 0.25)[1] == 85.0
    assert np.isnan(late_mean(STEPS, np.full((1, 11), np.nan))).all()
    refuses(lambda: late_mean(STEPS, curve, 0.0), "share", 0.0)


def test_levels_lie_between_the_common_start_and_the_least_best() -> None:
    one, other = np.array([[0.2, 0.5, 0.8]]), np.array([[0.3, 0.6, 0.5]])
    assert success_levels([one, other], 3) == pytest.approx(np.array([[0.4, 0.5, 0.6]]))
    assert np.isnan(success_levels([one, np.array([[0.9, 0.9, 0.9]])], 3)).all()
    # The last level is reached, whatever the rounding.
    rng = np.random.default_rng(0)
    for _ in range(200):
        curves = [np.sort(rng.random((4, 7)), axis=1) for _ in range(2)]
        levels = success_levels(curves)
        for curve in curves:
            reached = at_success(curve, curve, levels)
            assert (np.isfinite(reached) == np.isfinite(levels)).all()
            np.testing.assert_allclose(reached[np.isfinite(levels)], levels[np.isfinite(levels)], rtol=1e-12)


def test_first_passage_ignores_a_later_fall() -> None:
    success, curve = np.array([[0.0, 0.6, 0.2, 0.6]]), np.array([[0.0, 6.0, 2.0, 9.0]])
    assert at_success(success, curve, np.array([[0.3, 0.6]])).tolist() == [[3.0, 6.0]]
    assert np.isnan(at_success(success, curve, np.array([[0.7]]))).all()


def test_speed_alone_makes_no_difference_at_equal_success() -> None:
    """Control: late in training the slower run has more entropy."""
    slow, fast = learning(0.4), learning(1.0)
    assert families.difference(slow, fast, "equal-success")[0] == pytest.approx(0, abs=1e-12)
    assert families.difference(slow, fast, "equal-steps")[0] > 0.1
    raised = learning(0.4, offset=0.3)
    # At the lowest levels the offset, which is not there at the start, comes in between two records.
    assert families.difference(raised, fast, "equal-success")[0] == pytest.approx(0.3 / 1.8, rel=0.2)


def test_the_rise_with_k_is_slope_times_range_over_the_start() -> None:
    by_k = {k: learning(SPEEDS, offset=0.5 * float(k)) for k in ("0.2", "0.4", "0.8")}
    found = families.rise_with_k(by_k, "equal-steps")
    assert found == pytest.approx(np.full(3, 0.5 * 0.6 / 1.8), rel=1e-9)
    backwards = {k: learning(SPEEDS, offset=-0.5 * float(k)) for k in ("0.2", "0.8")}
    assert families.rise_with_k(backwards, "equal-success").max() < 0


def test_slopes_are_those_of_a_line() -> None:
    values = [np.array([1.0, 2.0]) + x * np.array([3.0, -1.0]) for x in (0.0, 1.0, 5.0)]
    np.testing.assert_allclose(slope(values, (0.0, 1.0, 5.0)), [3.0, -1.0])


def test_gains_losses_and_rises() -> None:
    one = learning(SPEEDS)
    assert gain(one.curves[SUCCESS], 1e-9, STEPS) == pytest.approx(np.array([0.7, 0.5, 0.25]))
    lost = families.loss_of_entropy(one, families.Reading(late=1e-9))
    assert lost == pytest.approx(np.array([0.7, 0.5, 0.25]) / 1.8)
    peaked = np.array([[1.0, 3.0, 0.5], [1.0, 0.9, 0.8]])
    assert families.largest_rise(peaked, np.array([1.0, 1.0])).tolist() == [2.0, 0.0]


def test_the_band_is_kept_or_left() -> None:
    kept, left, far = np.full((1, 4), 0.82), np.array([[0.82, 0.82, 0.7, 0.82]]), np.full((1, 4), 0.5)
    effects = [families.distance_from_band(shares)[0] for shares in (kept, left, far)]
    assert effects == pytest.approx([0.08, 0.0, -0.2])
    assert effects[0] > families.SPARSITY.smallest_effect > effects[1] > effects[2]


def test_shares_of_growth_count_records_that_grow() -> None:
    positive, negative = np.array([[1.0, -3.0, np.nan]]), np.array([[3.0, 1.0, 2.0]])
    # Of the three records the second one falls; the third has no positive sample.
    assert families.sign_shares(positive, negative).tolist() == [(0.5 + 1.0) / 2]
    assert np.isnan(families.sign_shares(-np.ones((1, 2)), np.zeros((1, 2)))).all()


def test_nearness_to_a_reference() -> None:
    reference = learning(0.5)
    near, far = learning(0.5, offset=0.1), learning(0.5, offset=0.4)
    assert families.nearer(reference, far, near, ENTROPY)[0] == pytest.approx(0.3 / 1.8, rel=0.1)
    assert families.nearer(reference, near, far, ENTROPY)[0] < 0
    assert families.nearer(reference, far, near, SUCCESS)[0] == 0


def test_every_family_has_a_smallest_effect_and_a_claim() -> None:
    assert len({family.says for family in families.FAMILIES.values()}) == len(families.FAMILIES)
    for family in families.FAMILIES.values():
        assert family.smallest_effect > 0
        assert family.claim.startswith("shape-")


def test_means_at_levels_are_nan_where_one_is_not_reached() -> None:
    success, curve = np.array([[0.1, 0.4]]), np.array([[1.0, 4.0]])
    assert np.isnan(mean_at_success(success, curve, np.array([[0.2, 0.5]]))).all()
    assert mean_at_success(success, curve, np.array([[0.2, 0.4]]))[0] == pytest.approx(3.0)
