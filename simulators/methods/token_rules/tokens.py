"""Pick tokens of a mini-batch by covariance, by entropy or at random, for the token masks of this package.

A mini-batch is the last three axes Q, G, T at each leading index. Only its valid tokens (``batch.mask``) take part.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import TokenBatch

MINI_BATCH = (-3, -2, -1)


def linear_quantile(values: Array, valid: Array, level: float) -> Array:
    """Return the quantile of the valid values along the last axis, interpolated between order statistics.

    It is that of ``torch.quantile`` and of NumPy's default, which the released codes use.

    Args:
        values: ``[..., n]``.
        valid: which of them count, of the same shape.
        level: in [0, 1].

    Returns:
        ``[...]``; -inf where no value counts, so that nothing is below it.
    """
    ordered = np.sort(np.where(valid, values, np.inf), axis=-1)
    count = valid.sum(axis=-1)
    place = level * (np.maximum(count, 1) - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count, 1) - 1)
    low = np.take_along_axis(ordered, below[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(ordered, above[..., None], axis=-1)[..., 0]
    # Without a valid value both are inf, whose difference means nothing.
    rise = np.where(count > 0, high, 0.0) - np.where(count > 0, low, 0.0)
    return np.where(count > 0, low + (place - below) * rise, -np.inf)


def checked_share(share: Any) -> Fraction:
    """Return a share in (0, 1] as an exact rational; a float counts as the decimal that it prints as.

    Raises:
        ValueError: it is no such number; the message names ``share``.
    """
    try:
        exact = checks.decimal_fraction(share)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        # Whatever is no number becomes a share that the check below refuses, so that there is one message for all.
        exact = Fraction(0)
    if isinstance(share, bool) or not 0 < exact <= 1:
        checks.refuse("share", share, "a number in (0, 1]")
    return exact


def over_kept_tokens(normaliser: Any) -> bool:
    """Return whether the token mean goes over the kept tokens alone, as the option ``normaliser`` says.

    Raises:
        ValueError: it is neither ``kept`` nor ``all``; the message names ``normaliser``.
    """
    return checks.choice("normaliser", normaliser, ("kept", "all")) == "kept"


def token_covariances(batch: TokenBatch) -> Array:
    r"""Return each token's part of the covariance, :math:`(\log\pi - \overline{\log\pi})(A - \bar A)`.

    Args:
        batch: the sampled tokens.

    Returns:
        ``[..., Q, G, T]``; -inf off the mask, where no token is ever among the largest.

    Source: arXiv 2505.22617, Eq. 10.
    """
    product = _centred(batch.log_probs, batch.mask) * _centred(batch.advantages, batch.mask)
    return np.where(batch.mask, product, -np.inf)


def share_counts(mask: Array, share: Fraction) -> Array:
    """Return floor(share N) of a mini-batch's N valid tokens, but at least 1, as the released codes do; ``[...]``."""
    tokens = mask.sum(axis=MINI_BATCH)
    return np.asarray(np.maximum(tokens * share.numerator // share.denominator, 1))


def largest(keys: Array, counts: Array) -> Array:
    """Return a mask of the largest keys of each mini-batch; of equal keys the first in the batch counts.

    Args:
        keys: ``[..., Q, G, T]``; -inf for tokens that must not be chosen.
        counts: how many to choose, ``[...]``; all that are above -inf, where these are fewer.

    Returns:
        ``[..., Q, G, T]``, boolean.
    """
    flat = keys.reshape(*keys.shape[:-3], -1)
    order = np.argsort(-flat, axis=-1, kind="stable")
    chosen = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(chosen, order, np.arange(flat.shape[-1]) < counts[..., None], axis=-1)
    return (chosen & (flat > -np.inf)).reshape(keys.shape)


def at_least_as_large(keys: Array, counts: Array) -> Array:
    """Return a mask of the largest keys of each mini-batch, and of all that tie with the last of them.

    Args:
        keys: ``[..., Q, G, T]``; -inf for tokens that must not be chosen.
        counts: how many to choose before ties are added, ``[...]``.

    Returns:
        ``[..., Q, G, T]``, boolean.
    """
    flat = keys.reshape(*keys.shape[:-3], -1)
    rank = np.minimum(counts, flat.shape[-1])[..., None] - 1
    threshold = np.take_along_axis(-np.sort(-flat, axis=-1), rank, axis=-1)
    return ((flat >= threshold) & (flat > -np.inf)).reshape(keys.shape)


def random_keys(batch: TokenBatch) -> Array:
    """Return a uniform number for every token, ``[S, ..., Q, G, T]``; those of seed s come from ``batch.rngs[s]``.

    Raises:
        ValueError: there is not one generator for each entry of axis 0; the message names ``rngs``.
    """
    shape = batch.mask.shape
    if len(batch.rngs) != shape[0]:
        allowed = f"one generator for each of the {shape[0]} entries of axis 0; this rule draws at random"
        checks.refuse("rngs", f"{len(batch.rngs)} of them", allowed)
    return np.stack([rng.random(shape[1:]) for rng in batch.rngs])


def _centred(values: Array, mask: Array) -> Array:
    """Return the values less their mean over the valid tokens of the mini-batch; entries off the mask mean nothing."""
    kept = np.where(mask, values, 0.0)
    count = np.maximum(mask.sum(axis=MINI_BATCH, keepdims=True), 1)
    return kept - kept.sum(axis=MINI_BATCH, keepdims=True) / count
