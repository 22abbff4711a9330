"""Measure how far the sampler's probabilities are from the trainer's, for the same tokens under the same weights.

Two implementations of one model round differently, so that responses come from a policy near the one that is trained.
"""

from __future__ import annotations

import math

import numpy as np

from qae_theory.arrays import Array

PREFIX = "sampling/"


def mismatch(sampler: Array, trainer: Array, mask: Array) -> dict[str, float]:
    r"""Return the mean absolute difference of the log-probabilities and the effective sample size of the responses.

    With :math:`w_i = \exp \sum_t (\log p^{trainer}_{it} - \log p^{sampler}_{it})` for response i, the effective sample
    size is :math:`(\sum_i w_i)^2 / \sum_i w_i^2`, here as a share of the N responses: 1 where the two agree, 1/N where
    one response has all the weight. Tokens that the sampler gave no probability stay out.

    Args:
        sampler: log-probabilities by the sampler, ``[N, T]``; NaN where it gave none.
        trainer: the same by the trainer's own forward pass, ``[N, T]``.
        mask: the loss tokens, ``[N, T]``.

    Returns:
        ``sampling/logp_difference/token-mean`` and ``sampling/effective_sample_size/response-share``; nothing where no
        token can be compared.

    Source: Kong 1992, "A note on importance sampling using standardized weights".

    >>> found = mismatch(np.log([[0.5], [0.5]]), np.log([[0.5], [0.25]]), np.ones((2, 1)))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'sampling/logp_difference/token-mean': 0.347, 'sampling/effective_sample_size/response-share': 0.9}
    """
    counted = mask.astype(bool) & np.isfinite(sampler) & np.isfinite(trainer)
    if not counted.any():
        return {}
    difference = np.where(counted, np.where(counted, trainer, 0.0) - np.where(counted, sampler, 0.0), 0.0)
    log_weights = difference.sum(axis=1)
    weights = np.exp(log_weights - log_weights.max())  # a common factor cancels
    share = float(weights.sum() ** 2 / (weights**2).sum() / len(weights))
    return {
        f"{PREFIX}logp_difference/token-mean": math.fsum(np.abs(difference)[counted]) / int(counted.sum()),
        f"{PREFIX}effective_sample_size/response-share": share,
    }
