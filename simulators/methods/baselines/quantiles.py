"""Quantile baselines of other samples than the group: of the other responses, and of the whole mini-batch."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from qae_theory import baselines, checks
from qae_theory.arrays import Array
from qae_theory.baselines import DEFAULT_K
from simulators.methods.baselines.scale import over_std
from simulators.methods.model.registry import Method, register_method

LOO_SOURCE = "this project, after RLOO (arXiv 2402.14740) and QAE (arXiv 2509.22611)"
BATCH_SOURCE = "this project, after QAE (arXiv 2509.22611)"


def loo_quantile(k: Any = DEFAULT_K) -> Method:
    r"""Return the rule :math:`A_i = R_i - b_K(R_{-i})`, with the K-quantile of the other responses; no divisor.

    The baseline does not read the own reward, so that w = 1 at every K, p and G >= 2 (claim `loo-quantile`). No limit
    is GRPO; at G = 2 it is RLOO.

    Args:
        k: K, in (0, 1).

    Returns:
        The method, for groups of two or more.

    Raises:
        ValueError: ``k`` is out of its range, or, when the rule is called, a group has one response.

    Source: claim `loo-quantile`.

    >>> loo_quantile("0.5").advantages([1.0, 0.0, 0.0]).tolist()
    [1.0, 0.0, 0.0]
    """
    level = checks.quantile_level(k)

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        if checked.shape[-1] < 2:
            checks.refuse("rewards", rewards, "groups of two or more responses")
        return checked - others_quantile(checked, level)

    return Method("loo_quantile", LOO_SOURCE, advantages)


def others_quantile(rewards: Array, level: Fraction) -> Array:
    """Return the quantile of each response's fellow responses, ``[..., G] -> [..., G]``."""
    rank = baselines.quantile_rank(rewards.shape[-1] - 1, level)
    order = np.argsort(rewards, axis=-1, kind="stable")
    ordered = np.take_along_axis(rewards, order, axis=-1)
    place = np.argsort(order, axis=-1)
    # Without a response among the first ``rank``, the reward one place further on has that rank.
    return np.where(place < rank, ordered[..., rank, None], ordered[..., rank - 1, None])


def batch_quantile(k: Any = DEFAULT_K, std: str = "population", eps: Any = 1e-6) -> Method:
    r"""Return the rule :math:`A = (R - b)/(\mathrm{std} + \varepsilon)` with b the K-quantile of the whole mini-batch.

    On 0/1 rewards all groups of the mini-batch are on one side of the gate: b = 0 if at most the share 1 - K of its
    responses is correct, else b = 1. The std is the group's. A mini-batch of one group is QAE. No limit is GRPO.

    Args:
        k: K, in (0, 1).
        std: ``population``, ``bessel`` or ``none``.
        eps: >= 0.

    Returns:
        The method; its ``advantages`` take ``[..., Q, G]``, or a lone group ``[G]``.

    Raises:
        ValueError: an option is out of its range.

    Source: this project, after arXiv 2509.22611, Eq. 3.

    >>> batch_quantile("0.4", std="none").advantages([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]).tolist()
    [[0.0, 0.0, -1.0], [0.0, -1.0, 0.0]]
    """
    level, kind, least = checks.quantile_level(k), checks.std_kind(std), float(checks.regulariser(eps))

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        batch = checked[None] if checked.ndim == 1 else checked
        flat = batch.reshape(*batch.shape[:-2], -1)
        baseline = baselines.quantile(flat, None, level)[..., None, None]
        return over_std(batch - baseline, batch, std=kind, eps=least).reshape(checked.shape)

    return Method("batch_quantile", BATCH_SOURCE, advantages, across_groups=True)


def register() -> None:
    """Register the rules under their names."""
    register_method("loo_quantile", loo_quantile, source=LOO_SOURCE, k=DEFAULT_K)
    register_method("batch_quantile", batch_quantile, source=BATCH_SOURCE, k=DEFAULT_K, std="population", eps=1e-6)
