"""GSPO: GRPO's advantage under one importance ratio for each sequence, the geometric mean of its tokens' ratios."""

from __future__ import annotations

from typing import Any

from qae_theory.advantages import get_estimator
from simulators.methods.estimators import estimator_method
from simulators.methods.registry import Method, register_method

SOURCE = "arXiv 2507.18071"
CLIP_LOW, CLIP_HIGH = 3e-4, 4e-4


def gspo(**options: Any) -> Method:
    r"""Ratio :math:`s_i = \exp\frac{1}{|o_i|}\sum_t \log\frac{\pi(o_{i,t})}{\pi_{old}(o_{i,t})}`, clipped as a whole.

    GSPO's objective is :math:`\frac1G\sum_i f(s_i, A_i)`, whose gradient weighs every token of response i with
    :math:`s_i A_i/(G|o_i|)`: the update's aggregation has to be ``sequence_mean``. On-policy it is GRPO.

    Args:
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: naming the option.

    Source: arXiv 2507.18071, Eqs. 5 to 7; clip range of its Sec. 5.1.
    """
    grpo = estimator_method("grpo", **options)
    return Method(
        "gspo",
        SOURCE,
        grpo.advantages,
        "grpo",
        grpo.options,
        ratio="sequence",
        clip_low=CLIP_LOW,
        clip_high=CLIP_HIGH,
    )


def register() -> None:
    """Register it under its name."""
    register_method("gspo", gspo, source=SOURCE, **get_estimator("grpo").defaults)
