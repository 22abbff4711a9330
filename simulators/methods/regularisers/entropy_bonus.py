"""PPO's entropy bonus: a push towards higher entropy at every node that a sampled response visits."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from qae_theory.softmax import expectation
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, TokenBatch, finite_number, register_method
from simulators.methods.regularisers.visits import weight_of_nodes

SOURCE = "arXiv 1707.06347 (PPO), Eq. 9"
COEFFICIENT = 0.01  # PPO's own in its Atari runs


def entropy_bonus(coefficient: Any = COEFFICIENT, **options: Any) -> Method:
    r"""Return GRPO's advantage with a bonus of the coefficient c times the mean entropy of the sampled tokens' nodes.

    The ascent direction on the logits of a node gains :math:`c\,W\,\nabla H`,
    :math:`\nabla_a H = -\pi_a(\log\pi_a + H)`, where W is the sum of the loss's weights of the tokens sampled at the
    node. Which nodes are visited is taken as given, as in the released codes. c = 0 is GRPO.

    Args:
        coefficient: c, finite and >= 0, in units of an advantage a nat.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 1707.06347, Eq. 9.
    """
    weight = finite_number("coefficient", coefficient, least=0.0)
    grpo = estimator_method("grpo", **options)

    def direction(batch: TokenBatch, weights: Array) -> Array:
        """Return the bonus's gradient on the logits, ``[..., Q, N, A]``."""
        return weight * weight_of_nodes(batch, weights)[..., None] * entropy_gradient(batch)

    return Method(
        name="entropy_bonus",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        direction=direction,
    )


def entropy_gradient(batch: TokenBatch) -> Array:
    r"""Return the gradient of every node's entropy in its logits, :math:`-\pi_a(\log\pi_a + H)`, ``[..., Q, N, A]``."""
    assert batch.policy is not None  # the engine gives it
    log_probs, probs = batch.policy
    entropy = -expectation(probs, log_probs)[..., None]
    return np.asarray(-probs * (log_probs + entropy))


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "entropy_bonus", entropy_bonus, source=SOURCE, coefficient=COEFFICIENT, **get_estimator("grpo").defaults
    )
