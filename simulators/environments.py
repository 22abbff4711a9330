"""Describe what a policy is trained on: the responses of each query, which are correct, and how long they count.

Learning is defined elsewhere. Shapes name Q queries, R responses, N nodes and A actions; any leading axes (seeds,
mini-batches) come before them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.tabular.trees import Tree, bandit_tree


@dataclass(frozen=True)
class Environment:
    """Queries that share a tree of responses.

    ``arm_rewards`` ``[..., Q, R]`` is 1 where the response is correct and 0 elsewhere. ``lengths`` ``[R]`` is the
    number of tokens that a response counts in length normalisation and overlong penalty: the tree's own, unless a
    bandit's arms are given lengths.
    """

    tree: Tree
    arm_rewards: Array
    lengths: Array


def environment(tree: Tree, arm_rewards: object, lengths: object = None) -> Environment:
    """Return an environment whose parts have been checked.

    Args:
        tree: the responses.
        arm_rewards: ``[..., Q, R]``, 0 or 1.
        lengths: ``[R]``, positive integers. Only a bandit takes them, since its arms have no length of their own.

    Returns:
        The environment, with rewards in float64.

    Raises:
        ValueError: ``arm_rewards`` or ``lengths`` has a wrong shape or value; the message names it.

    >>> environment(bandit_tree(2), [[1, 0]]).lengths.tolist()
    [1, 1]
    """
    rewards = checks.vector("arm_rewards", arm_rewards, arms=tree.responses)
    if rewards.ndim < 2:
        checks.refuse("arm_rewards", arm_rewards, "of rank 2 or more, [..., Q, R]")
    checks.binary("arm_rewards", rewards)
    if lengths is None:
        # A bandit's own lengths are 1 each, a token tree's are the lengths of its paths.
        return Environment(tree, rewards, tree.lengths)
    if not tree.is_bandit:
        checks.refuse("lengths", lengths, "left out for a token tree, which has its own")
    counted = np.asarray(lengths)
    if counted.shape != (tree.responses,) or counted.dtype.kind not in "iu" or np.any(counted < 1):
        checks.refuse("lengths", lengths, f"{tree.responses} integers >= 1")
    return Environment(tree, rewards, counted)


def bandit(arm_rewards: object, lengths: object = None) -> Environment:
    """Return a bandit environment from its arms' rewards ``[..., Q, n]``.

    Args:
        arm_rewards: ``[..., Q, n]``, 0 or 1.
        lengths: number of tokens that each arm counts, ``[n]``; 1 each if not given.

    Returns:
        The environment, as :func:`environment` makes it.

    Raises:
        ValueError: as :func:`environment`.
    """
    rewards = checks.vector("arm_rewards", arm_rewards)
    return environment(bandit_tree(rewards.shape[-1]), rewards, lengths)
