"""GRPO-lambda against plain Python; which groups it takes, and that lengths fall where accuracy does not."""

from __future__ import annotations

from math import exp
from typing import Any

import numpy as np
import pytest

from simulators import initial_state, train
from simulators.environments import bandit
from simulators.methods import get_method
from simulators.tabular.policy import policy
from simulators.update import Update
from tests.assertions import refuses
from tests.simulators.methods.contexts import tree_context

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def plain_rewards(correct: list[list[int]], lengths: list[list[int]], alpha: float, share: float) -> list[list[float]]:
    """The definition, group by group."""
    count = max(int(share * len(correct) + 1e-9), 1)
    order = sorted(range(len(correct)), key=lambda q: (-sum(correct[q]), q))
    result = []
    for q, (marks, sizes) in enumerate(zip(correct, lengths, strict=True)):
        right = [n for n, c in zip(sizes, marks, strict=True) if c]
        if q not in order[:count] or not right:
            result.append([float(c) for c in marks])
            continue
        mean = sum(right) / len(right)
        std = (sum((n - mean) ** 2 for n in right) / len(right)) ** 0.5
        group = []
        for n, c in zip(sizes, marks, strict=True):
            z = (n - mean) / std if std else 0.0
            group.append(c * (1 - alpha / (1 + exp(-z))))
        result.append(group)
    return result


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_it_is_the_plain_one(share: float) -> None:
    method = get_method("grpo_lambda", share=share, alpha=0.3)
    grpo = get_method("grpo")
    changed = 0
    for draw in range(20):
        context = tree_context(np.random.default_rng([1, draw]), queries=7)
        found = method.context_advantages(context)
        for s in range(3):
            marks = context.verdicts[s].astype(int).tolist()
            wanted = grpo.advantages(np.array(plain_rewards(marks, context.lengths[s].tolist(), 0.3, share)))
            np.testing.assert_allclose(found[s], wanted, **CLOSE)
            changed += not np.allclose(found[s], grpo.advantages(context.rewards[s]))
    assert changed > 20  # of 60 mini-batches: one group with two correct lengths is enough


def test_without_alpha_it_is_grpo() -> None:
    context = tree_context(np.random.default_rng(2))
    wanted = get_method("grpo").advantages(context.rewards)
    np.testing.assert_array_equal(get_method("grpo_lambda", alpha=0).context_advantages(context), wanted)
    np.testing.assert_array_equal(get_method("grpo_lambda").advantages(context.rewards), wanted)


def trained(name: str, updates: int = 150) -> tuple[float, float]:
    """Mean length of a correct response, and success, after training on queries that start at a success of 3/4."""
    env = bandit(np.broadcast_to([1.0, 1.0, 1.0, 0.0], (4, 8, 4)), np.array([2, 6, 10, 6]))
    update = Update(method=name, group_size=16, step_size=0.4, aggregation="token_sum")
    rngs = [np.random.default_rng([3, s]) for s in range(4)]
    *_, last = train(initial_state(np.zeros((4, 8, 4)), env), env, update, updates, rngs)
    probs = policy(last.after.logits).probs[:, :, 0].mean(axis=(0, 1))
    return float(probs[:3] @ [2, 6, 10] / probs[:3].sum()), float(probs[:3].sum())


def test_length_falls_and_accuracy_holds() -> None:
    """32 policies start at a mean length of 6. GRPO leaves it there; a fifth of the groups is enough to lower it."""
    (plain_length, plain_success), (length, success) = trained("grpo"), trained("grpo_lambda")
    assert length < 5 < plain_length
    assert success > 0.95
    assert plain_success > 0.95


@pytest.mark.parametrize(
    ("option", "value"), [("alpha", 1.5), ("alpha", -0.1), ("share", 0.0), ("share", 1.1), ("std", "sample")]
)
def test_bad_options_are_refused(option: str, value: Any) -> None:
    refuses(lambda: get_method("grpo_lambda", **{option: value}), option, value)


def test_shaped_rewards_are_refused() -> None:
    with pytest.raises(ValueError, match="grpo_lambda"):
        Update(method="grpo_lambda", signed_rewards=True)
