"""KL-Cov: the tokens of highest covariance are pulled back to the policy that sampled them."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods import tokens
from simulators.methods.estimators import estimator_method
from simulators.methods.registry import NO_CLIP, Method, TokenBatch, finite_number, register_method

SOURCE = "arXiv 2505.22617 (KL-Cov)"
SHARE, BETA = 2e-3, 1.0


def kl_cov(share: Any = SHARE, beta: Any = BETA, **options: Any) -> Method:
    r"""GRPO's advantage; the tokens of largest covariance pay :math:`\beta|\log\pi - \log\pi_{old}|`. No PPO clip.

    The covariance is Clip-Cov's. floor(share x valid tokens) of them are chosen, but at least one, as in the released
    code; of equal covariances the first in the batch. On-policy the penalty's gradient is 0: it needs a second pass.

    Args:
        share: share of the valid tokens, in (0, 1]; 2e-3 for 7B, 2e-4 for 32B in the paper.
        beta: weight of the penalty, finite and >= 0.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: naming the option.

    Source: arXiv 2505.22617, Eqs. 12 and 13.
    """
    exact = tokens.checked_share(share)
    weight = finite_number("beta", beta, least=0.0)

    def penalty(batch: TokenBatch) -> Array:
        covariances = tokens.token_covariances(batch)
        chosen = tokens.largest(covariances, tokens.share_counts(batch.mask, exact))
        return np.where(chosen, -weight * np.sign(batch.log_probs - batch.old_log_probs), 0.0)

    grpo = estimator_method("grpo", **options)
    return Method(
        "kl_cov",
        SOURCE,
        grpo.advantages,
        "grpo",
        grpo.options,
        token_penalty=penalty,
        clip_low=NO_CLIP,
        clip_high=NO_CLIP,
    )


def register() -> None:
    """Register it under its name."""
    register_method("kl_cov", kl_cov, source=SOURCE, share=SHARE, beta=BETA, **get_estimator("grpo").defaults)
