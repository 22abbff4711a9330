"""Turn sampled tokens into the coefficients of a gradient: importance ratio, clipping, token weights, normalisation.

A coefficient multiplies the gradient of one token's log-probability. ``simulators.tabular.kernels.push`` sums these
gradients to a direction on the logits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array
from simulators.methods.model.registry import Method, TokenBatch
from simulators.update import Update


class Coefficients(NamedTuple):
    """Hold coefficients of sampled tokens, where a clip bound cut the gradient, and the tokens' weights in the mean.

    All are ``[..., Q, G, T]``; ``weights``, what the normaliser multiplies a token with, is 0 where there is no token.
    """

    values: Array
    clipped_low: Array
    clipped_high: Array
    weights: Array


def coefficients(batch: TokenBatch, method: Method, update: Update, lengths_qg: Array) -> Coefficients:
    """Return the coefficient of every sampled token's score in the ascent direction.

    With advantage A and importance ratio x the surrogate is min(x A, clip(x, 1 - low, 1 + high) A). Under dual clip c
    it is max(that, c A) where A < 0. Its derivative in the token's log-probability is x A, or 0 where a bound cuts it.
    Token penalty, token weights and normaliser then apply in this order.

    Args:
        batch: the sampled tokens of one pass.
        method: the rule, with its own clip range, token weights and penalty.
        update: the switches of the update; its clip range, if any, counts before the rule's.
        lengths_qg: number of tokens that each response counts, ``[..., Q, G]``.

    Returns:
        Coefficients, clip masks and weights, ``[..., Q, G, T]`` each.

    Source: PPO, arXiv 1707.06347, Eq. 7; clip-higher and the token mean, arXiv 2503.14476; dual clip, arXiv 1912.09729.
    """
    advantage = batch.advantages
    weighted = update.importance_ratio and method.ratio != "none"
    ratio = _ratio(batch, method, lengths_qg) if weighted else np.ones_like(batch.log_probs)
    low, high = _clip_range(batch, method, update)
    # A bound cuts the gradient only on the side to which the advantage pushes; on the other side the minimum takes the
    # unclipped term, so that the policy can always come back.
    clipped_high = batch.mask & (advantage > 0) & (ratio > 1 + high)
    clipped_low = batch.mask & (advantage < 0) & (ratio < 1 - low)
    cut = clipped_high | clipped_low
    if update.dual_clip is not None:
        cut = cut | ((advantage < 0) & (ratio > update.dual_clip))
    values = np.where(cut, 0.0, ratio * advantage)
    if method.token_penalty is not None:
        # A penalty, such as KL-Cov's, is no part of the surrogate and is not clipped.
        values = values + method.token_penalty(batch)
    kept = batch.mask
    if method.token_weights is not None:
        weights = method.token_weights(batch)
        values = values * weights
        # Rules such as 80/20 divide by the tokens that they keep; others, such as Clip-Cov, drop tokens from the sum
        # alone.
        kept = kept & (weights != 0) if method.normalise_kept else kept
    normaliser = _normaliser(kept, mask=batch.mask, update=update, lengths_qg=lengths_qg)
    coefficients_of_tokens = np.where(batch.mask, values, 0.0) * normaliser
    return Coefficients(coefficients_of_tokens, clipped_low, clipped_high, weights=batch.mask * normaliser)


def _clip_range(batch: TokenBatch, method: Method, update: Update) -> tuple[Array | float, Array | float]:
    """Return the clip range: the update's own, else what the rule's memory asks for, else the rule's."""
    low: Array | float = method.clip_low
    high: Array | float = method.clip_high
    if method.clip is not None and batch.context is not None:
        low, high = method.clip(batch.context.memory)
    return (
        low if update.clip_low is None else update.clip_low,
        high if update.clip_high is None else update.clip_high,
    )


def _ratio(batch: TokenBatch, method: Method, lengths_qg: Array) -> Array:
    """Return the importance ratio of each token, ``[..., Q, G, T]``.

    GSPO's is the same for all tokens of a response: the geometric mean of their ratios.
    """
    log_ratio = np.where(batch.mask, batch.log_probs - batch.old_log_probs, 0.0)
    if method.ratio == "sequence":
        mean = log_ratio.sum(axis=-1, keepdims=True) / lengths_qg[..., None]
        log_ratio = np.broadcast_to(mean, log_ratio.shape)
    return np.exp(log_ratio)


def _normaliser(kept: Array, mask: Array, update: Update, lengths_qg: Array) -> Array:
    """Return what each coefficient is multiplied with: 1/G, 1/(G |o_i|), or kept queries over kept tokens.

    Args:
        kept: tokens that count in the token mean, ``[..., Q, G, T]``.
        mask: tokens that exist and whose group is kept, ``[..., Q, G, T]``.
        update: names the aggregation.
        lengths_qg: number of tokens that each response counts, ``[..., Q, G]``.

    Returns:
        An array that broadcasts against ``[..., Q, G, T]``.
    """
    group = kept.shape[-2]
    if update.aggregation == "token_sum":
        return np.asarray(1.0 / group)
    if update.aggregation == "sequence_mean":
        return 1.0 / (group * lengths_qg[..., None])
    # The arms of a bandit have one token each but may count as many; each of their tokens stands for its share of that
    # length.
    per_token = lengths_qg[..., None] / np.maximum(mask.sum(axis=-1, keepdims=True), 1)
    tokens = (kept * per_token).sum(axis=(-3, -2, -1), keepdims=True)
    queries = mask.any(axis=(-2, -1), keepdims=True).sum(axis=-3, keepdims=True)
    return np.asarray(queries / np.maximum(tokens, 1.0))
