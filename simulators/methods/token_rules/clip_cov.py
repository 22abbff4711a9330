"""Clip-Cov: some tokens, drawn at random among those of high covariance, lose their gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import (
    NO_CLIP,
    Method,
    TokenBatch,
    finite_number,
    number_or_inf,
    register_method,
)
from simulators.methods.token_rules import tokens

SOURCE = "arXiv 2505.22617 (Clip-Cov)"
SHARE, LOW, HIGH = 2e-4, 1.0, 5.0  # the released defaults: share of tokens, and bounds of their covariance


def clip_cov(share: Any = SHARE, low: Any = LOW, high: Any = HIGH, **options: Any) -> Method:
    r"""Return GRPO's advantage with some tokens dropped, drawn at random among those with low < cov < high.

    No PPO clip.

    cov is :math:`(\log\pi - \overline{\log\pi})(A - \bar A)`, with means over the mini-batch's valid tokens. The number
    dropped is floor(share x valid tokens), but at least one, or all that qualify where they are fewer, as in the
    released code. In a mini-batch of few tokens the effective share is therefore far above ``share``.

    Args:
        share: share of the valid tokens that is dropped, in (0, 1].
        low: lower bound of the covariance, finite.
        high: upper bound, > low, finite or inf.
        **options: ``std`` and ``eps``, as GRPO's.

    Returns:
        The method. It needs a generator for each seed, which the exact mode has not.

    Raises:
        ValueError: an option is out of its range, or, when the rule is used, ``rngs`` has no generator for each seed.

    Source: arXiv 2505.22617, Eqs. 10 and 11; defaults as released.
    """
    exact = tokens.checked_share(share)
    least = finite_number("low", low)
    most = number_or_inf("high", high)
    if not least < most:
        checks.refuse("high", high, f"larger than low = {low}")

    def weights(batch: TokenBatch) -> Array:
        """Return 0 for the tokens that are dropped and 1 for all others, ``[..., Q, G, T]``."""
        covariances = tokens.token_covariances(batch)
        qualifies = (covariances > least) & (covariances < most)
        # The largest of independent uniform numbers belong to a uniformly random subset of the tokens that qualify.
        keys = np.where(qualifies, tokens.random_keys(batch), -np.inf)
        return np.where(tokens.largest(keys, tokens.share_counts(batch.mask, exact)), 0.0, 1.0)

    grpo = estimator_method("grpo", **options)
    return Method(
        name="clip_cov",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_weights=weights,
        clip_low=NO_CLIP,
        clip_high=NO_CLIP,
    )


def register() -> None:
    """Register the rule under its name."""
    defaults = get_estimator("grpo").defaults
    register_method("clip_cov", clip_cov, source=SOURCE, share=SHARE, low=LOW, high=HIGH, **defaults)
