"""A-GRAE: GRPO's advantage with a focus on difficulty that follows the batch, and less weight on correct responses."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import advantages, checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import Method, finite_number, register_method

SOURCE = "released code of arXiv 2602.05548 (Yu7-code/A-GRAE, compute_grpo_outcome_advantage at grpo_weight 2)"


def a_grae(alpha: Any = 1.0, std: str = "bessel", eps: float = 1e-6, batch_success: Any = None) -> Method:
    r"""Return GRPO's advantage A, re-weighted by difficulty, with correct responses turned down while the batch fails.

    :math:`A' = \frac A2\left[\frac{1-\bar p}{1-\sqrt p+\varepsilon} + \frac{\bar p}{\sqrt p+\varepsilon}\right]`, times
    :math:`\min(1, \bar p/\alpha)` where A > 0; p is the group's success rate and :math:`\bar p` its mean over the
    mini-batch's groups. Early in training, easy queries count more and successes less. The sum of a group's advantages
    is then negative, which lifts responses that were not sampled. The easy side divides by :math:`1 - \sqrt p`, as
    released, not by :math:`\sqrt{1-p}`.

    Args:
        alpha: success rate above which correct responses count in full, > 0; 1 for mathematics, as released.
        std: ``bessel`` as released, or ``population``.
        eps: 1e-6 as released, in all three denominators.
        batch_success: a number in [0, 1] in place of :math:`\bar p`. With it the advantage depends on the group's own
            rewards alone. Without it the advantage depends on the rewards of the whole mini-batch (rewards
            ``[..., Q, G]``; a lone group ``[G]`` is its own batch), so that the exact mode is right for one query only.

    Returns:
        The method, for rewards of 0 and 1.

    Raises:
        ValueError: an option is out of its range, or, when the rule is called, a reward is neither 0 nor 1.

    Source: released code of arXiv 2602.05548. The paper's own formulas were not at hand.

    >>> a_grae(std="population", eps=0.0).advantages([1, 0, 0, 0]).round(4).tolist()
    [0.433, -0.5774, -0.5774, -0.5774]
    """
    # Options are checked when the method is made, rewards when it is called.
    full = finite_number("alpha", alpha, least=0.0, strict=True)
    mean = None if batch_success is None else finite_number("batch_success", batch_success, least=0.0, most=1.0)
    std, eps = checks.std_kind(std), checks.regulariser(eps)

    def rule(rewards: Any) -> Array:
        """Return the advantages of rewards ``[..., Q, G]``, or of a lone group ``[G]``."""
        checked, _ = checks.rewards(rewards)
        checks.binary("rewards", checked)
        grpo = advantages(checked, "grpo", std=std, eps=eps)
        p = checked.mean(axis=-1, keepdims=True)
        batch = mean if mean is not None else _batch_mean(p)
        focused = grpo * _focus(p, batch, eps)
        return np.where(focused > 0, focused * np.minimum(1.0, batch / full), focused)

    return Method("a_grae", SOURCE, rule, across_groups=mean is None, binary_only=True)


def _batch_mean(p: Array) -> Array:
    """Return the mean success rate of the mini-batch's groups, ``[..., Q, 1] -> [..., 1, 1]``; a lone group's own."""
    return np.asarray(p.mean(axis=-2, keepdims=True)) if p.ndim > 1 else p


def _focus(p: Array, batch: Any, eps: float) -> Array:
    """Return the mean of the easy and the hard focus, weighed by the batch's failures and successes, ``[..., 1]``."""
    # The advantages of a degenerate group are 0, so that any p inside (0, 1) will do there; 1/4 avoids dividing by 0.
    root = np.sqrt(np.where((p > 0) & (p < 1), p, 0.25))
    return np.asarray(0.5 * ((1 - batch) / (1 - root + eps) + batch / (root + eps)))


def register() -> None:
    """Register the rule under its name."""
    register_method("a_grae", a_grae, source=SOURCE, alpha=1.0, std="bessel", eps=1e-6, batch_success=None)
