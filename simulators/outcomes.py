"""Tabulate what a rule gives to a correct and to a wrong response, by the number of correct ones in the group.

``qae_theory.group_expectation`` does so for the estimators of ``qae_theory``; here it is done for any method on 0/1
rewards.
"""

from __future__ import annotations

import numpy as np

from qae_theory.group_expectation import OutcomeAdvantages, outcome_advantages
from simulators.methods import Method


def outcome_table(method: Method, group_size: int) -> OutcomeAdvantages:
    """Return the advantages of a correct and of a wrong response in groups with m = 0..G correct ones.

    The table comes from ``qae_theory`` for its own estimators. For any other method each of the G + 1 groups is put
    through the method as a mini-batch of its own.

    Args:
        method: a rule on 0/1 rewards.
        group_size: G.

    Returns:
        Two arrays ``[G + 1]``; 0 where a group has no response of that kind.

    >>> from simulators.methods import get_method
    >>> outcome_table(get_method("w_reinforce", lam=0.5), 2).correct.tolist()
    [0.0, 0.5, 0.5]
    """
    if method.estimator is not None:
        return outcome_advantages(group_size, method.estimator, **(method.options or {}))
    correct_counts = np.arange(group_size + 1)
    # The correct responses of each group come first: the first response is correct from m = 1 on, the last one is wrong
    # up to m = G - 1.
    rewards = (np.arange(group_size) < correct_counts[:, None]).astype(np.float64)
    advantages = method.advantages(rewards[:, None, :])[:, 0, :]
    correct, wrong = advantages[:, 0].copy(), advantages[:, -1].copy()
    correct[0] = wrong[-1] = 0.0  # at m = 0 no response is correct, at m = G none is wrong
    return OutcomeAdvantages(correct, wrong)
