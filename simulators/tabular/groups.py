"""Make groups of responses: sampled from a behaviour policy, or every possible group with its probability.

Both are arrays of response indices ``[..., Q, G]``, so that all later code treats them alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qae_theory.arrays import Array
from qae_theory.group_expectation import count_vectors, multinomial_weights
from simulators.tabular import kernels

Generators = Sequence[np.random.Generator]


def sampled_groups(response_probs: Array, group_size: int, rngs: Generators) -> Array:
    """Return one sampled group of responses for each query.

    Args:
        response_probs: the behaviour policy's probabilities, ``[S, ..., Q, R]``.
        group_size: G.
        rngs: S generators; the groups of seed s come from ``rngs[s]`` alone, so that seeds do not disturb each other.

    Returns:
        Indices of responses, ``[S, ..., Q, G]``.
    """
    shape = (*response_probs.shape[1:-1], group_size)
    uniforms = np.stack([rng.random(shape) for rng in rngs])
    return kernels.sample(response_probs, uniforms)


def all_groups(response_log_probs: Array, group_size: int) -> tuple[Array, Array]:
    """Return every multiset of G responses, and its multinomial probability under each query's policy.

    Args:
        response_log_probs: ``[..., Q, R]`` in nats.
        group_size: G.

    Returns:
        Responses ``[M, G]`` and weights ``[M, ..., Q]``, which sum to 1 over the M groups.

    Raises:
        ValueError: there would be over two million groups; the message names ``group_size``.
    """
    # The order of responses in a group does not matter, so that multisets stand for all orders at once.
    counts = count_vectors(response_log_probs.shape[-1], group_size)
    responses = np.stack([np.repeat(np.arange(counts.shape[1]), count) for count in counts])
    flat = response_log_probs.reshape(-1, counts.shape[1])
    weights = np.stack([multinomial_weights(log_probs, counts) for log_probs in flat], axis=-1)
    return responses, weights.reshape(len(counts), *response_log_probs.shape[:-1])
