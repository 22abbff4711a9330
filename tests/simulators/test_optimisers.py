"""SGD, Adam and norm clipping against their definitions in plain scalars."""

from __future__ import annotations

from math import sqrt
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from simulators import Update
from simulators.optimisers import Moments, apply, clip_norm

Array = Any
GRADIENTS = st.lists(st.floats(-10, 10), min_size=1, max_size=6)


def run(gradients: list[float], **switches: Any) -> list[float]:
    """A scalar's path under a row of gradients."""
    update = Update.model_validate({"step_size": 0.1, **switches})
    place, moments, path = np.zeros((1, 1, 1, 1)), Moments(), []
    for g in gradients:
        place, moments = apply(place, np.full((1, 1, 1, 1), g), moments, update)
        path.append(float(place.item()))
    return path


def adam_by_hand(gradients: list[float], beta_1: float, beta_2: float, eps: float) -> list[float]:
    """Kingma and Ba, Algorithm 1, with ascent."""
    place, m, v, path = 0.0, 0.0, 0.0, []
    for t, g in enumerate(gradients, start=1):
        m, v = beta_1 * m + (1 - beta_1) * g, beta_2 * v + (1 - beta_2) * g * g
        place += 0.1 * (m / (1 - beta_1**t)) / (sqrt(v / (1 - beta_2**t)) + eps)
        path.append(place)
    return path


@given(GRADIENTS)
def test_sgd(gradients: list[float]) -> None:
    np.testing.assert_allclose(run(gradients), 0.1 * np.cumsum(gradients), atol=1e-14)


@given(GRADIENTS, st.floats(0, 0.99), st.floats(0.1, 0.999), st.sampled_from([1e-8, 1e-4, 1e-2]))
def test_adam(gradients: list[float], beta_1: float, beta_2: float, eps: float) -> None:
    found = run(gradients, optimiser="adam", adam_betas=(beta_1, beta_2), adam_eps=eps)
    np.testing.assert_allclose(found, adam_by_hand(gradients, beta_1, beta_2, eps), rtol=1e-9, atol=1e-12)


def test_adam_with_eps_inside_the_root_is_another_rule() -> None:
    """Control: eps under the root, as some write it."""
    g, eps = 1e-3, 1e-2
    found = run([g], optimiser="adam", adam_eps=eps)[0]
    assert found == pytest.approx(0.1 * g / (g + eps), rel=1e-9)
    assert abs(found - 0.1 * g / sqrt(g * g + eps)) > 1e-4


def test_adams_first_step_is_the_step_size_whatever_the_gradient() -> None:
    for g in (1e-6, 1.0, -50.0):
        assert run([g], optimiser="adam", adam_eps=0.0)[0] == pytest.approx(0.1 * np.sign(g), rel=1e-9)


def test_a_logit_without_gradient_stays_at_eps_zero() -> None:
    assert run([0.0, 0.0], optimiser="adam", adam_eps=0.0) == [0.0, 0.0]


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 10))
def test_norm_clipping(seed: int, largest: float) -> None:
    """One norm a mini-batch: over queries, nodes and actions, not over seeds."""
    gradient = np.random.default_rng(seed).standard_normal((3, 2, 2, 4))
    clipped = clip_norm(gradient, largest)
    for before, after in zip(gradient, clipped, strict=True):
        norm = float(np.linalg.norm(before))
        np.testing.assert_allclose(after, before * min(1, largest / norm), rtol=1e-12)
        assert np.linalg.norm(after) <= largest * (1 + 1e-12)


def test_clipping_a_zero_gradient() -> None:
    assert not clip_norm(np.zeros((1, 1, 1, 2)), 1.0).any()


def test_norm_clipping_is_applied_before_the_optimiser() -> None:
    assert run([30.0], max_grad_norm=1.0) == pytest.approx([0.1], rel=1e-12)
    assert run([30.0, 0.3], optimiser="adam", max_grad_norm=1.0) == pytest.approx(
        run([1.0, 0.3], optimiser="adam"), rel=1e-12
    )
