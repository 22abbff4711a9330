"""Bends are what they say, and the kinds of faults that once went unnoticed are found by the coverage plan."""

from __future__ import annotations

import inspect
from collections import Counter
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import qae_theory
from qae_theory.proofs.contract.agreement.comparison import agreement
from qae_theory.proofs.contract.shipped_agrees import TIES
from tests.mutation.bends import changes
from tests.mutation.bends.bend import Bend, bent, draw, every_bend, install, replace_code
from tests.mutation.bends.call import Call
from tests.mutation.bends.conditions import OF_FUNCTION, Condition
from tests.mutation.forking import forked


def named(function: str, condition: str, change: str) -> Bend:
    """The bend of these words."""
    found = [bend for bend in every_bend(function) if (bend.condition.says, bend.change.says) == (condition, change)]
    assert len(found) == 1
    return found[0]


KNOWN = (
    ("quantile_baseline", "G > 50", "a rank off by one"),
    ("advantages", "G > 50", "a rank off by one"),
    ("quantile_baseline", "K is a float and G > 50", "K read as its binary value"),
    ("advantages", "K is a float", "K read as its binary value"),
    ("advantages", "a mask and G > 16", "mask is ignored"),
    ("advantages", "three axes", "the first of its batch for all"),
    ("entropy", "four axes", "the first of its batch for all"),
    ("first_order_entropy_change", "n > 400", "1e-6 too large"),
    ("group_objective", "G > 400", "1e-6 too large"),
)


@pytest.mark.slow
@pytest.mark.parametrize("words", KNOWN, ids=lambda words: f"{words[0]}: {words[2]} | {words[1]}")
def test_known_kinds_are_found_by_the_plan(words: tuple[str, str, str]) -> None:
    bend = named(*words)
    tie = next(tie for tie in TIES if tie.function == bend.function)
    for cell in tie.cells(True):
        cell.expected  # noqa: B018 - worked out here, so that the child only compares

    def child(_: str) -> int:
        install(bend)
        return 0 if agreement(tie.shipped, tie.cells(True)).passed else 9

    assert dict(forked([bend.name], child, at_once=1, deadline=lambda _: 600)) == {bend.name: 9}


def test_the_draw_is_large_fixed_and_of_all_functions() -> None:
    bends = draw()
    assert len({bend.name for bend in bends}) >= 400
    assert [bend.name for bend in bends] == [bend.name for bend in draw()]
    assert {bend.function for bend in bends} == {tie.function for tie in TIES}
    often = Counter(bend.function for bend in bends)
    assert all(often[name] >= min(10, len(every_bend(name))) for name in often)


def test_all_public_names_can_be_bent() -> None:
    assert set(qae_theory.__all__) <= set(OF_FUNCTION) == {tie.function for tie in TIES}


def sample(x: Any, *, scale: float = 2.0) -> Any:
    """Twice the data."""
    if np.ndim(x) != 1:
        raise ValueError("x must be a vector")
    return np.asarray(x) * scale


def copy_of(function: FunctionType) -> FunctionType:
    copied = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    copied.__kwdefaults__ = dict(function.__kwdefaults__)
    return copied


def test_a_bend_is_wrong_only_where_its_condition_holds_and_lets_errors_through() -> None:
    function: Any = copy_of(sample)  # type: ignore[arg-type]
    before = inspect.signature(function)
    long = Condition("more than two", lambda call: len(call["x"]) > 2)
    replace_code(function, lambda original: bent(original, Bend("sample", long, changes.OFF_BY_ONE)))
    assert function([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert function([1.0, 2.0, 3.0]).tolist() == [3.0, 5.0, 7.0]
    assert function([1.0, 2.0, 3.0], scale=1).tolist() == [2.0, 3.0, 4.0]
    assert inspect.signature(function) == before
    with pytest.raises(ValueError, match="x must be a vector"):
        function([[1.0, 2.0, 3.0]])


def test_a_condition_that_cannot_be_asked_changes_nothing() -> None:
    function: Any = copy_of(sample)  # type: ignore[arg-type]
    never = Condition("no such argument", lambda call: call["y"] > 2)
    replace_code(function, lambda original: bent(original, Bend("sample", never, changes.OFF_BY_ONE)))
    assert function([1.0]).tolist() == [2.0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (changes.FACTOR, [1 + 1e-6, 2 + 2e-6, 3 + 3e-6]),
        (changes.OFF_BY_ONE, [2, 3, 4]),
        (changes.SIGN, [-1, -2, -3]),
        (changes.NEIGHBOUR, [3, 1, 2]),
        (changes.LAST_LOST, [1, 2, 1]),
    ],
)
def test_changes(change: Any, expected: list[float]) -> None:
    changed = change.make(Call({}), np.array([1.0, 2.0, 3.0]), None)
    np.testing.assert_allclose(changed, expected, rtol=1e-15)
    assert changed.dtype == np.float64
