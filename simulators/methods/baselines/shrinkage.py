"""Shrinkage baselines: the group's mean drawn towards the mean of the mini-batch's other groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qae_theory import baselines, checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import Method, finite_number, register_method

EBPO_SOURCE = "arXiv 2602.05165 (EBPO), reconstructed"
STEIN_SOURCE = "James and Stein 1961, positive part, as a baseline"


def ebpo(shrinkage: Any = None, prior: Any = None) -> Method:
    r"""Return the rule :math:`A = R - (1 - S)\bar R_q - S\mu_{-q}`; it does not standardise.

    :math:`\bar R_q` is the group's mean and :math:`\mu_{-q}` the mean of the other groups' means. S is a constant, or
    :math:`S = \frac{\sigma^2/G}{\sigma^2/G + \tau^2}` of the mini-batch: :math:`\sigma^2` is the mean Bessel variance
    within its groups and :math:`\tau^2` what the variance of its groups' means exceeds :math:`\sigma^2/G` by, at
    least 0. A mini-batch of one group has nothing to shrink towards, and S = 0. A group of failures keeps an advantage
    of :math:`-S\mu_{-q}`.

    S = 0 is Dr. GRPO, which is GRPO without its divisor. With a constant S the gain is w = 1 - (1 - S)/G (claim
    `ebpo`). With the estimated S the weight depends on all groups.

    Args:
        shrinkage: S in [0, 1]; estimated by default.
        prior: a finite number in place of :math:`\mu_{-q}`, with a constant ``shrinkage`` only. The advantage then
            depends on the group's own rewards alone.

    Returns:
        The method; its ``advantages`` take ``[..., Q, G]``, or a lone group ``[G]``.

    Raises:
        ValueError: an option is out of its range, or ``prior`` is given without ``shrinkage``.

    Source: abstract of arXiv 2602.05165 and claim `ebpo`. The paper keeps the prior in a running mean over training;
    the mini-batch stands for it here.

    >>> ebpo(shrinkage=0.5).advantages([[1.0, 0.0], [1.0, 1.0]]).tolist()
    [[0.25, -0.75], [0.25, 0.25]]
    """
    constant = None if shrinkage is None else finite_number("shrinkage", shrinkage, least=0.0, most=1.0)
    if prior is not None and constant is None:
        checks.refuse("prior", prior, "left out where shrinkage is estimated")
    centre = None if prior is None else finite_number("prior", prior)

    def weight(rewards: Array) -> Array | float:
        return estimated_shrinkage(rewards) if constant is None else constant

    return Method(
        name="ebpo",
        source=EBPO_SOURCE,
        advantages=_rule(weight, centre),
        across_groups=centre is None,
    )


def james_stein() -> Method:
    r"""Return the rule :math:`A = R - (1 - S)\bar R_q - S\mu_{-q}` with James and Stein's S; it does not standardise.

    :math:`S = \min(1, (Q - 3)\frac{\sigma^2/G}{\sum_q(\bar R_q - \bar R)^2})` for Q > 3 groups of a mini-batch, and 0
    for fewer, where shrinking towards a common mean need not help. :math:`\sigma^2` is the mean Bessel variance within
    the groups. The estimator shrinks towards the mean of all groups; the baseline takes that of the others, so that the
    own rewards count once. S = 0 is Dr. GRPO.

    Source: James and Stein 1961; Efron and Morris 1973 for the common mean.
    """
    return Method("james_stein", STEIN_SOURCE, _rule(stein_shrinkage, None), across_groups=True)


def _rule(weight: Callable[[Array], Array | float], prior: float | None) -> Callable[[Any], Array]:
    """Return the function of rewards, ``[..., Q, G]`` or ``[G]``."""

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        batch = checked[None] if checked.ndim == 1 else checked
        own = baselines.group_mean(batch, None)[..., None]
        towards = others_mean(batch) if prior is None else prior
        share = weight(batch)
        return np.asarray(batch - (1 - share) * own - share * towards).reshape(checked.shape)

    return advantages


def others_mean(rewards: Array) -> Array:
    """Return the mean of the other groups' mean rewards, ``[..., Q, G] -> [..., Q, 1]``; a lone group's own mean."""
    means = baselines.group_mean(rewards, None)[..., None]
    groups = rewards.shape[-2]
    if groups == 1:
        return means
    return np.asarray((means.sum(axis=-2, keepdims=True) - means) / (groups - 1))


def estimated_shrinkage(rewards: Array) -> Array:
    r"""Return :math:`S = \frac{\sigma^2/G}{\sigma^2/G + \tau^2}` of each mini-batch, ``[..., Q, G] -> [..., 1, 1]``."""
    noise, spread = _variances(rewards)
    if rewards.shape[-2] == 1:
        return np.zeros_like(noise)
    between = np.maximum(spread / (rewards.shape[-2] - 1) - noise, 0.0)
    total = noise + between
    # Groups without any variance have nothing to shrink.
    return np.where(total > 0, noise / np.where(total > 0, total, 1.0), 0.0)


def stein_shrinkage(rewards: Array) -> Array:
    """Return James and Stein's S of each mini-batch, ``[..., Q, G] -> [..., 1, 1]``."""
    noise, spread = _variances(rewards)
    surplus = max(rewards.shape[-2] - 3, 0)
    # Groups of the same mean are their common mean already; any S gives the same baseline.
    return np.minimum(1.0, surplus * noise / np.where(spread > 0, spread, np.inf))


def _variances(rewards: Array) -> tuple[Array, Array]:
    r"""Return :math:`\sigma^2/G` and :math:`\sum_q(\bar R_q - \bar R)^2` of each mini-batch, ``[..., 1, 1]`` each."""
    within = baselines.group_variance(rewards, None, "bessel")[..., None].mean(axis=-2, keepdims=True)
    means = baselines.group_mean(rewards, None)[..., None]
    spread = np.square(means - means.mean(axis=-2, keepdims=True)).sum(axis=-2, keepdims=True)
    return within / rewards.shape[-1], spread


def register() -> None:
    """Register the rules under their names."""
    register_method("ebpo", ebpo, source=EBPO_SOURCE, shrinkage=None, prior=None)
    register_method("james_stein", james_stein, source=STEIN_SOURCE)
