"""Measures from dumped responses: against figures known beforehand, the trainer's formula, and planted mismatches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.collect.dumps.correctness import Levels
from llm_validation.cluster.collect.dumps.findings import (
    RELATIVE,
    Finding,
    compared,
    compared_entropy,
    wrong_advantages,
)
from llm_validation.cluster.collect.dumps.groups import Block
from llm_validation.cluster.collect.dumps.measures import of_probe, of_rollouts
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.verl_engine.update_probe import metrics_of
from tests.llm_validation.cluster.jobs import fake_jobs

QAE = RunSettings(estimator="qae", k="0.4", std="bessel")


def group(name: str, rewards: list[float], **more: Any) -> list[dict[str, Any]]:
    return [{"group": name, "reward": reward, **more} for reward in rewards]


def threshold_of(responses: list[dict[str, Any]], of_run: RunSettings) -> float | None:
    levels = Levels()
    levels.add_all(responses)
    return levels.threshold(of_run)


def rolled(responses: list[dict[str, Any]], of_run: RunSettings) -> dict[str, float]:
    return of_rollouts(responses, of_run, threshold=threshold_of(responses, of_run))


def probed(records: list[dict[str, Any]], of_run: RunSettings) -> dict[str, float]:
    return of_probe(records, of_run, threshold=threshold_of(records, of_run))


def wrong(records: list[dict[str, Any]], of_run: RunSettings) -> list[Finding]:
    return wrong_advantages(3, records, of_run, threshold=threshold_of(records, of_run), source="the dump")


def probe_records(seed: int, prompts: int = 6) -> list[dict[str, Any]]:
    made = fake_jobs.responses(np.random.default_rng(seed), 1, prompts=prompts, group_size=5)
    return [{**one, "group": one["uid"]} for one in made]


def test_shares_of_groups_and_of_responses() -> None:
    hard, easy, none = [1.0, 0, 0, 0, 0], [1.0, 1, 1, 1, 0], [0.0, 0, 0, 0, 0]
    responses = group("h", hard, words=2) + group("e", easy, words=1) + group("n", none, words=0)
    assert rolled(responses, QAE) == {
        "rollouts/responses": 15,
        "rollouts/groups": 3,
        "rollouts/mean_reward": 1 / 3,
        "rollouts/success_rate": 1 / 3,
        "rollouts/mixed_share": 2 / 3,
        "rollouts/hard_share": 2 / 3,
        # (G - 1) K = 1.6: only three successes of five put a step between the second and the third reward.
        "rollouts/leak_share_linear": 0,
        "rollouts/positive_share": 1 / 15,
        "rollouts/negative_share": 1 / 15,
        "rollouts/zero_share": 13 / 15,
        "rollouts/anthropomorphic_words": 1,
    }


def test_a_gate_that_leaks() -> None:
    leaks = rolled(group("a", [0.0] * 3 + [1.0] * 5), QAE)  # G = 8, K = .4, m = 5: theory.md
    assert leaks["rollouts/leak_share_linear"] == 1
    without_std = rolled(group("a", [0.0] * 3 + [1.0] * 5), RunSettings(estimator="qae_linear", std="none"))
    assert (without_std["rollouts/positive_share"], without_std["rollouts/negative_share"]) == (5 / 8, 3 / 8)
    agrees = rolled(group("a", [0.0] * 6 + [1.0] * 10), QAE)  # G = 16: 15 x .4 is a whole number
    assert agrees["rollouts/leak_share_linear"] == 0


@pytest.mark.parametrize(
    ("settings", "positive", "negative"),
    [
        (RunSettings(estimator="grpo", std="bessel"), 1 / 5, 4 / 5),
        (RunSettings(estimator="grpo_vectorized", std="none"), 1 / 5, 4 / 5),
        (RunSettings(estimator="qae", std="none"), 1 / 5, 0),
        (RunSettings(estimator="qae", k="0.9"), 0, 4 / 5),
        (RunSettings(estimator="qae", gate="correctness", correct_above=0.0), 1 / 5, 0),
        (RunSettings(estimator="qae_linear", std="none"), 1 / 5, 0),
        (RunSettings(estimator="pos_mask", correct_above=0.0), 1 / 5, 4 / 5),
        (RunSettings(estimator="neg_mask", correct_above=0.0), 1 / 5, 0),
        (RunSettings(estimator="pos_mask", std="none", correct_above=0.0), 1 / 5, 4 / 5),
        (RunSettings(estimator="neg_mask", std="none", correct_above=0.0), 1 / 5, 0),
        (RunSettings(estimator="rloo"), 1 / 5, 4 / 5),
        (RunSettings(estimator="somebody's"), None, None),
        (RunSettings(), None, None),
    ],
)
def test_signs_of_every_estimator(settings: RunSettings, positive: float | None, negative: float | None) -> None:
    found = rolled(group("a", [1.0, -1, -1, -1, -1]), settings)
    assert (found.get("rollouts/positive_share"), found.get("rollouts/negative_share")) == (positive, negative)


@pytest.mark.parametrize(("estimator", "numerator"), [("dr_grpo", [0.8] + [-0.2] * 4), ("rloo", [1.0] + [-0.25] * 4)])
@pytest.mark.parametrize(("std", "divisor"), [(None, 1.0), ("none", 1.0), ("population", 0.4 + 0.1)])
def test_a_rule_without_a_divisor_of_its_own_has_that_of_the_run(
    estimator: str, numerator: list[float], std: str | None, divisor: float
) -> None:
    settings = RunSettings(estimator=estimator, std=std, eps=0.1)
    found = Block([group("a", [1.0, 0, 0, 0, 0])], None).advantages(settings, settings.level)
    assert found is not None
    np.testing.assert_allclose(found, [np.array(numerator) / divisor], rtol=1e-14)


def test_one_response_alone_has_no_advantage() -> None:
    for estimator in ("rloo", "qae", "grpo"):
        assert rolled(group("a", [1.0]), RunSettings(estimator=estimator))["rollouts/zero_share"] == 1


def test_the_gate_on_rewards_lets_penalties_through_and_on_correctness_not() -> None:
    rewards = [1.0] * 4 + [-1.0] * 10 + [-1.5, -2.0]  # theory.md, gate-nonbinary: hard, and failures are pushed down
    by_reward = rolled(group("a", rewards), RunSettings(estimator="qae", correct_above=-0.5))
    by_bits = rolled(group("a", rewards), RunSettings(estimator="qae", gate="correctness", correct_above=-0.5))
    assert by_reward["rollouts/negative_share"] == 2 / 16
    assert by_bits["rollouts/negative_share"] == 0


def test_a_success_rate_of_exactly_one_minus_k_is_hard_and_a_reward_at_the_threshold_is_wrong() -> None:
    assert rolled(group("a", [1.0, 1, 1, 0, 0]), QAE)["rollouts/hard_share"] == 1
    assert rolled(group("a", [1.0, 1, 1, 1, 0]), QAE)["rollouts/hard_share"] == 0
    at_it = rolled(group("a", [-0.5, 0.0]), RunSettings(correct_above=-0.5))
    assert at_it["rollouts/success_rate"] == 0.5


@pytest.mark.parametrize(
    ("rewards", "threshold"),
    [
        ([0.0, 1.0], 0.5),
        ([-1.0, 1.0], 0.0),
        ([0.0, 5.0], 2.5),
        ([-1.0], 0.5),
        ([1.0], 0.5),
        ([0.7], None),  # one level that is neither right nor wrong
        ([-1.0, -0.5], None),  # two lengths of a wrong answer
        ([1.0, -1.0, 0.0, -2.0], None),
        ([math.nan], 0.5),
    ],
)
def test_what_is_correct_without_a_threshold(rewards: list[float], threshold: float | None) -> None:
    assert threshold_of(group("a", rewards), RunSettings()) == threshold
    assert threshold_of(group("a", rewards), RunSettings(correct_above=0.25)) == 0.25
    assert threshold_of(group("a", [*rewards, 0.1, 0.2], correct=True), RunSettings()) == 0.5  # all of them say it


def test_where_it_is_not_known_which_responses_are_right_nothing_is_said_of_it() -> None:
    found = rolled(group("a", [1.0, -1, 0, -2]), RunSettings(estimator="pos_mask"))
    assert found.keys() == {
        "rollouts/responses",
        "rollouts/groups",
        "rollouts/mean_reward",
        "rollouts/leak_share_linear",
    }


def test_a_stated_verdict_comes_before_any_threshold() -> None:
    said = group("a", [1.0, 0.6, -0.5, 0.0], correct=None)
    for one, right in zip(said, (True, False, True, False), strict=True):
        one["correct"] = right
    assert rolled(said, RunSettings(correct_above=0.5))["rollouts/success_rate"] == 0.5


def test_groups_of_one_have_no_gate() -> None:
    found = rolled(group("a", [1.0]) + group("b", [0.0]), QAE)
    assert not {"rollouts/mixed_share", "rollouts/hard_share", "rollouts/leak_share_linear"} & found.keys()
    assert (found["rollouts/success_rate"], found["rollouts/groups"]) == (0.5, 2)


def test_unscorable_responses_stay_out() -> None:
    responses = group("a", [1.0, 0, math.nan], correct=None)
    found = rolled(responses, QAE)
    assert found["rollouts/success_rate"] == 0.5
    assert found["rollouts/zero_share"] == 2 / 3


@given(st.integers(0, 2**32 - 1), st.sampled_from(["0.4", "0.6", "1/3"]))
def test_the_sums_here_and_the_trainers_formula_agree(seed: int, k: str) -> None:
    records = probe_records(seed)
    mine = probed(records, RunSettings(k=k, correct_above=0.0))
    theirs = metrics_of(records, quantile_k=k, correct_above=0.0)
    left = {"probe/gate/mixed_share", "probe/gate/leak_share_linear", "probe/predicted/change_uncentred"}
    assert theirs.keys() - left == mine.keys()
    for name, value in mine.items():
        assert value == pytest.approx(theirs[name], rel=1e-9, abs=1e-12)
    shares = rolled(records, RunSettings(k=k, correct_above=0.0))
    for name in ("mixed_share", "leak_share_linear"):
        assert shares[f"rollouts/{name}"] == pytest.approx(theirs[f"probe/gate/{name}"])


def test_a_logged_figure_that_the_dump_does_not_give_is_a_finding() -> None:
    records = probe_records(0, prompts=60)
    measures = probed(records, QAE) | rolled(records, QAE)
    logged: dict[str, float | None] = dict(metrics_of(records, quantile_k="0.4"))
    assert compared(7, logged, measures) == []
    for name in ("probe/entropy/before/negative", "probe/advantage/zero_share", "probe/entropy/change/hard"):
        value = logged[name]
        assert value is not None
        wrong = {**logged, name: value * 1.001 + 1e-3}
        found = compared(7, wrong, measures)
        assert {one.metric for one in found} == {name}
        near = {**logged, name: value * (1 + 0.5 * RELATIVE)}
        assert compared(7, near, measures) == []
    (one, *_) = compared(7, {"probe/entropy/before/all": 0.31}, {"probe/entropy/before/all": 0.42})
    says = "step 7: probe/entropy/before/all: logged 0.31, recomputed from the probe's dump 0.42"
    assert one.record()["says"] == says


def test_verls_own_figures_are_held_against_the_dumps() -> None:
    measures = {"rollouts/mean_reward": 0.42, "probe/entropy/before/all": 0.42}
    assert [one.metric for one in compared(1, {"critic/score/mean": 0.31}, measures)] == ["critic/score/mean"]
    assert [one.metric for one in compared_entropy(1, {"actor/entropy": 0.31}, measures)] == ["actor/entropy"]
    as_float32 = {"critic/score/mean": float(np.float32(0.42)), "actor/entropy": float(np.float32(0.42))}
    assert compared(1, as_float32, measures) == compared_entropy(1, as_float32, measures) == []
    assert compared(1, {"critic/score/mean": 0.31, "response/aborted_ratio": 0.1}, measures) == []
    assert compared(1, {"critic/score/mean": None}, measures) == compared_entropy(1, {}, measures) == []


def test_dumped_advantages_of_another_rule_are_a_finding() -> None:
    records = probe_records(1, prompts=60)
    assert wrong(records, QAE) == []
    assert wrong(records, RunSettings(estimator="somebody's")) == []
    (one,) = wrong(records, RunSettings(estimator="grpo"))
    assert one.metric.startswith("advantages of ")
    touched = [{**one, "advantage": one["advantage"] + extra} for one, extra in zip(records, (1, -3, 2), strict=False)]
    (furthest,) = wrong(touched + records[3:], QAE)
    assert furthest.metric == f"advantages of 3 of {len(records)} responses"
    assert furthest.said - furthest.recomputed == pytest.approx(-3)
    (other,) = wrong(records, RunSettings(estimator="qae", k="0.9", std="bessel"))
    assert abs(other.said - other.recomputed) > 0.1
