"""Prop. 4.1 and the mask variants: both sides, against each other and against the formulas."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qae_theory import advantages, objective
from qae_theory.objective import clipped_surrogate, group_objective, masked_objective, query_weights
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close, assert_exactly, refuses

RULES = ("grpo", "qae", "pos_mask", "neg_mask")


def surrogate(x: F, a: F, low: F, high: F) -> F:
    clipped = min(max(x, 1 - low), 1 + high)
    return min(x * a, clipped * a)


def ratios(size: int) -> st.SearchStrategy[list[F]]:
    one = st.one_of(st.integers(1, 64).map(lambda i: F(i, 16)), st.sampled_from([F(4, 5), F(32, 25), F(1)]))
    return st.lists(one, min_size=size, max_size=size)


clips = st.tuples(st.sampled_from([F(0), F(1, 5), F(1, 2), F(7, 8)]), st.sampled_from([F(0), F(7, 25), F(1), F(5)]))


@st.composite
def groups_with_ratios(draw: st.DrawFn) -> tuple[s.Case, list[F], tuple[F, F]]:
    case = draw(st.one_of(s.gate_cases(), st.builds(s.Case, s.binary_groups(), s.levels())))
    return case, draw(ratios(len(case.group))), draw(clips)


def weights_of(group: list[F], rule: str, k: F) -> tuple[F, F]:
    p = oracles.mean(group)
    if p in (0, 1):
        return F(0), F(0)
    u, v, both = oracles.root(p / (1 - p)), oracles.root((1 - p) / p), oracles.root(p * (1 - p))
    hard = p <= 1 - k
    return {
        "grpo": (both, both),
        "qae": (u, F(0)) if hard else (F(0), v),
        "pos_mask": (u if hard else F(0), v),
        "neg_mask": (u, F(0) if hard else v),
    }[rule]


# The clipped term


@given(groups_with_ratios(), st.lists(st.integers(-3, 3).map(F), min_size=s.MAX_GROUP, max_size=s.MAX_GROUP))
def test_clipped_surrogate(drawn: Any, pool: list[F]) -> None:
    case, x, (low, high) = drawn
    a = pool[: len(case.group)]
    expected = [surrogate(xi, ai, low, high) for xi, ai in zip(x, a, strict=True)]
    assert_exactly(clipped_surrogate(s.as_exact(x), s.as_exact(a), clip_low=low, clip_high=high), expected)
    got = clipped_surrogate(s.as_floats(x), s.as_floats(a), clip_low=float(low), clip_high=float(high))
    assert_close(got, expected)
    assert_exactly(group_objective(s.as_exact(x), s.as_exact(a), clip_low=low, clip_high=high), oracles.mean(expected))
    got = group_objective(s.as_floats(x), s.as_floats(a), clip_low=float(low), clip_high=float(high))
    assert_close(got, oracles.mean(expected), floor=1e-14)  # terms of either sign


@pytest.mark.parametrize(
    ("x", "a", "expected"),
    [
        (1.0, 2.0, 2.0),
        (1.5, 1.0, 1.28),
        (1.5, -1.0, -1.5),
        (0.5, 1.0, 0.5),
        (0.5, -1.0, -0.8),
        (1.28, 1.0, 1.28),
        (0.8, -1.0, -0.8),
        (3.0, 0.0, 0.0),
    ],
)
def test_default_clip_range(x: float, a: float, expected: float) -> None:
    assert_close(clipped_surrogate(x, a), expected)
    assert_close(group_objective([x], [a]), expected)


def test_clip_defaults_are_dapos() -> None:
    for function in (clipped_surrogate, group_objective, masked_objective):
        parameters = inspect.signature(function).parameters
        assert (parameters["clip_low"].default, parameters["clip_high"].default) == (0.2, 0.28)


def test_no_upper_clip() -> None:
    assert clipped_surrogate(1e6, 2.0, clip_high=math.inf) == 2e6
    assert clipped_surrogate(1e6, -2.0, clip_high=math.inf) == -2e6
    assert group_objective([4.0, 4.0], [1.0, 3.0], clip_high=math.inf) == 8.0
    assert_close(masked_objective([4.0, 1.0], [1, 0], "grpo", clip_high=math.inf), F(3, 2))


def test_surrogate_broadcasts_and_keeps_shapes() -> None:
    assert clipped_surrogate(np.ones((2, 3)), np.ones(3)).shape == (2, 3)
    assert clipped_surrogate(np.ones(3), np.ones((2, 1))).shape == (2, 3)
    assert group_objective(np.ones((2, 3)), np.ones(3)).shape == (2,)
    assert group_objective(np.ones((0, 3)), np.ones((0, 3))).shape == (0,)
    assert clipped_surrogate(1, 1).dtype == np.float64


def test_surrogate_says_what_it_wants() -> None:
    refuses(lambda: clipped_surrogate([0.0, 1.0], 1.0), "ratios", [0.0, 1.0], says="must be positive; got")
    wide = np.ones((3, 3))
    refuses(lambda: clipped_surrogate([1.0, 1.0], wide), "advantages", wide, says="broadcasts with ratios, (2,)")


def test_objective_needs_a_group() -> None:
    refuses(lambda: group_objective(1.0, 1.0), "ratios", 1.0, says="must be an array [..., G], G >= 1; got")
    empty = np.empty((2, 0))
    refuses(lambda: group_objective(empty, empty), "ratios", empty, says="G >= 1")


# The weights


@given(st.one_of(s.gate_cases(), st.builds(s.Case, s.binary_groups(), s.levels())), st.sampled_from(RULES))
def test_query_weights(case: s.Case, rule: str) -> None:
    expected = weights_of(case.group, rule, case.k)
    weights = query_weights(s.as_floats(case.group), rule, k=case.k)
    assert isinstance(weights, objective.QueryWeights)
    assert_close(weights.positive, expected[0])
    assert_close(weights.negative, expected[1])


def test_weights_of_degenerate_groups_warn_of_nothing() -> None:
    with np.errstate(all="raise"):
        for rule in RULES:
            weights = query_weights([[1, 1, 1], [0, 0, 0]], rule)
            assert weights.positive.tolist() == weights.negative.tolist() == [0.0, 0.0]


def test_hand_worked_weights() -> None:
    hard, easy = [1, 0, 0, 0, 0], [1, 1, 1, 1, 0]
    assert [[round(float(w), 12) for w in query_weights(hard, rule)] for rule in RULES] == [
        [0.4, 0.4],
        [0.5, 0.0],
        [0.5, 2.0],
        [0.5, 0.0],
    ]
    assert [[round(float(w), 12) for w in query_weights(easy, rule)] for rule in RULES] == [
        [0.4, 0.4],
        [0.0, 0.5],
        [0.0, 0.5],
        [2.0, 0.5],
    ]


@pytest.mark.parametrize("rule", RULES)
def test_exact_weights(rule: str) -> None:
    for group in ([1, 0, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1], [0]):
        weights = query_weights(s.as_exact(group), rule)
        assert_exactly(np.array(list(weights), dtype=object), list(weights_of([F(x) for x in group], rule, F(2, 5))))


def test_default_level() -> None:
    # p = .6 is hard at K = .4 and easy at K = .5.
    assert query_weights([1, 1, 1, 0, 0], "qae").negative == 0
    assert query_weights([1, 1, 1, 0, 0], "qae", k="0.5").positive == 0
    for function in (query_weights, masked_objective):
        assert inspect.signature(function).parameters["k"].default == "0.4"


def test_weights_of_a_batch() -> None:
    rewards = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    for rule in RULES:
        weights = query_weights(rewards, rule)
        for side in (0, 1):
            expected = [weights_of([F(int(x)) for x in row], rule, F(2, 5))[side] for row in rewards]
            assert_close(weights[side], expected)
    assert query_weights(np.empty((0, 4)), "qae").positive.shape == (0,)


@pytest.mark.parametrize("rule", ["dr_grpo", "QAE", "", None, 3, ["qae"]])
def test_unknown_rules_are_refused_with_the_list(rule: Any) -> None:
    refuses(lambda: query_weights([1, 0], rule), "rule", rule, says="grpo, qae, pos_mask, neg_mask")
    refuses(lambda: masked_objective([1.0, 1.0], [1, 0], rule), "rule", rule, says="grpo, qae, pos_mask, neg_mask")


# Prop. 4.1


@given(groups_with_ratios(), st.sampled_from(RULES))
def test_prop_41(drawn: Any, rule: str) -> None:
    """Left and right side, for arbitrary ratios and clip ranges; masks up to their doubled advantage."""
    case, x, (low, high) = drawn
    options = {} if rule == "grpo" else {"k": case.k}
    a = advantages(s.as_floats(case.group), rule, eps=0, **options)
    clip = {"clip_low": float(low), "clip_high": float(high)}
    left = float(group_objective(s.as_floats(x), a, **clip))
    right = float(masked_objective(s.as_floats(x), s.as_floats(case.group), rule, k=case.k, **clip))
    # Terms of either sign, of size up to the largest ratio 6 times the largest weight sqrt(19).
    assert left == pytest.approx(right, rel=1e-12, abs=1e-13)


@given(groups_with_ratios(), st.sampled_from(RULES))
def test_masked_objective_is_the_formula(drawn: Any, rule: str) -> None:
    case, x, (low, high) = drawn
    positive, negative = weights_of(case.group, rule, case.k)
    plus = [min(xi, 1 + high) for xi, r in zip(x, case.group, strict=True) if r == 1]
    minus = [max(xi, 1 - low) for xi, r in zip(x, case.group, strict=True) if r == 0]
    expected = (positive * oracles.mean(plus) if plus else 0) - (negative * oracles.mean(minus) if minus else 0)
    clip = {"clip_low": float(low), "clip_high": float(high)}
    result = masked_objective(s.as_floats(x), s.as_floats(case.group), rule, k=case.k, **clip)
    assert_close(result, expected, floor=1e-14)  # a difference


def test_exact_masked_objective() -> None:
    x, group = s.as_exact([F(3, 2), F(1, 2), F(1), F(1), F(2)]), s.as_exact([1, 0, 0, 0, 0])
    # u = 1/2 of min(3/2, 32/25).
    assert_exactly(masked_objective(x, group, "qae", clip_low=F(1, 5), clip_high=F(7, 25)), F(16, 25))
    # sqrt(p(1-p)) = 2/5; the wrong ones: (4/5 + 1 + 1 + 2)/4 = 6/5.
    assert_exactly(
        masked_objective(x, group, "grpo", clip_low=F(1, 5), clip_high=F(7, 25)), F(2, 5) * (F(32, 25) - F(6, 5))
    )


def test_masked_objective_defaults() -> None:
    # Hard at the default K = .4, easy at .5; success above 1.28 and failure below .8 are clipped.
    group = [1, 1, 1, 0, 0]
    assert_close(masked_objective([2.0] * 5, group, "qae"), F(32, 25) * oracles.root(F(3, 2)))
    assert_close(masked_objective([0.5] * 5, group, "qae", k="0.5"), -F(4, 5) * oracles.root(F(2, 3)))
    assert_close(masked_objective([1.25] * 5, group, "qae"), F(5, 4) * oracles.root(F(3, 2)))
    assert_close(masked_objective([0.875] * 5, group, "qae", k="0.5"), -F(7, 8) * oracles.root(F(2, 3)))


def test_masked_objective_says_whose_shape_does_not_fit() -> None:
    refuses(
        lambda: masked_objective(np.ones((2, 4)), np.ones((3, 4)), "qae"),
        "rewards",
        np.ones((3, 4)),
        says="with ratios, (2, 4)",
    )


def test_masked_objective_in_batches() -> None:
    rng = np.random.default_rng(20260923)
    x, group = rng.random((2, 3, 5)) + 0.5, rng.integers(0, 2, (3, 5))
    result = masked_objective(x, group, "pos_mask", k="0.5", clip_low=0.1, clip_high=0.3)
    assert result.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        one = masked_objective(x[i, j], group[j], "pos_mask", k="0.5", clip_low=0.1, clip_high=0.3)
        assert result[i, j] == pytest.approx(float(one), rel=1e-12, abs=1e-15)  # summation order
    assert masked_objective(np.empty((0, 3)), np.array([1, 0, 0]), "qae").shape == (0,)


@pytest.mark.parametrize("rule", RULES)
def test_degenerate_groups_have_no_objective(rule: str) -> None:
    for reward in (0, 1):
        assert masked_objective([2.0, 0.5], [reward, reward], rule) == 0


def test_amplification_by_the_gate() -> None:
    # QAE's weight of a success exceeds GRPO's by 1/(1 - p) on hard groups: at most 1/K.
    for m in range(1, 7):
        group = [1] * m + [0] * (10 - m)
        ratio = float(query_weights(group, "qae").positive / query_weights(group, "grpo").positive)
        assert ratio == pytest.approx(10 / (10 - m), rel=1e-14)  # two roundings
        assert 10 / 9 - 1e-12 <= ratio <= 1 / 0.4 + 1e-12


def test_input_is_left_alone() -> None:
    x, group, a = np.array([1.5, 0.5]), np.array([1.0, 0.0]), np.array([1.0, -1.0])
    masked_objective(x, group, "qae")
    group_objective(x, a)
    query_weights(group, "neg_mask")
    assert (x.tolist(), group.tolist(), a.tolist()) == ([1.5, 0.5], [1.0, 0.0], [1.0, -1.0])
