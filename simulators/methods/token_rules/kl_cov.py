"""KL-Cov: the tokens of highest covariance are pulled back to the policy that sampled them."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import NO_CLIP, Method, TokenBatch, finite_number, register_method
from simulators.methods.token_rules import tokens

SOURCE = "arXiv 2505.22617 (KL-Cov)"
SHARE, BETA = 2e-3, 1.0  # the paper's share for a 7B model, and its weight of the penalty


def kl_cov(share: Any = SHARE, beta: Any = BETA, **options: Any) -> Method:
    r"""Return GRPO's advantage, where tokens of largest covariance pay :math:`\beta|\log\pi - \log\pi_{old}|`.

    No PPO clip.

    The covariance is Clip-Cov's. floor(share x valid tokens) of the tokens are chosen, but at least one, as in the
    released code; of equal covariances the first in the batch. On-policy the penalty's gradient is 0, so that the rule
    needs a second pass to act.

    Args:
        share: share of the valid tokens, in (0, 1]; the paper has 2e-3 for 7B and 2e-4 for 32B.
        beta: weight of the penalty, finite and >= 0.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2505.22617, Eqs. 12 and 13.
    """
    exact = tokens.checked_share(share)
    weight = finite_number("beta", beta, least=0.0)

    def penalty(batch: TokenBatch) -> Array:
        """Return the penalty's gradient in each token's log-probability, ``[..., Q, G, T]``."""
        covariances = tokens.token_covariances(batch)
        chosen = tokens.largest(covariances, tokens.share_counts(batch.mask, exact))
        # This is the derivative of -beta |log pi - log pi_old| in the token's log-probability.
        return np.where(chosen, -weight * np.sign(batch.log_probs - batch.old_log_probs), 0.0)

    grpo = estimator_method("grpo", **options)
    return Method(
        name="kl_cov",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_penalty=penalty,
        clip_low=NO_CLIP,
        clip_high=NO_CLIP,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method("kl_cov", kl_cov, source=SOURCE, share=SHARE, beta=BETA, **get_estimator("grpo").defaults)
