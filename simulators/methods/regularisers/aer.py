"""AER: an entropy bonus that is larger on hard queries, steered so that entropy tracks a share of where it began."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.entropy import logged_entropy
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, TokenBatch, finite_number, register_method
from simulators.methods.regularisers.batch_means import token_mean_weights
from simulators.methods.regularisers.entropy_bonus import entropy_gradient
from simulators.methods.regularisers.visits import weight_of_nodes
from simulators.tabular.policy import Policy

SOURCE = "arXiv 2510.10959 (AER), reconstructed from its abstract"
TAU, GAIN, SPREAD = 0.5, 0.05, 0.5  # not given in the abstract: values to sweep


def aer(tau: Any = TAU, gain: Any = GAIN, spread: Any = SPREAD, **options: Any) -> Method:
    r"""Return GRPO's advantage with the bonus :math:`\alpha\,\lambda_q H_q`, where alpha holds entropy at a target.

    :math:`\lambda_q = 1 + \sigma(1 - 2\hat p_q)` with the group's success rate and ``spread`` sigma, so that a query
    that always fails counts 1 + sigma and one that always succeeds 1 - sigma. :math:`H_q` is the query's part of the
    mean entropy of the mini-batch's tokens. After each update
    :math:`\alpha \leftarrow \max(0, \alpha + \kappa(\tau H_0 - H))` with the gain kappa, the mean entropy H of the
    sampled tokens, and that of the first update :math:`H_0`. alpha starts at 0, so that gain = 0 is GRPO.

    Reconstructed: the abstract names a coefficient that grows with difficulty, a target anchored at the initial entropy
    and below it, and a global coefficient that is adjusted. The forms, and all three values, are this suite's.

    Args:
        tau: target as a share of the first entropy, finite and >= 0.
        gain: kappa, finite and >= 0, in units of an advantage a nat squared.
        spread: sigma, in [0, 1].
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2510.10959, abstract; reconstructed.
    """
    share, kappa = finite_number("tau", tau, least=0.0), finite_number("gain", gain, least=0.0)
    sigma = finite_number("spread", spread, least=0.0, most=1.0)
    grpo = estimator_method("grpo", **options)

    def start(context: Context) -> Memory:
        """Return alpha = 0 and the target, ``[...]`` each."""
        entropy = logged_entropy(context)
        return {"alpha": np.zeros_like(entropy), "target": share * entropy}

    def direction(batch: TokenBatch, _weights: Array) -> Array:
        """Return the bonus's gradient on the logits, ``[..., Q, N, A]``."""
        assert batch.context is not None  # the engine gives it
        success = batch.context.verdicts.mean(axis=-1)[..., None, None]
        allocation = 1.0 + sigma * (1.0 - 2.0 * success)
        visits = weight_of_nodes(batch, token_mean_weights(batch.mask))[..., None]
        alpha = batch.context.memory["alpha"][..., None, None, None]
        return np.asarray(alpha * allocation * visits * entropy_gradient(batch))

    def remember(context: Context, _after: Policy) -> Memory:
        """Return alpha after this update, and the target, which stays."""
        alpha, target = context.memory["alpha"], context.memory["target"]
        return {"alpha": np.maximum(alpha + kappa * (target - logged_entropy(context)), 0.0), "target": target}

    return Method(
        name="aer",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        start=start,
        direction=direction,
        remember=remember,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method("aer", aer, source=SOURCE, tau=TAU, gain=GAIN, spread=SPREAD, **get_estimator("grpo").defaults)
