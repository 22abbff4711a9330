"""Groups of responses: sampled from a behaviour policy, or every possible group with its probability.

Both are arrays of response indices ``[..., Q, G]``, so that whatever follows is one code path.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qae_theory.arrays import Array
from qae_theory.group_expectation import count_vectors, multinomial_weights
from simulators import kernels

Generators = Sequence[np.random.Generator]


def sampled_groups(response_probs: Array, group_size: int, rngs: Generators) -> Array:
    """One group a query, ``[S, ..., Q, R] -> [S, ..., Q, G]``; seed s draws from ``rngs[s]`` alone."""
    shape = (*response_probs.shape[1:-1], group_size)
    uniforms = np.stack([rng.random(shape) for rng in rngs])
    return kernels.sample(response_probs, uniforms)


def all_groups(response_log_probs: Array, group_size: int) -> tuple[Array, Array]:
    """Every multiset of G responses, and its probability under each query.

    Args:
        response_log_probs: ``[..., Q, R]``.
        group_size: G.

    Returns:
        Responses ``[M, G]`` and weights ``[M, ..., Q]``, which sum to 1 over M.

    Raises:
        ValueError: naming ``group_size`` where there would be over two million groups.
    """
    counts = count_vectors(response_log_probs.shape[-1], group_size)
    responses = np.stack([np.repeat(np.arange(counts.shape[1]), row) for row in counts])
    flat = response_log_probs.reshape(-1, counts.shape[1])
    weights = np.stack([multinomial_weights(row, counts) for row in flat], axis=-1)
    return responses, weights.reshape(len(counts), *response_log_probs.shape[:-1])
