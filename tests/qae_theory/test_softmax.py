"""Softmax primitives against ball arithmetic, closed forms and peaked policies."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qae_theory import entropy, probabilities, self_covariance, softmax
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close

FUNCTIONS = {
    "probabilities": (probabilities, oracles.probabilities),
    "entropy": (entropy, oracles.entropy),
    "self_covariance": (self_covariance, oracles.self_covariance),
    "entropy_gradient": (softmax.entropy_gradient, lambda z: gradient(z)),
}
# Near the uniform policy C and the gradient are differences of logs of size 10: a few units in their last place.
NEAR_UNIFORM = 1e-14
FLOORS = {"probabilities": 1e-300, "entropy": 1e-300, "self_covariance": NEAR_UNIFORM, "entropy_gradient": NEAR_UNIFORM}


def gradient(z: list[Any]) -> list[flint.arb]:
    """By the first-order change along each unit direction."""
    return [oracles.first_order(z, [int(i == j) for j in range(len(z))]) for i in range(len(z))]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(z=s.logits())
def test_values(name: str, z: list[float]) -> None:
    function, oracle = FUNCTIONS[name]
    assert_close(function(z), oracle(z), floor=FLOORS[name])


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "z",
    [
        [0.0, 1.0],
        [0.3, -0.7, 2.0],
        [0.0, 30.0, 0.0],
        [0.0, 700.0],
        [800.0, 100.0, 101.0],
        [-1e4, 0.0, -650.0],
        [1.0, 1.0, 1.0 - 40.0, 0.5],
    ],
)
def test_relative_accuracy_away_from_uniform(name: str, z: list[float]) -> None:
    function, oracle = FUNCTIONS[name]
    assert_close(function(z), oracle(z))


@pytest.mark.parametrize("gap", [700.0, 709.0, 710.0, 745.0, 746.0, 1e3, 1e308])
def test_peaked_policies_have_no_nan_and_almost_no_entropy(gap: float) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for z in ([0.0, gap], [gap, 0.0], [-gap, 0.0], [gap, -gap], [gap, 0.0, -gap, 0.0]):
            assert_close(probabilities(z), [math.exp(max(x - max(z), -1e308)) for x in z])
            others = len(z) - 1
            assert 0 <= entropy(z) <= others * ((gap + 1) * math.exp(-gap) if gap < 1e3 else 0) * (1 + 1e-12)
            assert 0 <= self_covariance(z) < 1e-290
            assert np.abs(softmax.entropy_gradient(z)).max() < 1e-290


@given(s.huge_logits())
def test_gaps_beyond_float64_stay_finite(z: list[float]) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        probs = probabilities(z)
        top = [x == max(z) for x in z]
        spread = math.log(sum(top))
        # Other arms are at least 1 below; only those within 1 or 2 of the top matter, and the oracle knows them.
        assert_close(probs, oracles.probabilities(z))
        assert entropy(z) >= spread - 1e-15  # one rounding of the log
        assert np.isfinite(self_covariance(z))
        assert np.isfinite(softmax.entropy_gradient(z)).all()
        assert np.isfinite(softmax.log_softmax(np.array(z))).all()


def test_log_softmax_of_the_likeliest_arm_keeps_what_one_minus_pi_loses() -> None:
    assert_close(softmax.log_softmax(np.array([0.0, 50.0])), [-50 - math.log1p(math.exp(-50)), -math.exp(-50)])
    assert_close(softmax.log_softmax(np.array([[50.0, 0.0], [0.0, 0.0]]))[0, 0], -math.exp(-50))


def test_log_softmax_caps_gaps_that_float64_cannot_hold() -> None:
    assert softmax.log_softmax(np.array([1e308, -1e308])).tolist() == [0.0, -1e308]
    assert softmax.log_softmax(np.array([0.0, -9e307])).tolist() == [0.0, -9e307]
    assert softmax.log_softmax(np.array([-1e300, 0.0])).tolist() == [-1e300, 0.0]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 151_936])
def test_uniform_policy(n: int) -> None:
    z = np.full(n, 2.5)
    assert_close(entropy(z), math.log(n))
    assert abs(self_covariance(z)) < 1e-18
    assert_close(probabilities(z)[:1], [F(1, n)])
    assert np.abs(softmax.entropy_gradient(z)).max() < 1e-15


@pytest.mark.parametrize("ahead", [0.5, 12.0, 40.0])
def test_one_heavy_arm_among_a_vocabulary(ahead: float) -> None:
    n = 151_936
    z = np.zeros(n)
    z[77] = ahead
    with flint.ctx.workdps(60):
        a = flint.arb(ahead)
        mass = a.exp() + n - 1
        heavy, light = a.exp() / mass, 1 / mass
        h = mass.log() - heavy * a
        covariance = heavy * (1 - heavy) * (heavy - light) * a
        slopes = [-heavy * (a - mass.log() + h), light * (mass.log() - h)]
    # A sum of n terms: n units in the last place at worst, about sqrt(n) as a rule.
    assert_close(entropy(z), h, rel=1e-11)
    assert_close(self_covariance(z), covariance, rel=1e-11)
    assert_close(probabilities(z)[[77, 0]], [heavy, light], rel=1e-11)
    # -pi (log pi + H) cancels where nearly all arms are alike: 1e-14 of the logarithms' size, times pi = 7e-6.
    assert_close(softmax.entropy_gradient(z)[[77, 0]], slopes, rel=1e-10, floor=1e-19)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_batch_is_treated_row_by_row(name: str) -> None:
    function, _ = FUNCTIONS[name]
    z = np.random.default_rng(20260923).normal(size=(2, 3, 4))
    result = function(z)
    assert result.dtype == np.float64
    assert result.shape == ((2, 3, 4) if name in ("probabilities", "entropy_gradient") else (2, 3))
    for index in np.ndindex(2, 3):
        np.testing.assert_allclose(result[index], function(z[index]), rtol=1e-13, atol=1e-16)  # summation order
    assert function(np.empty((0, 4))).shape == ((0, 4) if name in ("probabilities", "entropy_gradient") else (0,))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_integers_and_float32_are_computed_in_float64(name: str) -> None:
    function, oracle = FUNCTIONS[name]
    assert_close(function([0, 3]), oracle([0.0, 3.0]))
    assert_close(function(np.array([0, 3], dtype=np.float32)), oracle([0.0, 3.0]))
    assert_close(function(np.array([False, True])), oracle([0.0, 1.0]))


@pytest.mark.parametrize("name", FUNCTIONS)
@given(z=s.gentle_logits(), shift=st.sampled_from([-700.0, -1.0, 0.5, 1024.0]))
def test_shift_of_all_logits_changes_nothing(name: str, z: list[float], shift: float) -> None:
    function, oracle = FUNCTIONS[name]
    # The shifted logits are rounded to a grid of 1e-13: compare with the exact value at the rounded logits.
    shifted = [x + shift for x in z]
    assert_close(function(shifted), oracle(shifted), floor=FLOORS[name])
    # And the shift itself costs at most that rounding.
    np.testing.assert_allclose(function(shifted), function(z), rtol=1e-11, atol=1e-11)


@given(s.logits(min_arms=2))
def test_probabilities_sum_to_one_and_entropy_is_in_range(z: list[float]) -> None:
    assert math.isclose(probabilities(z).sum(), 1, rel_tol=1e-15 * len(z))
    assert 0 <= entropy(z) <= math.log(len(z)) * (1 + 1e-15)
    assert self_covariance(z) >= -1e-17  # zero up to the rounding of a uniform policy


@given(s.gentle_logits(min_arms=2))
def test_entropy_gradient_sums_to_zero(z: list[float]) -> None:
    assert abs(softmax.entropy_gradient(z).sum()) < 1e-14  # shift invariance


def test_one_arm() -> None:
    assert probabilities([3.0]).tolist() == [1.0]
    assert entropy([3.0]) == 0
    assert self_covariance([3.0]) == 0
    assert softmax.entropy_gradient([3.0]).tolist() == [0.0]


def test_known_values() -> None:
    third = [0.0, math.log(2)]
    assert_close(probabilities(third), [F(1, 3), F(2, 3)])
    assert_close(entropy(third), math.log(3) - 2 / 3 * math.log(2))
    assert_close(self_covariance(third), 2 / 27 * math.log(2))
    down = -F(1, 3) * F(2, 3)
    assert_close(softmax.entropy_gradient(third), [float(-down) * math.log(2), float(down) * math.log(2)])


def test_moments_under_a_policy() -> None:
    probs, x, y = np.array([0.25, 0.75]), np.array([4.0, 8.0]), np.array([1.0, -1.0])
    assert softmax.expectation(probs, x) == 7
    assert softmax.centred(probs, x).tolist() == [-3.0, 1.0]
    assert softmax.covariance(probs, x, y) == -1.5
    batch = np.stack([x, y])
    assert softmax.expectation(probs, batch).tolist() == [7.0, -0.5]
    assert softmax.centred(probs, batch).tolist() == [[-3.0, 1.0], [1.5, -0.5]]
    assert softmax.covariance(probs, batch, batch).tolist() == [3.0, 0.75]


def test_exact_logits_stay_exact() -> None:
    sympy = pytest.importorskip("sympy")
    z = np.array([sympy.log(1), sympy.log(2), sympy.log(3)], dtype=object)
    assert probabilities(z).tolist() == [sympy.Rational(1, 6), sympy.Rational(1, 3), sympy.Rational(1, 2)]
    h = sympy.log(6) - sympy.log(2) / 3 - sympy.log(3) / 2
    assert sympy.simplify(sympy.expand_log(entropy(z) - h)) == 0
    assert float(self_covariance(z)) == pytest.approx(float(self_covariance([0, math.log(2), math.log(3)])), rel=1e-12)
    assert sympy.simplify(sum(softmax.entropy_gradient(z))) == 0
    batch = probabilities(np.stack([z, z]))
    assert batch.shape == (2, 3)
    assert batch[1].tolist() == probabilities(z).tolist()


def test_fraction_logits_become_exact_numbers() -> None:
    sympy = pytest.importorskip("sympy")
    probs = probabilities(s.as_exact([0, 1]))
    assert sympy.simplify(probs[1] - sympy.E / (1 + sympy.E)) == 0
    assert float(entropy(s.as_exact([0, 1]))) == pytest.approx(float(entropy([0.0, 1.0])), rel=1e-14)


def test_input_is_left_alone() -> None:
    z = np.array([1.0, 5.0, 2.0])
    for function, _ in FUNCTIONS.values():
        function(z)
    assert z.tolist() == [1.0, 5.0, 2.0]
