"""The league's parts against plain computations: starts on trees, own options, trials, ranks, verdicts."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import stats

from qae_theory.curves.statistics import Interval
from simulators.experiments.league.own import own_option, scaled, variants
from simulators.experiments.league.questions import Questions, logits_of, starts
from simulators.experiments.league.ranks import ranks, told_above
from simulators.experiments.league.situations import verdict_of
from simulators.experiments.league.tuning import Trial, best, misjudged, trials
from simulators.methods import get_method, method_names
from simulators.tabular.policy import policy, response_log_probs
from simulators.tabular.trees import token_tree
from simulators.worlds import Difficulty


def test_logits_give_any_distribution_over_responses() -> None:
    tree = token_tree(2, 3)
    wanted = np.random.default_rng(0).dirichlet(np.ones(tree.responses), size=(3, 5))
    found = np.exp(response_log_probs(policy(logits_of(wanted, tree)).log_probs, tree))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_trees_start_with_the_success_that_was_drawn() -> None:
    questions = Questions(
        substrate="trees",
        queries=50,
        symbols=2,
        max_length=3,
        difficulty=Difficulty(kind="bimodal", low=0.05, high=0.9),
    )
    start = starts(questions, [np.random.default_rng(s) for s in range(2)])
    probs = np.exp(response_log_probs(policy(start.logits).log_probs, start.env.tree))
    success = (probs * start.env.arm_rewards).sum(axis=-1)
    assert set(np.round(success, 9).ravel()) == {0.05, 0.9}
    alone = starts(questions, [np.random.default_rng(1)])
    np.testing.assert_array_equal(alone.logits[0], start.logits[1])


def test_bandits_start_as_the_laboratory_s() -> None:
    start = starts(Questions(queries=3, arms=5), [np.random.default_rng(0)])
    assert start.logits.shape == (1, 3, 5)
    assert start.env.tree.is_bandit


def test_own_options_are_those_that_make_the_rule() -> None:
    for rule, wanted in {"grpo": None, "qae": "k", "clip_cov": "share", "w_reinforce": "lam"}.items():
        assert own_option(rule) == wanted
    assert own_option("entropy_bonus") == "coefficient"
    assert own_option("asymre") == "shift"  # which is negative
    assert own_option("oar") == "beta"  # and not the first number, which is a quantile's level


def test_multiples_keep_the_type_and_refused_ones_are_left_out() -> None:
    assert scaled("0.4", 0.5) == "1/5"
    assert scaled(5, 0.1) == 1
    assert scaled(0.25, 2) == 0.5
    assert variants("qae", (0.5, 1, 2, 3)) == {0.5: {"k": "1/5"}, 1: {}, 2: {"k": "4/5"}}  # K = 6/5 is no level
    assert variants("grpo", (0.5, 1, 2)) == {1: {}}


def test_every_rule_has_the_same_budget_of_trials() -> None:
    for rule in method_names():
        listed = trials(rule)
        assert 3 <= len(listed) <= 9
        assert len(listed) == 9 or len(variants(rule, (0.5, 2.0))) < 2
        for trial in listed:
            get_method(rule, **trial.options)
        steps = [trial.step_factor for trial in listed]
        assert min(steps) == pytest.approx(0.25)
        assert max(steps) == pytest.approx(4.0)


def test_the_best_trial_is_the_highest_and_the_first_of_equals() -> None:
    one, two, three = (Trial(factor, 1.0, {}) for factor in (0.25, 1.0, 4.0))
    assert best([(one, 0.1), (two, 0.3), (three, 0.3)]) is two


def test_the_misjudged_setting_is_half_and_twice_the_chosen_one() -> None:
    found = misjudged("kl_cov", Trial(0.25, 2.0, {"share": 0.004}))
    assert found["half"] == Trial(0.25, 1.0, {})
    assert found["double"].options == {"share": pytest.approx(0.008)}
    assert misjudged("grpo", Trial(1.0, 1.0, {})) == {}
    assert set(misjudged("qae", Trial(1.0, 2.0, {"k": "4/5"}))) == {"half"}


def test_ranks_follow_pairwise_intervals() -> None:
    """Against loops over SciPy's paired t-test, at the level of all pairs."""
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(mean, 0.3, 10) for name, mean in (("a", 0.0), ("b", 1.0), ("c", 1.05), ("d", 3.0))}
    found = ranks(columns, level=0.95)
    better = dict.fromkeys(columns, 0)
    worse = dict.fromkeys(columns, 0)
    for one, other in permutations(columns, 2):
        test = stats.ttest_rel(columns[one], columns[other])
        if test.pvalue < 0.05 / 6 and test.statistic > 0:
            better[other] += 1
            worse[one] += 1
    for name, rank in found.items():
        assert (rank.best, rank.worst) == (1 + better[name], 4 - worse[name])
        assert rank.best <= rank.place <= rank.worst
    assert list(found) == sorted(columns, key=lambda name: -columns[name].mean())
    turned = ranks(columns, level=0.95, larger_is_better=False)
    assert list(turned) == list(reversed(found))


def test_rank_intervals_keep_their_level() -> None:
    """Four equal rules, 400 trials at 95 %: intervals that miss a place among equals are at most 5 %.

    Where all are equal, any told difference is an error. The binomial tail beyond the bound is 1e-6.
    """
    rng = np.random.default_rng(2)
    wrong = sum(bool(told_above(rng.normal(size=(4, 8)), level=0.95).any()) for _ in range(400))
    assert wrong <= stats.binom.isf(1e-6, 400, 0.05)
    # The control: with a true difference of three standard deviations nearly all trials tell it.
    shift = np.array([[0.0], [0.0], [0.0], [3.0]])
    shifted = sum(bool(told_above(rng.normal(size=(4, 8)) + shift, level=0.95).any()) for _ in range(400))
    assert shifted > 300


def test_ranks_refuse_rules_with_different_seeds() -> None:
    with pytest.raises(ValueError, match="columns must have the same two or more seeds"):
        ranks({"a": np.zeros(3), "b": np.zeros(2)}, level=0.9)


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 0.99, 10)


UP, DOWN, NONE = interval(0.1, 0.2), interval(-0.2, -0.1), interval(-0.1, 0.1)


@pytest.mark.parametrize(
    ("differences", "prices", "better", "verdict"),
    [
        ([UP, UP], [NONE, UP], "higher", "held"),
        ([DOWN, DOWN], [NONE, NONE], "lower", "held"),
        ([UP, UP], [NONE, DOWN], "higher", "at a price"),
        ([UP, NONE], [DOWN, DOWN], "higher", "in part"),
        ([UP, None], [NONE, NONE], "higher", "in part"),
        ([UP, DOWN], [NONE, NONE], "higher", "both ways"),
        ([NONE, DOWN], [NONE, NONE], "higher", "worse"),
        ([UP], [NONE], "lower", "worse"),
        ([NONE, None], [NONE, NONE], "lower", "no difference"),
        ([None, None], [NONE, NONE], "lower", "not comparable"),
    ],
)
def test_verdicts_follow_from_intervals(differences: Any, prices: Any, better: Any, verdict: str) -> None:
    assert verdict_of(differences, prices, better=better) == verdict
