from __future__ import annotations

import math
from fractions import Fraction as F
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_validation.train.rewards import overlong_penalty, reward_function, shaped_rewards
from qae_theory.paper.overlong import Overlong

OVERLONG = Overlong(max_length=20, cache=4)


def equation_13(length: int, longest: int, cache: int) -> F:
    """arXiv 2503.14476, Eq. 13, case by case."""
    if length <= longest - cache:
        return F(0)
    if length <= longest:
        return F((longest - cache) - length, cache)
    return F(-1)


@given(st.integers(0, 60), st.integers(1, 40), st.data())
def test_the_penalty_is_that_of_dapo(length: int, longest: int, data: st.DataObject) -> None:
    cache = data.draw(st.integers(1, longest), label="cache")
    penalty = overlong_penalty(length, Overlong(max_length=longest, cache=cache))
    assert penalty == float(equation_13(length, longest, cache))  # one division, rounded once
    assert str(penalty) != "-0.0"


def test_zero_and_one_or_minus_one_and_one() -> None:
    assert shaped_rewards([1, 0, True], [9, 9, 9]) == [1.0, 0.0, 1.0]
    assert shaped_rewards([1, 0, True], [9, 9, 9], signed=True) == [1.0, -1.0, 1.0]


def test_length_lowers_a_reward_whatever_the_score() -> None:
    assert shaped_rewards([1, 0, 1, 0], [16, 17, 18, 99], overlong=OVERLONG) == [1.0, -0.25, 0.5, -1.0]
    assert shaped_rewards([1, 0], [20, 20], signed=True, overlong=OVERLONG) == [0.0, -2.0]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("overlong", [None, OVERLONG])
def test_what_has_no_score_has_no_reward(signed: bool, overlong: Overlong | None) -> None:
    assert shaped_rewards([None, math.nan], [3, 99], signed=signed, overlong=overlong) == [None, None]


@pytest.mark.parametrize("score", [0.5, -1, 2, math.inf])
def test_other_scores_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="score must be 0, 1, or None"):
        shaped_rewards([score], [1])


def called(scores: list[Any], **shaping: Any) -> tuple[list[float | None], dict[str, list[Any]]]:
    """The reward function called as TRL does, with everything that TRL hands over."""
    logged: dict[str, list[Any]] = {}
    asked = []

    def verifier(completions: Any, answers: Any) -> list[Any]:
        asked.append((list(completions), list(answers)))
        return scores

    reward = reward_function(verifier, **shaping)
    result = reward(
        prompts=["1+1=", "2+2="],
        completions=["2", "5"],
        completion_ids=[[5, 1], [8] * 18],
        answer=["2", "4"],
        trainer_state=None,
        log_extra=lambda column, values: logged.setdefault(column, []).extend(values),
        log_metric=lambda name, value: None,
    )
    assert asked == [(["2", "5"], ["2", "4"])]
    return result, logged


def test_the_reward_function_keeps_scores_and_rewards_apart() -> None:
    rewards, logged = called([1.0, 0.0], signed=True, overlong=OVERLONG)
    assert rewards == [1.0, -1.5]
    assert logged == {"correct": [1.0, 0.0], "tokens": [2, 18]}


def test_a_score_that_is_not_a_number_becomes_none() -> None:
    rewards, logged = called([math.nan, None])
    assert rewards == logged["correct"] == [None, None]


def test_a_verifier_that_returns_too_few_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="verifier must be one that returns 2 scores; it returned 1"):
        called([1.0])
