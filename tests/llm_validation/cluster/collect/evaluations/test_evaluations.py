"""pass@k from dumps and from logged means, and validations that are not whole."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.cluster.collect.evaluations.dumped import Expected, counts_of, of_dump
from llm_validation.cluster.collect.evaluations.evaluation import (
    DUMP,
    QUESTIONS,
    UNNAMED,
    WIDEST,
    benchmark_of,
    by_question,
)
from llm_validation.cluster.collect.evaluations.logged import of_log, widest
from llm_validation.cluster.collect.logs.run_settings import RunSettings
from llm_validation.common.pass_at_k import pass_at_k

SETTINGS = RunSettings(samples=4)
LOGGED = "val-core/aime-2024/acc/mean@4"


def answers(question: str, right: int, samples: int = 4, **more: Any) -> list[dict[str, Any]]:
    return [
        {"benchmark": "aime-2024", "question": question, "correct": i < right, "reward": 1.0} | more
        for i in range(samples)
    ]


@pytest.mark.parametrize(
    ("source", "known_as"),
    [
        ("aime-2024", "AIME24"),
        ("aime_2025", "AIME25"),
        ("HuggingFaceH4/aime_2024", "AIME24"),
        ("math-ai/aime25", "AIME25"),
        ("amc-2023", "AMC23"),
        ("AMC23", "AMC23"),
        ("AIME", "AIME"),
        ("amc2399", "amc2399"),
        ("math_dapo", "math_dapo"),
        ("digits", "digits"),
        ("aime2024_zh", "aime2024_zh"),
        ("aime_2024/part", "aime_2024/part"),
        ("xaime24", "xaime24"),
        ("AIME 2025", "AIME25"),
    ],
)
def test_benchmarks_go_by_many_names(source: str, known_as: str) -> None:
    assert benchmark_of(source) == known_as


def test_both_estimates_are_exact_and_by_question() -> None:
    counts = {"a": (32, 0), "b": (32, 1), "c": (32, 20)}
    one = by_question(5, "AIME24", counts, DUMP)
    for k in (1, 16):
        truth = sum((pass_at_k(n, c, k) for n, c in counts.values()), Fraction(0)) / 3
        figure = one.pass_at_k[str(k)]
        assert figure["estimate"] == float(truth)
        assert figure["low"] <= figure["estimate"] <= figure["high"]
        assert (figure["draws"], figure["level"]) == (3, 0.95)
    assert one.pass_at_k == by_question(5, "AIME24", dict(reversed(counts.items())), DUMP).pass_at_k


def test_too_few_samples_or_questions() -> None:
    few = by_question(5, "AIME24", {"a": (8, 4), "b": (16, 4)}, DUMP)
    assert list(few.pass_at_k) == ["1"]
    assert few.pass_at_k["1"]["low"] < few.pass_at_k["1"]["high"]
    alone = by_question(5, "AIME24", {"a": (16, 4)}, DUMP)
    assert alone.pass_at_k["1"] == {"estimate": 0.25, "low": None, "high": None, "level": 0.95, "draws": 1}


def test_a_question_that_the_data_repeat_is_one_question() -> None:
    """DAPO's file of AIME 2024 has every question 32 times, for one sample each."""
    repeated = [one for _ in range(8) for one in answers("a", 1, samples=1)] + answers("b", 0, samples=8)
    assert counts_of(repeated, threshold=None) == {"AIME24": {"a": (8, 8), "b": (8, 0)}}


def test_where_the_scorer_does_not_say_what_is_correct_the_reward_does() -> None:
    responses = answers("a", 0, correct=None, reward=-1.0)[:3] + answers("a", 0, correct=None, reward=1.0)[:1]
    assert counts_of(responses, threshold=0.0) == {"AIME24": {"a": (4, 1)}}
    assert counts_of(answers("a", 4, benchmark=None), threshold=None) == {UNNAMED: {"a": (4, 4)}}


def test_a_whole_validation_and_one_that_was_cut_off() -> None:
    whole = {"AIME24": {"a": (4, 1), "b": (4, 2)}}
    for short in ({"a": (4, 1)}, {"a": (4, 1), "b": (3, 2)}):
        expected = Expected([whole, {"AIME24": short}], SETTINGS)
        one, findings = of_dump(1, "AIME24", whole["AIME24"], expected=expected, logged={LOGGED: 3 / 8})
        assert one is not None
        assert (one.unanswered, findings) == (0, [])
        assert of_dump(2, "AIME24", short, expected=expected, logged={}) == (None, [])
        assert of_dump(2, "AIME24", short, expected=expected, logged={LOGGED: 0.5}) == (None, [])


def test_responses_that_failed_count_as_wrong_if_the_logged_mean_says_so() -> None:
    short = {"a": (4, 1), "b": (3, 2)}
    expected = Expected([{"AIME24": short}], SETTINGS)
    one, findings = of_dump(2, "AIME24", short, expected=expected, logged={LOGGED: 3 / 8})
    assert one is not None
    assert (one.unanswered, findings, one.counts["b"]) == (1, [], (4, 2))
    assert one.pass_at_k["1"]["estimate"] == 3 / 8


def test_a_logged_accuracy_that_the_dump_does_not_give_is_a_finding() -> None:
    whole = {"a": (4, 1), "b": (4, 2)}
    one, (finding,) = of_dump(
        2, "AIME24", whole, expected=Expected([{"AIME24": whole}], SETTINGS), logged={LOGGED: 0.5}
    )
    assert one is not None
    assert finding.record()["says"] == (
        "step 2: accuracy on AIME24: logged 0.5, recomputed from the validation dump 0.375"
    )


def test_logged_means_get_the_widest_interval_and_say_so() -> None:
    logged: dict[str, float | None] = {
        "val-core/aime-2024/acc/mean@32": 0.4,
        "val-aux/aime-2024/acc/best@16/mean": 0.7,
        "val-aux/aime-2024/acc/best@16/std": 0.1,
        "val-aux/aime-2024/acc/std@32": 0.3,
        "val-core/own/acc/mean@32": 0.5,
        "val-aux/aime-2025/reward/mean@32": -0.2,
        "val-core/amc23/acc/mean@32": None,
    }
    found = {one.benchmark: one for one in of_log(9, logged)}
    assert list(found) == ["AIME24", "AIME25", "own"]
    first, second = found["AIME24"], found["own"]
    assert (first.questions, first.samples, first.interval) == (30, 32, WIDEST)
    assert {k: one["estimate"] for k, one in first.pass_at_k.items()} == {"1": 0.4}
    assert first.others == {"best@16": 0.7}
    assert (second.questions, second.interval) == (None, None)
    assert second.pass_at_k["1"]["low"] is None
    assert first.counts == {}


def test_only_a_mean_reward_is_named_and_is_no_accuracy() -> None:
    """verl logs `acc` only where the reward function returns one."""
    (one,) = of_log(4, {"val-core/gsm8k/reward/mean@1": 0.25, "val-aux/gsm8k/reward/best@8/mean": 0.5})
    assert (one.benchmark, one.pass_at_k, one.samples) == ("gsm8k", {}, 1)
    assert one.others == {"reward/mean@1": 0.25, "reward/best@8": 0.5}


def test_the_best_of_n_is_no_pass_at_k_and_the_samples_give_it() -> None:
    """verl 7240: one right of 16; the best of 16 draws with replacement is 1 - (15/16)**16 = .644, pass@16 is 1."""
    counts = counts_of(answers("a", 1, samples=16) + answers("b", 1, samples=16), threshold=None)
    one, _ = of_dump(1, "AIME24", counts["AIME24"], expected=Expected([counts], SETTINGS), logged={})
    assert one is not None
    assert one.pass_at_k["16"]["estimate"] == 1
    (logged,) = of_log(1, {"val-core/aime2024/acc/best@16/mean": 0.644})
    assert (logged.pass_at_k, logged.others) == ({}, {"best@16": 0.644})


def test_one_text_in_two_slots_is_two_questions() -> None:
    listed = []
    for slot, (text, right) in enumerate([("a", 4), ("a", 0), ("b", 2)]):
        listed += answers(text, right, group=f"slot {slot}")
    counts = counts_of(listed, threshold=None)
    assert sorted(counts["AIME24"].values()) == [(4, 0), (4, 2), (4, 4)]
    one, _ = of_dump(1, "AIME24", counts["AIME24"], expected=Expected([counts], SETTINGS), logged={})
    assert one is not None
    assert (one.questions, one.pass_at_k["1"]["estimate"]) == (3, 0.5)
    again = [{**response, "group": f"anew {response['group']}"} for response in listed]
    assert counts_of(again, threshold=None) == counts  # ids are drawn anew in each validation


def test_slots_of_one_sample_each_are_samples_of_one_question() -> None:
    listed = []
    for slot in range(8):
        listed += answers("a", slot % 2, samples=1, group=f"slot {slot}")
    assert counts_of(listed, threshold=None) == {"AIME24": {"a": (8, 4)}}


def test_a_benchmark_of_which_it_is_not_known_what_is_right_is_left_out() -> None:
    assert counts_of(answers("a", 0, correct=None, reward=0.5), threshold=None) == {}


def test_how_many_questions_the_public_benchmarks_have() -> None:
    assert QUESTIONS == {"AIME24": 30, "AIME25": 30, "AMC23": 40}


def test_the_widest_interval_at_its_ends_and_against_scipys_for_whole_numbers() -> None:
    from qae_theory.curves.statistics import proportion_interval

    assert widest(0.0, 30)["low"] == 0
    assert widest(1.0, 30)["high"] == 1
    exact = proportion_interval(12, 30, level=0.95)
    found = widest(0.4, 30)
    assert (found["low"], found["high"]) == pytest.approx((exact.low, exact.high))


@given(st.lists(st.integers(0, 32), min_size=30, max_size=30))
def test_the_widest_interval_is_no_narrower_than_students(right: list[int]) -> None:
    values = np.array(right) / 32
    wide = widest(float(values.mean()), 30)
    assert wide["high"] - wide["low"] >= 2 * 1.96 * values.std() / 30**0.5 - 1e-9
