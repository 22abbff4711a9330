"""Define the arms of a probe: rules that give each response of a group its advantage, all on the same rollouts.

``constant-B``, ``mean`` and ``quantile-K`` are plain r - b, as Prop. 4.2 of arXiv 2509.22611 compares them. ``grpo``,
any other registered estimator, and ``qae-K`` or another one that has a K, are what a trainer applies. How a step is
taken with them is in ``steps``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from qae_theory import advantages, quantile_baseline
from qae_theory.advantages import estimator_names
from qae_theory.arrays import Array
from qae_theory.checks import refuse

CONSTANT, MEAN, QUANTILE = "constant-", "mean", "quantile-"


class Weights(NamedTuple):
    """Hold the advantages that an arm gives.

    An outcome that does not occur in the group has 0 under a registered estimator, which defines none for it.

    Attributes:
        sampled: [Q, G] of the sampled responses.
        wrong: [Q] of a wrong response of each group.
        right: [Q] of a right response of each group.
    """

    sampled: Array
    wrong: Array
    right: Array

    def of(self, arm_rewards: Array) -> Array:
        """Return the advantage of every response, [Q, n], given rewards 0 and 1 of the same shape."""
        return np.where(arm_rewards > 0, self.right[:, None], self.wrong[:, None])


def arm_weights(arm: str, rewards: Array) -> Weights:
    """Return the arm's advantages for groups of rewards 0 and 1.

    Args:
        arm: ``constant-B``, ``mean``, ``quantile-K``, an estimator's name, or that with ``-K``.
        rewards: [Q, G], each 0 or 1.

    Raises:
        ValueError: there is no such arm.
    """
    if not is_scaled(arm):
        baseline = _baseline(arm, rewards)
        return Weights(rewards - baseline[:, None], -baseline, 1 - baseline)
    name, dash, k = arm.partition("-")
    if name not in estimator_names():
        known = [f"{CONSTANT}B", MEAN, f"{QUANTILE}K", *estimator_names(), "or one of these with -K"]
        refuse("arm", arm, f"one of {', '.join(known)}")
    given = advantages(rewards, name, **({"k": k} if dash else {}))
    return Weights(given, *(_of_outcome(given, rewards, outcome) for outcome in (0, 1)))


def is_scaled(arm: str) -> bool:
    """Return whether the arm is a trainer's rule, and not plain r - b."""
    return arm != MEAN and not arm.startswith((CONSTANT, QUANTILE))


def _baseline(arm: str, rewards: Array) -> Array:
    """Return the baseline b of a plain arm for each group, [Q]."""
    if arm == MEAN:
        return np.asarray(rewards.mean(-1))
    if arm.startswith(QUANTILE):
        return np.asarray(quantile_baseline(rewards, arm.removeprefix(QUANTILE)), dtype=np.float64)
    try:
        return np.full(len(rewards), float(Fraction(arm.removeprefix(CONSTANT))))
    except (ValueError, ZeroDivisionError, OverflowError):
        return refuse("arm", arm, f"{CONSTANT}B with a number B")


def _of_outcome(given: Array, rewards: Array, outcome: int) -> Array:
    """Return the advantage that all responses of one outcome have, [Q]: the first one's, or 0 where there is none."""
    has = rewards == outcome
    first = given[np.arange(len(given)), has.argmax(-1)]
    return np.where(has.any(-1), first, 0.0)
