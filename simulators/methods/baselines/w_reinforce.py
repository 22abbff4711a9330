"""W-REINFORCE: reinforcement of correct responses, turned down, beside the penalty on wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import Method, finite_number, register_method

SOURCE = "arXiv 2506.01347"


def w_reinforce(lam: Any = 0.1) -> Method:
    r"""Return the rule :math:`A = \lambda 1\{R = 1\} - 1\{R = 0\}` for rewards of 0 and 1; it does not standardise.

    lambda = 1 is REINFORCE with rewards +1/-1, and lambda = 0 is NSR alone. The expected gain is
    :math:`w = 1 + \lambda` at every p.

    Args:
        lam: lambda, finite and >= 0; 0.1 in the paper.

    Raises:
        ValueError: ``lam`` is out of its range, or, when the rule is called, a reward is neither 0 nor 1.

    Source: arXiv 2506.01347, Sec. 5.

    >>> w_reinforce().advantages([1.0, 0.0]).tolist()
    [0.1, -1.0]
    """
    weight = finite_number("lam", lam, least=0.0)

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        checks.binary("rewards", checked)
        return np.where(checked == 1, weight, -1.0)

    return Method("w_reinforce", SOURCE, advantages, binary_only=True)


def register() -> None:
    """Register the rule under its name."""
    register_method("w_reinforce", w_reinforce, source=SOURCE, lam=0.1)
