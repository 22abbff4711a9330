"""MC-GRPO: the group's median as the baseline and its median absolute deviation as the scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import Method, finite_number, register_method

SOURCE = "arXiv 2601.22582 (MC-GRPO)"
EPS = 1e-6  # GRPO's; the paper's own was not at hand


def mc_grpo(eps: Any = EPS) -> Method:
    r"""Return the rule :math:`A = (R - \mathrm{med})/(\mathrm{MAD} + \varepsilon)`.

    med is the group's median reward, the mean of the middle two where G is even, and MAD the median of
    :math:`|R - \mathrm{med}|`. On 0/1 rewards and odd G, MAD is 0: the rule is QAE's gate at K = 1/2 over the constant
    scale eps (claim `mc-grpo`), and at its small eps one update is a jump. With even G that holds except at m = G/2,
    where med = MAD = 1/2. A larger eps is a smaller step. No limit is GRPO: the median is never the mean of a mixed
    group with m != G/2.

    Args:
        eps: > 0; GRPO's 1e-6 by default.

    Raises:
        ValueError: ``eps`` is no finite number > 0.

    Source: arXiv 2601.22582. The paper samples one more response as the pivot and leaves it out of the loss; in an odd
    group the response at the median has advantage 0 by itself.

    >>> mc_grpo(eps=1.0).advantages([1.0, 0.0, 0.0]).tolist()
    [1.0, 0.0, 0.0]
    """
    least = finite_number("eps", eps, least=0.0, strict=True)

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        distance = checked - np.median(checked, axis=-1, keepdims=True)
        deviation = np.median(np.abs(distance), axis=-1, keepdims=True)
        return np.asarray(distance / (deviation + least))

    return Method("mc_grpo", SOURCE, advantages)


def register() -> None:
    """Register the rule under its name."""
    register_method("mc_grpo", mc_grpo, source=SOURCE, eps=EPS)
