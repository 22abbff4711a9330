"""The named estimators against their definitions in Fractions, their options, their registry, and the gate."""

from __future__ import annotations

import inspect
import math
from fractions import Fraction as F
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from qae_theory import advantages, estimator_names, register_estimator
from tests import oracles
from tests import strategies as s
from tests.assertions import assert_close, assert_exactly, refuses
from tests.qae_theory import shipped

module = shipped("advantages")
EPS = (F(0), F(1, 10**8), F(1, 10**6), F(1, 10**4), F(1, 2))
STDS = ("population", "bessel", "none")
# Numerators are differences of rewards of size 3 that may cancel to nothing, divided by an std of at least 0.05.
CANCELLED = 1e-13


def options_of(estimator: str, k: F, std: str, eps: F) -> dict[str, Any]:
    options: dict[str, Any] = {"k": k} if estimator in oracles.GATED else {}
    return {**options, "std": std, "eps": eps}


def groups_for(estimator: str) -> st.SearchStrategy[list[F]]:
    binary = estimator in oracles.BINARY_ONLY
    least = 2 if estimator == "rloo" else 1
    return s.binary_groups(min_size=least) if binary else s.groups(min_size=least)


def cases() -> st.SearchStrategy[Any]:
    options = st.tuples(s.levels(), st.sampled_from(STDS), st.sampled_from(EPS))
    return st.sampled_from(oracles.ESTIMATORS).flatmap(
        lambda name: st.tuples(st.just(name), groups_for(name), options.map(lambda o: options_of(name, *o)))
    )


# Values


@given(cases())
def test_advantages_are_as_defined(case: Any) -> None:
    estimator, group, options = case
    result = advantages(s.as_floats(group), estimator, **options)
    assert_close(result, oracles.advantages(group, estimator, **options), floor=CANCELLED)


@settings(max_examples=40)  # SymPy's roots take milliseconds each
@given(cases())
def test_exact_rewards_give_exact_advantages(case: Any) -> None:
    estimator, group, options = case
    result = advantages(s.as_exact(group), estimator, **options)
    assert result.dtype == object
    for got, want in zip(result, oracles.advantages(group, estimator, **options), strict=True):
        if options["std"] == "none":
            assert got == want
            assert isinstance(got, (F, int))
        else:  # the oracle's own root has 60 digits
            digits = got if isinstance(got, (int, F)) else F(str(got.evalf(60)))
            assert abs(digits - want) < F(1, 10**50)


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
@pytest.mark.parametrize("group", [[1, 0, 0, 0, 0], [1, 1, 1, 1, 0], [1, 0, 1, 0, 0], [1, 1, 1], [0, 0], [1, 0]])
def test_defaults(estimator: str, group: list[int]) -> None:
    expected = oracles.advantages([F(x) for x in group], estimator)
    assert_close(advantages(group, estimator), expected)
    spelt = {"k": "0.4", "std": oracles.own_std(estimator), "eps": 1e-6}
    allowed = module.get_estimator(estimator).defaults
    assert_exactly(
        advantages(group, estimator), advantages(group, estimator, **{o: spelt[o] for o in allowed}).tolist()
    )


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_default_options_are_the_documented_ones(estimator: str) -> None:
    defaults = dict(module.get_estimator(estimator).defaults)
    expected: dict[str, Any] = {"std": oracles.own_std(estimator), "eps": 1e-6}
    if estimator in oracles.GATED:
        expected["k"] = "0.4"
    assert defaults == expected


def test_default_estimator_is_qae() -> None:
    assert inspect.signature(advantages).parameters["estimator"].default == "qae"
    assert_exactly(advantages([1, 0, 0, 0, 0]), advantages([1, 0, 0, 0, 0], "qae").tolist())


@pytest.mark.parametrize(
    ("estimator", "group", "expected"),
    [
        ("grpo", [1, 0, 0, 0, 0], [2, F(-1, 2), F(-1, 2), F(-1, 2), F(-1, 2)]),
        ("qae", [1, 0, 0, 0, 0], [F(5, 2), 0, 0, 0, 0]),
        ("qae", [1, 1, 1, 1, 0], [0, 0, 0, 0, F(-5, 2)]),
        ("pos_mask", [1, 0, 0, 0, 0], [F(5, 2), F(-5, 2), F(-5, 2), F(-5, 2), F(-5, 2)]),
        ("pos_mask", [1, 1, 1, 1, 0], [0, 0, 0, 0, F(-5, 2)]),
        ("neg_mask", [1, 0, 0, 0, 0], [F(5, 2), 0, 0, 0, 0]),
        ("neg_mask", [1, 1, 1, 1, 0], [F(5, 2), F(5, 2), F(5, 2), F(5, 2), F(-5, 2)]),
        ("dr_grpo", [1, 0, 0, 0, 0], [F(4, 5), F(-1, 5), F(-1, 5), F(-1, 5), F(-1, 5)]),
        ("rloo", [1, 0, 0, 0, 0], [1, F(-1, 4), F(-1, 4), F(-1, 4), F(-1, 4)]),
        ("psr", [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]),
        ("nsr", [1, 0, 0, 0, 0], [0, -1, -1, -1, -1]),
    ],
)
def test_hand_worked_groups(estimator: str, group: list[int], expected: list[Any]) -> None:
    assert_exactly(advantages(s.as_exact(group), estimator, eps=0), expected)
    assert_close(advantages(group, estimator, eps=0), expected)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("dr_grpo", [2, F(-1, 2), F(-1, 2), F(-1, 2), F(-1, 2)]),
        ("rloo", [F(5, 2), F(-5, 8), F(-5, 8), F(-5, 8), F(-5, 8)]),
        ("psr", [F(5, 2), 0, 0, 0, 0]),
        ("nsr", [0, F(-5, 2), F(-5, 2), F(-5, 2), F(-5, 2)]),
    ],
)
def test_hand_worked_groups_of_rules_that_divide_only_if_told_to(estimator: str, expected: list[Any]) -> None:
    group = [1, 0, 0, 0, 0]  # of which the population's standard deviation is 2/5
    assert_exactly(advantages(s.as_exact(group), estimator, std="population", eps=0), expected)
    assert_close(advantages(group, estimator, std="population", eps=0), expected)
    # With eps = 3/5 the divisor is 1: what is left is the rule without a divisor.
    undivided = advantages(s.as_exact(group), estimator).tolist()
    assert_exactly(advantages(s.as_exact(group), estimator, std="population", eps=F(3, 5)), undivided)


@given(s.groups(min_size=2), st.sampled_from(("population", "bessel")), st.sampled_from(EPS))
def test_the_mean_baseline_with_a_divisor_is_grpo(group: list[F], std: str, eps: F) -> None:
    result = advantages(s.as_floats(group), "dr_grpo", std=std, eps=eps)
    assert result.tolist() == advantages(s.as_floats(group), "grpo", std=std, eps=eps).tolist()


@pytest.mark.parametrize("estimator", oracles.UNSCALED)
@pytest.mark.parametrize("masked", [False, True])
def test_no_divisor_is_the_default_to_the_last_bit(estimator: str, masked: bool) -> None:
    rewards = np.random.default_rng(20261128).integers(0, 2, (60, 7)).astype(float)
    mask = np.random.default_rng(20261129).random(rewards.shape) < 0.7 if masked else None
    given = advantages(rewards, estimator, mask=mask, std="none", eps=10.0)
    assert given.tobytes() == advantages(rewards, estimator, mask=mask).tobytes()


def test_released_code_leaks_through_the_gate() -> None:
    group = [1] * 5 + [0] * 3  # K = .4: the interpolated baseline is .8, Eq. 3's is 1
    released, exact = advantages(group, "qae_linear"), advantages(group, "qae")
    assert (released[:5] > 0).all()
    assert (released[5:] < 0).all()
    assert (exact[:5] == 0).all()


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_std_and_eps_are_used(estimator: str, std: str) -> None:
    group = [F(1), F(0), F(0)]
    for eps in EPS:
        expected = oracles.advantages(group, estimator, std=std, eps=eps)
        assert_close(advantages([1, 0, 0], estimator, std=std, eps=eps), expected)
        assert_close(advantages([1, 0, 0], estimator, std=std, eps=float(eps)), expected)


# The two-regime gate


@given(s.gate_cases(), st.sampled_from(STDS), st.sampled_from(EPS))
def test_gate_acts_on_one_side_only(case: s.Case, std: str, eps: F) -> None:
    a = advantages(s.as_floats(case.group), "qae", k=case.k, std=std, eps=eps)
    correct = s.as_floats(case.group) == 1
    hard = sum(case.group) / len(case.group) <= 1 - case.k
    if hard:
        assert (a[correct] > 0).all()
        assert (a[~correct] == 0).all()
    else:
        assert (a[correct] == 0).all()
        assert (a[~correct] < 0).all()


@given(s.threshold_cases())
def test_a_group_on_the_threshold_is_hard_and_one_more_success_makes_it_easy(case: s.Case) -> None:
    a = advantages(s.as_floats(case.group), "qae", k=case.k)
    assert (a[s.as_floats(case.group) == 0] == 0).all()
    easier = [*case.group]
    easier[easier.index(0)] = F(1)
    assume(sum(easier) < len(easier))
    assert (advantages(s.as_floats(easier), "qae", k=case.k)[s.as_floats(easier) == 1] == 0).all()


@given(s.groups(), s.levels(), st.sampled_from(STDS))
def test_gate_of_any_rewards_is_the_sign_of_the_distance_to_the_quantile(group: list[F], k: F, std: str) -> None:
    a = advantages(s.as_floats(group), "qae", k=k, std=std)
    b = oracles.lower_quantile(group, k)
    degenerate = max(group) == min(group)
    expected = [0 if degenerate else (x > b) - (x < b) for x in group]
    assert np.sign(a).tolist() == expected


@given(s.masked_groups(s.mixed_binary_groups()), s.levels())
def test_gate_looks_at_scorable_rows_only(drawn: s.MaskedGroup, k: F) -> None:
    scored = [x for x, keep in zip(drawn.rewards, drawn.mask, strict=True) if keep]
    assume(0 < sum(scored) < len(scored))
    a = advantages(drawn.rewards, "qae", mask=drawn.mask, k=k)
    hard = F(int(sum(scored)), len(scored)) <= 1 - k
    for value, reward, keep in zip(a, drawn.rewards, drawn.mask, strict=True):
        pushed = keep and reward == (1 if hard else 0)
        assert (value != 0) == pushed
        assert value >= 0 if hard else value <= 0


def test_non_binary_rewards_break_the_gate() -> None:
    group = [1.0] * 4 + [-1.0] * 10 + [-1.5, -2.0]  # hard at K = .4, and failures below the quantile are pushed down
    a = advantages(group, "qae", k="0.4")
    assert (a[:4] > 0).all()
    assert (a[4:14] == 0).all()
    assert (a[14:] < 0).all()


@given(s.groups(), s.levels(), s.levels())
def test_larger_k_means_fewer_positive_and_more_negative_advantages(group: list[F], one: F, other: F) -> None:
    low, high = (advantages(s.as_floats(group), "qae", k=k) for k in sorted([one, other]))
    assert (low > 0).sum() >= (high > 0).sum()
    assert (low < 0).sum() <= (high < 0).sum()


@given(s.gate_cases())
def test_share_of_zeros_in_a_mixed_group(case: s.Case) -> None:
    rate = sum(case.group) / len(case.group)
    zeros = int((advantages(s.as_floats(case.group), "qae", k=case.k) == 0).sum())
    assert F(zeros, len(case.group)) == (1 - rate if rate <= 1 - case.k else rate)


# Degenerate groups


@pytest.mark.parametrize("eps", [0, 1e-6])
@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize("estimator", oracles.STANDARDISED)
@pytest.mark.parametrize("reward", [0, 1])
def test_degenerate_groups_have_no_advantage(estimator: str, reward: int, std: str, eps: float) -> None:
    for size in (1, 2, 5):
        a = advantages([reward] * size, estimator, std=std, eps=eps)
        assert a.tolist() == [0.0] * size
        assert_exactly(advantages(s.as_exact([reward] * size), estimator, std=std, eps=eps), [0] * size)


@pytest.mark.parametrize("eps", [0, 1e-6])
@pytest.mark.parametrize("reward", [0, 1])
@pytest.mark.parametrize("estimator", oracles.UNSCALED)
def test_degenerate_groups_have_no_advantage_over_a_divisor(estimator: str, reward: int, eps: float) -> None:
    for std in ("population", "bessel"):
        assert advantages([reward] * 5, estimator, std=std, eps=eps).tolist() == [0.0] * 5
        assert_exactly(advantages(s.as_exact([reward] * 5), estimator, std=std, eps=eps), [0] * 5)
    of_batch = advantages([[reward] * 5, [1, 0, 0, 1, 0]], estimator, std="batch", eps=eps)
    assert of_batch[0].tolist() == [0.0] * 5
    assert of_batch[1].any()


@pytest.mark.parametrize(("estimator", "baseline"), [("psr", 0), ("nsr", 1)])
def test_constant_baselines_without_a_divisor_keep_degenerate_groups(estimator: str, baseline: int) -> None:
    for reward in (0, 1):
        assert advantages([reward] * 3, estimator, std="none").tolist() == [reward - baseline] * 3


@pytest.mark.parametrize("estimator", ["grpo", "qae", "qae_linear"])
def test_degenerate_is_max_equals_min_and_not_a_small_std(estimator: str) -> None:
    assert advantages([0.1] * 7, estimator, eps=0).tolist() == [0.0] * 7  # the mean of 7 times .1 is not .1
    assert advantages([1e16, 1e16], estimator, eps=0).tolist() == [0.0, 0.0]
    tiny = advantages([1e-300, 0, 0, 0], estimator, eps=0)
    assert_close(tiny, oracles.advantages([F(1), *[F(0)] * 3], estimator, eps=F(0)))
    near = 1.0 + 2.0**-52
    assert_close(advantages([near, 1.0], "qae", eps=0, k="0.4"), [2, 0])


@pytest.mark.parametrize("estimator", [e for e in oracles.ESTIMATORS if e != "rloo"])
@pytest.mark.parametrize("reward", [0, 1])
def test_a_single_response_has_no_advantage(estimator: str, reward: int) -> None:
    assert advantages([reward], estimator).tolist() == [0.0]
    assert advantages([[reward], [1 - reward]], estimator).tolist() == [[0.0], [0.0]]


def test_leave_one_out_of_one_is_an_error() -> None:
    refuses(lambda: advantages([1], "rloo"), "rewards", [1], says="at least 2 responses for 'rloo'")
    assert advantages([1, 0], "rloo").tolist() == [1.0, -1.0]


# Rewards far from 0, and equal rewards

CENTRED = ("grpo", "dr_grpo", "rloo", "qae", "qae_linear")
ULP = 2.0**-52


@pytest.mark.parametrize("estimator", CENTRED)
@pytest.mark.parametrize("reward", [0.7, 0.1, -1.2, 1e16, -3e-200, 1 / 3, 0.0])
@pytest.mark.parametrize("size", [2, 3, 6, 7, 100])
def test_equal_rewards_have_exactly_no_advantage(estimator: str, reward: float, size: int) -> None:
    assert advantages([reward] * size, estimator).tolist() == [0.0] * size
    masked = advantages([*[reward] * size, 5.0, math.nan], estimator, mask=[*[True] * size, False, False])
    assert masked.tolist() == [0.0] * (size + 2)
    for std in STDS:
        assert advantages([reward] * size, estimator, std=std, eps=0).tolist() == [0.0] * size


@pytest.mark.parametrize(
    ("estimator", "options"),
    [*((name, {}) for name in CENTRED), ("dr_grpo", {"std": "population"}), ("rloo", {"std": "bessel"})],
)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("origin", "unit"), [(1000.0, 1e-6), (-1e9, 1e-3), (1e300, 1e288), (3.0, 1.0), (0.0, 1e-300)])
def test_rewards_far_from_zero_keep_the_accuracy_of_their_range(
    estimator: str, options: dict[str, Any], masked: bool, origin: float, unit: float
) -> None:
    rewards = origin + unit * np.random.default_rng(20260923).normal(size=(50, 8))
    mask = np.ones(rewards.shape, dtype=bool)
    mask[:, 5:] = not masked
    eps = 1e-8 * unit
    divides = options.get("std", oracles.own_std(estimator)) != "none"
    result = advantages(rewards, estimator, mask=mask if masked else None, eps=eps, **options)
    for row, keep, got in zip(rewards, mask, result, strict=True):
        group = [F(float(x)) for x in row[keep]]
        want = np.array([float(x) for x in oracles.advantages(group, estimator, eps=F(eps), **options)])
        scale = 1.0 if divides else float(max(group) - min(group))
        # Differences, a mean of 8, an std and a quotient: a few roundings of numbers of the range's size.
        assert np.abs(got[keep] - want).max() <= 16 * ULP * scale


def test_a_reward_of_a_thousand_does_not_cost_six_digits() -> None:
    z = np.random.default_rng(0).normal(size=8)
    rewards = 1000 + 1e-6 * z
    expected = oracles.advantages([F(float(x)) for x in rewards], "grpo", eps=F(1, 10**8))
    assert_close(advantages(rewards, "grpo", eps=1e-8), expected, rel=1e-14, floor=1e-14)


# The divisor


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_no_divisor_leaves_the_numerator_and_needs_no_eps(estimator: str) -> None:
    group = [1, 0, 0, 1, 0]
    expected = oracles.advantages([F(x) for x in group], estimator, std="none")
    for eps in (0, 1e-6, 10.0):
        assert_close(advantages(group, estimator, std="none", eps=eps), expected)
        assert_exactly(advantages(s.as_exact(group), estimator, std="none", eps=eps), expected)
    assert max(map(abs, expected)) in (F(1), F(3, 4), F(3, 5))


def test_without_divisor_the_mean_baseline_is_dr_grpo() -> None:
    rewards = np.random.default_rng(20260923).integers(0, 2, (200, 8)).astype(float)
    assert advantages(rewards, "grpo", std="none").tolist() == advantages(rewards, "dr_grpo").tolist()


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
@pytest.mark.parametrize("masked", [False, True])
def test_the_divisor_of_a_batch_is_bessel_s_std_of_all_its_rewards(estimator: str, masked: bool) -> None:
    rewards = np.array([[1.0, 0, 0, 0, 1], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]])
    mask = np.ones(rewards.shape, dtype=bool)
    mask[1, 1] = mask[3, 1] = not masked
    result = advantages(rewards, estimator, std="batch", eps=0.125, mask=mask if masked else None)
    scale = oracles.deviation([F(float(x)) for x in rewards[mask]], "bessel") + F(1, 8)
    for row, keep, got in zip(rewards, mask, result, strict=True):
        group = [F(float(x)) for x in row[keep]]
        mixed = max(group) > min(group)
        want = [a / scale if mixed else F(0) for a in oracles.advantages(group, estimator, std="none")]
        assert_close(got[keep], want)
        assert got[~keep].tolist() == [0.0] * int((~keep).sum())


def test_the_divisor_of_a_batch_does_not_depend_on_its_shape_or_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rewards = np.random.default_rng(20260923).normal(size=(6, 4))
    whole = advantages(rewards, "grpo", std="batch")
    assert advantages(rewards.reshape(2, 3, 4), "grpo", std="batch").reshape(6, 4).tolist() == whole.tolist()
    monkeypatch.setattr(module, "_BLOCK", 8)
    assert advantages(rewards, "grpo", std="batch").tolist() == whole.tolist()
    assert advantages(np.empty((0, 4)), "grpo", std="batch").shape == (0, 4)
    assert advantages([[0.7, 0.7], [0.7, 0.7]], "grpo", std="batch", eps=0).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    exact = advantages(np.stack([s.as_exact([1, 0]), s.as_exact([1, 1])]), "grpo", std="batch", eps=0)
    assert_exactly(exact, [[1, -1], [0, 0]])  # Bessel's std of (1, 0, 1, 1) is 1/2


def test_a_group_alone_has_no_batch() -> None:
    refuses(lambda: advantages([1, 0], "grpo", std="batch"), "std", "batch", says="needs a batch")


# Masks


@given(s.masked_groups(), st.sampled_from(["grpo", "dr_grpo", "qae", "qae_linear"]), s.levels(), st.sampled_from(STDS))
@example(s.MaskedGroup([math.nan, 1.0, 0.0], [False, True, True]), "qae", F(2, 5), "population")
@example(s.MaskedGroup([1.0, math.nan, 0.0], [True, False, True]), "grpo", F(2, 5), "bessel")
@example(s.MaskedGroup([7.0, 1.0, math.inf], [False, True, False]), "dr_grpo", F(2, 5), "bessel")
def test_unscorable_rows_stay_out(drawn: s.MaskedGroup, estimator: str, k: F, std: str) -> None:
    options = options_of(estimator, k, std, F(1, 10**6))
    rewards = [F(x) if keep else x for x, keep in zip(drawn.rewards, drawn.mask, strict=True)]
    expected = oracles.masked_advantages(rewards, drawn.mask, estimator, **options)
    assert_close(advantages(drawn.rewards, estimator, mask=drawn.mask, **options), expected, floor=CANCELLED)


@given(s.masked_groups(s.binary_groups(min_size=2)), st.sampled_from([*oracles.BINARY_ONLY, "rloo"]))
def test_unscorable_rows_stay_out_of_binary_rules(drawn: s.MaskedGroup, estimator: str) -> None:
    rewards = [F(x) if keep else x for x, keep in zip(drawn.rewards, drawn.mask, strict=True)]
    expected = oracles.masked_advantages(rewards, drawn.mask, estimator)
    assert_close(advantages(drawn.rewards, estimator, mask=drawn.mask), expected, floor=CANCELLED)


@given(s.groups(min_size=2), st.sampled_from(["grpo", "dr_grpo", "rloo", "qae", "qae_linear"]))
def test_a_full_mask_changes_nothing(group: list[F], estimator: str) -> None:
    mask = [True] * len(group)
    without = advantages(s.as_exact(group), estimator)
    assert_exactly(advantages(s.as_exact(group), estimator, mask=mask), without)


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_fewer_than_two_scorable_rows_have_no_advantage(estimator: str) -> None:
    rewards = [[1.0, math.nan, math.nan], [math.nan, math.nan, math.nan], [math.nan, 0.0, math.nan]]
    mask = [[True, False, False], [False, False, False], [False, True, False]]
    assert advantages(rewards, estimator, mask=mask).tolist() == [[0.0] * 3] * 3


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_each_group_has_its_own_mask(estimator: str) -> None:
    rewards = np.array([[1.0, 0.0, math.nan, 0.0], [1.0, 1.0, 1.0, 0.0], [math.nan, 0.0, 1.0, math.nan]])
    mask = ~np.isnan(rewards)
    expected = [
        oracles.masked_advantages([F(x) if keep else x for x, keep in zip(row, keeps, strict=True)], keeps, estimator)
        for row, keeps in zip(rewards, mask, strict=True)
    ]
    assert_close(advantages(rewards, estimator, mask=mask), expected, floor=CANCELLED)


def test_masked_exact_groups_stay_exact() -> None:
    group = s.as_exact([1, 0, 0, 0, 0, 7])
    result = advantages(group, "qae", mask=[True] * 5 + [False], eps=0)
    assert_exactly(result, [F(5, 2), 0, 0, 0, 0, 0])
    none = advantages(group, "dr_grpo", mask=[True] + [False] * 5)
    assert_exactly(none, [0] * 6)
    assert all(isinstance(x, F) for x in none)


# Symmetry, batches, scale


@given(cases(), st.randoms(use_true_random=False))
def test_permuting_the_group_permutes_the_advantages(case: Any, random: Any) -> None:
    estimator, group, options = case
    order = list(range(len(group)))
    random.shuffle(order)
    shuffled = advantages(s.as_exact([group[i] for i in order]), estimator, **options)
    assert_exactly(shuffled, advantages(s.as_exact(group), estimator, **options)[order])


@given(s.batch_shapes(), st.integers(2, 6), st.sampled_from(oracles.ESTIMATORS), st.integers(0, 2**32 - 1))
def test_a_batch_is_treated_group_by_group(shape: tuple[int, ...], size: int, estimator: str, seed: int) -> None:
    rewards = np.random.default_rng(seed).integers(0, 2, (*shape, size)).astype(float)
    result = advantages(rewards, estimator)
    assert result.shape == rewards.shape
    assert result.dtype == np.float64
    for index in np.ndindex(shape):
        assert_exactly(result[index], advantages(rewards[index], estimator).tolist())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("shape", [(40_000, 4), (7, 5000, 4), (3, 50_000)])
def test_large_batches_are_treated_in_blocks_without_a_trace(shape: tuple[int, ...], masked: bool) -> None:
    rng = np.random.default_rng(20260923)
    rewards = rng.integers(0, 2, shape).astype(float)
    mask = rng.random(shape) < 0.9 if masked else None
    assert rewards.size > module._BLOCK
    result = advantages(rewards, "qae", mask=mask)
    assert result.shape == shape
    rows, row_masks = rewards.reshape(-1, shape[-1]), None if mask is None else mask.reshape(-1, shape[-1])
    picked = [0, 1, len(rows) // 2, len(rows) - 2, len(rows) - 1]
    small = advantages(rows[picked], "qae", mask=None if row_masks is None else row_masks[picked])
    # A sum over another memory layout may round differently.
    np.testing.assert_allclose(result.reshape(-1, shape[-1])[picked], small, rtol=1e-12, atol=0)


def test_rows_longer_than_a_block_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rewards = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    whole = advantages(rewards, "grpo").tolist()
    for block in (2, 3, 4, 6, 8, 9):
        monkeypatch.setattr(module, "_BLOCK", block)
        assert_exactly(advantages(rewards, "grpo"), whole)


@given(s.tied_groups(min_size=2), st.integers(-40, 40), st.integers(-40, 40), s.levels())
def test_standardised_rules_ignore_shift_and_positive_scale(group: list[F], shift: int, power: int, k: F) -> None:
    moved = [x * F(2) ** power + shift for x in group]
    for estimator, options in (("grpo", {}), ("qae", {"k": k}), ("qae_linear", {"k": k})):
        plain = advantages(s.as_exact(group), estimator, eps=0, **options)
        other = advantages(s.as_exact(moved), estimator, eps=0, **options)
        assert [sign_and_square(x) for x in other] == [sign_and_square(x) for x in plain]


def sign_and_square(x: Any) -> tuple[bool, Any]:
    return bool(x > 0), x**2


@given(s.tied_groups(min_size=2), st.integers(-9, 9))
def test_unscaled_rules_scale_with_the_rewards(group: list[F], factor: int) -> None:
    for estimator in ("dr_grpo", "rloo"):
        plain = advantages(s.as_exact(group), estimator)
        assert_exactly(advantages(s.as_exact([factor * x + 5 for x in group]), estimator), factor * plain)


@pytest.mark.parametrize("scale", [1e-200, 1e-300, 1e200, 1e300])
@pytest.mark.parametrize("estimator", ["grpo", "qae", "qae_linear"])
def test_rewards_of_extreme_size(estimator: str, scale: float) -> None:
    group = [1.0, 0.0, 0.25, 0.0, 0.5]
    scaled = [x * scale for x in group]
    for std in STDS:
        expected = oracles.advantages([F(x) for x in scaled], estimator, eps=F(0), std=std)
        assert_close(advantages(scaled, estimator, eps=0, std=std), expected)
        with_eps = oracles.advantages([F(x) for x in scaled], estimator, std=std)
        assert_close(advantages(scaled, estimator, std=std), with_eps, floor=0.0)


def test_rewards_far_from_zero_keep_their_differences() -> None:
    shifted = advantages([2.0**40 + 1, 2.0**40, 2.0**40, 2.0**40], "qae", eps=0)
    assert_close(shifted, oracles.advantages([F(1), F(0), F(0), F(0)], "qae", eps=F(0)))


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_largest_float_rewards_do_not_overflow(estimator: str) -> None:
    if estimator in oracles.BINARY_ONLY:
        with pytest.raises(ValueError, match=r"^rewards "):
            advantages([2.0**999, -(2.0**999)], estimator)
        return
    assert np.isfinite(advantages([2.0**999, -(2.0**999), 0.0], estimator)).all()


@pytest.mark.parametrize("dtype", [bool, np.int32, np.uint8, np.float32])
@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_advantages_are_in_float64_for_every_input_type(estimator: str, dtype: Any) -> None:
    group = np.array([1, 0, 0, 0], dtype=dtype)
    assert_close(advantages(group, estimator), oracles.advantages([F(1), F(0), F(0), F(0)], estimator))


def test_input_is_left_alone() -> None:
    rewards, mask = np.array([1.0, math.nan, 0.0]), np.array([True, False, True])
    advantages(rewards, "qae", mask=mask)
    assert rewards[0] == 1
    assert math.isnan(rewards[1])
    assert mask.tolist() == [True, False, True]


def test_symbolic_rewards() -> None:
    sympy = pytest.importorskip("sympy")
    a = sympy.Symbol("a", real=True)
    result = advantages(np.array([a, 0, 0], dtype=object), "dr_grpo")
    assert [sympy.expand(x) for x in result] == [2 * a / 3, -a / 3, -a / 3]
    loo = advantages(np.array([a, 0, 0], dtype=object), "rloo")
    assert [sympy.expand(x) for x in loo] == [a, -a / 2, -a / 2]


# Binary rules, options and the registry


@pytest.mark.parametrize("estimator", oracles.BINARY_ONLY)
@pytest.mark.parametrize("group", [[1.0, 0.5], [1.0, -1.0], [2.0, 0.0]])
def test_binary_rules_refuse_other_rewards(estimator: str, group: list[float]) -> None:
    refuses(lambda: advantages(group, estimator), "rewards", group, says="must be 0 or 1 in every entry")
    masked = advantages([*group, 1.0, 0.0], estimator, mask=[False, False, True, True])
    assert masked[:2].tolist() == [0.0, 0.0]


def test_binary_only_estimators_are_the_ones_that_say_so() -> None:
    assert tuple(e for e in estimator_names() if module.get_estimator(e).binary_only) == oracles.BINARY_ONLY


def test_estimator_names_are_the_contract() -> None:
    assert estimator_names() == oracles.ESTIMATORS
    assert all(module.get_estimator(e).name == e for e in estimator_names())
    assert [module.get_estimator(e).least_group for e in estimator_names()] == [1, 1, 2, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
def test_every_estimator_names_its_source(estimator: str) -> None:
    source = module.get_estimator(estimator).source
    assert "arXiv 2" in source


@pytest.mark.parametrize("name", ["ppo", "QAE", "", None, 3, ["qae"]])
def test_unknown_estimators_are_refused_with_the_list_of_those_that_exist(name: Any) -> None:
    for call in (lambda: advantages([1, 0], name), lambda: module.get_estimator(name)):
        refuses(call, "estimator", name, says=", ".join(oracles.ESTIMATORS))


@pytest.mark.parametrize("estimator", oracles.ESTIMATORS)
@pytest.mark.parametrize("option", ["k", "std", "eps", "temperature"])
def test_options_that_an_estimator_does_not_have_are_refused(estimator: str, option: str) -> None:
    value = {"k": "0.3", "std": "bessel", "eps": 0.0, "temperature": 2}[option]
    has = {"k": oracles.GATED, "std": oracles.ESTIMATORS, "eps": oracles.ESTIMATORS}.get(option, ())
    if estimator in has:
        assert advantages([1, 0], estimator, **{option: value}).shape == (2,)
    else:
        known = list(module.get_estimator(estimator).defaults)
        says = f"left out: {estimator!r} has the options {known}"
        refuses(lambda: advantages([1, 0], estimator, **{option: value}), option, value, says=says)


def test_resolved_options_are_checked_and_complete() -> None:
    resolved = module.resolve_options(module.get_estimator("qae"), {"k": 0.3})
    assert resolved == {"k": F(3, 10), "std": "population", "eps": 1e-6}
    assert module.resolve_options(module.get_estimator("rloo"), {}) == {"std": "none", "eps": 1e-6}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A registry of its own, so that no test leaves a name behind."""
    own = dict(module._REGISTRY)
    monkeypatch.setattr(module, "_REGISTRY", own)
    return own


def halves(rewards: Any, counts: Any, scale: Any = 1) -> Any:
    return scale * rewards / 2


def test_a_registered_estimator_works_by_name(registry: dict[str, Any]) -> None:
    register_estimator("halves", halves, source="this test", defaults={"scale": 3}, binary_only=True, least_group=2)
    assert estimator_names() == (*oracles.ESTIMATORS, "halves")
    rule = registry["halves"]
    assert (rule.name, rule.kernel, rule.source) == ("halves", halves, "this test")
    assert (dict(rule.defaults), rule.binary_only, rule.least_group) == ({"scale": 3}, True, 2)
    assert advantages([1, 0], "halves").tolist() == [1.5, 0.0]
    assert advantages([1, 0], "halves", scale=4).tolist() == [2.0, 0.0]
    refuses(lambda: advantages([1], "halves"), "rewards", [1], says="at least 2")
    refuses(lambda: advantages([1, 2], "halves"), "rewards", [1, 2], says="0 or 1")


def test_registration_defaults(registry: dict[str, Any]) -> None:
    register_estimator("plain", halves, source="this test")
    rule = registry["plain"]
    assert (dict(rule.defaults), rule.binary_only, rule.least_group) == ({}, False, 1)
    assert advantages([3.0, 1.0], "plain").tolist() == [1.5, 0.5]
    assert advantages([3.0], "plain").tolist() == [0.0]


def test_options_named_like_ours_are_checked_for_registered_estimators_too(registry: dict[str, Any]) -> None:
    register_estimator("gated", lambda r, c, k: r * float(k), source="this test", defaults={"k": "0.5"})
    assert registry["gated"].defaults["k"] == "0.5"
    assert advantages([1.0, 0.0], "gated").tolist() == [0.5, 0.0]
    refuses(lambda: advantages([1.0, 0.0], "gated", k=2), "k", 2)


def test_a_taken_name_is_refused_and_the_old_estimator_stays(registry: dict[str, Any]) -> None:
    before = registry["qae"]
    message = refuses(lambda: register_estimator("qae", halves, source="this test"), "name", "qae")
    assert message == f"name 'qae' is taken; registered estimators: {', '.join(oracles.ESTIMATORS)}"
    assert registry["qae"] is before


def test_defaults_given_at_registration_cannot_change_later(registry: dict[str, Any]) -> None:
    given_defaults = {"scale": 3}
    register_estimator("halves", halves, source="this test", defaults=given_defaults)
    given_defaults["scale"] = 5
    assert advantages([1, 0], "halves").tolist() == [1.5, 0.0]
    assert isinstance(registry["halves"].defaults, MappingProxyType)
    with pytest.raises(TypeError):
        registry["halves"].defaults["scale"] = 5
