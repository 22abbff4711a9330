"""Every arm against straight loops over exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from llm_validation.probe.arms import arm_weights, is_scaled
from qae_theory.advantages import estimator_names, get_estimator
from tests import oracles
from tests.assertions import assert_close, refuses

LEVELS = ("0.2", "0.4", "2/3", "0.55")
CONSTANTS = ("0", "1", "0.25", "1/3", "-2", "1e-1")
SIZES = (2, 3, 5)

Rule = Callable[[list[Fraction]], list[Fraction]]


def above(baseline: Callable[[list[Fraction]], Fraction]) -> Rule:
    return lambda group: [reward - baseline(group) for reward in group]


def registered(name: str, **options: Fraction) -> Rule:
    return lambda group: oracles.advantages(group, name, **options)


PLAIN: dict[str, Rule] = {
    "mean": above(oracles.mean),
    **{f"constant-{b}": above(lambda group, b=b: Fraction(b)) for b in CONSTANTS},
    **{f"quantile-{k}": above(lambda group, k=k: oracles.lower_quantile(group, Fraction(k))) for k in LEVELS},
}
SCALED: dict[str, Rule] = {
    **{name: registered(name) for name in oracles.ESTIMATORS},
    **{f"{name}-{k}": registered(name, k=Fraction(k)) for name in oracles.GATED for k in LEVELS},
}
ARMS = {**PLAIN, **SCALED}


def groups(size: int) -> list[list[Fraction]]:
    """All groups of that size, all wrong and all right included."""
    return [[Fraction(x) for x in group] for group in product((0, 1), repeat=size)]


def as_array(rows: list[list[Fraction]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([[float(x) for x in row] for row in rows])


def test_every_registered_estimator_is_an_arm() -> None:
    assert set(oracles.ESTIMATORS) == set(estimator_names())
    assert {name for name in estimator_names() if "k" in get_estimator(name).defaults} == set(oracles.GATED)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("arm", ARMS)
def test_advantages_of_every_group(arm: str, size: int) -> None:
    rows = groups(size)
    assert_close(arm_weights(arm, as_array(rows)).sampled, [ARMS[arm](group) for group in rows])


@pytest.mark.parametrize("arm", PLAIN)
def test_plain_arms_weigh_outcomes_that_do_not_occur(arm: str) -> None:
    """r - b for a wrong and a right response, whatever was sampled: b is the group's, r the response's."""
    rows = groups(4)
    weights = arm_weights(arm, as_array(rows))
    baselines = [group[0] - ARMS[arm](group)[0] for group in rows]
    assert_close(weights.wrong, [-b for b in baselines])
    assert_close(weights.right, [1 - b for b in baselines])


@pytest.mark.parametrize("arm", SCALED)
def test_registered_arms_weigh_outcomes_that_occur(arm: str) -> None:
    rows = groups(4)
    weights = arm_weights(arm, as_array(rows))
    for outcome, found in ((0, weights.wrong), (1, weights.right)):
        expected = []
        for group in rows:
            given = [a for a, reward in zip(SCALED[arm](group), group, strict=True) if reward == outcome]
            assert len(set(given)) <= 1
            expected.append(given[0] if given else Fraction(0))
        assert_close(found, expected)


def test_arms_differ() -> None:
    """Control: on all groups of seven no two arms give the same, so that a rule taken for another one is seen."""
    rows = groups(7)  # of five, all mixed groups would be hard at K = 0.2
    seen: dict[tuple[float, ...], str] = {}
    for arm in ARMS:
        # The mean, the constants 0 and 1, and the default K under other names.
        if arm in ("dr_grpo", "psr", "nsr") or (arm in SCALED and arm.endswith("-0.4")):
            continue
        key = tuple(np.round(arm_weights(arm, as_array(rows)).sampled, 9).ravel())
        assert key not in seen, f"{arm} is {seen.get(key)}"
        seen[key] = arm


@pytest.mark.parametrize("outcome", [0, 1])
@pytest.mark.parametrize("arm", [arm for arm in SCALED if arm.split("-")[0] in oracles.STANDARDISED])
def test_nothing_is_learned_from_a_degenerate_group(arm: str, outcome: int) -> None:
    weights = arm_weights(arm, np.full((2, 6), float(outcome)))
    for part in weights:
        assert part.tolist() == np.zeros_like(part).tolist()


@pytest.mark.parametrize("arm", ["mean", "constant-0.25", "grpo", "qae-0.4", "psr"])
def test_every_response_by_its_reward(arm: str) -> None:
    rewards = as_array(groups(3))
    weights = arm_weights(arm, rewards)
    arm_rewards = np.random.default_rng(0).integers(0, 2, size=(len(rewards), 9)).astype(float)
    found = weights.of(arm_rewards)
    for query, row in enumerate(arm_rewards):
        for response, reward in enumerate(row):
            assert found[query, response] == (weights.right[query] if reward == 1 else weights.wrong[query])
    # What was sampled gets what it got.
    np.testing.assert_array_equal(weights.of(rewards), weights.sampled)


def test_groups_do_not_touch_each_other() -> None:
    rows = as_array(groups(3))
    for arm in ARMS:
        together = arm_weights(arm, rows)
        for number, row in enumerate(rows):
            one = arm_weights(arm, row[None])
            for whole, part in zip(together, one, strict=True):
                np.testing.assert_array_equal(whole[number], part[0])


def test_which_arms_a_trainer_applies() -> None:
    assert [arm for arm in PLAIN if is_scaled(arm)] == []
    assert [arm for arm in SCALED if not is_scaled(arm)] == []


REWARDS = np.array([[0.0, 1.0, 1.0]])


@pytest.mark.parametrize(
    ("arm", "name", "value"),
    [
        ("nothing", "arm", "nothing"),
        ("", "arm", ""),
        ("mean-0.4", "arm", "mean-0.4"),
        ("constant", "arm", "constant"),
        ("constant-", "arm", "constant-"),
        ("constant-x", "arm", "constant-x"),
        ("constant-1/0", "arm", "constant-1/0"),
        ("constant-nan", "arm", "constant-nan"),
        ("constant-inf", "arm", "constant-inf"),
        ("constant-1e400", "arm", "constant-1e400"),
        ("quantile-", "k", ""),
        ("quantile-x", "k", "x"),
        ("quantile-0", "k", "0"),
        ("quantile-1", "k", "1"),
        ("quantile-1.5", "k", "1.5"),
        ("qae-", "k", ""),
        ("qae-x", "k", "x"),
        ("qae-1", "k", "1"),
        ("grpo-0.4", "k", "0.4"),
        ("grpo-", "k", ""),
    ],
)
def test_bad_arms(arm: str, name: str, value: str) -> None:
    says = "with a number B" if arm.startswith("constant-") else ""
    assert "\n" not in refuses(lambda: arm_weights(arm, REWARDS), name, value, says=says)


def test_an_unknown_arm_is_told_which_there_are() -> None:
    message = refuses(lambda: arm_weights("qea", REWARDS), "arm", "qea")
    for known in ("constant-B", "mean", "quantile-K", *estimator_names()):
        assert known in message
