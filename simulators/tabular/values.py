"""Compute exact values on a tree: what is expected after each action and at each node, under a policy."""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from simulators.tabular.policy import Policy, response_log_probs
from simulators.tabular.trees import Tree


def action_values(pi: Policy, response_values: Array, tree: Tree) -> tuple[Array, Array]:
    r"""Return :math:`Q(n, a)` and :math:`V(n)`, the expected value of a response that takes action a at node n.

    :math:`Q(n, a) = \sum_{y \ni (n, a)} \pi(y) f(y) / \sum_{y \ni (n, a)} \pi(y)`, and V is the same over all responses
    through n. The difference Q - V is the true advantage of a token.

    Args:
        pi: the policy, ``[..., N, A]``.
        response_values: f, ``[..., R]``.
        tree: the responses.

    Returns:
        Q ``[..., N, A]`` and V ``[..., N]``; 0 where no response of positive probability passes.
    """
    probs = np.exp(response_log_probs(pi.log_probs, tree))
    through_cell = np.zeros((tree.responses, tree.nodes * tree.actions))
    response_of_token, _ = np.nonzero(tree.token_mask)
    through_cell[response_of_token, tree.cells[tree.token_mask]] = 1
    lead = probs.shape[:-1]
    mass = (probs @ through_cell).reshape(*lead, tree.nodes, tree.actions)
    value = ((probs * response_values) @ through_cell).reshape(mass.shape)
    at_node, value_at_node = mass.sum(axis=-1), value.sum(axis=-1)
    q = np.divide(value, mass, out=np.zeros_like(mass), where=mass > 0)
    v = np.divide(value_at_node, at_node, out=np.zeros_like(at_node), where=at_node > 0)
    return q, v
