"""Rules that depend on rewards alone move by w grad p; the test that says so has the power that it claims.

Error rate: 1e-6 for all rules of one test together (Bonferroni), so that a run in a million fails by chance; no seed
was chosen. Power: the number of groups makes a 5 % error in w be found with a probability far above .99.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

from simulators.environments import Environment, bandit, environment
from simulators.methods import Method, TokenBatch, get_method, method_names
from simulators.neutrality import (
    Prediction,
    compare,
    groups_needed,
    neutrality_test,
    predict,
    sampled_directions,
)
from simulators.outcomes import outcome_table
from simulators.tabular.trees import token_tree
from simulators.worlds import Difficulty, World, random_bandits
from tests.assertions import refuses

ERROR_RATE = 1e-6
ERROR = 0.05  # relative, planted in w
GROUP_SIZE = 8
# Many times what the power asks for, so that means of rare outcomes are normal also far out in their tails.
GROUPS = 500
OPTIONS: dict[str, dict[str, Any]] = {
    "a_grae": {"batch_success": 0.5},
    "ebpo": {"shrinkage": 0.5, "prior": 0.5},
    "graded_qae": {"gate": "ranks"},
}
# Rules with more to see than a group's rewards; the tests of their folders and ``test_departure`` say how far each
# leaves the family.
OFF_TOKENS = {"clip_cov", "kl_cov", "high_entropy", "ace", "stapo", "oar", "less", "disco"}
OFF_POLICY = {"entropy_bonus", "adaptive_entropy", "aer", "kl_penalty", "trajectory_entropy", "dph_rl"}
OFF_MEMORY = {"qae_schedule", "qae_steered", "streaming_quantile", "tilted_quantile"}
OFF_GROUP = {"james_stein", "batch_quantile", "grpo_lambda"}
OFF_REWARDS = OFF_TOKENS | OFF_POLICY | OFF_MEMORY | OFF_GROUP
RULES = tuple(name for name in method_names() if name not in OFF_REWARDS)


class World200(NamedTuple):
    """Policies ``[Q, N, A]`` and what is right."""

    logits: Any
    env: Environment


@pytest.fixture(scope="module")
def bandits() -> World200:
    """200 random bandits of 8 arms."""
    # Success probabilities away from 0 and 1: a query that is all but solved shows nothing in 500 groups.
    world = World(queries=200, arms=8, difficulty=Difficulty(low=0.05, high=0.95))
    env, logits = random_bandits(world, [np.random.default_rng(1)])
    return World200(logits[0][:, None, :], bandit(env.arm_rewards[0]))


@pytest.fixture(scope="module")
def trees() -> World200:
    """40 random policies on a token tree of 15 responses of one to three tokens."""
    rng = np.random.default_rng(2)
    tree = token_tree(2, 3)
    right = rng.random((40, tree.responses)) < 0.4
    right[:, 0], right[:, 1] = True, False
    return World200(rng.normal(size=(40, tree.nodes, tree.actions)), environment(tree, right.astype(float)))


def method_named(name: str) -> Method:
    return get_method(name, **OPTIONS.get(name, {}))


def prediction_of(method: Method, world: World200) -> Prediction:
    return predict(world.logits, world.env, outcome_table(method, GROUP_SIZE))


def confidence_weighted(power: float) -> Method:
    """GRPO's advantage times pi(sampled token)^power: depends on more than rewards."""

    def weights(batch: TokenBatch) -> Any:
        return np.exp(power * batch.log_probs)

    return replace(get_method("grpo"), name="confidence_weighted", token_weights=weights)


def wrong_gain(prediction: Prediction, error: float) -> Prediction:
    return prediction._replace(mean=prediction.mean * (1 + error))


def test_every_registered_rule_is_in_one_of_the_lists() -> None:
    assert {name for name in method_names() if not method_named(name).rewards_alone} == OFF_REWARDS
    assert not any(get_method(name).rewards_alone for name in ("a_grae", "ebpo", "graded_qae"))


@pytest.mark.parametrize("name", RULES)
def test_mean_update_is_gain_times_gradient_of_success(name: str, bandits: World200) -> None:
    method = method_named(name)
    prediction = prediction_of(method, bandits)
    rate = ERROR_RATE / len(RULES)
    assert groups_needed(prediction, error=ERROR, error_rate=rate, power=1 - 1e-6) < GROUPS
    directions = sampled_directions(
        method, bandits.logits, bandits.env, group_size=GROUP_SIZE, groups=GROUPS, rng=np.random.default_rng(3)
    )
    verdict = compare(directions, prediction)
    assert not verdict.rejects(rate), verdict
    assert verdict.multiple.high - verdict.multiple.low < ERROR
    for error in (ERROR, -ERROR):
        assert compare(directions, wrong_gain(prediction, error)).rejects(rate), f"{error} is not found"


@pytest.mark.parametrize("name", ["grpo", "qae", "psr", "w_reinforce", "a_grae"])
def test_holds_on_token_trees(name: str, trees: World200) -> None:
    method = method_named(name)
    prediction = prediction_of(method, trees)
    rate = ERROR_RATE / 5
    groups = max(2000, groups_needed(prediction, error=ERROR, error_rate=rate, power=1 - 1e-6))
    directions = sampled_directions(
        method, trees.logits, trees.env, group_size=GROUP_SIZE, groups=groups, rng=np.random.default_rng(4)
    )
    assert not compare(directions, prediction).rejects(rate)
    assert compare(directions, wrong_gain(prediction, ERROR)).rejects(rate)


# Clip-Cov at its released share drops one token of this mini-batch's 1,600, at 2 % thirty-two. KL-Cov's penalty is 0
# on-policy: the rule is GRPO there, and has to pass.
BREAKERS = {
    "clip_cov": get_method("clip_cov", share=0.02),
    "confidence_weighted": confidence_weighted(0.1),
    "high_entropy": get_method("high_entropy"),
}


@pytest.mark.parametrize("name", BREAKERS)
def test_a_rule_that_looks_at_more_than_rewards_is_caught(name: str, bandits: World200) -> None:
    verdict = neutrality_test(
        BREAKERS[name],
        prediction_of(get_method("grpo"), bandits),
        bandits.logits,
        bandits.env,
        group_size=GROUP_SIZE,
        groups=GROUPS,
        rng=np.random.default_rng(5),
    )
    assert verdict.rejects(ERROR_RATE / len(RULES))
    if name != "high_entropy":  # which, on bandits, keeps or drops whole queries: another w, the same direction
        assert verdict.across < ERROR_RATE / 3 / len(RULES)


def test_kl_cov_passes_on_policy(bandits: World200) -> None:
    verdict = neutrality_test(
        get_method("kl_cov"),
        prediction_of(get_method("grpo"), bandits),
        bandits.logits,
        bandits.env,
        group_size=GROUP_SIZE,
        groups=GROUPS,
        rng=np.random.default_rng(6),
    )
    assert not verdict.rejects(ERROR_RATE)


def test_a_rule_is_told_from_another(bandits: World200) -> None:
    """QAE's updates are not GRPO's w times grad p, though they are along grad p."""
    directions = sampled_directions(
        get_method("qae"),
        bandits.logits,
        bandits.env,
        group_size=GROUP_SIZE,
        groups=GROUPS,
        rng=np.random.default_rng(7),
    )
    verdict = compare(directions, prediction_of(get_method("grpo"), bandits))
    assert verdict.along < ERROR_RATE / 3
    assert not verdict.across < ERROR_RATE / 3


def small_world() -> World200:
    world = World(queries=20, arms=4, difficulty=Difficulty(low=0.2, high=0.8))
    env, logits = random_bandits(world, [np.random.default_rng(8)])
    return World200(logits[0][:, None, :], bandit(env.arm_rewards[0]))


TRIALS = 300
# 1e-6 of a false alarm for each count of trials below.
TAIL = 1e-6


def trials(groups: int, error: float, rate: float) -> int:
    """How many of independent tests reject QAE with an error planted in w."""
    world = small_world()
    method = get_method("qae")
    prediction = wrong_gain(prediction_of(method, world), error)
    directions = sampled_directions(
        method,
        world.logits,
        world.env,
        group_size=GROUP_SIZE,
        groups=groups * TRIALS,
        rng=np.random.default_rng(9),
    )
    return sum(compare(part, prediction).rejects(rate) for part in np.split(directions, TRIALS))


def test_power_is_what_was_computed_beforehand() -> None:
    rate = 1e-3
    prediction = prediction_of(get_method("qae"), small_world())
    enough = groups_needed(prediction, error=ERROR, error_rate=rate, power=0.99)
    found = trials(enough, ERROR, rate)
    assert TRIALS - found <= stats.binom.isf(TAIL, TRIALS, 0.01)
    # The control: with a quarter of the groups the power is not .99, and this count shows it.
    assert TRIALS - trials(enough // 4, ERROR, rate) > stats.binom.isf(TAIL, TRIALS, 0.01)


def test_error_rate_is_kept() -> None:
    rate = 0.05
    assert trials(100, 0.0, rate) <= stats.binom.isf(TAIL, TRIALS, rate)
    # The control: with an error of 4 % the rejections are more than that.
    assert trials(100, 0.04, rate) > stats.binom.isf(TAIL, TRIALS, rate)


def test_groups_needed_falls_with_the_square_of_the_error(bandits: World200) -> None:
    prediction = prediction_of(get_method("qae"), bandits)
    few, many = (groups_needed(prediction, error=e, error_rate=0.01, power=0.99) for e in (0.001, 0.0005))
    assert many == pytest.approx(4 * few, rel=1e-3)  # rounded up to whole groups


def test_predicted_standard_deviations_are_those_of_the_samples(bandits: World200) -> None:
    """Pooled over queries, within 5 %: 200 x 500 draws with a kurtosis well under 100 have an error below 2 %."""
    for name in ("grpo", "psr", "w_reinforce", "a_grae"):
        method = method_named(name)
        prediction = prediction_of(method, bandits)
        directions = sampled_directions(
            method, bandits.logits, bandits.env, group_size=GROUP_SIZE, groups=GROUPS, rng=np.random.default_rng(10)
        )
        for axis, std in ((prediction.along, prediction.along_std), (prediction.across, prediction.across_std)):
            seen = (directions * axis).sum(axis=(-2, -1)).var(axis=0, ddof=1)
            assert seen.sum() == pytest.approx(np.square(std).sum(), rel=0.05)


def test_a_policy_without_a_second_direction_is_refused() -> None:
    logits = np.zeros((1, 1, 2))
    table = outcome_table(get_method("grpo"), 4)
    refuses(lambda: predict(logits, bandit([[1.0, 0.0]]), table), "logits", logits)
