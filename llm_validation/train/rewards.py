"""From a verifier's scores to the rewards that a trainer sees. What is right stays apart from what is rewarded."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from llm_validation.engines.stops import before_stop
from llm_validation.train.components import Facts, component_values, weighted
from llm_validation.verifiers import Outcome, Verifier, score_of
from qae_theory.checks import refuse
from qae_theory.paper.overlong import Overlong, overlong_penalty

COMPONENT = "component/"  # before a component's name among the columns that are handed on
Scores = Sequence[float | None]
Score = Callable[[Sequence[str], Sequence[str]], Scores]


def shaped_rewards(
    scores: Scores, lengths: Sequence[int], *, signed: bool = False, overlong: Overlong | None = None
) -> list[float | None]:
    """Rewards of responses: the score, or +1 and -1 for it, plus the penalty on length.

    Args:
        scores: 1 for right, 0 for wrong, None or NaN for a response that could not be scored.
        lengths: of the responses, in tokens, the end of text included.
        signed: DAPO's +1 and -1 in place of 1 and 0.
        overlong: the soft overlong punishment, if any.

    Returns:
        The rewards; None where there was no score, whatever the length.

    Raises:
        ValueError: a score other than these.

    >>> shaped_rewards([1, 0, None], [3, 3, 3], signed=True)
    [1.0, -1.0, None]
    """
    rewards: list[float | None] = []
    for score, length in zip(scores, lengths, strict=True):
        right = checked_score(score)
        if right is None:
            rewards.append(None)
            continue
        reward = 2 * right - 1 if signed else right
        rewards.append(reward if overlong is None else reward + float(overlong_penalty(length, overlong)))
    return rewards


def checked_score(score: float | None) -> float | None:
    """Return the score as 1.0 or 0.0, or None for one that is None or NaN."""
    if score is None or math.isnan(score):
        return None
    if score not in (0, 1):
        refuse("score", score, "0, 1, or None for a response that could not be scored")
    return float(score)


def reward_function(
    verifier: Score,
    *,
    signed: bool = False,
    overlong: Overlong | None = None,
    stop: Sequence[str] = (),
    components: Mapping[str, float] = MappingProxyType({}),
    most_tokens: int | None = None,
) -> Callable[..., list[float | None]]:
    """Return a reward function in the form of TRL, for a dataset with the column ``answer``.

    Through TRL's ``log_extra`` it hands on the scores before shaping (``correct``), the lengths (``tokens``) and, where
    the verifier is a :class:`~llm_validation.verifiers.Verifier`, what came of each response (``outcome``).

    Args:
        verifier: ``(completions, answers) -> scores``.
        signed: as in :func:`shaped_rewards`.
        overlong: as there.
        stop: stop strings; a response counts up to the first of them.
        components: weights of what is rewarded besides, by component; each component's values are handed on too, under
            ``component/`` and its name.
        most_tokens: the longest response; None where it is not known.
    """

    def reward(
        *,
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        answer: Sequence[str],
        log_extra: Callable[[str, list[Any]], None],
        **_: Any,
    ) -> list[float | None]:
        texts = [before_stop(completion, stop) for completion in completions]
        lengths = [len(ids) for ids in completion_ids]
        outcomes: Sequence[Outcome | None] = [None] * len(texts)
        if isinstance(verifier, Verifier):
            judged = verifier.judge(texts, answer)
            scores = [score_of(outcome) for outcome in judged]
            log_extra("outcome", [outcome.value for outcome in judged])
            outcomes = judged
        else:
            scores = [checked_score(score) for score in verifier(texts, answer)]
        if len(scores) != len(completions):
            refuse("verifier", verifier, f"one that returns {len(completions)} scores; it returned {len(scores)}")
        log_extra("correct", scores)
        log_extra("tokens", lengths)
        rewards = shaped_rewards(scores, lengths, signed=signed, overlong=overlong)
        facts = [Facts(outcome, tokens, most_tokens) for outcome, tokens in zip(outcomes, lengths, strict=True)]
        values = component_values(facts, components)
        for name, column in values.items():
            log_extra(f"{COMPONENT}{name}", column)
        return weighted(rewards, values, components)

    return reward
