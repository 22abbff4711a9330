"""The four updates against their formulas, in ball arithmetic and exactly."""

from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qae_theory import advantages, update_direction, updates
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close, assert_exactly, refuses

POPULATION = ("uncentred", "policy_gradient", "natural_gradient")
THIRDS = [0.0, math.log(2)]  # pi = (1/3, 2/3)


def formula(rule: str, z: list[float], r: list[Any], b: float) -> list[Any]:
    probs = oracles.probabilities(z)
    advantage = [oracles.ball(x) - oracles.ball(b) for x in r]
    centre = oracles.expectation(probs, advantage)
    return {
        "uncentred": [p * a for p, a in zip(probs, advantage, strict=True)],
        "policy_gradient": [p * (a - centre) for p, a in zip(probs, advantage, strict=True)],
        "natural_gradient": advantage,
    }[rule]


@pytest.mark.parametrize("rule", POPULATION)
@given(query=s.queries(gap=1e4), b=st.floats(-2, 2))
@example(query=s.Query([10.0, 0.0], [1, 0]), b=-1.2042831928102211)
def test_population_updates(rule: str, query: s.Query, b: float) -> None:
    result = update_direction(query.logits, query.arm_rewards, rule, baseline=b)
    # r - b is rounded once; pi (r - V) cancels where nearly all of pi agrees: a unit in the last place of 1.
    assert_close(result, formula(rule, query.logits, query.arm_rewards, b), floor=1e-15)


@pytest.mark.parametrize(
    ("rule", "b", "expected"),
    [
        ("uncentred", 0.0, [F(1, 3), 0]),
        ("uncentred", 0.5, [F(1, 6), F(-1, 3)]),
        ("uncentred", 1.0, [0, F(-2, 3)]),
        ("policy_gradient", 0.0, [F(2, 9), F(-2, 9)]),
        ("policy_gradient", 0.5, [F(2, 9), F(-2, 9)]),
        ("natural_gradient", 0.0, [1, 0]),
        ("natural_gradient", 0.25, [F(3, 4), F(-1, 4)]),
    ],
)
def test_hand_worked_updates(rule: str, b: float, expected: list[Any]) -> None:
    assert_close(update_direction(THIRDS, [1, 0], rule, baseline=b), expected)


@pytest.mark.parametrize("rule", POPULATION)
def test_default_baseline_is_zero(rule: str) -> None:
    assert_exactly(
        update_direction(THIRDS, [1, 0], rule), update_direction(THIRDS, [1, 0], rule, baseline=0.0).tolist()
    )


@given(s.queries(), st.floats(-1, 1), st.floats(-1, 1))
def test_baseline_drops_out_of_the_policy_gradient(query: s.Query, one: float, other: float) -> None:
    first, second = (update_direction(*query, "policy_gradient", baseline=b) for b in (one, other))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-15)  # two roundings of numbers below 2
    assert abs(first.sum()) < 1e-15


def test_rewards_need_not_be_binary() -> None:
    result = update_direction(THIRDS, [0.5, -2.0], "uncentred", baseline=1.0)
    assert_close(result, [F(-1, 6), -2])


# Sampled groups


@st.composite
def sampled_groups(draw: st.DrawFn) -> tuple[list[float], list[int], list[float]]:
    z = draw(s.gentle_logits())
    responses = draw(st.lists(st.integers(0, len(z) - 1), min_size=1, max_size=6))
    values = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0])
    return z, responses, draw(st.lists(values, min_size=len(responses), max_size=len(responses)))


@given(sampled_groups())
def test_sampled_group(drawn: tuple[list[float], list[int], list[float]]) -> None:
    z, responses, a = drawn
    result = update_direction(z, [0] * len(z), "sampled_group", responses=responses, advantages=a)
    expected = oracles.sampled_direction(oracles.probabilities(z), responses, a)
    assert_close(result, expected, floor=1e-15)  # pushes up and down may cancel


def test_hand_worked_group() -> None:
    # pi = (1/3, 2/3), y = (0, 0, 1), A = (1, 3, -1): sum A = 3, G = 3.
    result = update_direction(THIRDS, [1, 0], "sampled_group", responses=[0, 0, 1], advantages=[1, 3, -1])
    assert_close(result, [1, -1])


def test_unsampled_responses_move_by_minus_the_mean_advantage_times_their_probability() -> None:
    z = [0.0, 0.0, math.log(2)]
    d = update_direction(z, [1, 0, 0], "sampled_group", responses=[0, 0, 1, 1], advantages=[1.0, 1.0, 0.0, 0.0])
    assert_close(d[2], F(-1, 4))


def test_sampled_group_with_our_own_advantages() -> None:
    a = advantages([1, 0], "qae", eps=0)
    d = update_direction(THIRDS, [1, 0], "sampled_group", responses=[0, 1], advantages=a)
    assert_close(d, [F(2, 3), F(-2, 3)])


@given(st.lists(st.integers(0, 3), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_counted_group_is_the_sampled_group(counts: list[int], seed: int) -> None:
    if not any(counts):
        counts[0] = 1
    rng = np.random.default_rng(seed)
    z, per_arm = rng.normal(size=len(counts)), rng.normal(size=len(counts))
    responses = np.repeat(np.arange(len(counts)), counts)
    group = update_direction(
        z, np.zeros(len(counts)), "sampled_group", responses=responses, advantages=per_arm[responses]
    )
    counted = updates.counted_group(np.exp(z) / np.exp(z).sum(), np.array(counts), per_arm)
    np.testing.assert_allclose(counted, group, rtol=1e-12, atol=1e-14)  # pushes may cancel


def test_counted_group_by_hand_and_in_batches() -> None:
    probs, counts, a = np.array([0.25, 0.75]), np.array([[1, 3], [2, 0]]), np.array([[2.0, -1.0], [1.0, 0.0]])
    assert updates.counted_group(probs, counts, a).tolist() == [[0.5625, -0.5625], [0.75, -0.75]]
    exact = updates.counted_group(s.as_exact([F(1, 3), F(2, 3)]), s.as_exact([1, 2]), s.as_exact([1, 0]))
    assert_exactly(exact, [F(2, 9), F(-2, 9)])


def test_kernels() -> None:
    probs, advantage = np.array([0.25, 0.75]), np.array([1.0, -1.0])
    assert updates.uncentred(probs, advantage).tolist() == [0.25, -0.75]
    assert updates.policy_gradient(probs, advantage).tolist() == [0.375, -0.375]
    assert updates.natural_gradient(probs, advantage).tolist() == [1.0, -1.0]
    assert updates.natural_gradient(np.full((3, 2), 0.5), advantage).shape == (3, 2)


# Batches and exactness


@pytest.mark.parametrize("rule", POPULATION)
def test_batches_broadcast(rule: str) -> None:
    rng = np.random.default_rng(20260923)
    z, r, b = rng.normal(size=(2, 3, 4)), np.array([1, 0, 1, 0]), rng.random((2, 3))
    result = update_direction(z, r, rule, baseline=b)
    assert result.shape == (2, 3, 4)
    assert result.dtype == np.float64
    for index in np.ndindex(2, 3):
        one = update_direction(z[index], r, rule, baseline=b[index])
        np.testing.assert_allclose(result[index], one, rtol=1e-13, atol=1e-16)  # summation order
    many_baselines = update_direction(z[0, 0], r, rule, baseline=b)
    assert many_baselines.shape == (2, 3, 4)
    many_rewards = update_direction(z[0, 0], np.stack([r, 1 - r]), rule, baseline=0.5)
    assert many_rewards.shape == (2, 4)
    many_queries = update_direction(z, r, rule)
    assert many_queries.shape == (2, 3, 4)


def test_batches_of_sampled_groups() -> None:
    rng = np.random.default_rng(20260923)
    z, r = rng.normal(size=(5, 3)), np.array([1, 0, 0])
    y, a = rng.integers(0, 3, (5, 4)), rng.normal(size=(5, 4))
    result = update_direction(z, r, "sampled_group", responses=y, advantages=a)
    assert result.shape == (5, 3)
    for i in range(5):
        one = update_direction(z[i], r, "sampled_group", responses=y[i], advantages=a[i])
        np.testing.assert_allclose(result[i], one, rtol=1e-13, atol=1e-15)  # summation order
    one_query = update_direction(z[0], r, "sampled_group", responses=y, advantages=a)
    assert one_query.shape == (5, 3)
    one_group = update_direction(z, r, "sampled_group", responses=y[0], advantages=a[0])
    assert one_group.shape == (5, 3)
    np.testing.assert_allclose(one_group[0], result[0], rtol=1e-13, atol=1e-15)
    two_policies = update_direction(np.stack([z, -z]), r, "sampled_group", responses=y, advantages=a)
    assert two_policies.shape == (2, 5, 3)
    np.testing.assert_allclose(two_policies[0], result, rtol=1e-13, atol=1e-15)
    one_rewards = update_direction(z[0], r, "sampled_group", responses=y[0], advantages=a)
    assert one_rewards.shape == (5, 3)
    many_draws = update_direction(z[0], r, "sampled_group", responses=y, advantages=a[0])
    one_draw = update_direction(z[0], r, "sampled_group", responses=y[4], advantages=a[0])
    assert many_draws.shape == (5, 3)
    np.testing.assert_allclose(many_draws[4], one_draw, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("uncentred", [F(1, 6), F(-1, 6), F(-1, 6)]),
        ("policy_gradient", [F(2, 9), F(-1, 9), F(-1, 9)]),
        ("natural_gradient", [F(1, 2), F(-1, 2), F(-1, 2)]),
    ],
)
def test_exact_queries_give_exact_directions(rule: str, expected: list[F]) -> None:
    sympy = pytest.importorskip("sympy")
    z = np.array([sympy.log(5)] * 3, dtype=object)
    for half in (F(1, 2), 0.5):
        d = update_direction(z, [1, 0, 0], rule, baseline=half)
        assert d.dtype == object
        assert [F(str(x)) for x in d] == expected


def test_exact_sampled_group() -> None:
    sympy = pytest.importorskip("sympy")
    z = np.array([sympy.log(1), sympy.log(2)], dtype=object)
    a = s.as_exact([1, 3, -1])
    d = update_direction(z, [1, 0], "sampled_group", responses=[0, 0, 1], advantages=a)
    assert d.tolist() == [1, -1]
    assert not any(sympy.sympify(x).has(sympy.Float) for x in d)


def test_peaked_policies() -> None:
    for gap in (700.0, 1e308):
        d = update_direction([0.0, gap], [1, 0], "policy_gradient")
        assert np.isfinite(d).all()
        assert np.abs(d).max() < 1e-300
        assert update_direction([0.0, gap], [1, 0], "uncentred", baseline=1.0)[1] == -1


# Refusals that only this function has


@pytest.mark.parametrize("rule", POPULATION)
def test_group_arguments_belong_to_sampled_group_only(rule: str) -> None:
    refuses(
        lambda: update_direction(THIRDS, [1, 0], rule, responses=[0]),
        "responses",
        [0],
        says="must be given for 'sampled_group' only; got",
    )
    refuses(
        lambda: update_direction(THIRDS, [1, 0], rule, advantages=[1]),
        "advantages",
        [1],
        says="must be given for 'sampled_group' only; got",
    )


def test_sampled_group_needs_both_and_takes_no_baseline() -> None:
    group: dict[str, Any] = {"responses": [0, 1], "advantages": [1, -1]}
    refuses(
        lambda: update_direction(THIRDS, [1, 0], "sampled_group", baseline=0.5, **group),
        "baseline",
        0.5,
        says="must be left out for 'sampled_group', whose advantages contain it; got",
    )
    for name in group:
        rest = {key: value for key, value in group.items() if key != name}
        refuses(
            lambda rest=rest: update_direction(THIRDS, [1, 0], "sampled_group", **rest),
            name,
            None,
            says="sampled_group",
        )
    with_zero = update_direction(THIRDS, [1, 0], "sampled_group", baseline=0, **group)
    assert_close(with_zero, [F(1, 2), F(-1, 2)])


@pytest.mark.parametrize("rule", ["Uncentred", "ppo", "", None, 3, ["uncentred"]])
def test_unknown_rules_are_refused_with_the_list(rule: Any) -> None:
    names = "uncentred, policy_gradient, natural_gradient, sampled_group"
    refuses(lambda: update_direction(THIRDS, [1, 0], rule), "rule", rule, says=names)


def test_input_is_left_alone() -> None:
    z, r, a = np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.array([1.0, -1.0])
    update_direction(z, r, "policy_gradient", baseline=0.5)
    result = update_direction(z, r, "natural_gradient", baseline=0.0)
    update_direction(z, r, "sampled_group", responses=[0, 1], advantages=a)
    assert (z.tolist(), r.tolist(), a.tolist()) == ([0.0, 1.0], [1.0, 0.0], [1.0, -1.0])
    assert result.tolist() == [1.0, 0.0]
