"""Estimators as they stand in other places, for the kit to be tried on. No test is here.

``trl_1_16`` is the arithmetic of ``GRPOTrainer``; that its own code gives the same is a test of ``phantom-advantage``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array

Function = Callable[[Array, Array], Array]


def torch_quantile(rewards: Array, ids: Array, *, interpolation: str = "linear", k: float = 0.4) -> Array:
    """Return QAE's advantages with the baseline ``torch.quantile(rewards, k)``, in the type of the rewards."""
    import torch

    def rule(group: Any) -> Any:
        baseline = torch.quantile(group, k, interpolation=interpolation)
        return (group - baseline) / (group.std(unbiased=False) + 1e-6)

    return by_group(rule, torch.from_numpy(rewards), ids)


torch_higher = partial(torch_quantile, interpolation="higher")
torch_lower = partial(torch_quantile, interpolation="lower")


def trl_1_16(rewards: Array, ids: Array) -> Array:
    """Return advantages by the group's mean, Bessel's standard deviation and 1e-4, in single precision.

    A group of one has no spread.
    """
    import torch

    def rule(group: Any) -> Any:
        centred = group - group.mean()
        return centred / (group.std() + 1e-4) if len(group) > 1 else centred

    return by_group(rule, torch.from_numpy(rewards).float(), ids)


def by_group(rule: Callable[[Any], Any], rewards: Any, ids: Array) -> Array:
    """Return the rule's advantages of all responses, ``[N]``.

    Args:
        rule: from the rewards of one group to its advantages, both tensors.
        rewards: a tensor, ``[N]``.
        ids: the group of each response, ``[N]``.
    """
    result = np.zeros(len(rewards))
    for group in dict.fromkeys(ids.tolist()):
        rows = ids == group
        result[rows] = rule(rewards[rows]).double().numpy()
    return result
