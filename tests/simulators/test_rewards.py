"""DAPO's rewards against their formula, with plain loops and Fractions."""

from __future__ import annotations

from fractions import Fraction as F
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from pydantic import ValidationError

from simulators import Update
from simulators.rewards import shaped_rewards


def overlong(length: int, limit: int, cache: int) -> F:
    """Eq. 13 of arXiv 2503.14476, its three cases."""
    if length <= limit - cache:
        return F(0)
    return F(limit - cache - length, cache) if length <= limit else F(-1)


@given(st.integers(1, 40), st.integers(1, 30), st.data(), st.booleans())
def test_overlong_penalty(length: int, limit: int, data: st.DataObject, signed: bool) -> None:
    cache = data.draw(st.integers(1, limit))
    update = Update.model_validate(
        {"signed_rewards": signed, "overlong": {"max_length": limit, "cache": cache}, "group_size": 2}
    )
    for correct in (0, 1):
        found = shaped_rewards(np.array([float(correct)]), np.array([length]), update)
        base = 2 * correct - 1 if signed else correct
        assert abs(float(found[0]) - float(base + overlong(length, limit, cache))) < 1e-15


def test_the_penalty_at_its_corners() -> None:
    update = Update.model_validate({"overlong": {"max_length": 10, "cache": 4}})
    penalties = shaped_rewards(np.zeros(5), np.array([6, 7, 8, 10, 50]), update)
    assert penalties.tolist() == [0.0, -0.25, -0.5, -1.0, -1.0]
    shifted = Update.model_validate({"overlong": {"max_length": 11, "cache": 4}})
    assert shaped_rewards(np.zeros(5), np.array([6, 7, 8, 10, 50]), shifted).tolist() != penalties.tolist()


def test_without_switches_rewards_stay() -> None:
    rewards = np.array([0.0, 1.0])
    assert shaped_rewards(rewards, np.array([1, 99]), Update()).tolist() == [0.0, 1.0]
    assert shaped_rewards(rewards, np.array([1, 99]), Update(signed_rewards=True)).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ({"max_length": 4, "cache": 5}, "cache"),
        ({"max_length": 0, "cache": 1}, "max_length"),
        ({"max_length": 4, "cache": 0}, "cache"),
        ({"max_length": 4}, "cache"),
        ({"max_length": 4, "cache": 2, "slope": 1}, "slope"),
    ],
)
def test_bad_penalties_are_refused(bad: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Update.model_validate({"overlong": bad})
