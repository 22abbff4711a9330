"""The constant baseline that a rule amounts to in expectation, one number a query.

Binary rewards, groups sampled independently: a rule's mean advantage of a response depends on its reward alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from qae_theory import _checks
from qae_theory._exact import Array
from qae_theory.group_expectation import binomial_mean, outcome_advantages
from simulators.methods import get_method


class EffectiveBaseline(NamedTuple):
    """Gain w and baseline b with E[A_i | R_i = r] = w (r - b), ``[...]`` each."""

    gain: Array
    baseline: Array


def effective_baseline(success: Array, group_size: int, method: str, **options: Any) -> EffectiveBaseline:
    r"""w and b of a rule: :math:`b = -E[A_i \mid R_i = 0] / w`, w the gain of claim `neutrality`.

    Args:
        success: probability that a response of the behaviour policy is right, ``[...]`` in (0, 1).
        group_size: G.
        method: a rule whose advantages are an estimator's, or ``constant``.
        **options: the rule's.

    Raises:
        ValueError: naming ``method`` where its advantages are of another kind.

    >>> effective_baseline(np.array([0.25]), 8, "rloo").baseline.round(12).tolist()
    [0.25]
    """
    rule = get_method(method, **options)
    if method == "constant":
        return EffectiveBaseline(np.ones_like(success), -rule.advantages(np.zeros_like(success)[..., None])[..., 0])
    if rule.estimator is None or not rule.rewards_alone:
        _checks.refuse("method", method, "a rule whose advantages are an estimator's, or 'constant'")
    table = outcome_advantages(group_size, rule.estimator, **(rule.options or {}))
    right = binomial_mean(success, table.correct[1:])
    wrong = binomial_mean(success, table.wrong[:-1])
    return EffectiveBaseline(right - wrong, -wrong / (right - wrong))
