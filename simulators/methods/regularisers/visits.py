"""Sum what the tokens of a pass weigh at the nodes where they were sampled."""

from __future__ import annotations

import numpy as np

from qae_theory.arrays import Array
from simulators.methods.model.registry import TokenBatch


def weight_of_nodes(batch: TokenBatch, weights: Array) -> Array:
    """Return the sum of token weights at each node, ``[..., Q, N]``.

    Args:
        batch: the sampled tokens, with their context.
        weights: of each token, ``[..., Q, G, T]``; 0 where there is none.
    """
    assert batch.context is not None  # the engine gives it
    tree, responses = batch.context.tree, batch.context.responses
    # Tokens after the end of a response have cell -1; they read node 0 with weight 0.
    nodes = np.maximum(tree.cells[responses], 0) // tree.actions
    flat_nodes = nodes.reshape(-1, nodes.shape[-2] * nodes.shape[-1])
    flat_weights = np.where(batch.mask, weights, 0.0).reshape(flat_nodes.shape)
    rows = np.arange(len(flat_nodes))[:, None]
    total = np.zeros((len(flat_nodes), tree.nodes))
    np.add.at(total, (rows, flat_nodes), flat_weights)
    return total.reshape(*responses.shape[:-1], tree.nodes)
