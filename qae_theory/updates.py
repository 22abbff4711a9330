"""The four directions that "a first-order softmax update" can mean (theory, section 3).

A direction d is the logit change per unit step: z' = z + eta d. What it does to entropy is in ``entropy_change``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from qae_theory import array_arguments as arguments
from qae_theory import checks
from qae_theory.arrays import Array, exp
from qae_theory.softmax import centred, log_softmax


def update_direction(
    logits: Any,
    arm_rewards: Any,
    rule: str,
    *,
    baseline: Any = 0.0,
    responses: Any = None,
    advantages: Any = None,
) -> Array:
    r"""Return the logit change per unit step, under one of four updates.

    ===================  ==========================================================================
    ``uncentred``        :math:`\pi (r - b)`, which Sec. 4.3 of the paper plugs into the identity
    ``policy_gradient``  :math:`\pi (r - b - E_\pi[r - b])`, the exact softmax policy gradient
    ``natural_gradient`` :math:`r - b`
    ``sampled_group``    :math:`\frac1G \sum_i A_i (e_{y_i} - \pi)`, one on-policy GRPO-family step
    ===================  ==========================================================================

    Args:
        logits: ``[..., n]``, finite.
        arm_rewards: ``[..., n]``, the reward of each response.
        rule: a name of the table.
        baseline: scalar or ``[...]``; for ``sampled_group`` the advantages hold it, so it must be left out.
        responses: integers ``[..., G]``, the sampled responses (``sampled_group`` only).
        advantages: ``[..., G]``, their advantages (``sampled_group`` only).

    Returns:
        ``[..., n]``.

    Raises:
        ValueError: naming the argument.

    Source: arXiv 2509.22611, Sec. 4.3; 2505.22617 for the identity's centred form.

    >>> update_direction([0.0, 0.0], [1, 0], "uncentred", baseline=0.5).tolist()
    [0.25, -0.25]
    >>> update_direction([0.0, 0.0], [1, 0], "sampled_group", responses=[0, 1], advantages=[1, -1]).tolist()
    [0.5, -0.5]
    """
    z, r = arguments.query(logits, arm_rewards)
    b = arguments.response_baseline(baseline, z)
    probs = exp(log_softmax(z))
    if rule == "sampled_group":
        if np.any(b != 0):
            checks.refuse("baseline", baseline, "left out for 'sampled_group', whose advantages contain it")
        return _sampled_group(probs, *arguments.sampled_group(z, responses, advantages))
    if not isinstance(rule, str) or rule not in _POPULATION_RULES:
        checks.refuse("rule", rule, f"one of {', '.join((*_POPULATION_RULES, 'sampled_group'))}")
    for name, value in (("responses", responses), ("advantages", advantages)):
        if value is not None:
            checks.refuse(name, value, "given for 'sampled_group' only")
    advantage = r - b[..., None]
    if rule == "policy_gradient":
        # The baseline drops out. Subtracted and added again it would leave the digits that r - b is rounded to.
        advantage = np.broadcast_to(r, advantage.shape)
    return _POPULATION_RULES[rule](probs, advantage)


def uncentred(probs: Array, advantage: Array) -> Array:
    r"""Return :math:`\pi(r - b)`, ``[..., n]``, for probabilities and the advantages r - b of all responses."""
    return probs * advantage


def policy_gradient(probs: Array, advantage: Array) -> Array:
    r"""Return :math:`\pi(r - b - E_\pi[r - b]) = \pi(r - V)`, ``[..., n]``, for the same arguments."""
    return probs * centred(probs, advantage)


def natural_gradient(probs: Array, advantage: Array) -> Array:
    """Return :math:`r - b`, ``[..., n]``: the policy gradient with Fisher's matrix divided out."""
    return np.broadcast_to(advantage, np.broadcast_shapes(probs.shape, advantage.shape))


def counted_group(probs: Array, counts: Array, advantage: Array) -> Array:
    r"""Return :math:`\frac1G\sum_yc_yA_y(e_y - \pi)` for a group in which response y occurs :math:`c_y` times.

    Args:
        probs: :math:`\pi`, ``[..., n]``.
        counts: c, ``[..., n]``, which sum to G.
        advantage: A of each response, ``[..., n]``.

    Returns:
        The logit change per unit step, ``[..., n]``.
    """
    pushes = counts * advantage
    total = pushes.sum(axis=-1, keepdims=True)
    return (pushes - total * probs) / counts.sum(axis=-1, keepdims=True)


_POPULATION_RULES: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {"uncentred": uncentred, "policy_gradient": policy_gradient, "natural_gradient": natural_gradient}
)


def _sampled_group(probs: Array, responses: Array, advantage: Array) -> Array:
    arms, group_size = probs.shape[-1], advantage.shape[-1]
    batch = np.broadcast_shapes(probs.shape[:-1], responses.shape[:-1], advantage.shape[:-1])
    chosen = np.broadcast_to(responses, (*batch, group_size)).reshape(-1, group_size)
    pushes = np.zeros((len(chosen), arms), dtype=advantage.dtype)
    rows = np.arange(len(chosen))[:, None]
    # A scatter, not a one-hot product: [batch, G, n] would not fit for a vocabulary of responses.
    np.add.at(pushes, (rows, chosen), np.broadcast_to(advantage, (*batch, group_size)).reshape(chosen.shape))
    total = advantage.sum(axis=-1, keepdims=True)
    return (pushes.reshape(*batch, arms) - total * probs) / arguments.exact_count(group_size, advantage)
