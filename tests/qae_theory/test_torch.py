"""Automatic differentiation in float64 agrees with the closed forms; torch's quantile is not the exact one."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import numpy as np
import pytest

from qae_theory import (
    entropy,
    entropy_change,
    expected_gain,
    first_order_entropy_change,
    quantile_baseline,
    second_order_entropy_change,
    self_covariance,
    update_direction,
)
from qae_theory.softmax import entropy_gradient
from tests import oracles
from tests import strategies as s
from tests.qae_theory import shipped

pytestmark = pytest.mark.torch

CASES = [
    ([0.3, -0.7, 2.0], [1.0, 0.5, -2.0]),
    ([0.0, 2.0], [1.0, 0.0]),
    ([1.0, 1.0, 1.0, -3.0], [0.0, 1.0, 0.0, 2.0]),
    ([0.0, 12.0, -4.0], [3.0, -1.0, 0.0]),
]


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")  # always there: without it these tests are deselected


def torch_entropy(torch: Any, z: Any) -> Any:
    log_probs = torch.log_softmax(z, dim=-1)
    return -(log_probs.exp() * log_probs).sum(-1)


def derivatives(torch: Any, z: list[float], d: list[float]) -> tuple[float, float, float]:
    """H(softmax(z + t d)) at t = 0 and its first two derivatives, by automatic differentiation."""
    point, along = torch.tensor(z, dtype=torch.float64), torch.tensor(d, dtype=torch.float64)
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    value = torch_entropy(torch, point + t * along)
    (slope,) = torch.autograd.grad(value, t, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, t)
    return value.item(), slope.item(), curvature.item()


@pytest.mark.parametrize(("z", "d"), CASES)
def test_derivatives_along_a_direction(torch: Any, z: list[float], d: list[float]) -> None:
    value, slope, curvature = derivatives(torch, z, d)
    # Both sides are sums of a few terms of size 10 in float64.
    assert entropy(z) == pytest.approx(value, rel=1e-12)
    assert first_order_entropy_change(z, d) == pytest.approx(slope, rel=1e-10, abs=1e-13)
    assert second_order_entropy_change(z, d) == pytest.approx(curvature, rel=1e-10, abs=1e-13)


@pytest.mark.parametrize(("z", "d"), CASES)
def test_gradient(torch: Any, z: list[float], d: list[float]) -> None:
    point = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch_entropy(torch, point), point)
    np.testing.assert_allclose(entropy_gradient(z), gradient.numpy(), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("z", [case[0] for case in CASES])
def test_response_curvatures(torch: Any, z: list[float]) -> None:
    point = torch.tensor(z, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda x: torch_entropy(torch, x), point).numpy()
    scores = np.eye(len(z)) - np.exp(z) / np.exp(z).sum()
    expected = np.einsum("yi,ij,yj->y", scores, hessian, scores)
    np.testing.assert_allclose(shipped("entropy_change").response_curvatures(z), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("z", [case[0] for case in CASES])
def test_self_covariance_is_the_slope_in_the_baseline(torch: Any, z: list[float]) -> None:
    point, b = torch.tensor(z, dtype=torch.float64), torch.zeros((), dtype=torch.float64, requires_grad=True)
    rewards = torch.tensor([1.0] + [0.0] * (len(z) - 1), dtype=torch.float64)
    probs = torch.softmax(point, dim=-1)
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    moved = torch_entropy(torch, point + t * probs * (rewards - b))
    (slope,) = torch.autograd.grad(moved, t, create_graph=True)
    (in_baseline,) = torch.autograd.grad(slope, b)
    assert self_covariance(z) == pytest.approx(in_baseline.item(), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize(("z", "d"), CASES)
@pytest.mark.parametrize("h", [1e-4])
def test_closed_form_autodiff_and_finite_differences_agree(
    torch: Any, z: list[float], d: list[float], h: float
) -> None:
    _, slope, curvature = derivatives(torch, z, d)
    up, down = float(entropy_change(z, d, h)), float(entropy_change(z, d, -h))
    # `entropy_change` keeps its relative accuracy: what is left is the next term of the series, h^2 times its size.
    assert (up - down) / (2 * h) == pytest.approx(slope, abs=1e-6)
    assert (up + down) / h**2 == pytest.approx(curvature, abs=1e-6)


def test_policy_gradient_is_the_gradient_of_the_success_probability(torch: Any) -> None:
    z, r = [0.3, -0.7, 2.0], [1.0, 0.0, 1.0]
    point = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(
        (torch.softmax(point, dim=-1) * torch.tensor(r, dtype=torch.float64)).sum(), point
    )
    for b in (0.0, 0.5):
        direction = update_direction(z, r, "policy_gradient", baseline=b)
        np.testing.assert_allclose(direction, gradient.numpy(), rtol=1e-12, atol=1e-15)


def test_expected_update_is_the_gain_times_the_gradient(torch: Any) -> None:
    # Claim `neutrality`, with autodiff in the place of the formula: all groups of two on three arms.
    z, r = [0.3, -0.7, 1.0], [1, 0, 0]
    point = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch.softmax(point, dim=-1)[0], point)
    probs = oracles.probabilities(z)
    total = [oracles.ball(0)] * 3
    for first in range(3):
        for second in range(3):
            a = oracles.advantages([F(r[first]), F(r[second])], "qae")
            d = oracles.sampled_direction(probs, [first, second], a)
            total = [t + probs[first] * probs[second] * x for t, x in zip(total, d, strict=True)]
    gain = float(expected_gain(float(probs[0]), 2, "qae"))
    np.testing.assert_allclose([float(x) for x in total], gain * gradient.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("dtype", "size", "k", "m"), [("float32", 26, "0.6", 10), ("float64", 101, "0.55", 45)])
def test_torch_quantile_leaks_where_the_interpolation_is_exact(
    torch: Any, dtype: str, size: int, k: str, m: int
) -> None:
    # (G - 1) K is an integer: exact interpolation is Eq. 3, and gives 0 here.
    group = [0] * (size - m) + [1] * m
    assert F(size - 1) * F(k) == int(F(size - 1) * F(k))
    assert quantile_baseline(s.as_exact(group), k, method="linear").item() == 0
    assert quantile_baseline(group, k, method="linear") == 0
    assert quantile_baseline(group, k) == 0
    rounded = float(torch.quantile(torch.tensor(group, dtype=getattr(torch, dtype)), float(k)))
    assert rounded != 0
    assert abs(rounded) < 1e-5  # a rounding error of the position, and no more


@pytest.mark.parametrize(("size", "m"), [(8, 5), (16, 9), (16, 10), (32, 19)])
def test_torch_quantile_is_the_interpolation_up_to_rounding(torch: Any, size: int, m: int) -> None:
    group = [0.0] * (size - m) + [1.0] * m
    rounded = float(torch.quantile(torch.tensor(group, dtype=torch.float64), 0.4))
    assert quantile_baseline(group, "0.4", method="linear") == pytest.approx(rounded, abs=1e-12)  # position rounded
