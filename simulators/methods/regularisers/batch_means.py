"""Average over the sampled tokens of a mini-batch, whatever normaliser the policy loss has."""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array

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
