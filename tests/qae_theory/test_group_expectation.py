"""Expectations over sampled groups against enumeration of all groups."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction as F
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qae_theory import (
    entropy_change,
    estimator_names,
    expected_entropy_change,
    expected_gain,
    first_order_entropy_change,
    register_estimator,
    update_direction,
)
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close, assert_exactly, fitted_slope, refuses
from tests.qae_theory import shipped

module = shipped("group_expectation")
PROBS = (F(1, 100), F(1, 4), F(1, 2), F(3, 5), F(9, 10))
Z, R = [0.3, -0.7, 1.0], [1, 0, 0]


def exact_options(estimator: str, eps: F) -> dict[str, Any]:
    return {"eps": eps} if estimator in oracles.STANDARDISED else {}


def test_a_rule_that_needs_two_responses_has_no_expectation_at_one() -> None:
    for call in (
        lambda: expected_entropy_change(Z, R, 1, "rloo", 0.1),
        lambda: module.outcome_advantages(1, "rloo"),
        lambda: module.expected_first_order_change(Z, R, 1, "rloo"),
    ):
        refuses(call, "group_size", 1, says=">= 2")


# Tables of advantages


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
@pytest.mark.parametrize("size", [2, 3, 5, 10, 16])
def test_outcome_advantages_are_those_of_the_written_out_groups(estimator: str, size: int) -> None:
    correct, wrong = oracles.outcome_advantages(size, estimator)
    table = module.outcome_advantages(size, estimator)
    assert isinstance(table, module.OutcomeAdvantages)
    assert_close(table.correct, correct)
    assert_close(table.wrong, wrong)


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_outcome_advantages_take_options(estimator: str) -> None:
    options: dict[str, Any] = {"std": "bessel", "eps": F(1, 3)}
    options |= {"k": F(3, 4)} if estimator in oracles.GATED else {}
    correct, wrong = oracles.outcome_advantages(6, estimator, **options)
    table = module.outcome_advantages(6, estimator, **options)
    assert_close(table.correct, correct)
    assert_close(table.wrong, wrong)
    exact = module.outcome_advantages(6, estimator, exact=True, **options)
    assert exact.correct.dtype == object
    assert [float(x) for x in exact.correct] == pytest.approx([float(x) for x in correct], rel=1e-14)  # one rounding
    assert [float(x) for x in exact.wrong] == pytest.approx([float(x) for x in wrong], rel=1e-14)


def test_there_is_no_correct_response_at_zero_and_no_wrong_one_at_g() -> None:
    for estimator in estimator_names():
        table = module.outcome_advantages(4, estimator)
        assert table.correct[0] == 0
        assert table.wrong[4] == 0
        assert len(table.correct) == len(table.wrong) == 5


@pytest.mark.parametrize("estimator", [e for e in oracles.ESTIMATORS if e != "rloo"])
def test_groups_of_one_teach_nothing(estimator: str) -> None:
    table = module.outcome_advantages(1, estimator)
    assert table.correct.tolist() == table.wrong.tolist() == [0.0, 0.0]
    assert expected_gain(0.3, 1, estimator) == 0


# The gain w(p, G)


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("p", [F(1, 100), F(2, 5), F(3, 5), F(9, 10)])
def test_gain_without_a_divisor(p: F, size: int) -> None:
    """The mean's gain is (G - 1)/G; the quantile's is 1 less the chance that one response tips the gate."""
    assert expected_gain(p, size, "grpo", std="none") == F(size - 1, size)
    for k in (F(2, 5), F(3, 4)):
        # With m - 1 of the others right the group is hard if this response is wrong, easy if it is right.
        tips = int(size * (1 - k))  # the largest m of a hard group
        expected = 1 - oracles.binomial(size - 1, tips, p)
        if tips == 0:  # a group of wrong ones only is hard, but degenerate: its A = 0, as its numerator is
            assert k > 1 - F(1, size)
        assert expected_gain(p, size, "qae", k=k, std="none") == expected
        assert expected_gain(float(p), size, "qae", k=k, std="none") == pytest.approx(float(expected), rel=1e-12)
    for estimator in oracles.ESTIMATORS:
        gain = oracles.gain(p, size, estimator, std="none") if size < 8 else None
        assert gain is None or expected_gain(p, size, estimator, std="none") == gain


def test_an_expectation_has_no_batch() -> None:
    for call in (
        lambda: expected_gain(0.5, 4, "qae", std="batch"),
        lambda: module.outcome_advantages(4, "qae", std="batch"),
        lambda: expected_entropy_change(Z, R, 2, "qae", 0.1, std="batch"),
    ):
        refuses(call, "std", "batch", says="where a whole batch is given")


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
@pytest.mark.parametrize("mixed_only", [False, True])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_gain_by_enumeration(estimator: str, mixed_only: bool, size: int) -> None:
    for p in PROBS:
        expected = oracles.gain(p, size, estimator, mixed_only=mixed_only)
        assert_close(expected_gain(float(p), size, estimator, mixed_only=mixed_only), expected)


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_exact_gain_by_enumeration(estimator: str) -> None:
    for mixed_only in (False, True):
        result = expected_gain(F(1, 3), 3, estimator, mixed_only=mixed_only, **exact_options(estimator, F(0)))
        expected = oracles.gain(F(1, 3), 3, estimator, mixed_only=mixed_only, **exact_options(estimator, F(0)))
        value = np.asarray(result).item()
        if estimator in oracles.UNSCALED:
            assert value == expected
            assert isinstance(value, F)
        else:
            digits = value if isinstance(value, F) else F(str(value.evalf(60)))
            assert abs(digits - expected) < F(1, 10**50)  # the oracle's own root has 60 digits


@pytest.mark.parametrize("std", ["population", "bessel"])
@pytest.mark.parametrize("estimator", oracles.UNSCALED)
def test_expectations_of_rules_that_divide_only_if_told_to(estimator: str, std: str) -> None:
    for p in PROBS:
        for mixed_only in (False, True):
            expected = oracles.gain(p, 5, estimator, mixed_only=mixed_only, std=std)
            assert_close(expected_gain(float(p), 5, estimator, mixed_only=mixed_only, std=std), expected)
    for step, eps in ((0.25, F(1, 10**6)), (-1.0, F(1, 2))):
        expected_change = oracles.expected_over_groups(
            Z, R, 3, estimator, lambda d, step=step: oracles.entropy_change(Z, d, step), std=std, eps=eps
        )
        found = expected_entropy_change(Z, R, 3, estimator, step, std=std, eps=float(eps))
        assert_close(found, expected_change, floor=1e-14)


@given(s.success_probs(), st.integers(2, 40), st.sampled_from(["psr", "nsr", "rloo", "dr_grpo"]))
def test_gain_of_unscaled_rules_is_known(p: F, size: int, estimator: str) -> None:
    # A group's all-correct and all-wrong cases count for psr and nsr, which are not standardised.
    expected = F(size - 1, size) if estimator == "dr_grpo" else 1
    assert_exactly(expected_gain(p, size, estimator), expected)
    assert_close(expected_gain(float(p), size, estimator), expected)


@given(st.sampled_from(oracles.ESTIMATORS), st.floats(0.001, 0.999), st.integers(2, 64), st.booleans())
def test_gain_is_positive(estimator: str, p: float, size: int, mixed_only: bool) -> None:
    assert expected_gain(p, size, estimator, mixed_only=mixed_only) > 0


def test_gain_options_defaults_and_strings() -> None:
    assert_exactly(expected_gain("1/3", 4, "dr_grpo"), F(3, 4))
    assert expected_gain("0.25", 4, "rloo").item() == 1
    assert_close(
        expected_gain(0.3, 16, "qae"), float(expected_gain(0.3, 16, "qae", k="0.4", std="population", eps=1e-6))
    )
    assert expected_gain(0.3, 16, "qae", k="0.8") != expected_gain(0.3, 16, "qae", k="0.4")
    assert expected_gain(0.3, 16, "qae", std="bessel") < expected_gain(0.3, 16, "qae")
    assert_close(expected_gain(0.3, 5, "psr"), float(expected_gain(0.3, 5, "psr", mixed_only=False)))


def test_gain_of_masks_is_doubled_where_nothing_is_masked() -> None:
    # A hard group under POS-MASK has A = (2R - 1)/std: twice GRPO's distance between right and wrong.
    masks, grpo = module.outcome_advantages(10, "pos_mask", eps=0), module.outcome_advantages(10, "grpo", eps=0)
    for m in range(1, 7):
        assert masks.correct[m] - masks.wrong[m] == pytest.approx(2 * (grpo.correct[m] - grpo.wrong[m]), rel=1e-14)


def test_quoted_ratios_of_the_gains() -> None:
    for p, size, quoted in ((0.02, 16, 1.0614), (0.6, 16, 0.8444), (0.95, 16, 1.0553), (0.6, 256, 0.9528)):
        ratio = float(expected_gain(p, size, "qae") / expected_gain(p, size, "grpo"))
        assert ratio == pytest.approx(quoted, abs=5e-5)  # as quoted, to four places


def test_gain_takes_batches() -> None:
    p = np.array([[0.1, 0.5], [0.9, 0.99]])
    for mixed_only in (False, True):
        result = expected_gain(p, 8, "qae", mixed_only=mixed_only)
        assert result.shape == (2, 2)
        assert result.dtype == np.float64
        for index in np.ndindex(2, 2):
            assert result[index] == pytest.approx(
                float(expected_gain(p[index], 8, "qae", mixed_only=mixed_only)), rel=1e-13
            )
    assert expected_gain(np.empty((0,)), 8, "qae").shape == (0,)
    exact = expected_gain(s.as_exact([F(1, 3), F(1, 4)]), 2, "dr_grpo")
    assert exact.tolist() == [F(1, 2), F(1, 2)]


@pytest.mark.parametrize("p", [1e-12, 1e-300, 1 - 1e-12])
@pytest.mark.parametrize("size", [2, 16])
def test_gain_of_mixed_groups_is_stable_where_they_are_rare(p: float, size: int) -> None:
    table = oracles.outcome_advantages(size, "grpo")
    with flint.ctx.workdps(oracles.DIGITS):
        q = flint.arb(p)
        correct = oracles.total(
            oracles.binomial(size - 1, j, q) * oracles.ball(table[0][j + 1]) for j in range(size - 1)
        )
        wrong = oracles.total(oracles.binomial(size - 1, j, q) * oracles.ball(table[1][j]) for j in range(1, size))
        expected = (correct - wrong) / (1 - q**size - (1 - q) ** size)
    assert_close(expected_gain(p, size, "grpo", mixed_only=True), expected, rel=1e-11)  # SciPy's binomial weights


@given(s.success_probs(), st.integers(1, 60))
def test_probability_of_a_mixed_group(p: F, size: int) -> None:
    exact = 1 - p**size - (1 - p) ** size
    assert_exactly(module.mixed_probability(s.as_exact([p]), size), [exact])
    rounded = F(float(p))  # what the float is
    expected = 1 - rounded**size - (1 - rounded) ** size
    # One unit in the last place of 1 - p, where p is near 1, is 1e-4 of 1 - p = 1e-12.
    assert_close(
        module.mixed_probability(np.array([float(p)]), size),
        [expected],
        rel=1e-11,
        floor=1e-16 if size == 1 else 1e-300,
    )


def test_probability_of_a_mixed_group_by_hand() -> None:
    assert_close(module.mixed_probability(np.array(0.5), 2), F(1, 2))
    assert_close(module.mixed_probability(np.array(0.1), 3), F(27, 100))
    assert_close(module.mixed_probability(np.array(0.9), 3), F(27, 100))
    assert_close(module.mixed_probability(np.array(1e-200), 5), 5e-200)


@given(s.success_probs(), st.lists(st.integers(-5, 5), min_size=1, max_size=12))
def test_binomial_mean(p: F, values: list[int]) -> None:
    trials = len(values) - 1
    expected = sum((oracles.binomial(trials, j, p) * v for j, v in enumerate(values)), F(0))
    assert_exactly(module.binomial_mean(s.as_exact([p])[0], s.as_exact(values)), expected)
    assert_exactly(module.binomial_mean(s.as_exact([p, p]), s.as_exact(values)), [expected, expected])
    rounded = F(float(p))
    want = sum((oracles.binomial(trials, j, rounded) * v for j, v in enumerate(values)), F(0))
    assert_close(module.binomial_mean(np.array(float(p)), np.array(values, float)), want, floor=1e-13)  # may cancel


def test_binomial_mean_is_exact_if_either_side_is() -> None:
    assert module.binomial_mean(s.as_exact([F(1, 3)]), np.array([0, 3, 6], dtype=object)).tolist() == [2]
    assert module.binomial_mean(s.as_exact([F(1, 2)]), np.array([0.0, 2.0])).tolist() == [1]
    assert module.binomial_mean(np.array(0.5), s.as_exact([0, 2])) == 1
    assert_close(module.binomial_mean(np.array(0.5), np.array([0.0, 2.0])), 1)


# Second moments


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_advantage_moments_by_enumeration(estimator: str, size: int) -> None:
    for p in (F(1, 4), F(2, 3)):
        sums: dict[Any, F] = {key: F(0) for key in ("1", "0", "11", "10", "00")}
        mass = dict.fromkeys(sums, F(0))
        for group in oracles.all_groups(size):
            weight = p ** sum(group) * (1 - p) ** (size - sum(group))
            a = oracles.advantages([F(r) for r in group], estimator)
            for key, value in ((str(group[0]), a[0] ** 2), (f"{group[0]}{group[1]}", a[0] * a[1])):
                if key in sums:
                    sums[key] += weight * value
                    mass[key] += weight
        mean = {key: sums[key] / mass[key] for key in sums}
        moments = module.advantage_moments(float(p), size, estimator)
        assert isinstance(moments, module.AdvantageMoments)
        assert_close(moments.alpha_1, mean["1"])
        assert_close(moments.alpha_0, mean["0"])
        assert_close(moments.beta, mean["11"] - 2 * mean["10"] + mean["00"], floor=1e-13)  # may cancel


def test_advantage_moments_by_hand_and_in_batches() -> None:
    # psr: A = R, so alpha = (1, 0) and beta = 1; rloo at G = 2: A = +-1 in mixed groups and beta = 2 E[1{1,0}] = 2.
    assert [np.asarray(x).item() for x in module.advantage_moments(F(1, 3), 2, "psr")] == [1, 0, 1]
    assert [np.asarray(x).item() for x in module.advantage_moments("1/3", 2, "rloo")] == [F(2, 3), F(1, 3), 2]
    batch = module.advantage_moments(np.array([0.25, 0.5]), 4, "grpo")
    assert [x.shape for x in batch] == [(2,), (2,), (2,)]
    assert batch.alpha_1[0] == pytest.approx(float(module.advantage_moments(0.25, 4, "grpo").alpha_1), rel=1e-13)
    qae = module.advantage_moments(0.25, 4, "qae", k="0.9")
    assert qae.alpha_0 != module.advantage_moments(0.25, 4, "qae").alpha_0


# First and second order in expectation


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_expected_first_order_by_enumeration(estimator: str) -> None:
    for size in (2, 3):
        expected = oracles.expected_over_groups(Z, R, size, estimator, lambda d: first_order_of_balls(d))
        assert_close(module.expected_first_order_change(Z, R, size, estimator), expected)


def first_order_of_balls(d: list[flint.arb]) -> flint.arb:
    log_probs = oracles.log_probabilities(Z)
    return -oracles.covariance([x.exp() for x in log_probs], log_probs, d)


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_expected_second_order_by_enumeration(estimator: str) -> None:
    hessian = oracles.entropy_hessian(Z)

    def curvature(d: list[flint.arb]) -> flint.arb:
        return oracles.total(d[i] * hessian[i][j] * d[j] for i in range(3) for j in range(3))

    for size in (2, 3):
        for r in (R, [1, 0, 1]):
            expected = oracles.expected_over_groups(Z, r, size, estimator, curvature)
            assert_close(module.expected_second_order_change(Z, r, size, estimator), expected)


def test_expected_orders_take_options_and_batches() -> None:
    z, r = np.array([Z, [1.0, 0.0, -1.0]]), np.array(R)
    for function in (module.expected_first_order_change, module.expected_second_order_change):
        result = function(z, r, 4, "qae", k="0.8", std="bessel", eps=0.5)
        assert result.shape == (2,)
        assert result.dtype == np.float64
        for i in range(2):
            assert result[i] == pytest.approx(
                float(function(z[i], r, 4, "qae", k="0.8", std="bessel", eps=0.5)), rel=1e-12
            )
        assert result[0] != pytest.approx(float(function(Z, R, 4, "qae")), rel=1e-6)
        assert function(Z, np.array([R, [0, 1, 1]]), 4, "qae").shape == (2,)


def test_expected_first_order_is_the_gain_times_one_number() -> None:
    h = float(first_order_entropy_change(Z, update_direction(Z, R, "policy_gradient")))
    v = float(np.exp(0.3) / np.exp(Z).sum())
    for estimator in estimator_names():
        w = float(expected_gain(v, 6, estimator))
        assert module.expected_first_order_change(Z, R, 6, estimator) == pytest.approx(w * h, rel=1e-12)


def test_exact_queries_stay_exact() -> None:
    sympy = pytest.importorskip("sympy")
    z = np.array([sympy.log(1), sympy.log(2)], dtype=object)
    h1 = np.asarray(module.expected_first_order_change(z, [1, 0], 2, "rloo")).item()
    assert sympy.simplify(h1 - sympy.Rational(8, 81) * sympy.log(2)) == 0
    assert not h1.has(sympy.Float)
    h2 = np.asarray(module.expected_second_order_change(z, [1, 0], 2, "rloo")).item()
    assert not h2.has(sympy.Float)
    assert float(h2) == pytest.approx(
        float(module.expected_second_order_change([0, math.log(2)], [1, 0], 2, "rloo")), rel=1e-12
    )
    change = np.asarray(expected_entropy_change(z, [1, 0], 2, "rloo", 1)).item()
    assert not change.has(sympy.Float)
    assert float(change) == pytest.approx(
        float(expected_entropy_change([0, math.log(2)], [1, 0], 2, "rloo", 1)), rel=1e-12
    )


# The finite step


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_expected_change_by_enumeration_of_all_groups(estimator: str) -> None:
    for size, eta in ((2, 0.5), (3, 2.0)):
        expected = oracles.expected_over_groups(
            Z, R, size, estimator, lambda d, eta=eta: oracles.entropy_change(Z, d, F(eta))
        )
        assert_close(expected_entropy_change(Z, R, size, estimator, eta), expected)


@settings(max_examples=15)
@given(
    s.queries(max_arms=3), st.sampled_from(["grpo", "qae", "dr_grpo"]), st.integers(2, 3), st.sampled_from([0.01, 1.0])
)
def test_expected_change_of_any_query(query: s.Query, estimator: str, size: int, eta: float) -> None:
    expected = oracles.expected_over_groups(
        *query, size, estimator, lambda d: oracles.entropy_change(query.logits, d, F(eta))
    )
    # Changes of either sign may cancel; each is no larger than the step times the entropy or so.
    assert_close(expected_entropy_change(*query, size, estimator, eta), expected, rel=1e-10, floor=1e-13 * eta)


def test_quoted_witnesses() -> None:
    w1 = [0.0, math.log(9)]
    for quoted, estimator in ((0.0065956, "qae"), (0.0036192, "grpo")):
        assert expected_entropy_change(w1, [1, 0], 2, estimator, 0.1, eps=0) == pytest.approx(
            quoted, abs=5e-8
        )  # 7 places
    w2 = [math.log(9), 0.0]
    assert expected_entropy_change(w2, [1, 0], 2, "qae", 0.1, k="0.6", eps=0) == pytest.approx(-0.00620, abs=5e-6)
    assert expected_entropy_change(w2, [1, 0], 2, "grpo", 0.1, eps=0) == pytest.approx(-0.00350, abs=5e-6)
    w3 = [math.log(2), math.log(3), math.log(3)]
    assert expected_entropy_change(w3, [1, 0, 0], 2, "psr", 1) == pytest.approx(0.0021493, abs=5e-8)
    assert expected_entropy_change(w3, [1, 0, 0], 2, "nsr", 1) == pytest.approx(-0.0177424, abs=5e-8)


@pytest.mark.parametrize("estimator", ["grpo", "qae", "dr_grpo", "psr"])
def test_taylor_remainder_of_the_expected_change(estimator: str) -> None:
    etas = [2.0**-j for j in range(5, 11)]
    h1 = float(module.expected_first_order_change(Z, R, 4, estimator))
    h2 = float(module.expected_second_order_change(Z, R, 4, estimator))
    exact = [float(expected_entropy_change(Z, R, 4, estimator, eta)) for eta in etas]
    rest = [e - eta * h1 - eta**2 / 2 * h2 for e, eta in zip(exact, etas, strict=True)]
    # One-sided; half a tenth for the next term of the series.
    assert fitted_slope(etas, rest) > 3 - 0.05
    spoilt = [e - eta * h1 - eta**2 / 2 * h2 * 1.05 for e, eta in zip(exact, etas, strict=True)]
    assert fitted_slope(etas, spoilt) < 2.9


def test_non_binary_rewards_where_the_estimator_takes_them() -> None:
    r = [F(1), F(-1), F(-3, 2)]
    expected = flint.arb(0)
    probs = oracles.probabilities(Z)
    with flint.ctx.workdps(oracles.DIGITS):
        for y in itertools.product(range(3), repeat=2):
            a = oracles.advantages([r[i] for i in y], "qae")
            d = oracles.sampled_direction(probs, y, a)
            expected += probs[y[0]] * probs[y[1]] * oracles.entropy_change(Z, d, F(1, 2))
    assert_close(expected_entropy_change(Z, [1.0, -1.0, -1.5], 2, "qae", 0.5), expected)


def test_expected_change_without_a_step_or_a_lesson_is_zero() -> None:
    assert expected_entropy_change(Z, R, 3, "grpo", 0.0) == 0
    assert abs(expected_entropy_change(Z, [1, 1, 1], 3, "grpo", 1.0)) < 1e-15
    assert np.shape(expected_entropy_change(Z, R, 3, "grpo", 0.5)) == ()
    assert expected_entropy_change(Z, R, 1, "grpo", 0.5) == 0


def test_expected_change_of_peaked_policies() -> None:
    for gap in (700.0, 1e308):
        with np.errstate(over="ignore"):  # the log of a probability of 0
            assert abs(expected_entropy_change([0.0, gap], [1, 0], 4, "qae", 1.0)) < 1e-250


# Counting


@pytest.mark.parametrize(("arms", "size"), [(1, 3), (2, 1), (2, 4), (3, 2), (4, 3)])
def test_count_vectors_are_all_and_each_once(arms: int, size: int) -> None:
    counts = module.count_vectors(arms, size)
    expected = sorted(c for c in itertools.product(range(size + 1), repeat=arms) if sum(c) == size)
    assert sorted(map(tuple, counts.tolist())) == expected
    assert counts.dtype == np.int64


def test_the_enumeration_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ENUMERATION", 10)
    assert len(module.count_vectors(3, 3)) == 10
    assert len(module.count_vectors(4, 2)) == 10
    refuses(lambda: module.count_vectors(4, 3), "group_size", 3, says="10 count vectors, not 20")
    message = refuses(lambda: module.count_vectors(3, 4), "group_size", 4, says="10 count vectors, not 15")
    assert message.startswith("group_size must be small enough")
    refuses(lambda: expected_entropy_change(Z, R, 4, "grpo", 0.1), "group_size", 4)


def test_the_limit_is_two_million() -> None:
    assert module.LARGEST_ENUMERATION == 2_000_000
    refuses(lambda: expected_entropy_change(np.zeros(20), [1] + [0] * 19, 16, "grpo", 0.1), "group_size", 16)


@pytest.mark.parametrize(("arms", "size"), [(2, 5), (3, 4)])
def test_multinomial_weights(arms: int, size: int) -> None:
    counts = module.count_vectors(arms, size)
    probs = [F(j + 1, arms * (arms + 1) // 2) for j in range(arms)]
    log_probs = np.log(s.as_floats(probs))
    expected = []
    for row in counts.tolist():
        ways = math.factorial(size)
        for c in row:
            ways //= math.factorial(c)
        expected.append(ways * math.prod(p**c for p, c in zip(probs, row, strict=True)))
    assert sum(expected) == 1
    assert_close(module.multinomial_weights(log_probs, counts), expected)


def test_exact_multinomial_weights_and_counts() -> None:
    sympy = pytest.importorskip("sympy")
    log_probs = np.array([sympy.log(sympy.Rational(1, 3)), sympy.log(sympy.Rational(2, 3))], dtype=object)
    counts = module.count_vectors(2, 3)
    weights = module.multinomial_weights(log_probs, counts)
    by_count = {tuple(row): weight for row, weight in zip(counts.tolist(), weights, strict=True)}
    assert by_count[0, 3] == sympy.Rational(8, 27)
    assert by_count[1, 2] == sympy.Rational(12, 27)
    assert sum(weights) == 1
    exact = module.exact_counts(counts, log_probs)
    assert all(isinstance(x, F) for x in exact.flat)
    assert module.exact_counts(counts, np.zeros(2)) is counts


def test_finite_step_mean_weighs_each_count_vector() -> None:
    z = np.array([0.0, math.log(2)])
    counts = np.array([[2, 0], [1, 1], [0, 2]])
    a = np.array([[0.0, 0.0], [1.0, -1.0], [0.0, 0.0]])
    # Only the mixed count moves: d = (1, -1)/2, probability 4/9.
    moved = 4 / 9 * float(entropy_change(z, [0.5, -0.5], 0.3))
    assert module.finite_step_mean(z, counts, a, 0.3) == pytest.approx(moved, rel=1e-13)


# Registered estimators


def test_registered_estimators_have_expectations_too(monkeypatch: pytest.MonkeyPatch) -> None:
    advantages_module = shipped("advantages")
    monkeypatch.setattr(advantages_module, "_REGISTRY", dict(advantages_module._REGISTRY))
    register_estimator("minus", lambda rewards, counts: -rewards, source="this test", least_group=2)
    assert_exactly(expected_gain(F(1, 3), 4, "minus"), -1)
    refuses(lambda: expected_gain(0.3, 1, "minus"), "group_size", 1, says=">= 2")


@given(st.sampled_from(["grpo", "qae"]), st.floats(0.05, 0.95))
def test_gain_tends_to_the_inverse_deviation(estimator: str, p: float) -> None:
    assume(abs(p - 0.6) > 0.05)  # at p = 1 - K the approach is slower
    gap = abs(float(expected_gain(p, 4096, estimator)) * math.sqrt(p * (1 - p)) - 1)
    assert gap < 0.01  # of order 1/G, with a constant that grows to 1/(p (1 - p)) = 20 at the ends
