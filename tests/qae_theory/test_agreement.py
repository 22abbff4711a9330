"""The public functions against their references on the coverage plan, and the plan against planted faults."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from functools import partial
from typing import Any

import flint
import numpy as np
import pytest

from qae_theory.proofs.contract.agreement.comparison import Answer, Cell, Exactly, Refused, agreement
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.shipped_agrees import TIES, Tie
from tests.reference import changes, expectations, numbers, rooms

QUICK = os.environ.get("QAE_EFFORT", "quick") != "full"


def grouped(tie: Tie) -> Any:
    """A parameter whose tests share a worker with the claim's evidence, and so what the references have computed."""
    return pytest.param(tie, id=tie.function, marks=pytest.mark.xdist_group(f"shipped-agrees-{tie.function}"))


EACH = pytest.mark.parametrize("tie", [grouped(tie) for tie in TIES])


@EACH
def test_the_function_gives_what_its_reference_says(tie: Tie) -> None:
    finding = agreement(tie.shipped, tie.cells(QUICK))
    assert finding.passed, finding.detail


@EACH
def test_a_planted_fault_is_found(tie: Tie) -> None:
    assert not agreement(tie.faulty, tie.cells(QUICK)).passed


@pytest.mark.parametrize("method", rooms.METHODS)
def test_a_direction_with_an_entry_at_its_mean_has_a_reference(method: str) -> None:
    """The centred entry is a ball around 0 there, whose powers flint makes nan."""
    low, high = rooms.bare_bounds([0.0, 0.0, 0.0], [0.0, 1.0, -1.0], 1.0, method=method)
    assert low.is_finite()
    assert high.is_finite()
    assert low < high


def test_a_reference_without_a_value_is_no_zero() -> None:
    """flint's nan contains 0, so that it would be read as a number that cannot be told from it."""
    assert numbers.nearest(flint.arb(0, 1e-90)) == 0.0
    for lost in (flint.arb("nan"), flint.arb("inf")):
        with pytest.raises(ArithmeticError, match="no value"):
            numbers.nearest(lost)


def test_a_success_probability_that_rounds_to_one_has_a_reference() -> None:
    with flint.ctx.workdps(numbers.DIGITS):
        almost = 1 - flint.arb(-900).exp()
    weights = expectations.binomial(5, almost)
    assert [numbers.nearest(weight) for weight in weights] == [0.0] * 5 + [1.0]
    exact = [Fraction(math.comb(5, j) * 2**j, 3**5) for j in range(6)]
    weights = expectations.binomial(5, Fraction(2, 3))
    assert [numbers.nearest(weight) for weight in weights] == pytest.approx([float(x) for x in exact], rel=1e-15)


def test_a_step_beyond_float64_has_a_reference() -> None:
    value = changes.entropy_change([0.0, 1.0, -2.0], [1e308, -1e308, -1e308], -1e10).value
    left = math.log1p(math.exp(-3)) + 3 / (1 + math.exp(3))  # of the second and third arm
    assert numbers.nearest(value) == pytest.approx(left - 0.713865757988625, rel=1e-14)


def test_the_second_order_of_such_a_direction_has_a_reference() -> None:
    # Uniform arms: the second order is -Var(d) = -2/3.
    value = changes.second_order([0.0, 0.0, 0.0], [0.0, 1.0, -1.0]).value
    assert abs(3 * value + 2) < 1e-15


@pytest.mark.parametrize(
    ("message", "given", "wrong"),
    [
        ("k must be between 0 and 1; got 2", [2], False),
        ("k must be given; got None", [None], False),
        ("k must be between 0 and 1; got None", [2], True),
        ("k must be None; got 2", [2], True),
        ("k must be between 0 and 1", [2], True),
        ("None must be between 0 and 1; got 2", [2], True),
    ],
)
def test_a_refusal_says_what_is_allowed_and_what_was_given(message: str, given: list[Any], wrong: bool) -> None:
    assert (Refused("k").fault_of(message, given) is not None) == wrong


def test_a_refusal_shows_a_word_as_it_was_given() -> None:
    message = "std must be 'population' or 'none'; got 'batch'"
    assert Refused("std").fault_of(message, [], {"std": "batch"}) is None
    assert Refused("std").fault_of(message, [], {"std": "BATCH"}) is not None


def test_a_refusal_of_what_was_not_given_shows_none() -> None:
    assert Refused("k", left_out=True).fault_of("k must be given; got None", [2]) is None


def test_full_plans_are_kept_one_at_a_time_with_what_was_worked_out_for_them() -> None:
    worked_out = []

    @remembered
    def half(x: int) -> int:
        worked_out.append(x)
        return x // 2

    @kept
    def halves(quick: bool) -> tuple[Cell, ...]:
        return tuple(Cell(f"{x}", (x,), partial(half_of, x)) for x in ((4,) if quick else (4, 6)))

    def half_of(x: int) -> Answer:
        return Exactly(np.asarray(half(x)))

    @kept
    def others(quick: bool) -> tuple[Cell, ...]:
        return (Cell(f"{quick}", (), partial(half_of, 8)),)

    full, quick = halves(False), halves(True)
    assert (halves(False), halves(True)) == (full, quick)
    assert [agreement(lambda x: np.asarray(x // 2), cells).passed for cells in (full, full, quick)] == [True] * 3
    others(True)
    assert (halves(False) is full, worked_out) == (True, [4, 6])
    others(False)
    half(4)
    assert (halves(False) is full, worked_out) == (False, [4, 6, 4])


def test_every_plan_is_kept_in_this_way() -> None:
    """A cache of its own would hold its cells until the process ends."""
    for tie in TIES:
        cells = tie.cells(True)
        assert tie.cells(True) is cells, tie.function
        assert not hasattr(tie.cells, "cache_clear"), tie.function
