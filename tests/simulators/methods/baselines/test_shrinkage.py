"""EBPO and the James-Stein baseline against plain rationals; EBPO's gain against claim `ebpo`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from qae_theory.group_expectation import gain
from simulators.methods import get_method
from simulators.outcomes import outcome_table
from tests.assertions import refuses

BATCHES = st.integers(1, 6).flatmap(
    lambda queries: st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=queries, max_size=queries)
)
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def plain(batch: list[list[int]], share: Fraction) -> list[list[Fraction]]:
    """The definition, group by group."""
    means = [Fraction(sum(group), len(group)) for group in batch]
    result = []
    for q, group in enumerate(batch):
        rest = [m for i, m in enumerate(means) if i != q]
        towards = sum(rest) / len(rest) if rest else means[q]
        result.append([r - (1 - share) * means[q] - share * towards for r in group])
    return result


def plain_variances(batch: list[list[int]]) -> tuple[Fraction, Fraction, Fraction]:
    """sigma^2 / G, the sum of squares of the means around theirs, and the number of groups."""
    size = len(batch[0])
    means = [Fraction(sum(group), size) for group in batch]
    within = Fraction(0)
    for group, mean in zip(batch, means, strict=True):
        within += sum((r - mean) ** 2 for r in group) / (size - 1)
    centre = sum(means) / len(means)
    return within / len(batch) / size, sum((m - centre) ** 2 for m in means), Fraction(len(batch))


def plain_share(batch: list[list[int]], kind: str) -> Fraction:
    noise, spread, queries = plain_variances(batch)
    if queries == 1:
        return Fraction(0)
    if kind == "james_stein":
        return Fraction(0) if spread == 0 else min(Fraction(1), max(queries - 3, Fraction(0)) * noise / spread)
    between = max(spread / (queries - 1) - noise, Fraction(0))
    return Fraction(0) if noise + between == 0 else noise / (noise + between)


@given(batch=BATCHES, name=st.sampled_from(["ebpo", "james_stein"]))
@settings(max_examples=80)
def test_estimated_shrinkage_is_the_plain_one(batch: list[list[int]], name: str) -> None:
    wanted = [[float(a) for a in group] for group in plain(batch, plain_share(batch, name))]
    np.testing.assert_allclose(get_method(name).advantages(np.array(batch, dtype=float)), wanted, **CLOSE)


@given(batch=BATCHES, quarters=st.integers(0, 4))
@settings(max_examples=40)
def test_constant_shrinkage_is_the_plain_one(batch: list[list[int]], quarters: int) -> None:
    """Exactly: means of four 0/1 rewards and quarters of them are exact in binary, but for the others' mean."""
    wanted = [[float(a) for a in group] for group in plain(batch, Fraction(quarters, 4))]
    found = get_method("ebpo", shrinkage=quarters / 4).advantages(np.array(batch, dtype=float))
    np.testing.assert_allclose(found, wanted, **CLOSE)


def test_without_shrinkage_it_is_dr_grpo() -> None:
    batch = np.random.default_rng(1).integers(0, 2, (2, 3, 5)).astype(float)
    wanted = get_method("dr_grpo").advantages(batch)
    np.testing.assert_allclose(get_method("ebpo", shrinkage=0).advantages(batch), wanted, **CLOSE)
    alone = get_method("james_stein").advantages(batch)  # three groups are too few to shrink
    np.testing.assert_allclose(alone, wanted, **CLOSE)
    assert not np.allclose(get_method("ebpo").advantages(batch), wanted)


def test_mini_batches_and_lone_groups() -> None:
    batch = np.random.default_rng(2).integers(0, 2, (2, 5, 6)).astype(float)
    for name in ("ebpo", "james_stein"):
        method = get_method(name)
        together = method.advantages(batch)
        np.testing.assert_array_equal(together, [method.advantages(part) for part in batch])
        np.testing.assert_array_equal(method.advantages(batch[0, 0]), method.advantages(batch[0, :1])[0])


@pytest.mark.parametrize("size", [2, 5, 16])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("prior", [0.0, 0.6])
def test_gain_is_that_of_the_claim(size: int, share: float, prior: float) -> None:
    """w = 1 - (1 - S)/G whatever the prior: above the gain of the group's mean, so that entropy moves faster."""
    table = outcome_table(get_method("ebpo", shrinkage=share, prior=prior), size)
    for p in (0.1, 0.5, 0.93):
        assert float(gain(p, table)) == pytest.approx(1 - (1 - share) / size, rel=1e-12)
        own = float(gain(p, outcome_table(get_method("dr_grpo"), size)))
        assert float(gain(p, table)) >= own - 1e-12


def test_failed_groups_are_pushed_down() -> None:
    """Unlike under GRPO: by S times the other groups' mean."""
    batch = [[0.0, 0.0], [1.0, 1.0]]
    assert get_method("ebpo", shrinkage=0.5).advantages(batch).tolist() == [[-0.5, -0.5], [0.5, 0.5]]


@pytest.mark.parametrize(
    ("option", "value"), [("shrinkage", 1.5), ("shrinkage", -0.1), ("shrinkage", "much"), ("prior", 0.5)]
)
def test_bad_options_are_refused(option: str, value: Any) -> None:
    refuses(lambda: get_method("ebpo", **{option: value}), option, value)
    refuses(lambda: get_method("ebpo", shrinkage=0.5, prior=float("inf")), "prior", float("inf"))
    refuses(lambda: get_method("james_stein", shrinkage=0.5), "shrinkage", 0.5)
