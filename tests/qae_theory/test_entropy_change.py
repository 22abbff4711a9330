"""Entropy change of a step: exact, first and second order, bounds and safe step, against ball arithmetic."""

from __future__ import annotations

import math

import flint
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qae_theory import (
    entropy,
    entropy_change,
    entropy_change_bounds,
    first_order_entropy_change,
    safe_step_size,
    second_order_entropy_change,
    self_covariance,
    update_direction,
)
from qae_theory.softmax import entropy_gradient
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close, fitted_slope
from tests.qae_theory import shipped

module = shipped("entropy_change")
C = 1 / (6 * math.sqrt(3))
LARGEST = 1.7976931348623157e308
PEAKED = [0.0, 700.0, 1.0]
QUERIES = [
    ([0.3, -0.7, 2.0], [1.0, 0.5, -2.0]),
    ([0.0, 2.0], [1.0, 0.0]),
    ([1.0, 1.0, 1.0, -3.0], [0.0, 1.0, 0.0, 2.0]),
    ([0.0, 30.0], [1.0, 0.0]),
]


def changes_by_size(z: list[float], d: list[float], eta: float) -> float:
    """Sum of the sizes of the terms that make up the change: what a rounding error is relative to."""
    with flint.ctx.workdps(oracles.DIGITS):
        old, new = oracles.log_probabilities(z), log_probabilities_of_balls(oracles.stepped(z, d, eta))
        h = -oracles.expectation([x.exp() for x in old], old)
        terms = [abs(b.exp() - a.exp()) * abs(a + h) + b.exp() * abs(b - a) for a, b in zip(old, new, strict=True)]
        return float(oracles.total(terms)) if terms else 0.0


def log_probabilities_of_balls(z: list[flint.arb]) -> list[flint.arb]:
    top = max(z, key=lambda x: float(x))
    mass = oracles.total((x - top).exp() for x in z)
    return [x - top - mass.log() for x in z]


# The exact change


@given(s.steps())
def test_change_is_the_difference_of_entropies(drawn: tuple[list[float], list[float], float]) -> None:
    z, d, eta = drawn
    # d and eta d are rounded relative to their size, not to their spread; exponents of size 1e4 cost 1e-12 each.
    rounding = 1e-14 * abs(eta) * max(map(abs, d)) * (1 + float(oracles.entropy(z)))
    allowed = 1e-11 * changes_by_size(z, d, eta) + rounding + 1e-300
    assert_close(entropy_change(z, d, eta), oracles.entropy_change(z, d, eta), rel=1e-12, floor=allowed)


@pytest.mark.parametrize(("z", "d"), QUERIES)
@pytest.mark.parametrize("eta", [1.0, 0.1, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15, -1e-9, -0.5, 20.0])
def test_tiny_steps_keep_relative_accuracy(z: list[float], d: list[float], eta: float) -> None:
    assert_close(entropy_change(z, d, eta), oracles.entropy_change(z, d, eta))


@pytest.mark.parametrize("reach", [0.9, 0.99, 1.0, 1.01, 1.1])
def test_both_branches_of_the_log_mean_agree_where_they_meet(reach: float) -> None:
    # The largest centred shift of this direction is 2/3: the branch changes at eta = 1.5.
    z, d = [0.0, math.log(2)], [1.0, 0.0]
    assert_close(entropy_change(z, d, 1.5 * reach), oracles.entropy_change(z, d, 1.5 * reach))


@pytest.mark.parametrize("eta", [1e3, 1e6, 1e300, -1e3, -1e300])
def test_huge_steps_end_at_the_likeliest_arm(eta: float) -> None:
    z = [0.5, 0.0, -1.0]
    with np.errstate(over="ignore", invalid="ignore"):
        assert_close(entropy_change(z, [1.0, 0.0, -1.0], eta), -oracles.entropy(z))
        assert_close(entropy_change(z, [1.0, 1.0, -1.0], abs(eta)), oracles.entropy(z[:2]) - oracles.entropy(z))


@pytest.mark.parametrize("gap", [700.0, 800.0, 1e308])
def test_peaked_policies_stay_finite(gap: float) -> None:
    for d in ([1.0, 0.0], [0.0, 1.0], [0.25, -0.25]):
        for eta in (0.1, 1.0, 50.0):
            value = entropy_change([0.0, gap], d, eta)
            assert np.isfinite(value)
            assert abs(value) < 1e-250
    # Back from one arm to two equal ones.
    assert_close(entropy_change([0.0, 700.0], [700.0, 0.0], 1.0), math.log(2))


def test_no_step_no_change_and_constant_directions_change_nothing() -> None:
    z = [0.3, -0.7, 2.0]
    assert entropy_change(z, [1.0, 2.0, 3.0], 0.0) == 0
    for d in ([1.0, 1.0, 1.0], [-3.0, -3.0, -3.0], [0.0, 0.0, 0.0]):
        assert abs(entropy_change(z, d, 2.0)) < 1e-15
        assert abs(first_order_entropy_change(z, d)) < 1e-15
        assert abs(second_order_entropy_change(z, d)) < 1e-15
    assert entropy_change([3.0], [5.0], 2.0) == 0


def test_known_values() -> None:
    third = [0.0, math.log(2)]  # pi = (1/3, 2/3)
    two_to_one = math.log(3) - 2 / 3 * math.log(2)
    assert_close(entropy_change(third, [math.log(2), 0.0], 1.0), math.log(2) - two_to_one)
    assert_close(entropy_change([0.0, 0.0], [0.0, math.log(2)], 1.0), two_to_one - math.log(2))
    # h1 = -Cov(log pi, d) = -(pi_1 pi_2)(log pi_1 - log pi_2)(d_1 - d_2) = (2/9) log 2.
    assert_close(first_order_entropy_change(third, [1.0, 0.0]), 2 / 9 * math.log(2))
    # phi'' = -Var d - E[(log pi - E log pi)(d - E d)^2] = -2/9 + (2/27) log 2.
    assert_close(second_order_entropy_change(third, [1.0, 0.0]), -2 / 9 + 2 / 27 * math.log(2))


def test_w1_of_the_theory() -> None:
    # pi = (1/10, 9/10), group (right, wrong): b = 0 gives A = (2, 0), d = (1 - pi_1, -pi_2); its probability is .18.
    z = [0.0, math.log(9)]
    d = update_direction(z, [1, 0], "sampled_group", responses=[0, 1], advantages=[2.0, 0.0])
    assert 0.18 * entropy_change(z, d, 0.1) == pytest.approx(0.0065956, abs=5e-8)  # as quoted, to 7 places


# First and second order


@given(s.steps())
def test_first_order_is_minus_the_covariance(drawn: tuple[list[float], list[float], float]) -> None:
    z, d, _ = drawn
    assert_close(
        first_order_entropy_change(z, d),
        oracles.first_order(z, d),
        floor=1e-14 * max(map(abs, d)) * (1 + float(oracles.entropy(z))) + 1e-300,  # terms that cancel
    )


@pytest.mark.parametrize("z", [[0.0, 60.0, 3.0], [0.0, 60.0, 60.0, 1.0], [-5.0, 0.0, 45.0]])
def test_second_order_keeps_its_digits_on_peaked_policies(z: list[float]) -> None:
    """The mean of d rounds to the entry of the likeliest arms; what is left of it is the size of the variance."""
    d = [1.0, 0.3, 0.3, 0.2][: len(z)]
    exact = oracles.second_order(z, d)
    assert abs(second_order_entropy_change(z, d) / float(exact.mid()) - 1) < 1e-12


@given(s.steps())
def test_second_order_is_the_quadratic_form_of_the_hessian(drawn: tuple[list[float], list[float], float]) -> None:
    z, d, _ = drawn
    size = max(map(abs, d)) ** 2
    floor = 1e-13 * size * (1 + float(oracles.entropy(z))) + 1e-300  # terms that cancel
    assert_close(second_order_entropy_change(z, d), oracles.second_order(z, d), floor=floor)


@given(s.gentle_logits(min_arms=2), st.data())
def test_first_order_is_the_gradient_along_the_direction(z: list[float], data: st.DataObject) -> None:
    d = data.draw(s.directions(len(z)))
    along = float(np.dot(entropy_gradient(z), d))
    assert math.isclose(first_order_entropy_change(z, d), along, rel_tol=1e-12, abs_tol=1e-14 * max(map(abs, d)))


@pytest.mark.parametrize(("z", "d"), QUERIES)
def test_orders_of_the_taylor_remainders(z: list[float], d: list[float]) -> None:
    # Steps short enough for the leading term and long enough for round-off not to show.
    etas = [2.0**-j for j in range(6, 12)]
    exact = [float(entropy_change(z, d, eta)) for eta in etas]
    h1, h2 = float(first_order_entropy_change(z, d)), float(second_order_entropy_change(z, d))
    first = [e - eta * h1 for e, eta in zip(exact, etas, strict=True)]
    second = [e - eta * h1 - eta**2 / 2 * h2 for e, eta in zip(exact, etas, strict=True)]
    # One-sided: a higher order is no error. Half a tenth for the next term of the series at the longest step.
    assert fitted_slope(etas, first) > 2 - 0.05
    assert fitted_slope(etas, second) > 3 - 0.05
    # Negative control: a curvature that is 5 % off leaves an error of second order.
    spoilt = [e - eta * h1 - eta**2 / 2 * h2 * 1.05 for e, eta in zip(exact, etas, strict=True)]
    assert fitted_slope(etas, spoilt) < 2.9


@pytest.mark.parametrize(("z", "d"), QUERIES[:3])
def test_finite_differences_agree(z: list[float], d: list[float]) -> None:
    h = 1e-4  # central differences: h^2 = 1e-8 from the next term, 1e-16/h^2 = 1e-8 from round-off
    up, down = (float(entropy(np.add(z, sign * h * np.array(d)))) for sign in (1, -1))
    middle = float(entropy(z))
    assert (up - down) / (2 * h) == pytest.approx(float(first_order_entropy_change(z, d)), abs=1e-7)
    assert (up - 2 * middle + down) / h**2 == pytest.approx(float(second_order_entropy_change(z, d)), abs=1e-6)


@given(s.logits())
def test_response_curvatures_are_quadratic_forms(z: list[float]) -> None:
    probs, hessian = oracles.probabilities(z), oracles.entropy_hessian(z)
    n = range(len(z))
    expected = []
    with flint.ctx.workdps(oracles.DIGITS):
        for y in n:
            f = [(1 if i == y else 0) - probs[i] for i in n]
            expected.append(oracles.total(f[i] * hessian[i][j] * f[j] for i in n for j in n))
    # Sums of a few terms of size 1 that cancel for peaked policies.
    assert_close(module.response_curvatures(z), expected, floor=1e-14 * (1 + float(oracles.entropy(z))))


def test_response_curvatures_by_hand_and_in_batches() -> None:
    # pi = (1/3, 2/3): f = +-(2/3, -2/3) and +-(1/3, -1/3), phi'' of (1, 0) from above, times (4/3)^2/... per unit.
    unit = -2 / 9 + 2 / 27 * math.log(2)
    third = [0.0, math.log(2)]
    assert_close(module.response_curvatures(third), [16 / 9 * unit, 4 / 9 * unit])
    batch = module.response_curvatures([third, [0.0, 0.0]])
    assert_close(batch, [[16 / 9 * unit, 4 / 9 * unit], [-0.25, -0.25]])
    assert np.isfinite(module.response_curvatures([0.0, 1e308, 700.0])).all()


# Safe step


@pytest.mark.parametrize("reward", [0, 1])
def test_no_step_breaks_the_order_of_a_single_arm(reward: int) -> None:
    assert safe_step_size([0.0], [reward], 0.0, 1.0) == math.inf


def certified_step(z: list[float], r: list[int], b1: float, b2: float) -> float:
    """The larger of the two certificates, pair by pair."""
    n = len(z)
    probs = [float(p) for p in oracles.probabilities(z)]
    below, above = map(float, oracles.curvature_brackets(n))
    spans = []
    for b in (b1, b2):
        d = [p * (x - b) for p, x in zip(probs, r, strict=True)]
        spans.append(max(d) - min(d))
    curvature = spans[1] ** 2 * below + spans[0] ** 2 * above
    by_remainder = 2 * (b2 - b1) * float(oracles.self_covariance(z)) / curvature if curvature else math.inf
    pairs = [
        (z[i] - z[j]) / (b2 * probs[i] + (1 - b2) * probs[j])
        for i in range(n)
        for j in range(n)
        if r[i] == 0 and r[j] == 1 and z[i] > z[j]
    ]
    return max(by_remainder, min([2 / b2, *pairs]))


@pytest.mark.parametrize(
    ("z", "r"),
    [
        ([0.0, 1.0], [1, 0]),
        ([1.0, 0.0], [1, 0]),
        ([0.5, -0.5, 2.0, 0.0], [1, 0, 0, 1]),
        ([0.5, -0.5, 2.0, 0.0], [0, 1, 1, 0]),
        ([3.0, 2.0, 1.0, 0.0], [0, 1, 0, 1]),
        ([1.0, 1.0, 0.0], [1, 0, 0]),
        ([0.0, 0.0, 9.0], [0, 1, 0]),
        ([0.2, 0.1, 0.0], [0, 0, 0]),
        ([0.2, 0.1, 0.0], [1, 1, 1]),
        ([0.0, 6.0], [0, 1]),
    ],
)
@pytest.mark.parametrize(("b1", "b2"), [(0.0, 1.0), (0.25, 0.5), (0.0, 0.125), (0.5, 1.0)])
def test_safe_step_is_the_larger_certificate(z: list[float], r: list[int], b1: float, b2: float) -> None:
    result = float(safe_step_size(z, r, b1, b2))
    expected = certified_step(z, r, b1, b2)
    assert result == pytest.approx(expected, rel=1e-11)  # rounded down by 8 (n + 800) u = 7e-13
    assert result < expected


@given(s.queries(gap=20.0), st.sampled_from([(0.0, 1.0), (0.0, 0.5), (0.25, 0.75), (0.5, 1.0)]), st.floats(0.01, 1.0))
def test_safe_step_certifies_the_order(query: s.Query, pair: tuple[float, float], share: float) -> None:
    step = float(safe_step_size(*query, *pair))
    assert step >= 0
    eta = share * min(step, 1e3)
    values = []
    with flint.ctx.workdps(oracles.DIGITS):
        probs = oracles.probabilities(query.logits)
        for b in pair:
            d = [p * (x - oracles.ball(b)) for p, x in zip(probs, query.arm_rewards, strict=True)]
            values.append(oracles.entropy_change(query.logits, d, eta))
        difference = values[1] - values[0]
        assert difference > 0 or difference.contains(0)


def test_safe_step_is_useful() -> None:
    # theory.md: for pi = (2/5, 3/5) the order fails at eta = 1 between b = 0 and 1, and holds below 2 log(3/2) = .81.
    z = [math.log(2), math.log(3)]
    step = float(safe_step_size(z, [1, 0], 0.0, 1.0))
    assert 0.2 < step <= 2 * math.log(1.5)
    low, high = (entropy_change(z, update_direction(z, [1, 0], "uncentred", baseline=b), 1.0) for b in (0.0, 1.0))
    assert low > high


def test_safe_step_where_nothing_moves_is_infinite() -> None:
    assert safe_step_size([3.0], [1], 0.0, 1.0) == np.inf


def test_safe_step_of_a_batch() -> None:
    rng = np.random.default_rng(20260923)
    z, r = rng.normal(size=(2, 3, 4)), np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 1]])
    low, high = np.array([[0.0], [0.25]]), np.array(0.75)
    result = safe_step_size(z, r, low, high)
    assert result.shape == (2, 3)
    assert result.dtype == np.float64
    for i, j in np.ndindex(2, 3):
        assert result[i, j] == pytest.approx(
            certified_step(z[i, j].tolist(), r[j].tolist(), low[i, 0], 0.75), rel=1e-11
        )
    assert safe_step_size(np.empty((0, 3)), [1, 0, 0], 0.0, 1.0).shape == (0,)
    assert safe_step_size([0.0, 1.0], [1, 0], [0.0, 0.5], [[1.0], [0.75]]).shape == (2, 2)
    assert safe_step_size([0.0, 1.0, 2.0], np.eye(3), 0.0, 1.0).shape == (3,)


def test_safe_step_does_not_rest_on_rounding() -> None:
    z = [0.1, 0.1 + 1e-15, 0.1]  # uniform but for rounding: the remainder's certificate must not be made of noise
    step = float(safe_step_size(z, [1, 0, 0], 0.0, 1.0))
    exact = certified_step(z, [1, 0, 0], 0.0, 1.0)
    assert 0 <= step <= exact


def test_safe_step_is_rounded_down_by_what_the_analysis_allows() -> None:
    # Both right: the order certificate is 2/b2, and the remainder's is smaller.
    result = float(safe_step_size([1.0, 1.5], [1, 1], 0.5, 1.0))
    assert result / max(certified_step([1.0, 1.5], [1, 1], 0.5, 1.0), 2.0) == pytest.approx(
        1 - 8 * 802 * 2.0**-53, rel=2e-14
    )  # the certificate itself is computed to a hundred units in the last place
    # The right arm leads and the policy is peaked: the order certificate is 2/b2 = 2 without any rounding.
    assert safe_step_size([0.0, 60.0], [0, 1], 0.0, 1.0) == math.nextafter(2 * (1 - 8 * 802 * 2.0**-53), 0)


@pytest.mark.parametrize("shift", [-1e4, 1e3, 1e6])
def test_safe_step_does_not_depend_on_a_shift(shift: float) -> None:
    z, r = [0.5, -0.5, 2.0, 0.0], [1, 0, 0, 1]
    for pair in ((0.0, 1.0), (0.5, 0.75)):
        shifted = float(safe_step_size([x + shift for x in z], r, *pair))
        assert shifted == pytest.approx(float(safe_step_size(z, r, *pair)), rel=1e-9)  # logits of 1e6 end at 1e-10


def test_safe_step_where_the_curvature_underflows() -> None:
    with np.errstate(divide="raise", invalid="raise"):
        # Two arms a tiny gap g apart: C = g^2/8, spreads |r - b| g/2, so the remainder's certificate has no g in it.
        below, above = map(float, oracles.curvature_brackets(2))
        for gap in (1e-200, 1e-280):
            assert safe_step_size([0.0, gap], [1, 1], 0.0, 1.0) == pytest.approx(1 / above, rel=1e-11)
        b = 3.1081014921605235e-143
        assert safe_step_size([0.1, 0.10000000000000002], [0, 0], 0.0, b) == pytest.approx(1 / (b * below), rel=1e-11)
        # Of a still smaller gap only 2/b2 is left.
        assert safe_step_size([0.0, 1e-300], [1, 1], 0.0, 1.0) == pytest.approx(2, rel=1e-11)


def test_safe_step_at_the_ends_of_float64() -> None:
    # 2/b2 = 2e309 is finite, and no float64: infinite would say that no step can break the order.
    assert safe_step_size([0.0, 1.0], [1, 1], 0.0, 1e-309) == math.nextafter(LARGEST, 0)
    # The gap is 1.5e-323, three times the smallest float; the push 1/2.
    assert 0 < safe_step_size([1.5e-323, 0.0], [0, 1], 0.0, 1.0) <= 3e-323


def test_safe_step_of_peaked_policies() -> None:
    with np.errstate(all="ignore"):
        for gap in (700.0, 1e4):
            step = float(safe_step_size([0.0, gap], [1, 0], 0.0, 1.0))
            assert 0 < step <= 2.0


# Batches, types and exactness


@pytest.mark.parametrize("order", ["exact", "first", "second"])
def test_batches_broadcast(order: str) -> None:
    rng = np.random.default_rng(20260923)
    z, d, eta = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 4)), rng.random((2, 1))
    call = {
        "exact": lambda z, d, eta: entropy_change(z, d, eta),
        "first": lambda z, d, eta: first_order_entropy_change(z, d),
        "second": lambda z, d, eta: second_order_entropy_change(z, d),
    }[order]
    result = call(z, d, eta)
    assert result.shape == (2, 3)
    assert result.dtype == np.float64
    for i, j in np.ndindex(2, 3):
        assert result[i, j] == pytest.approx(float(call(z[i, j], d[j], eta[i, 0])), rel=1e-12, abs=1e-15)  # summation
    assert call(np.empty((0, 4)), d[0], 0.1).shape == (0,)


def test_a_scalar_query_takes_many_steps() -> None:
    etas = np.array([0.1, 0.2])
    result = entropy_change([0.0, 2.0], [1.0, 0.0], etas)
    assert result.shape == (2,)
    assert_close(result, [oracles.entropy_change([0.0, 2.0], [1.0, 0.0], float(eta)) for eta in etas])


def test_integers_are_computed_in_float64() -> None:
    z, d = np.array([0, 2], dtype=np.int32), np.array([1, 0], dtype=np.float32)
    assert_close(entropy_change(z, d, 1), oracles.entropy_change([0.0, 2.0], [1.0, 0.0], 1.0))
    assert_close(first_order_entropy_change(z, d), oracles.first_order([0.0, 2.0], [1.0, 0.0]))


def test_exact_queries() -> None:
    sympy = pytest.importorskip("sympy")
    z = np.array([sympy.log(1), sympy.log(2)], dtype=object)
    d = np.array([sympy.log(2), sympy.Integer(0)], dtype=object)
    two_to_one = sympy.log(3) - sympy.Rational(2, 3) * sympy.log(2)
    zero = sympy.expand_log(entropy_change(z, d, 1) - (sympy.log(2) - two_to_one), force=True)
    assert sympy.simplify(zero) == 0
    h1 = first_order_entropy_change(z, [1, 0])
    assert sympy.simplify(h1 - sympy.Rational(2, 9) * sympy.log(2)) == 0
    h2 = second_order_entropy_change(z, [1, 0])
    assert sympy.simplify(h2 + sympy.Rational(2, 9) - sympy.Rational(2, 27) * sympy.log(2)) == 0
    curvatures = module.response_curvatures(z)
    assert sympy.simplify(curvatures[0] - sympy.Rational(16, 9) * h2) == 0


def test_symbols_beside_float_logits() -> None:
    sympy = pytest.importorskip("sympy")
    direction = [sympy.Rational(1, 2), sympy.Integer(0)]
    for eta in (0.1, 5.0):
        change = entropy_change([0.0, 1.0], direction, eta)
        assert float(change) == pytest.approx(float(entropy_change([0.0, 1.0], [0.5, 0.0], eta)), rel=1e-12)


def test_inputs_are_left_alone() -> None:
    z, d, r = np.array([0.0, 2.0, 1.0]), np.array([1.0, 0.0, 0.5]), np.array([1.0, 0.0, 0.0])
    entropy_change(z, d, 0.1)
    entropy_change_bounds(z, d, 0.1)
    entropy_change_bounds(z[None], d[None], [0.1])
    safe_step_size(z, r, 0.0, 1.0)
    module.response_curvatures(z)
    assert (z.tolist(), d.tolist(), r.tolist()) == ([0.0, 2.0, 1.0], [1.0, 0.0, 0.5], [1.0, 0.0, 0.0])


@given(s.gentle_logits(min_arms=2), st.floats(0, 1), st.floats(0, 1))
def test_self_covariance_is_the_slope_in_the_baseline(z: list[float], one: float, other: float) -> None:
    assume(abs(one - other) > 1e-3)
    r = [1, *[0] * (len(z) - 1)]
    first, second = (
        float(first_order_entropy_change(z, update_direction(z, r, "uncentred", baseline=b))) for b in (one, other)
    )
    # Differences of numbers of size 1, divided by 1e-3 at least.
    assert (first - second) / (one - other) == pytest.approx(float(self_covariance(z)), abs=1e-11)
