"""The evidence about the override fails where it should: on no number, on another shape, on a number that is off."""

from __future__ import annotations

import numpy as np
import pytest

from llm_validation.train import agreement
from llm_validation.train.agreement import CASES, reference_advantages
from qae_theory.arrays import Array
from qae_theory.claims.model import Effort, Finding

REWARDS = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, np.nan, 0.0]])


def finding(advantages: Array, monkeypatch: pytest.MonkeyPatch) -> Finding:
    monkeypatch.setattr(agreement, "one_step", lambda number: (REWARDS, advantages))
    return agreement._agrees(Effort(quick=True))


def right() -> Array:
    return reference_advantages(REWARDS, CASES[0])


def test_the_exact_advantages_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "CASES", CASES[:1])
    assert finding(right(), monkeypatch).passed


@pytest.mark.parametrize("place", [(0, 0), (1, 1), (1, 2)])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.5])
def test_one_wrong_advantage_is_found(place: tuple[int, int], wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "CASES", CASES[:1])
    advantages = right()
    advantages[place] = wrong
    found = finding(advantages, monkeypatch)
    assert not found.passed
    assert str(list(place)) in found.detail


def test_another_shape_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "CASES", CASES[:1])
    found = finding(np.zeros((2, 3)), monkeypatch)
    assert not found.passed
    assert "shape (2, 3), not (2, 4)" in found.detail
