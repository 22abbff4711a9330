"""Find the constant baseline that a rule amounts to in expectation, one number for each query.

With binary rewards and independently sampled groups, a rule's mean advantage of a response depends on that response's
reward alone, so that two numbers describe it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from qae_theory import checks
from qae_theory.arrays import Array
from qae_theory.group_expectation import binomial_mean
from simulators.methods import get_method
from simulators.outcomes import outcome_table


class EffectiveBaseline(NamedTuple):
    r"""Gain w and baseline b with :math:`E[A_i \mid R_i = r] = w (r - b)`, ``[...]`` each."""

    gain: Array
    baseline: Array


def effective_baseline(success: Array, group_size: int, method: str, **options: Any) -> EffectiveBaseline:
    r"""Return gain and baseline of a rule: :math:`b = -E[A_i \mid R_i = 0] / w`, w the gain of claim `neutrality`.

    Args:
        success: probability that a response of the behaviour policy is correct, ``[...]`` in (0, 1).
        group_size: G.
        method: name of a rule whose advantages depend on the group's rewards alone.
        **options: the rule's own options.

    Returns:
        w and b, ``[...]`` each; b is infinite or NaN where the gain is 0.

    Raises:
        ValueError: the rule's advantages depend on anything else; the message names ``method``.

    >>> import numpy as np
    >>> effective_baseline(np.array([0.25]), 8, "rloo").baseline.round(12).tolist()
    [0.25]
    """
    # A rule that looks at tokens or at other groups treats two responses of equal reward differently.
    rule = get_method(method, **options)
    if not rule.rewards_alone:
        checks.refuse("method", method, "a rule whose advantages depend on the group's rewards alone")
    table = outcome_table(rule, group_size)
    # Given one response, the number of correct ones among the other G - 1 is binomial. A correct response is in a group
    # with one more correct response than that, a wrong one in a group with just as many.
    if_correct = binomial_mean(success, table.correct[1:])
    if_wrong = binomial_mean(success, table.wrong[:-1])
    gain = if_correct - if_wrong
    return EffectiveBaseline(gain=gain, baseline=-if_wrong / gain)
