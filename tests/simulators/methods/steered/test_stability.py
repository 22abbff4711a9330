"""The predicted stability boundary against simulated linear loops, and the fit of a plant against a planted one."""

from __future__ import annotations

from math import pi, sin
from typing import Any

import numpy as np
import pytest

from simulators.methods.steered.k_loop import Law, steered
from simulators.methods.steered.stability import (
    Plant,
    characteristic,
    fitted_plant,
    largest_stable_gain,
    largest_stable_integral,
    resting_error,
    spectral_radius,
)
from tests.assertions import refuses

UPDATES = 6000
DELAYS = (0, 1, 2, 5)
PERSISTENCE = (0.0, 0.5, 0.9, 0.99, 1.0)


def simulated(*, persistence: float, integral: float, proportional: float, delay: int, updates: int = UPDATES) -> Any:
    """The distance of entropy from its target, one update after another, from the loop's definition; response 1."""
    h, total = 1.0, 0.0
    past = [0.0] * delay
    path = []
    for _ in range(updates):
        path.append(h)
        past.append(h)
        acting = past.pop(0)
        total -= integral * acting
        h = persistence * h + total - proportional * acting
        if abs(h) > 1e12:
            break
    return np.array(path)


def settles(path: Any) -> bool:
    return len(path) == UPDATES and np.abs(path[-50:]).max() < np.abs(path[:50]).max() / 2


@pytest.mark.parametrize("delay", DELAYS)
def test_a_delayed_integrator_is_stable_below_the_closed_bound(delay: int) -> None:
    bound = 2 * sin(pi / (2 * (2 * delay + 1)))
    assert largest_stable_gain(persistence=1.0, delay=delay) == pytest.approx(bound, rel=1e-12)
    assert largest_stable_integral(persistence=0.0, delay=delay) == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("persistence", PERSISTENCE)
def test_proportional_loops_settle_below_the_bound_and_not_above(persistence: float, delay: int) -> None:
    bound = largest_stable_gain(persistence=persistence, delay=delay)
    for factor in (0.5, 0.98, 1.02):
        loop = {"persistence": persistence, "integral": 0.0, "proportional": factor * bound, "delay": delay}
        assert settles(simulated(**loop)) == (factor < 1), factor
        assert (spectral_radius(**loop) < 1) == (factor < 1)


@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("persistence", [0.0, 0.5, 0.9])
def test_integral_loops_settle_below_the_bound_and_not_above(persistence: float, delay: int) -> None:
    bound = largest_stable_integral(persistence=persistence, delay=delay)
    for factor in (0.5, 0.97, 1.03):
        loop = {"persistence": persistence, "integral": factor * bound, "proportional": 0.0, "delay": delay}
        assert settles(simulated(**loop)) == (factor < 1), factor
        assert (spectral_radius(**loop) < 1) == (factor < 1)


@pytest.mark.parametrize("gain", [1e-3, 0.1, 1.0])
def test_an_integral_loop_on_an_entropy_that_sums_up_never_settles(gain: float) -> None:
    """It oscillates for ever at no delay and grows at any; a proportional part settles it."""
    for delay in (0, 1, 3):
        loop = {"persistence": 1.0, "integral": gain, "proportional": 0.0, "delay": delay}
        assert spectral_radius(**loop) >= 1 - 1e-9
        assert not settles(simulated(**loop))
        assert largest_stable_integral(persistence=1.0, delay=delay) == 0
    damped = {"persistence": 1.0, "integral": 1e-3, "proportional": 0.1, "delay": 1}
    assert spectral_radius(**damped) < 1
    assert settles(simulated(**damped))


def test_the_radius_is_the_rate_at_which_a_loop_settles() -> None:
    loop: dict[str, Any] = {"persistence": 0.9, "integral": 0.02, "proportional": 0.3, "delay": 2}
    path = np.abs(simulated(**loop, updates=400))
    # Envelopes of an oscillation: the largest values in two windows of 100 updates, 200 apart.
    rate = (path[300:].max() / path[100:200].max()) ** (1 / 200)
    assert rate == pytest.approx(spectral_radius(**loop), rel=5e-3)


@pytest.mark.parametrize("delay", [0, 1, 3])
@pytest.mark.parametrize(("integral", "proportional"), [(0.0, 0.4), (0.05, 0.0), (0.05, 0.4)])
def test_the_shipped_loop_is_the_one_analysed(delay: int, integral: float, proportional: float) -> None:
    """The rule's own K on a linear entropy, inside its bounds, takes the path of the plain loop."""
    response, balance = 0.02, 0.5
    law = Law(integral / response, proportional / response, delay=delay, band=0.0, low=1e-6, high=1 - 1e-6, sign=False)
    # Small enough for K to stay off its bounds where the loop grows, and large enough for its rounding not to show.
    scale = 1e-6
    wanted = simulated(persistence=0.95, integral=integral, proportional=proportional, delay=delay, updates=60)
    memory: Any = {"integral": np.array([balance]), "target": np.zeros(1), "errors": np.zeros((1, delay))}
    h = scale
    for value in wanted:
        assert h == pytest.approx(scale * value, rel=1e-6, abs=scale * 1e-9)
        memory = steered(memory, np.array([h]), law)
        h = 0.95 * h + response * (float(memory["k"][0]) - balance)


def test_the_polynomial_is_that_of_the_loop() -> None:
    """Every power z^t of a root is a path of the loop."""
    loop: dict[str, Any] = {"persistence": 0.7, "integral": 0.1, "proportional": 0.2, "delay": 2}
    for z in np.roots(characteristic(**loop)):
        # kappa_t - kappa_{t-1} = -(integral + proportional (1 - 1/z)) h_{t-2}, and (z - 0.7) h_t = kappa_t.
        left = (z - 0.7) * (1 - 1 / z)
        assert left == pytest.approx(-(0.1 + 0.2 * (1 - 1 / z)) * z**-2.0, rel=1e-9)


@pytest.mark.parametrize("drift", [-0.02, 0.02, 0.004])
@pytest.mark.parametrize("band", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("integral", [0.0, 0.01])
def test_the_shipped_loop_rests_where_it_is_said_to(drift: float, band: float, integral: float) -> None:
    """On an entropy that sums up drift and correction, from a start off its target, with no delay."""
    response, pull = 0.02, 0.5
    law = Law(integral / response, pull / response, delay=0, band=band, low=1e-6, high=1 - 1e-6, sign=False)
    memory: Any = {"integral": np.array([0.5]), "target": np.zeros(1), "errors": np.zeros((1, 0))}
    h, path = 0.005, []
    for _ in range(3000):
        path.append(h)
        memory = steered(memory, np.array([h]), law)
        # The response is small and the gains are large, so that K keeps to its bounds while corrections stay exact.
        h = h + response * (float(memory["k"][0]) - 0.5) + drift * response
    wanted = resting_error(drift=drift * response, pull=pull, band=band, integral=integral > 0)
    tail = np.abs(path[-500:])
    # One update moves the entropy by the drift and by the pull on an error just outside the band.
    step = abs(drift) * response + pull * max(band, wanted)
    assert tail.max() <= wanted + step
    assert integral > 0 or tail.max() >= wanted - step
    if band == 0:
        np.testing.assert_allclose(tail, wanted, atol=1e-9)


def test_a_planted_plant_is_found() -> None:
    rng = np.random.default_rng(1)
    planted = Plant(0.9, 0.05, -0.02)
    levels, entropies = rng.random(400), [1.0]
    for k in levels:
        noise = 1e-3 * rng.normal()
        entropies.append(planted.persistence * entropies[-1] + planted.response * k + planted.drift + noise)
    found = fitted_plant(np.array(entropies), levels)
    # The standard errors of all three are below 5e-4 at this noise and length; the bound is ten of them.
    np.testing.assert_allclose(found, planted, atol=5e-3)


def test_what_cannot_be_fitted_is_refused() -> None:
    entropies = np.linspace(1.0, 0.5, 6)
    still = np.full(5, 0.4)
    refuses(lambda: fitted_plant(entropies, still), "levels", still, says="vary")
    refuses(lambda: fitted_plant(entropies[:-1], still), "levels", still)


@pytest.mark.parametrize(
    ("argument", "value"), [("persistence", 1.5), ("persistence", float("nan")), ("delay", -1), ("delay", 0.5)]
)
def test_bad_arguments_are_refused(argument: str, value: Any) -> None:
    for function in (largest_stable_gain, largest_stable_integral):
        refuses(lambda f=function: f(**{"persistence": 0.5, "delay": 1, argument: value}), argument, value)
    good: dict[str, Any] = {"persistence": 0.5, "integral": 0.1, "proportional": 0.1, "delay": 1}
    if not (argument == "persistence" and value == 1.5):  # a loop may be analysed there too
        refuses(lambda: characteristic(**{**good, argument: value}), argument, value)
    for name, bad in (("pull", 0.0), ("band", -0.1), ("drift", float("inf"))):
        rest: dict[str, Any] = {"drift": 0.1, "pull": 0.5, "band": 0.0, "integral": False, name: bad}
        refuses(lambda rest=rest: resting_error(**rest), name, bad)
