"""Clip-Low and Clip-High: GRPO's advantage, with the two sides of the clip range as the remedy."""

from __future__ import annotations

from typing import Any

from qae_theory.advantages import get_estimator
from simulators.methods.model.estimators import estimator_method
from simulators.methods.model.registry import Method, finite_number, number_or_inf, register_method

SOURCE = "arXiv 2509.26114 (Clip-Low, Clip-High)"
RANGE = 0.2  # PPO's own on both sides, from which the paper departs


def clip_range(low: Any = RANGE, high: Any = RANGE, **options: Any) -> Method:
    r"""Return GRPO's advantage under a clip range of one's own, :math:`[1 - low, 1 + high]`.

    The lower bound cuts tokens of negative advantage and, by the paper, raises entropy; the upper one cuts tokens of
    positive advantage and lowers it. A narrow ``low`` is therefore the paper's remedy against collapse. A bound needs a
    second pass to act. At .2 on both sides the rule is GRPO. The update's own clip range counts before the rule's.

    Args:
        low: lower clip range, in [0, 1].
        high: upper clip range, >= 0; inf is no bound.
        **options: ``std`` and ``eps``, as GRPO's.

    Raises:
        ValueError: an option is unknown or out of its range.

    Source: arXiv 2509.26114.
    """
    lower = finite_number("low", low, least=0.0, most=1.0)
    upper = number_or_inf("high", high, least=0.0)
    grpo = estimator_method("grpo", **options)
    return Method(
        name="clip_range",
        source=SOURCE,
        advantages=grpo.advantages,
        estimator="grpo",
        options=grpo.options,
        clip_low=lower,
        clip_high=upper,
    )


def register() -> None:
    """Register the rule under its name."""
    register_method("clip_range", clip_range, source=SOURCE, low=RANGE, high=RANGE, **get_estimator("grpo").defaults)
