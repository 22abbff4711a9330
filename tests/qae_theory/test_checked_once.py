"""An argument is read and checked once on its way through the package, however many functions it passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import qae_theory as q
from qae_theory import array_arguments, objective

CALLS: dict[str, tuple[str, Callable[[], Any]]] = {
    "advantages": ("rewards", lambda: q.advantages([[1, 0, 0, 1]] * 3, "qae")),
    "advantages of a rule for 0/1": ("rewards", lambda: q.advantages([1, 0, 0, 1], "pos_mask")),
    "advantages with a mask": ("rewards", lambda: q.advantages([1, 0, 0], "grpo", mask=[True, True, False])),
    "expected_entropy_change": ("logits", lambda: q.expected_entropy_change([0.0, 2.0], [1, 0], 2, "qae", 0.1)),
    "expected_entropy_change, 0/1": ("logits", lambda: q.expected_entropy_change([0.0, 2.0], [1, 0], 2, "psr", 0.1)),
    "masked_objective": ("rewards", lambda: objective.masked_objective([1.0, 1.0], [1, 0], "qae")),
    "entropy_change": ("logits", lambda: q.entropy_change([0.0, 2.0], [1.0, 0.0], 0.5)),
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an argument of each name has been read."""
    found: Counter[str] = Counter()
    original = array_arguments.number_array

    def counted(name: str, value: Any, allowed: str) -> Any:
        found[name] += 1
        return original(name, value, allowed)

    monkeypatch.setattr(array_arguments, "number_array", counted)
    return found


@pytest.mark.parametrize("case", CALLS)
def test_an_argument_is_read_once(case: str, read: Counter[str]) -> None:
    argument, call = CALLS[case]
    call()
    assert read[argument] == 1


def test_two_public_calls_read_it_twice(read: Counter[str]) -> None:
    q.entropy([0.0, 1.0])
    q.self_covariance([0.0, 1.0])
    assert read["logits"] == 2
