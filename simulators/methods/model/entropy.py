"""Measure what a trainer logs as entropy, for rules that react to it."""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from simulators.methods.model.registry import Context
from simulators.tabular.policy import node_entropies, sampled_token_values


def logged_entropy(context: Context) -> Array:
    r"""Return the mean entropy of the sampled tokens under the policy that sampled them.

    :math:`H = \sum_t H_{n_t} / \sum_t 1` over all tokens t of a mini-batch, with :math:`n_t` the node of the token. It
    is a sample on a token tree, where the responses decide which nodes are visited, and exact on a bandit.

    Args:
        context: the groups, whose last axes Q, G are one mini-batch.

    Returns:
        ``[S, ...]`` in nats, one number for each mini-batch.
    """
    pi, tree, responses = context.behaviour, context.tree, context.responses
    # A token has the entropy of its node, whichever action was sampled there; it is 0 after the end of a response.
    of_nodes = np.broadcast_to(node_entropies(pi)[..., None], pi.probs.shape)
    of_tokens = sampled_token_values(of_nodes, tree, responses)
    tokens = tree.lengths[responses].sum(axis=(-2, -1))
    return np.asarray(of_tokens.sum(axis=(-3, -2, -1)) / tokens)
