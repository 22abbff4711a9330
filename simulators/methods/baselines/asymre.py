"""AsymRE: REINFORCE on whatever policy sampled, without importance ratios, with a baseline below the mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import NO_CLIP, Method, finite_number, register_method

SOURCE = "arXiv 2506.20520 (AsymRE), from notes"
SHIFT = -0.1  # a small step below the mean of the rewards, on the stable side


def asymre(baseline: Any = None, shift: Any = SHIFT) -> Method:
    r"""Return the rule A = R - V without importance ratio, clipping or divisor.

    V is a constant, or the group's mean plus ``shift``. With samples from a policy mu that stays as it is, the mean
    step is :math:`\mu(r - V) - \pi(V_\mu - V)` with :math:`V_\mu` the success probability of mu. For V below it the
    policy tends to :math:`(\mu(r - V) - \tau)_+/(V_\mu - V)`, tau so that it sums to 1; for V above it, to a single
    response: a phase transition at :math:`V = V_\mu`. The limit has fewer and fewer responses as V rises, and may be
    down to one before :math:`V_\mu`. On-policy w = 1 for a constant V, and (G - 1)/G for the group's mean plus a shift,
    which with ``shift=0`` is Dr. GRPO: GRPO without its divisor.

    Args:
        baseline: V, finite; the group's mean plus ``shift`` by default.
        shift: added to the group's mean; it has no meaning beside a ``baseline``.

    Raises:
        ValueError: an option is not one finite number.

    Source: arXiv 2506.20520, from notes; the size of the shift is this project's.

    >>> asymre(shift=-0.25).advantages([1.0, 0.0]).tolist()
    [0.75, -0.25]
    """
    constant = None if baseline is None else finite_number("baseline", baseline)
    offset = finite_number("shift", shift)

    def advantages(rewards: Any) -> Array:
        checked, _ = checks.rewards(rewards)
        if constant is not None:
            return checked - constant
        return np.asarray(checked - checked.mean(axis=-1, keepdims=True) - offset)

    return Method("asymre", SOURCE, advantages, ratio="none", clip_low=NO_CLIP, clip_high=NO_CLIP)


def register() -> None:
    """Register the rule under its name."""
    register_method("asymre", asymre, source=SOURCE, baseline=None, shift=SHIFT)
