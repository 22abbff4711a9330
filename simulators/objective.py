"""From sampled tokens to a gradient: ratio, clipping, token weights and normalisation.

Returns the coefficient of each token's score; ``kernels.push`` makes a direction of it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from simulators.methods.registry import Method, TokenBatch
from simulators.update import Update


class Coefficients(NamedTuple):
    """Per token ``[..., Q, G, T]``: the coefficient, and where the lower and the upper clip bound cut the gradient."""

    values: Array
    clipped_low: Array
    clipped_high: Array


def coefficients(batch: TokenBatch, method: Method, update: Update, lengths_qg: Array) -> Coefficients:
    """Coefficient of every token's score in the ascent direction.

    With importance ratio x the surrogate is min(x A, clip(x) A), and max(that, c A) for A < 0 under dual clip c; its
    derivative in the token's log-probability is x A, or 0 where a bound cuts it.

    Args:
        batch: the tokens.
        method: the rule.
        update: the switches.
        lengths_qg: tokens that each response counts, ``[..., Q, G]``.
    """
    advantage = batch.advantages
    ratio = _ratio(batch, method, lengths_qg) if update.importance_ratio else np.ones_like(batch.log_probs)
    low = method.clip_low if update.clip_low is None else update.clip_low
    high = method.clip_high if update.clip_high is None else update.clip_high
    clipped_high = batch.mask & (advantage > 0) & (ratio > 1 + high)
    clipped_low = batch.mask & (advantage < 0) & (ratio < 1 - low)
    cut = clipped_high | clipped_low
    if update.dual_clip is not None:
        cut = cut | ((advantage < 0) & (ratio > update.dual_clip))
    values = np.where(cut, 0.0, ratio * advantage)
    if method.token_penalty is not None:
        values = values + method.token_penalty(batch)
    kept = batch.mask
    if method.token_weights is not None:
        weights = method.token_weights(batch)
        values = values * weights
        kept = kept & (weights != 0) if method.normalise_kept else kept
    values = np.where(batch.mask, values, 0.0) * _normaliser(kept, batch.mask, update, lengths_qg)
    return Coefficients(values, clipped_low, clipped_high)


def _ratio(batch: TokenBatch, method: Method, lengths_qg: Array) -> Array:
    log_ratio = np.where(batch.mask, batch.log_probs - batch.old_log_probs, 0.0)
    if method.ratio == "sequence":
        mean = log_ratio.sum(axis=-1, keepdims=True) / lengths_qg[..., None]
        log_ratio = np.broadcast_to(mean, log_ratio.shape)
    return np.exp(log_ratio)


def _normaliser(kept: Array, mask: Array, update: Update, lengths_qg: Array) -> Array:
    """1/G, 1/(G |o_i|), or kept queries over kept tokens; broadcasts against ``[..., Q, G, T]``."""
    group = kept.shape[-2]
    if update.aggregation == "token_sum":
        return np.asarray(1.0 / group)
    if update.aggregation == "sequence_mean":
        return 1.0 / (group * lengths_qg[..., None])
    per_token = lengths_qg[..., None] / np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    tokens = (kept * per_token).sum(axis=(-3, -2, -1), keepdims=True)
    queries = mask.any(axis=(-2, -1), keepdims=True).sum(axis=-3, keepdims=True)
    return np.asarray(queries / np.maximum(tokens, 1.0))
