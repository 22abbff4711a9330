"""What a rule gives to a right and to a wrong response, by the number of right ones in the group.

``qae_theory.group_expectation`` has it for its own estimators; here it is for any method on 0/1 rewards.
"""

from __future__ import annotations

import numpy as np

from qae_theory.group_expectation import OutcomeAdvantages, outcome_advantages
from simulators.methods import Method


def outcome_table(method: Method, group_size: int) -> OutcomeAdvantages:
    """Advantages of a right and of a wrong response in groups with m = 0..G right ones, ``[G + 1]`` each.

    From ``qae_theory`` for its own estimators, else from the method, each group being a mini-batch of its own.

    >>> from simulators.methods import get_method
    >>> outcome_table(get_method("w_reinforce", lam=0.5), 2).correct.tolist()
    [0.0, 0.5, 0.5]
    """
    if method.estimator is not None:
        return outcome_advantages(group_size, method.estimator, **(method.options or {}))
    sizes = np.arange(group_size + 1)
    rewards = (np.arange(group_size) < sizes[:, None]).astype(np.float64)
    advantages = method.advantages(rewards[:, None, :])[:, 0, :]
    correct, wrong = advantages[:, 0].copy(), advantages[:, -1].copy()
    correct[0] = wrong[-1] = 0.0  # there is no such response
    return OutcomeAdvantages(correct, wrong)
