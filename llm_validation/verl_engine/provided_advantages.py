"""Compute the advantages of rules that packages provide, on the host, for a batch whose groups lie in any order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from llm_validation.verl_engine.group_advantages import group_numbers
from qae_theory.advantages import advantages

Tensor = Any  # torch's; torch is imported in functions only


def provided_advantages(scores: Tensor, index: Any, *, estimator: str, options: Mapping[str, Any]) -> Tensor:
    """Return the advantage of each response among the responses of its group.

    Groups of different sizes are put side by side, the shorter ones filled up with responses that are masked, and
    :func:`qae_theory.advantages` computes them in float64 on the host: a batch of rollouts has few enough scores.

    Args:
        scores: ``[B]``, floating point, on any device; NaN where a response could not be scored.
        index: B hashable group ids, equal for responses to one prompt.
        estimator: a name that :func:`qae_theory.advantages.get_estimator` finds.
        options: its options.

    Returns:
        ``[B]``, in the type and on the device of ``scores``.

    Raises:
        ValueError: as :func:`qae_theory.advantages` and :func:`group_numbers`.
    """
    import torch

    values = scores.detach().double().cpu().numpy()
    numbers = group_numbers(index, len(values))
    if not len(values):
        return torch.zeros_like(scores)
    order = np.argsort(numbers, kind="stable")
    sizes = np.bincount(numbers)
    place = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    groups = np.full((len(sizes), sizes.max()), np.nan)
    groups[numbers[order], place] = values[order]
    found = advantages(groups, estimator, mask=~np.isnan(groups), **options)
    result = np.empty(len(values))
    result[order] = found[numbers[order], place]
    return torch.as_tensor(result, device=scores.device).to(scores.dtype)
