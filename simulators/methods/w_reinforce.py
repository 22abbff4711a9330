"""W-REINFORCE: reinforcement of right responses, turned down, beside the penalty on wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.registry import Method, finite_number, register_method

SOURCE = "arXiv 2506.01347"


def w_reinforce(lam: Any = 0.1) -> Method:
    r""":math:`A = \lambda 1\{R = 1\} - 1\{R = 0\}`; not standardised, 0/1 rewards only.

    lambda = 1 is REINFORCE with rewards +1/-1, 0 is NSR alone. Expected gain :math:`w = 1 + \lambda` at every p.

    Args:
        lam: lambda, finite and >= 0.

    Raises:
        ValueError: naming ``lam``; ``rewards`` other than 0 and 1, when called.

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
    """Register it under its name."""
    register_method("w_reinforce", w_reinforce, source=SOURCE, lam=0.1)
