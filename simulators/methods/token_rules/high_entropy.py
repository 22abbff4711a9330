"""Define the 80/20 rule: DAPO's loss on the tokens of largest entropy only."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, register_method
from simulators.methods.token_rules import tokens

SOURCE = "arXiv 2506.01939"
SHARE = 0.2  # the paper's share of tokens that keep their gradient


def high_entropy(share: Any = SHARE, normaliser: Any = "kept", **options: Any) -> Method:
    r"""Return GRPO's advantage under DAPO's clip, on the tokens with :math:`H_t \ge \tau` only.

    tau is the entropy of rank floor(share x valid tokens), at least 1, of the mini-batch. The token mean goes over the
    tokens that are kept, as in the paper, or over all, as in TRL 1.16, whose step is then smaller by the share. Tokens
    that tie with tau are kept, so that the rule does not depend on the order of the batch. In a tabular policy many
    tokens share a node and tie, and where all entropies are equal nothing is dropped.

    Args:
        share: share of the valid tokens that is kept, in (0, 1]; at 1 the rule is GRPO.
        normaliser: ``kept``, the paper's, or ``all``, TRL's for ``top_entropy_quantile``.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2506.01939, Eq. 6.
    """
    exact = tokens.checked_share(share)
    over_kept = tokens.over_kept_tokens(normaliser)

    def weights(batch: TokenBatch) -> Array:
        """Return 1 for the tokens of largest entropy and 0 for all others, ``[..., Q, G, T]``."""
        entropies = np.where(batch.mask, batch.entropies, -np.inf)
        kept = tokens.at_least_as_large(entropies, tokens.share_counts(batch.mask, exact))
        return kept.astype(np.float64)

    grpo = estimator_method("grpo", **options)
    return Method(
        name="high_entropy",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_weights=weights,
        normalise_kept=over_kept,
    )


def register() -> None:
    """Register the rule under its name."""
    defaults = get_estimator("grpo").defaults
    register_method("high_entropy", high_entropy, source=SOURCE, share=SHARE, normaliser="kept", **defaults)
