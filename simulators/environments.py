"""What a policy is trained on: the responses of each query, which of them are right, and how long they count.

Learning is elsewhere. Shapes: Q queries, R responses, N nodes, A actions; any leading axes (seeds, mini-batches).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.trees import Tree, bandit_tree


@dataclass(frozen=True)
class Environment:
    """Queries that share a tree of responses.

    ``arm_rewards`` ``[..., Q, R]``: 1 where the response is right, else 0. ``lengths`` ``[R]``: tokens that a response
    counts in length normalisation and overlong penalty; the tree's own unless a bandit's arms are given lengths.
    """

    tree: Tree
    arm_rewards: Array
    lengths: Array


def environment(tree: Tree, arm_rewards: object, lengths: object = None) -> Environment:
    """Checked environment.

    Args:
        tree: the responses.
        arm_rewards: ``[..., Q, R]``, 0 or 1.
        lengths: ``[R]``, positive integers; only for a bandit, whose arms are tokens of no length of their own.

    Raises:
        ValueError: naming the argument.

    >>> environment(bandit_tree(2), [[1, 0]]).lengths.tolist()
    [1, 1]
    """
    rewards = checks.vector("arm_rewards", arm_rewards, arms=tree.responses)
    if rewards.ndim < 2:
        checks.refuse("arm_rewards", arm_rewards, "of rank 2 or more, [..., Q, R]")
    checks.binary("arm_rewards", rewards)
    if lengths is None:
        return Environment(tree, rewards, tree.lengths)
    if not tree.is_bandit:
        checks.refuse("lengths", lengths, "left out for a token tree, which has its own")
    counted = np.asarray(lengths)
    if counted.shape != (tree.responses,) or counted.dtype.kind not in "iu" or np.any(counted < 1):
        checks.refuse("lengths", lengths, f"{tree.responses} integers >= 1")
    return Environment(tree, rewards, counted)


def bandit(arm_rewards: object, lengths: object = None) -> Environment:
    """A bandit environment from its arms' rewards ``[..., Q, n]``; see :func:`environment`."""
    rewards = checks.vector("arm_rewards", arm_rewards)
    return environment(bandit_tree(rewards.shape[-1]), rewards, lengths)
