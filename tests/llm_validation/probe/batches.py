"""Batches of ragged groups in any order: what an estimator of a training engine is given, and what it must return."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

from qae_theory import advantages
from tests import oracles, strategies

# Half a unit in the last place of float32, and what float64 adds before that rounding.
ONE_ROUNDING = 2.0**-24 * (1 + 1e-7)
BINARY = ("pos_mask", "neg_mask")


class Batch(NamedTuple):
    """Scores, exact in float32, and the group of each."""

    scores: list[Fraction]
    index: list[Hashable]

    def array(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.array([float(x) for x in self.scores], dtype=np.float32)

    def ids(self) -> np.ndarray[Any, np.dtype[Any]]:
        """As verl has them: an object array."""
        array = np.empty(len(self.index), dtype=object)
        array[:] = self.index
        return array

    def rows(self) -> dict[Hashable, list[int]]:
        """Places of each group's responses."""
        places: dict[Hashable, list[int]] = {}
        for place, name in enumerate(self.index):
            places.setdefault(name, []).append(place)
        return places

    def map_groups(self, function: Callable[[list[Fraction]], Sequence[Any]]) -> list[Any]:
        """``function`` of each group's scores, put back in the rows' order."""
        result: list[Any] = [None] * len(self.scores)
        for places in self.rows().values():
            for place, value in zip(places, function([self.scores[i] for i in places]), strict=True):
                result[place] = value
        return result


def names() -> st.SearchStrategy[Hashable]:
    """Ids of one type or another, uid strings above all."""
    return st.one_of(uids(), uids(), st.text(), st.integers(), st.none(), st.tuples(st.integers(), st.text()))


def uids() -> st.SearchStrategy[str]:
    """Ids as verl's trainer makes them."""
    return st.uuids().map(str)


@st.composite
def batches(
    draw: st.DrawFn,
    groups: st.SearchStrategy[list[Fraction]] | None = None,
    *,
    max_groups: int = 6,
    group_ids: st.SearchStrategy[Hashable] | None = None,
) -> Batch:
    """Up to ``max_groups`` groups of different sizes, their rows mixed."""
    drawn = draw(st.lists(strategies.groups() if groups is None else groups, min_size=1, max_size=max_groups))
    ids = draw(
        st.lists(names() if group_ids is None else group_ids, min_size=len(drawn), max_size=len(drawn), unique=True)
    )
    rows = [(score, name) for group, name in zip(drawn, ids, strict=True) for score in group]
    mixed = draw(st.permutations(rows))
    return Batch([score for score, _ in mixed], [name for _, name in mixed])


def signed(groups: st.SearchStrategy[list[Fraction]]) -> st.SearchStrategy[list[Fraction]]:
    """0/1 rewards as -1/+1."""
    return groups.map(lambda group: [2 * x - 1 for x in group])


def overlong_groups(min_size: int = 1, max_size: int = 20) -> st.SearchStrategy[list[tuple[int, Fraction]]]:
    """Responses as (right or wrong, penalty in [-1, 0]): DAPO's score is +1 or -1 plus the penalty."""
    penalty = st.one_of(st.just(Fraction(0)), st.integers(-16, 0).map(lambda i: Fraction(i, 16)))
    return st.lists(st.tuples(st.integers(0, 1), penalty), min_size=min_size, max_size=max_size)


def exact(group: Sequence[Fraction], estimator: str, **options: Any) -> list[Fraction]:
    """Advantages of one group in Fractions; ``std`` may also be "none"."""
    if options.get("std") != "none":
        return oracles.advantages(group, estimator, **options)
    size, k = len(group), options.get("k", Fraction(2, 5))
    if size < 2 or max(group) == min(group):
        return [Fraction(0)] * size
    baseline = {"grpo": lambda: oracles.mean(group), "qae": lambda: oracles.lower_quantile(group, k)}
    baseline["qae_linear"] = lambda: oracles.linear_quantile(group, k)
    if estimator in baseline:
        return [x - baseline[estimator]() for x in group]
    hard = oracles.lower_quantile(group, k) == 0
    return [
        (x if hard or estimator == "neg_mask" else Fraction(0)) - (0 if hard and estimator == "neg_mask" else 1 - x)
        for x in group
    ]


def in_float64(group: Sequence[Fraction], estimator: str, **options: Any) -> list[float]:
    """What ``qae_theory`` says of one group."""
    return [float(x) for x in advantages([float(x) for x in group], estimator, **options)]


def differing(actual: Any, expected: Sequence[Any], rel: float = ONE_ROUNDING) -> list[int]:
    """Rows that are further than ``rel`` of its size from what is expected."""
    assert len(actual) == len(expected)
    pairs = zip(actual, expected, strict=True)
    return [
        i for i, (got, want) in enumerate(pairs) if not abs(Fraction(float(got)) - Fraction(want)) <= rel * abs(want)
    ]
