"""Adaptive entropy: a bonus whose coefficient climbs while entropy is below a target, and is off above it."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.entropy import logged_entropy
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, TokenBatch, finite_number, register_method
from simulators.methods.regularisers.batch_means import token_mean_weights
from simulators.methods.regularisers.entropy_bonus import entropy_gradient
from simulators.methods.regularisers.visits import weight_of_nodes
from simulators.tabular.policy import Policy

SOURCE = "arXiv 2505.22312 (Skywork-OR1), as TRL 1.16 ships it (use_adaptive_entropy)"
TARGET, DELTA, FIRST, LEAST, MOST = 0.2, 0.005, 0.0, 0.0, 1.0  # TRL's defaults


def adaptive_entropy(
    target: Any = TARGET,
    delta: Any = DELTA,
    coefficient: Any = FIRST,
    least: Any = LEAST,
    most: Any = MOST,
    **options: Any,
) -> Method:
    r"""Return GRPO's advantage with a bonus of c times the mean entropy of sampled tokens, and c steered to a target.

    The ascent direction gains :math:`c\,1\{H \le H^*\}\,\nabla\bar H`, with :math:`\bar H` the mean over the
    mini-batch's tokens whatever the loss's normaliser, and H the mean entropy that the update before measured. After
    each update :math:`c \leftarrow \min(c + \delta, c_{max})` if its own H is at most the target, and
    :math:`\max(c - \delta, c_{min})` otherwise. Before the first update H is infinite, so that its bonus is 0.

    H is that of the policy that sampled, on the sampled tokens: with one pass an update this is TRL's. TRL adjusts c
    after every optimiser step; with several passes the rule here still does so once an update. With delta = 0 and a
    first coefficient of 0 the rule is GRPO, under GRPO's clip range.

    Args:
        target: H* in nats, finite and >= 0.
        delta: step of the coefficient, finite and >= 0.
        coefficient: the first c, in [least, most].
        least: lower bound of c, finite and >= 0.
        most: upper bound of c, >= least.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2505.22312; TRL 1.16, ``GRPOTrainer._compute_loss``.
    """
    goal, step = finite_number("target", target, least=0.0), finite_number("delta", delta, least=0.0)
    lower = finite_number("least", least, least=0.0)
    upper = finite_number("most", most)
    if upper < lower:
        checks.refuse("most", most, f"at least least = {least}")
    first = finite_number("coefficient", coefficient, least=lower, most=upper)
    grpo = estimator_method("grpo", **options)

    def start(context: Context) -> Memory:
        """Return the first coefficient, and an entropy that nothing has measured yet, ``[...]`` each."""
        shape = context.responses.shape[:-2]
        return {"coefficient": np.full(shape, first), "entropy": np.full(shape, np.inf)}

    def direction(batch: TokenBatch, _weights: Array) -> Array:
        """Return the bonus's gradient on the logits, ``[..., Q, N, A]``."""
        assert batch.context is not None  # the engine gives it
        memory = batch.context.memory
        applied = np.where(memory["entropy"] <= goal, memory["coefficient"], 0.0)[..., None, None, None]
        visits = weight_of_nodes(batch, token_mean_weights(batch.mask))[..., None]
        return np.asarray(applied * visits * entropy_gradient(batch))

    def remember(context: Context, _after: Policy) -> Memory:
        """Return the coefficient after this update, and the entropy that it measured."""
        entropy, before = logged_entropy(context), context.memory["coefficient"]
        raised, lowered = np.minimum(before + step, upper), np.maximum(before - step, lower)
        return {"coefficient": np.where(entropy <= goal, raised, lowered), "entropy": entropy}

    return Method(
        name="adaptive_entropy",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        clip_low=0.2,
        clip_high=0.2,
        start=start,
        direction=direction,
        remember=remember,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "adaptive_entropy",
        adaptive_entropy,
        source=SOURCE,
        target=TARGET,
        delta=DELTA,
        coefficient=FIRST,
        least=LEAST,
        most=MOST,
        **get_estimator("grpo").defaults,
    )
