"""KL penalty: sampled tokens are pulled back to the reference policy, as GRPO's own loss does it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, finite_number, register_method
from simulators.tabular.policy import sampled_token_values

SOURCE = "arXiv 2402.03300 (GRPO), Eq. 4"
BETA = 0.04  # the paper's


def kl_penalty(beta: Any = BETA, **options: Any) -> Method:
    r"""Return GRPO's advantage less beta times the estimate k3 of KL on every sampled token.

    :math:`k_3 = \frac{\pi_{ref}}{\pi} - \log\frac{\pi_{ref}}{\pi} - 1` has the derivative
    :math:`1 - \pi_{ref}/\pi` in the token's log-probability, and minus beta times that is added to the token's
    coefficient, unclipped. On-policy the mean of k3 is :math:`KL(\pi\|\pi_{ref})`, but the mean of its gradient is that
    of :math:`KL(\pi_{ref}\|\pi)` at each visited node. Both vanish at the reference. beta = 0 is GRPO.

    Args:
        beta: weight of the penalty, finite and >= 0.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2402.03300, Eqs. 3 and 4.
    """
    weight = finite_number("beta", beta, least=0.0)

    def penalty(batch: TokenBatch) -> Array:
        """Return the penalty's gradient in each token's log-probability, ``[..., Q, G, T]``."""
        assert batch.context is not None  # the engine gives it
        context = batch.context
        reference = sampled_token_values(context.reference.log_probs, context.tree, context.responses)
        # Off the mask both are 0 or mean nothing; the engine drops what comes out there.
        return np.asarray(weight * np.expm1(np.where(batch.mask, reference - batch.log_probs, 0.0)))

    grpo = estimator_method("grpo", **options)
    return Method(
        name="kl_penalty",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        token_penalty=penalty,
        clip_low=0.2,
        clip_high=0.2,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method("kl_penalty", kl_penalty, source=SOURCE, beta=BETA, **get_estimator("grpo").defaults)
