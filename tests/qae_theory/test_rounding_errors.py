"""The float64 functions keep the errors that their docstrings state, against ball arithmetic.

A sample of the long run, `make enclosure`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pytest

import qae_theory
from qae_theory.numerics import change as kernel
from qae_theory.softmax import centred, log_softmax
from tests.qae_theory import shipped
from tests.qae_theory.enclosure import cases, errors

PUBLIC = {
    "entropy_change": qae_theory.entropy_change,
    "first_order": qae_theory.first_order_entropy_change,
    "second_order": qae_theory.second_order_entropy_change,
    "self_covariance": qae_theory.self_covariance,
}


generator = partial(cases.generator, 300)


@pytest.mark.parametrize("name", errors.FUNCTIONS)
@pytest.mark.parametrize(("kind", "count", "number"), [("adversarial", 2000, 0), ("ordinary", 1000, 1)])
def test_errors_are_within_the_promise(kind: str, count: int, number: int, name: str) -> None:
    found = errors.largest(getattr(cases, kind)(generator(number), count), [name])
    assert found.values[name] + found.refused[name] == count
    assert found.values[name] > count / 2
    assert 0 < found.units[name] <= errors.PROMISED


@pytest.mark.parametrize("name", errors.FUNCTIONS)
def test_errors_are_within_the_promise_for_many_arms(name: str) -> None:
    found = errors.largest(cases.vocabulary(generator(2), 2, arms=20_000), [name])
    assert found.values[name] == 2
    assert found.units[name] <= errors.PROMISED


@pytest.mark.parametrize("name", errors.FUNCTIONS)
def test_the_docstrings_state_what_is_tested(name: str) -> None:
    text = re.sub(r"\s+", " ", PUBLIC[name].__doc__ or "")
    assert "2e-13" in text
    assert "1e-300" in text
    assert "151,936" in text
    assert errors.PROMISED == 2e-13 / 2.0**-53


def test_the_first_order_keeps_its_digits_where_the_likely_arms_move_alike() -> None:
    """The rounding of the direction's mean, times that of the surprise's, is no small part of so small a covariance."""
    z = [77.84039821652864, 67.91245824486207, -37.93941550978938, 23.643109168333645, 8.390307315681705]
    d = [-12.693289841413147, -12.693289841413147, 1.2622217720624418, -12.693289841413147, 1.2622217720624418]
    batch = cases.Batch(np.array([[*z, -42.625135780218216]]), np.array([[*d, d[-1]]]), np.array([1.0]))
    assert errors.largest([batch], ["first_order"]).units["first_order"] <= errors.PROMISED


@pytest.mark.parametrize(
    ("z", "d", "eta"),
    [
        # An arm with the least of all logits stands beside arms that hardly move.
        ([745.2, 800.0, -cases.LARGEST, 700.0], [0.0, -7.3e-157, 0.0, 1.2e288], -1.5e66),
        ([1.0, 700.0, 800.0], [1.5e258, -4.8e-258, 0.0], -1.6e240),
        ([-1e308, 745.2, 745.2, 700.0], [cases.LARGEST, -cases.LARGEST, -cases.LARGEST, -708.0], -3.6e301),
        # Small moves of likely arms, in a direction with an entry that is 1e250 times as large.
        ([0.0, 100.0, -300.0], [5.7e-102, 0.0, -2.4e232], 3.2e80),
        ([0.0, 1e16, 1e16, -1e16], [-1.2e252, -5.3e-300, 5.6e-123, 0.0], 3e116),
        ([800.0, 1e300, 700.0, 1e300], [-4e-160, 0.0, 1.2e80, 1.0746163033801674e-302], -1e300),
        # An arm of no probability is lifted by more than 700 nats, while the likely arms hardly move.
        ([745.2, -745.0, -745.0, 745.2, 745.2], [1.0, cases.LARGEST, 1e300, 1e300, 1e300], 8.05e-306),
        ([800.0, -745.0, -cases.LARGEST], [0.0, 1325.0, 0.0], 1.0),
        # The difference of two entries is beyond float64, and the step makes little of it.
        ([-0.78, 0.0, 1e-3], [1e308, -1.7e308, -9e307], -2.5e-313),
        # The likely arms move alike, down to the last bit, and all others sink out of sight.
        ([5.4, 2.9, -5.6], [1e300, 1e300, 1.0000000000000003e300], -1e300),
    ],
)
def test_an_arm_that_moves_far_costs_the_others_no_digits(z: list[float], d: list[float], eta: float) -> None:
    batch = cases.Batch(np.array([z]), np.array([d]), np.array([eta]))
    found = errors.largest([batch], ["entropy_change"])
    assert found.values["entropy_change"] == 1
    assert found.units["entropy_change"] <= errors.PROMISED


@pytest.mark.parametrize("name", ["entropy_change", "first_order", "second_order"])
@pytest.mark.parametrize("depth", [50.0, 200.0, 1e308])
def test_likely_arms_that_move_alike_cost_the_others_no_digits(name: str, depth: float) -> None:
    z, d = [0.0, 0.0, -1.0, -depth, 0.0], [1.1337353335985478] * 3 + [-0.4070981516370607, 1.1337353335985478]
    batch = cases.Batch(np.array([z]), np.array([d]), np.array([0.5]))
    assert errors.largest([batch], [name]).units[name] <= errors.PROMISED


def test_directions_whose_range_is_beyond_float64_overflow_nowhere() -> None:
    with np.errstate(over="raise"):
        slope = qae_theory.first_order_entropy_change([0.0, 1.0, 2.0], [1.7e308, -1.7e308, 0.0])
    assert np.isfinite(slope)


def test_a_derivative_beyond_float64_is_refused_and_counted() -> None:
    batch = cases.Batch(np.array([[0.0, 1.0, 0.5]]), np.array([[1e308, 1.0, -1e308]]), np.array([-1.0]))
    found = errors.largest([batch], ["second_order", "self_covariance"])
    assert found.refused == {"second_order": 1, "self_covariance": 0}
    assert found.values == {"second_order": 0, "self_covariance": 1}
    assert found.units["second_order"] == 0


# Controls: what is planted shows


@pytest.mark.parametrize("name", errors.FUNCTIONS)
@pytest.mark.parametrize("bend", [lambda x: x * (1 + 3e-13), lambda x: x - 1e-15, lambda x: x * np.nan])
def test_a_small_error_is_caught(monkeypatch: pytest.MonkeyPatch, name: str, bend: Any) -> None:
    function, exact = errors.FUNCTIONS[name]
    monkeypatch.setitem(errors.FUNCTIONS, name, (lambda z, d, eta: bend(function(z, d, eta)), exact))
    assert errors.largest(cases.ordinary(generator(3), 250), [name]).units[name] > errors.PROMISED


def test_a_needless_refusal_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> Any:
        raise ValueError("direction must be smaller")

    monkeypatch.setitem(errors.FUNCTIONS, "first_order", (refuse, errors.first_order))
    assert errors.largest(cases.ordinary(generator(4), 1), ["first_order"]).units["first_order"] == np.inf


@pytest.mark.parametrize(
    ("name", "z", "d", "eta"),
    [
        ("first_order", [0.0, 1.0], [1.7e308, -1.7e308], 1.0),
        ("second_order", [0.0, 230.0], [1e170, 0.0], 1.0),  # 1e-100 of 1e340
    ],
)
def test_directions_that_are_not_scaled_are_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, z: list[float], d: list[float], eta: float
) -> None:
    batch = cases.Batch(np.array([z]), np.array([d]), np.array([eta]))
    assert errors.largest([batch], [name]).units[name] <= errors.PROMISED
    monkeypatch.setattr(kernel, "_PLAIN_SIZE", 10**6)
    with np.errstate(all="ignore"):
        assert errors.largest([batch], [name]).units[name] > errors.PROMISED


def test_differences_of_log_probabilities_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nearly equal arms they lose what the differences of logits keep."""

    def from_log_probs(probs: Any, logits: Any) -> Any:
        return centred(probs, log_softmax(logits))

    batch = cases.Batch(np.array([[0.0, 1e-9, -2e-9]]), np.array([[1.0, 0.0, 0.0]]), np.array([1.0]))
    assert errors.largest([batch], ["first_order"]).units["first_order"] <= errors.PROMISED
    monkeypatch.setattr(shipped("entropy_change"), "surprise", from_log_probs)
    assert errors.largest([batch], ["first_order"]).units["first_order"] > errors.PROMISED
