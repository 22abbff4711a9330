"""What is rewarded besides being right, and that what is right stays apart from it."""

from __future__ import annotations

from typing import Any

import pytest

from llm_validation.train.components import COMPONENTS, Facts, component_values, weighted
from llm_validation.train.rewards import reward_function
from llm_validation.train.settings import TrainConfig
from llm_validation.verifiers import Outcome, get_verifier


@pytest.mark.parametrize(
    ("outcome", "value"),
    [
        (Outcome.RIGHT, 1),
        (Outcome.WRONG, 1),
        (Outcome.UNDECIDED, 1),
        (Outcome.UNREADABLE, 0),
        (Outcome.TIMED_OUT, 0),
        (Outcome.UNSCORABLE, 0),
        (None, 0),
    ],
)
def test_readable(outcome: Outcome | None, value: float) -> None:
    assert component_values([Facts(outcome, 1, None)], {"readable": 0.5}) == {"readable": [value]}


def test_ended() -> None:
    facts = [Facts(None, tokens, most) for tokens, most in ((3, 4), (4, 4), (4, None))]
    assert component_values(facts, {"ended": 0.5}) == {"ended": [1, 0, 1]}


def test_weights_are_applied_once_and_unscorable_responses_stay_so() -> None:
    values = {"readable": [1.0, 0.0, 1.0], "ended": [1.0, 1.0, 0.0]}
    assert weighted([1.0, -1.0, None], values, {"readable": 0.25, "ended": -0.5}) == [0.75, -1.5, None]


def test_correctness_is_handed_on_apart_from_the_reward() -> None:
    logged: dict[str, list[Any]] = {}
    with get_verifier("integer") as verifier:
        reward = reward_function(verifier, components={"readable": 0.25, "ended": 0.5}, most_tokens=3)
        rewards = reward(
            completions=["4", "5", "what"],
            completion_ids=[[1, 2], [1, 2, 3], [1]],
            answer=["4", "4", "4"],
            log_extra=lambda name, column: logged.update({name: column}),
        )
    assert rewards == [1.75, 0.25, 0.5]
    assert logged["correct"] == [1.0, 0.0, 0.0]
    assert logged["component/readable"] == [1.0, 1.0, 0.0]
    assert logged["component/ended"] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"components": {"style": 1.0}}, f"components must be of {', '.join(COMPONENTS)}; got 'style'"),
        ({"components": {"ended": 0.1}, "estimator": "pos_mask"}, "estimator must take rewards other than 0 and 1"),
        ({"system_prompt": "Be brief."}, "system_prompt must be left out without a chat_template"),
        ({"sampler_ratio_min": 4.0}, "sampler_ratio_min must be at most sampler_ratio_max = 3.0; got 4.0"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TrainConfig(**settings)


@pytest.mark.parametrize("estimator", ["grpo", "qae", "qae_linear", "pos_mask", "neg_mask"])
@pytest.mark.parametrize("std", ["none", "population", "bessel", "batch"])
def test_every_baseline_has_every_divisor(estimator: str, std: str) -> None:
    assert TrainConfig(estimator=estimator, options={"std": std}).options == {"std": std}
