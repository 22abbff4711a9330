"""STAPO: rare tokens at confident nodes of correct responses, whose gradient is the largest, lose it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, finite_number, register_method
from simulators.methods.token_rules import tokens

SOURCE = "arXiv 2602.15620 (STAPO)"
RARE, LEVEL = 0.002, 0.75  # the paper's bound on the probability, and its quantile of the entropy


def stapo(rare: Any = RARE, level: Any = LEVEL, normaliser: Any = "kept", **options: Any) -> Method:
    r"""Return GRPO's advantage under DAPO's clip, without the tokens that have all of three properties.

    They have A > 0, :math:`\pi < ` ``rare``, and an entropy below the quantile at ``level`` of the entropies of all
    tokens with :math:`\pi < ` ``rare`` in correct responses of the mini-batch. pi is the policy of the pass. The
    squared norm of a token's gradient on the logits is :math:`w^2(1 - 2\pi + \sum_a\pi_a^2)`, which such a token brings
    close to 2. ``rare`` = 0 drops nothing: GRPO with DAPO's clip.

    Args:
        rare: bound on the token's probability, in [0, 1].
        level: of the quantile, in [0, 1]; a note on another version of the paper has .8.
        normaliser: ``kept``, the paper's token mean over kept tokens, or ``all``.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2602.15620.
    """
    bound = finite_number("rare", rare, least=0.0, most=1.0)
    quantile = finite_number("level", level, least=0.0, most=1.0)
    over_kept = tokens.over_kept_tokens(normaliser)

    def weights(batch: TokenBatch) -> Array:
        """Return 0 for the tokens that are dropped and 1 for all others, ``[..., Q, G, T]``."""
        assert batch.context is not None  # the engine gives it
        is_rare = batch.mask & (np.exp(batch.log_probs) < bound)
        correct = batch.context.verdicts[..., None] == 1
        flat = (*batch.mask.shape[:-3], -1)
        entropies, counts = batch.entropies.reshape(flat), (is_rare & correct).reshape(flat)
        limit = tokens.linear_quantile(entropies, counts, quantile)[..., None, None, None]
        dropped = is_rare & (batch.advantages > 0) & (batch.entropies < limit)
        return np.where(dropped, 0.0, 1.0)

    grpo = estimator_method("grpo", **options)
    return Method(
        name="stapo",
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
    register_method("stapo", stapo, source=SOURCE, rare=RARE, level=LEVEL, normaliser="kept", **defaults)
