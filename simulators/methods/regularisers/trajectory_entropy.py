"""Trajectory entropy: a constraint on the entropy of whole responses, kept by a dual variable."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Memory, Method, TokenBatch, finite_number, register_method
from simulators.tabular import kernels
from simulators.tabular.policy import Policy, response_log_probs, sequence_entropy
from simulators.tabular.trees import Tree

SOURCE = "the idea of arXiv 2511.11592 (TECRL), reconstructed for token trees"
SHARE, RATE = 0.5, 0.05  # this suite's: the paper's are for continuous control


def trajectory_entropy(share: Any = SHARE, rate: Any = RATE, **options: Any) -> Method:
    r"""Return GRPO's advantage under the constraint that the mean sequence entropy is at least a share of its start.

    The ascent direction of every query gains :math:`\lambda\nabla H(\pi)`, with H the entropy over responses,
    :math:`\nabla H = \sum_y \pi(y)(-\log\pi(y))\,\nabla\log\pi(y)`, exact by enumeration: it counts how an action
    changes which nodes are reached, which a bonus on visited nodes leaves out. After each update
    :math:`\lambda \leftarrow \max(0, \lambda + \rho(H^* - \bar H))` with the rate rho, the mean over the mini-batch's
    queries after the update, and H* the share of that mean before the first one. lambda starts at 0, so that rate = 0
    is GRPO, and so is the rule for as long as the constraint holds.

    Reconstructed: the paper constrains an entropy critic of an off-policy actor-critic in continuous control; the
    constraint and the dual variable are its idea, all else is this suite's.

    Args:
        share: H* as a share of the first mean sequence entropy, finite and >= 0.
        rate: rho, finite and >= 0, in units of an advantage a nat squared.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: idea of arXiv 2511.11592; reconstructed.
    """
    part, step = finite_number("share", share, least=0.0), finite_number("rate", rate, least=0.0)
    grpo = estimator_method("grpo", **options)

    def start(context: Context) -> Memory:
        """Return lambda = 0 and the target, ``[...]`` each."""
        entropy = sequence_entropy(context.behaviour, context.tree).mean(axis=-1)
        return {"dual": np.zeros_like(entropy), "target": part * entropy}

    def direction(batch: TokenBatch, _weights: Array) -> Array:
        """Return the constraint's push on the logits, ``[..., Q, N, A]``."""
        assert batch.context is not None  # the engine gives it and the policy
        assert batch.policy is not None
        dual = batch.context.memory["dual"][..., None, None, None]
        return np.asarray(dual * sequence_entropy_gradient(batch.policy, batch.context.tree))

    def remember(context: Context, after: Policy) -> Memory:
        """Return lambda after this update, and the target, which stays."""
        dual, target = context.memory["dual"], context.memory["target"]
        entropy = sequence_entropy(after, context.tree).mean(axis=-1)
        return {"dual": np.maximum(dual + step * (target - entropy), 0.0), "target": target}

    return Method(
        name="trajectory_entropy",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        start=start,
        direction=direction,
        remember=remember,
    )


def sequence_entropy_gradient(pi: Policy, tree: Tree) -> Array:
    r"""Return the gradient of the entropy over responses in the logits, ``[..., N, A]``.

    Args:
        pi: the policy, ``[..., N, A]``.
        tree: the responses.
    """
    log_probs = response_log_probs(pi.log_probs, tree)
    surprise = -np.exp(log_probs) * log_probs
    responses = np.broadcast_to(np.arange(tree.responses), surprise.shape)
    coefficients = np.broadcast_to(surprise[..., None], (*surprise.shape, tree.cells.shape[-1]))
    return kernels.push(coefficients, responses, cells=tree.cells, probs=pi.probs)


def register() -> None:
    """Register the rule under its name."""
    defaults = get_estimator("grpo").defaults
    register_method("trajectory_entropy", trajectory_entropy, source=SOURCE, share=SHARE, rate=RATE, **defaults)
