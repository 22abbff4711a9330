"""Double-double arithmetic, and the certified narrow enclosure of an entropy change that is made of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import numpy as np
import pytest

from qae_theory import entropy_change, entropy_change_bounds, entropy_change_enclosure
from qae_theory.numerics import double_double as dd
from qae_theory.numerics import enclosure as kernel
from tests.assertions import refuses
from tests.qae_theory.enclosure import cases, truth
from tests.qae_theory.enclosure.run import hold

ONLY = {"enclosure": entropy_change_enclosure}


generator = partial(cases.generator, 200)


# The arithmetic


def numbers(number: int, low: float, high: float, count: int = 400) -> dd.Pair:
    """Pairs of all sizes between two powers of ten, of both signs."""
    rng = generator(number)
    leading = rng.choice([-1.0, 1.0], count) * 10.0 ** rng.uniform(low, high, count)
    return dd.Pair(leading, leading * 2.0**-54 * rng.uniform(-1, 1, count))


def ball(x: dd.Pair, i: int) -> Any:
    return flint.arb(float(x.high[i])) + flint.arb(float(x.low[i]))


def worst(result: dd.Pair, exact: Callable[[int], Any], size: Callable[[int], Any]) -> float:
    """The largest error relative to a size."""
    with flint.ctx.workprec(600):
        errors = [float(abs(ball(result, i) - exact(i)) / abs(size(i))) for i in range(len(result.high))]
    assert (np.abs(result.low) <= np.spacing(np.abs(result.high))).all()
    return max(errors)


ALLOWED = dd.PRECISION / 100  # what the enclosure assumes, with two digits to spare


def test_sums_products_and_quotients() -> None:
    x, y = numbers(0, -30, 3), numbers(1, -30, 3)
    floats = y.high
    pairs = [
        (dd.add(x, y), lambda i: ball(x, i) + ball(y, i), None),
        (dd.add(x, dd.negative(x)), lambda i: flint.arb(0), lambda i: ball(x, i)),
        (dd.add_float(x, floats), lambda i: ball(x, i) + flint.arb(float(floats[i])), None),
        (dd.times(x, y), lambda i: ball(x, i) * ball(y, i), None),
        (dd.times_float(x, floats), lambda i: ball(x, i) * flint.arb(float(floats[i])), None),
        (dd.over(x, y), lambda i: ball(x, i) / ball(y, i), None),
        (dd.scaled(x, 0.125), lambda i: ball(x, i) / 8, None),
    ]
    for result, exact, size in pairs:
        assert worst(result, exact, exact if size is None else size) <= ALLOWED


def test_differences_and_products_of_floats_are_exact() -> None:
    a, b = numbers(2, -30, 3).high, numbers(3, -30, 3).high
    for result, exact in (
        (dd.difference(a, b), lambda i: flint.arb(float(a[i])) - flint.arb(float(b[i]))),
        (dd.product(a, b), lambda i: flint.arb(float(a[i])) * flint.arb(float(b[i]))),
    ):
        with flint.ctx.workprec(600):
            assert all(bool(ball(result, i) == exact(i)) for i in range(len(a)))
    assert dd.exactly(a).low.tolist() == [0.0] * len(a)


def test_constants_in_parts() -> None:
    first, second, rest = dd._LOG_2
    assert (first * 2.0**40).is_integer()
    assert (second * 2.0**80).is_integer()
    with flint.ctx.workprec(400):
        log_2 = flint.arb(2).log()
        assert abs(log_2 - flint.arb(first)) < 2.0**-40
        assert abs(log_2 - flint.arb(first) - flint.arb(second) - flint.arb(rest)) < 2.0**-132
    for k, (high, low) in enumerate(dd._COEFFICIENTS):
        assert abs(Fraction(1, math.factorial(k)) - Fraction(high) - Fraction(low)) <= Fraction(
            1, 2**106 * math.factorial(k)
        )


def test_the_total_of_one_row() -> None:
    whole = dd.total(dd.exactly(np.array([1.0, 2.0**-80, 3.0])))
    assert (float(whole.high), float(whole.low)) == (4.0, 2.0**-80)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1001])
def test_totals(count: int) -> None:
    x = numbers(4, -20, 3, count)
    with flint.ctx.workprec(600):
        exact = truth.total(ball(x, i) for i in range(count))
        size = truth.total(abs(ball(x, i)) for i in range(count))
        result = dd.total(dd.Pair(x.high[None], x.low[None]))
        assert abs(ball(result, 0) - exact) <= ALLOWED * size
    assert x.high.shape == (count,)  # left alone


def test_exponentials_and_logarithms() -> None:
    x = numbers(5, -30, 2.4)
    assert worst(dd.exp_minus_1(x), lambda i: ball(x, i).expm1(), lambda i: ball(x, i).expm1()) <= ALLOWED
    assert worst(dd.exp(x), lambda i: ball(x, i).exp(), lambda i: ball(x, i).exp()) <= ALLOWED
    positive = dd.Pair(np.abs(x.high), np.where(x.high < 0, -x.low, x.low))
    assert (
        worst(dd.log1p(positive), lambda i: ball(positive, i).log1p(), lambda i: ball(positive, i).log1p()) <= ALLOWED
    )


def test_deep_exponentials() -> None:
    """Where the result or its second half leaves float64 it is off by less than the smallest float."""
    x = dd.exactly(np.linspace(-2000.0, -600.0, 1401))
    result = dd.exp(x)
    with flint.ctx.workprec(600):
        for i in range(1401):
            allowed = ALLOWED * ball(x, i).exp() + flint.arb(2) ** -1073
            assert abs(ball(result, i) - ball(x, i).exp()) <= allowed
    assert dd.exp_minus_1(x).high.tolist() == [-1.0] * 1401


# The enclosure


@pytest.mark.parametrize(
    ("kind", "count", "number"), [("adversarial", 6000, 6), ("ordinary", 3000, 7), ("vocabulary", 1, 8)]
)
def test_the_enclosure_contains_the_exact_change(kind: str, count: int, number: int) -> None:
    """A sample of the long run, `make enclosure`."""
    outcome = hold(getattr(cases, kind)(generator(number), count), ONLY)
    assert outcome.instances == count
    assert outcome.violations == {"enclosure": []}


@pytest.mark.parametrize("kind", ["ordinary", "vocabulary"])
def test_it_is_narrow(kind: str) -> None:
    widths = []
    for batch in getattr(cases, kind)(generator(9), 3000 if kind == "ordinary" else 2):
        if kind == "ordinary":  # steps that move a log-probability by at most 300
            keep = np.abs(batch.step_size) * np.ptp(batch.direction, axis=1) < 300
            batch = cases.Batch(*(field[keep] for field in batch))
        lower, upper = entropy_change_enclosure(*batch)
        widths.append((upper - lower) / np.spacing(np.maximum(np.abs(lower), np.abs(upper))))
    assert np.concatenate(widths).max() <= 2  # one step outward on each side


def test_it_lies_within_the_bounds() -> None:
    for batch in cases.adversarial(generator(10), 2000):
        low, high = entropy_change_bounds(*batch)
        lower, upper = entropy_change_enclosure(*batch)
        assert (low <= lower).all()
        assert (lower <= upper).all()
        assert (upper <= high).all()


@pytest.mark.parametrize(
    ("z", "d", "eta", "change"),
    [
        ([0.0, 40.0], [0.0, 1e-305], 1e280, -1.699342e-41),
        ([0.0, 0.0, 0.0], [1.0, 2.0, 4.0], 1e-12, -7 / 9 * 1e-24),
        ([0.0, 700.0], [700.0, 0.0], 1.0, math.log(2)),
        ([0.0, 1e9], [1e9, 0.0], 1.0, math.log(2)),
        ([0.0, 1e308], [1e308, 0.0], 1.0, math.log(2)),
        ([0.0, 1e308], [1e308, 0.0], 1e300, 0.0),
        ([0.0, 1.0], [1e3, 0.0], 1.0, -0.5822031),
        ([0.5, 0.0, -1.0], [1.0, 1.0, -1.0], 1e300, -0.2899602),
    ],
)
def test_known_changes(z: list[float], d: list[float], eta: float, change: float) -> None:
    lower, upper = (float(x) for x in entropy_change_enclosure(z, d, eta))
    assert lower == pytest.approx(change, rel=1e-6, abs=1e-280)
    assert upper == pytest.approx(change, rel=1e-6, abs=1e-280)
    assert truth.within(truth.change(z, d, eta, truth.decides(lower, upper)), lower, upper)


def test_a_change_below_float64_is_between_its_neighbours() -> None:
    lower, upper = entropy_change_enclosure([0.5, -1.0], [0.0, 5e-324], -16.60456134484613)
    assert lower <= -1.84e-323 <= upper <= -5e-324
    assert upper - lower <= 4 * 5e-324


def test_steps_and_spreads_meet_where_the_ways_change() -> None:
    """The short, the moderate and the long way agree on both sides of their borders."""
    z, d = [0.3, -0.7, 2.0], [1.0, 0.5, -2.0]
    for border in (2.0**-122, 2.0**-121, 2.0**-120, 2.0**-101, 2.0**-100, 2.0**-99, 150.0, 160.0, 170.0, 200.0):
        for eta in (border, -border, math.nextafter(border, 0), border * 1.001):
            lower, upper = (float(x) for x in entropy_change_enclosure(z, d, eta))
            assert truth.within(truth.change(z, d, eta, truth.decides(lower, upper)), lower, upper)
            assert upper - lower <= 2 * np.spacing(abs(lower))


# Controls


def rounded(function: Callable[..., dd.Pair]) -> Callable[..., dd.Pair]:
    """The function without the second halves of its results."""
    return lambda *x: dd.exactly(function(*x).high)


@pytest.mark.parametrize("name", ["exp", "exp_minus_1", "times", "total", "over", "log1p"])
def test_float64_in_the_place_of_double_double_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(dd, name, rounded(getattr(dd, name)))
    assert hold(cases.ordinary(generator(11), 1500), ONLY).failures > 0


@pytest.mark.parametrize("name", ["_short", "_moderate", "_long"])
def test_ends_that_are_drawn_inward_are_caught_on_every_way(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    way = getattr(kernel, name)

    def inward(*args: Any) -> Any:
        low, high = way(*args)
        return np.nextafter(np.nextafter(low, np.inf), np.inf), high

    monkeypatch.setattr(kernel, name, inward)
    assert hold(cases.adversarial(generator(12), 4000), ONLY).failures > 0


# Batches and refusals


def test_a_batch_is_treated_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = generator(13)
    z, d = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 4))
    eta = np.array([[1e-40], [900.0]])
    lower, upper = entropy_change_enclosure(z, d, eta)
    assert lower.shape == upper.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        low, high = entropy_change_enclosure(z[i, j], d[j], eta[i, 0])
        assert (float(low), float(high)) == (lower[i, j], upper[i, j])
    monkeypatch.setattr(kernel, "_ELEMENTS", 5)
    again = entropy_change_enclosure(z, d, eta)
    assert again[0].tolist() == lower.tolist()
    assert again[1].tolist() == upper.tolist()
    assert entropy_change_enclosure(np.empty((0, 4)), np.zeros(4), 0.1)[0].shape == (0,)
    assert (z[0, 0, 0], d[0, 0]) == (z[0, 0, 0], d[0, 0])


def test_where_nothing_moves_both_ends_are_zero() -> None:
    for z, d, eta in (([0.1, 2.0], [3.0, 3.0], 1.0), ([0.1, 2.0], [3.0, 1.0], 0.0), ([4.0], [3.0], 1.0)):
        assert entropy_change_enclosure(z, d, eta) == (0.0, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    refuses(lambda: entropy_change_enclosure([0.0, bad], [1.0, 0.0], 0.1), "logits", [0.0, bad], says="finite")
    refuses(lambda: entropy_change_enclosure([0.0, 1.0], [1.0, bad], 0.1), "direction", [1.0, bad], says="finite")
    refuses(
        lambda: entropy_change_enclosure([2**53 + 1, 0], [1, 0], 0.1), "logits", [2**53 + 1, 0], says="exactly held"
    )


def test_the_exact_change_of_float64_lies_near() -> None:
    for batch in cases.ordinary(generator(14), 1000):
        lower, upper = entropy_change_enclosure(*batch)
        np.testing.assert_allclose(entropy_change(*batch), (lower + upper) / 2, rtol=1e-8, atol=1e-15)
