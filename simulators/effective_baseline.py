"""The constant baseline that a rule amounts to in expectation, one number a query.

Binary rewards, groups sampled independently: a rule's mean advantage of a response depends on its reward alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.group_expectation import binomial_mean
from simulators.methods import get_method
from simulators.outcomes import outcome_table


class EffectiveBaseline(NamedTuple):
    """Gain w and baseline b with E[A_i | R_i = r] = w (r - b), ``[...]`` each."""

    gain: Array
    baseline: Array


def effective_baseline(success: Array, group_size: int, method: str, **options: Any) -> EffectiveBaseline:
    r"""w and b of a rule: :math:`b = -E[A_i \mid R_i = 0] / w`, w the gain of claim `neutrality`.

    Args:
        success: probability that a response of the behaviour policy is right, ``[...]`` in (0, 1).
        group_size: G.
        method: a rule whose advantages depend on the group's rewards alone.
        **options: the rule's.

    Raises:
        ValueError: naming ``method`` where they depend on anything else.

    >>> import numpy as np
    >>> effective_baseline(np.array([0.25]), 8, "rloo").baseline.round(12).tolist()
    [0.25]
    """
    rule = get_method(method, **options)
    if not rule.rewards_alone:
        checks.refuse("method", method, "a rule whose advantages depend on the group's rewards alone")
    table = outcome_table(rule, group_size)
    right = binomial_mean(success, table.correct[1:])
    wrong = binomial_mean(success, table.wrong[:-1])
    return EffectiveBaseline(right - wrong, -wrong / (right - wrong))
