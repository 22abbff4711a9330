"""GRPO-lambda: a reward for short correct responses, in the groups that are solved best."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Context, Method, finite_number, register_method

SOURCE = "arXiv 2505.18086 (GRPO-lambda), from notes"
ALPHA, SHARE = 0.2, 0.2  # the share is the paper's; alpha is this project's, since the notes give none


def grpo_lambda(alpha: Any = ALPHA, share: Any = SHARE, **options: Any) -> Method:
    r"""Return GRPO's advantage, with rewards :math:`1 - \alpha\sigma(z)` for correct responses of the best groups.

    z is the response's length less the mean length of its group's correct responses, over their population standard
    deviation (0 where that is 0), and sigma the logistic function. The best groups are the share with the highest rate
    of correct responses, floor(share x Q) of Q, but at least one; of equal rates the first. All other rewards are 0/1.
    alpha = 0 is GRPO. The advantage depends on lengths and on the other groups, so that the rule leaves the family of
    claim `neutrality` as soon as lengths differ within a best group.

    Args:
        alpha: in [0, 1].
        share: in (0, 1]; 0.2 in the paper.
        **options: ``std`` and ``eps``, as GRPO's.

    Returns:
        The method, for rewards of 0 and 1. Its ``advantages``, which sees no lengths, is GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2505.18086, from notes; alpha is reconstructed.
    """
    weight = finite_number("alpha", alpha, least=0.0, most=1.0)
    part = checks.decimal_fraction(finite_number("share", share, least=0.0, most=1.0, strict=True))
    grpo = estimator_method("grpo", **options)

    def rule(context: Context) -> Array:
        """Return GRPO's advantages of the rewards with their length term, ``[..., Q, G]``."""
        shortened = context.verdicts * (1 - weight * logistic_length(context.lengths, context.verdicts))
        best = best_groups(context.verdicts, part)[..., None]
        return grpo.advantages(np.where(best, shortened, context.verdicts))

    return Method("grpo_lambda", SOURCE, grpo.advantages, context_advantages=rule, binary_only=True, clip_high=0.2)


def best_groups(correct: Array, share: Fraction) -> Array:
    """Return which groups are among the share with the highest rate of correct ones, ``[..., Q, G] -> [..., Q]``."""
    rates = correct.sum(axis=-1)
    count = max(int(rates.shape[-1] * share), 1)
    order = np.argsort(-rates, axis=-1, kind="stable")
    place = np.argsort(order, axis=-1)
    return np.asarray(place < count)


def logistic_length(lengths: Array, correct: Array) -> Array:
    """Return the logistic function of each length's z-score among the group's correct responses, ``[..., G]``."""
    count = np.maximum(correct.sum(axis=-1, keepdims=True), 1)
    distance = lengths - (lengths * correct).sum(axis=-1, keepdims=True) / count
    deviation = np.sqrt((np.square(distance) * correct).sum(axis=-1, keepdims=True) / count)
    z = np.where(deviation > 0, distance / np.where(deviation > 0, deviation, 1.0), 0.0)
    # The logistic function by way of tanh, which cannot overflow for lengths of wrong responses far from the mean.
    return np.asarray((1 + np.tanh(z / 2)) / 2)


def register() -> None:
    """Register the rule under its name."""
    register_method(
        "grpo_lambda", grpo_lambda, source=SOURCE, alpha=ALPHA, share=SHARE, **get_estimator("grpo").defaults
    )
