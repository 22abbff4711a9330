"""GSPO: GRPO's advantage under one importance ratio for each sequence, the geometric mean of its tokens' ratios."""

from __future__ import annotations

from typing import Any

from qae_theory.advantages import get_estimator
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, register_method

SOURCE = "arXiv 2507.18071"
# A sequence's ratio is a geometric mean over its tokens and varies far less than one token's: hence the narrow range.
CLIP_LOW, CLIP_HIGH = 3e-4, 4e-4


def gspo(**options: Any) -> Method:
    r"""Return GRPO's advantage under the ratio of the whole sequence, which is clipped as a whole.

    The ratio is :math:`s_i = \exp\frac{1}{|o_i|}\sum_t \log\frac{\pi(o_{i,t})}{\pi_{old}(o_{i,t})}`. GSPO's objective
    is :math:`\frac1G\sum_i f(s_i, A_i)`, whose gradient weighs every token of response i with :math:`s_i A_i/(G|o_i|)`:
    the update's aggregation has to be ``sequence_mean``. On-policy it is GRPO.

    Args:
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2507.18071, Eqs. 5 to 7; clip range of its Sec. 5.1.
    """
    grpo = estimator_method("grpo", **options)
    return Method(
        name="gspo",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        ratio="sequence",
        clip_low=CLIP_LOW,
        clip_high=CLIP_HIGH,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method("gspo", gspo, source=SOURCE, **get_estimator("grpo").defaults)
