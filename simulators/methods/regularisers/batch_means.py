"""Average over the sampled tokens of a mini-batch, whatever normaliser the policy loss has."""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from simulators.methods.model.registry import Context
from simulators.tabular.policy import node_entropies, sampled_token_values

MINI_BATCH = (-3, -2, -1)


def token_mean_weights(mask: Array) -> Array:
    """Return what a token counts in a mean over a mini-batch's tokens, times its number of queries, ``[..., Q, G, T]``.

    The number of queries is there because an update's terms are sums over queries: each query then moves as if it were
    alone. These are also the weights of the aggregation ``token_mean``.

    Args:
        mask: which tokens count, ``[..., Q, G, T]``.
    """
    tokens = mask.sum(axis=MINI_BATCH, keepdims=True)
    queries = mask.any(axis=(-2, -1), keepdims=True).sum(axis=-3, keepdims=True)
    return np.asarray(mask * (queries / np.maximum(tokens, 1)))


def sampled_entropy(context: Context) -> Array:
    """Return the mean entropy of the sampled tokens' nodes under the policy that sampled them, ``[...]`` in nats.

    There is one number for each mini-batch, that is for each index of the axes before Q.
    """
    tree, pi = context.tree, context.behaviour
    entropies = np.broadcast_to(node_entropies(pi)[..., None], pi.probs.shape)
    sampled = sampled_token_values(entropies, tree, context.responses)
    exists = tree.token_mask[context.responses]
    return np.asarray(np.where(exists, sampled, 0.0).sum(axis=MINI_BATCH) / exists.sum(axis=MINI_BATCH))
