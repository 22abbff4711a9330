"""Apply QAE at a level K that differs from mini-batch to mini-batch and from update to update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qae_theory import advantages, checks
from qae_theory.advantages import get_estimator
from qae_theory.arrays import Array
from simulators.methods.model.registry import finite_number


def qae_at(rewards: Array, levels: Array, **options: Any) -> Array:
    r"""Return QAE's advantages, each mini-batch at its own level.

    :math:`A = (R - b_K)/(\mathrm{std} + \varepsilon)` with :math:`b_K` the K-quantile of the group. On 0/1 rewards K
    acts through the rank :math:`\lceil KG\rceil` alone, so that it has at most G different effects on a group of G.

    Args:
        rewards: ``[..., Q, G]``.
        levels: K of every mini-batch, ``[...]`` in (0, 1); a float is read as the decimal that it prints as.
        **options: ``std`` and ``eps``, as QAE's.

    Returns:
        ``[..., Q, G]``.

    Raises:
        ValueError: a level or an option is out of its range.

    Source: arXiv 2509.22611, Eqs. 3 and 4.
    """
    result = np.empty(rewards.shape)
    # Mini-batches of the same level, such as all of a schedule's, take one call.
    for level in np.unique(levels):
        there = levels == level
        result[there] = advantages(rewards[there], "qae", k=float(level), **options)
    return result


def checked_level(name: str, value: Any) -> float:
    """Return a level in (0, 1) as a float.

    Args:
        name: of the option.
        value: what was given for it.

    Raises:
        ValueError: it is no number in (0, 1); the message names the option.
    """
    number = finite_number(name, value, least=0.0, most=1.0)
    if number in (0.0, 1.0):
        checks.refuse(name, value, "one finite number > 0 and < 1")
    return number


def qae_options() -> Mapping[str, Any]:
    """Return QAE's options and their defaults, K left out."""
    return {name: value for name, value in get_estimator("qae").defaults.items() if name != "k"}
