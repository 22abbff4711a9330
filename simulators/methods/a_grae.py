"""A-GRAE: GRPO's advantage with a difficulty focus that follows the batch, and right responses turned down."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import advantages, checks
from qae_theory.arrays import Array
from simulators.methods.registry import Method, finite_number, register_method

SOURCE = "released code of arXiv 2602.05548 (Yu7-code/A-GRAE, compute_grpo_outcome_advantage at grpo_weight 2)"


def a_grae(alpha: Any = 1.0, std: str = "bessel", eps: float = 1e-6, batch_success: Any = None) -> Method:
    r"""GRPO's advantage A, re-weighted by difficulty, right responses turned down.

    :math:`A' = \frac A2\left[\frac{1-\bar p}{1-\sqrt p+\varepsilon} + \frac{\bar p}{\sqrt p+\varepsilon}\right]`, times
    :math:`\min(1, \bar p/\alpha)` where A > 0; p is the group's success rate, :math:`\bar p` its mean over the
    mini-batch's groups. Early on, easy queries count more and successes less. The sum of a group's advantages is then
    negative, which lifts unsampled responses. The easy side divides by :math:`1 - \sqrt p`, as released, not by
    :math:`\sqrt{1-p}`.

    Args:
        alpha: success above which right responses count in full, > 0; 1 for mathematics, as released.
        std: ``bessel`` as released, or ``population``.
        eps: as released, 1e-6, in all three denominators.
        batch_success: a number in [0, 1] in place of :math:`\bar p`. With it the advantage depends on the group's own
            rewards alone, without it on those of the whole mini-batch (rewards ``[..., Q, G]``; a lone group ``[G]``
            is its own batch), so that the exact mode is right for one query only.

    Raises:
        ValueError: naming the option; ``rewards`` other than 0 and 1, when called.

    Source: released code of arXiv 2602.05548. The paper's own formulas were not at hand.

    >>> a_grae(std="population", eps=0.0).advantages([1, 0, 0, 0]).round(4).tolist()
    [0.433, -0.5774, -0.5774, -0.5774]
    """
    full = finite_number("alpha", alpha, least=0.0, strict=True)
    mean = None if batch_success is None else finite_number("batch_success", batch_success, least=0.0, most=1.0)
    std, eps = checks.std_kind(std), checks.regulariser(eps)

    def rule(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        checks.binary("rewards", checked)
        plain = advantages(checked, "grpo", std=std, eps=eps)
        p = checked.mean(axis=-1, keepdims=True)
        batch = mean if mean is not None else (p.mean(axis=-2, keepdims=True) if p.ndim > 1 else p)
        focused = plain * _focus(p, batch, eps)
        return np.where(focused > 0, focused * np.minimum(1.0, batch / full), focused)

    return Method("a_grae", SOURCE, rule, across_groups=mean is None, binary_only=True)


def _focus(p: Array, batch: Any, eps: float) -> Array:
    """Mean of the easy and the hard focus, weighed by the batch's failures and successes; 1 for degenerate groups."""
    root = np.sqrt(np.where((p > 0) & (p < 1), p, 0.25))  # any root inside (0, 1): their advantage is 0
    return np.asarray(0.5 * ((1 - batch) / (1 - root + eps) + batch / (root + eps)))


def register() -> None:
    """Register it under its name."""
    register_method("a_grae", a_grae, source=SOURCE, alpha=1.0, std="bessel", eps=1e-6, batch_success=None)
