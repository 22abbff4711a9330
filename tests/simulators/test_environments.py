"""Environments: what is taken and what is refused, by the argument's name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulators import bandit, bandit_tree, environment, initial_state, token_tree
from tests.assertions import refuses


def test_lengths_are_the_trees_own_unless_given() -> None:
    tree = token_tree(2, 2)
    assert environment(tree, np.ones((1, tree.responses))).lengths.tolist() == tree.lengths.tolist()
    assert bandit([[1, 0, 0]]).lengths.tolist() == [1, 1, 1]
    assert bandit([[1, 0, 0]], [3, 1, 2]).lengths.tolist() == [3, 1, 2]


def test_a_bandit_has_as_many_arms_as_rewards() -> None:
    assert bandit(np.zeros((2, 3, 5))).tree.responses == 5


@pytest.mark.parametrize(
    "bad", [[[1, 0.5]], [[1, -1]], [[1, 2]], [[1, float("nan")]], [[1, float("inf")]], [[1, None]]]
)
def test_rewards_other_than_0_and_1_are_refused(bad: Any) -> None:
    refuses(lambda: bandit(bad), "arm_rewards", bad)


def test_wrong_shapes_are_refused() -> None:
    refuses(lambda: bandit([1, 0]), "arm_rewards", [1, 0], says="rank 2")
    refuses(lambda: environment(bandit_tree(3), [[1, 0]]), "arm_rewards", [[1, 0]])
    refuses(lambda: environment(token_tree(1, 2), [[1, 0]]), "arm_rewards", [[1, 0]])


@pytest.mark.parametrize("lengths", [[1, 2], [1, 2, 0], [1, 2, -1], [1.0, 2.0, 3.0], [[1, 2, 3]], [1, 2, 3, 4]])
def test_bad_lengths_are_refused(lengths: Any) -> None:
    refuses(lambda: bandit([[1, 0, 0]], lengths), "lengths", lengths)


def test_a_token_tree_has_its_own_lengths() -> None:
    refuses(lambda: environment(token_tree(1, 2), [[1, 0, 0]], [1, 2, 2]), "lengths", [1, 2, 2])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_must_be_finite(bad: float) -> None:
    refuses(lambda: initial_state([[[0.0, bad]]], bandit([[[1, 0]]])), "logits", [[[0.0, bad]]])


@pytest.mark.parametrize("shape", [(1, 2), (1, 1, 3), (2, 1, 2), (1, 2, 2), (1, 1, 2, 2)])
def test_logits_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    """The environment is one seed, one query, two arms: [1, 1, 2] or [1, 1, 1, 2]."""
    logits = np.zeros(shape)
    refuses(lambda: initial_state(logits, bandit([[[1, 0]]])), "logits", logits)


def test_logits_that_fit() -> None:
    for shape in ((1, 1, 2), (1, 1, 1, 2)):
        assert initial_state(np.zeros(shape), bandit([[[1, 0]]])).logits.shape == (1, 1, 1, 2)
