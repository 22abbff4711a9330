"""Rules that look at the other groups: given those, a query's mean step stays along its own gradient of success.

What leaves the family of claim `neutrality` is the size: its weight depends on the other queries too. Every mini-batch
of four queries with groups of two is enumerated, so that all numbers are exact up to rounding.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from simulators.methods import get_method

RIGHT = np.array([1.0, 0.0, 0.0])
PROBS = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.5, 0.3, 0.2], [0.8, 0.15, 0.05]])
PAIRS = [(a, b) for a in range(3) for b in range(3)]


def mean_steps(name: str, probs: Any, **options: Any) -> Any:
    """The mean of (1/2) sum A (e_y - pi) of each query over all mini-batches, ``[Q, 3]``."""
    batches = list(product(range(len(PAIRS)), repeat=len(probs)))
    responses = np.array(PAIRS)[np.array(batches)]  # [M, Q, 2]
    weights = np.ones(len(batches))
    for q, pi in enumerate(probs):
        weights = weights * pi[responses[:, q]].prod(axis=-1)
    advantages = get_method(name, **options).advantages(RIGHT[responses])
    steps = np.zeros(probs.shape)
    for q, pi in enumerate(probs):
        for i in range(2):
            scores = np.eye(3)[responses[:, q, i]] - pi
            steps[q] += (weights * advantages[:, q, i] / 2) @ scores
    return steps


def gains(name: str, probs: Any, **options: Any) -> Any:
    """Each query's multiple of its gradient of success; the rest of its step must be 0."""
    steps = mean_steps(name, probs, **options)
    slopes = probs * (RIGHT - probs @ RIGHT[:, None])
    multiples = (steps * slopes).sum(axis=-1) / np.square(slopes).sum(axis=-1)
    np.testing.assert_allclose(steps, multiples[:, None] * slopes, atol=1e-13)
    return multiples


HARDER = np.concatenate([PROBS[:1], np.array([[0.05, 0.5, 0.45]] * 3)])


@pytest.mark.parametrize("name", ["james_stein", "batch_quantile", "ebpo"])
def test_the_weight_of_a_query_depends_on_the_others(name: str) -> None:
    first, second = gains(name, PROBS)[0], gains(name, HARDER)[0]
    assert abs(first - second) > 0.01


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_constant_shrinkage_has_a_weight_of_its_own_alone(share: float) -> None:
    """Claim `ebpo`: 1 - (1 - S)/G, here with real other groups."""
    for probs in (PROBS, HARDER):
        np.testing.assert_allclose(gains("ebpo", probs, shrinkage=share), 1 - (1 - share) / 2, rtol=1e-9)
