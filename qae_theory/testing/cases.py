"""The cases that an estimator is tried on, by clause, the smallest first.

A case is a batch of rewards with the id of each response's group. Each clause is one way in which estimators of public
trainers have gone wrong. Rewards are exact: what a case says is what the exact rule gets, and what the estimator gets
is the nearest float.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

Groups = Sequence[Sequence[Fraction]]

# Group sizes of the clauses that go through every number of right responses.
SIZES = (2, 3, 4, 5, 8, 10, 16, 32)
# A level and a size at which binary floating point gets the rank wrong: .55 * 100 is 55.00000000000001.
AWKWARD_SIZE = 100


@dataclass(frozen=True)
class Case:
    """A batch of responses.

    Attributes:
        rewards: of each response, exactly.
        group_ids: of each response; responses of one group need not be neighbours.
        dtype: of the array that the estimator gets, ``float64`` or ``float32``.
    """

    rewards: tuple[Fraction, ...]
    group_ids: tuple[int, ...]
    dtype: str = "float64"


@dataclass(frozen=True)
class Clause:
    """A kind of case: its name, why estimators fail on it, and its cases from the smallest."""

    name: str
    why: str
    cases: Callable[[Fraction], Iterator[Case]]
    binary: bool  # whether all rewards are 0 and 1


def clauses() -> tuple[Clause, ...]:
    """Return all clauses, those with the plainest cases first."""
    return (
        Clause("every m", "the rank of the quantile is off by one at some number of right responses", _every_m, True),
        Clause("gate edges", "a decimal level times the size is rounded across an integer", _gate_edges, True),
        Clause("groups of one", "a group of one has no standard deviation and no others", _groups_of_one, True),
        Clause("ragged groups", "groups of different sizes are reshaped as if they had one", _ragged, True),
        Clause("shuffled ids", "responses of a group are taken to be neighbours", _shuffled, True),
        Clause("float32", "the group's mean or quantile is taken in single precision", _single_precision, True),
        Clause(
            "equal rewards",
            "equal rewards that are no binary fractions get a rounding error for a spread",
            _equal,
            False,
        ),
        Clause("penalties", "rewards of more than two levels are taken to be right or wrong", _penalties, False),
    )


def batch(groups: Groups, *, dtype: str = "float64") -> Case:
    """Return the case in which these groups lie one after the other."""
    rewards = [reward for group in groups for reward in group]
    ids = [number for number, group in enumerate(groups) for _ in group]
    return Case(tuple(rewards), tuple(ids), dtype)


def binary_group(size: int, right: int) -> tuple[Fraction, ...]:
    """Return ``right`` ones and then zeros."""
    return (Fraction(1),) * right + (Fraction(0),) * (size - right)


def _every_m(k: Fraction) -> Iterator[Case]:
    del k
    for size in SIZES:
        for right in range(size + 1):
            yield batch([binary_group(size, right)])


def _gate_edges(k: Fraction) -> Iterator[Case]:
    """Yield the groups on both sides of m = G(1 - K), at sizes where K times G is nearly or exactly an integer."""
    for size in (*range(2, 33), AWKWARD_SIZE, 128, 200):
        edge = size * (1 - k)
        for right in sorted({floor(edge) - 1, floor(edge), ceil(edge), ceil(edge) + 1}):
            if 0 <= right <= size:
                yield batch([binary_group(size, right)])


def _groups_of_one(k: Fraction) -> Iterator[Case]:
    del k
    yield batch([binary_group(1, 1)])
    yield batch([binary_group(1, 0), binary_group(4, 1)])


def _ragged(k: Fraction) -> Iterator[Case]:
    del k
    yield batch([binary_group(2, 1), binary_group(3, 1)])
    yield batch([binary_group(5, 1), binary_group(2, 1), binary_group(8, 6), binary_group(3, 3)])


def _shuffled(k: Fraction) -> Iterator[Case]:
    """Yield groups whose responses alternate, and ids that are neither sorted nor consecutive."""
    del k
    groups = [binary_group(3, 1), binary_group(3, 2)]
    yield Case(tuple(r for pair in zip(*groups, strict=True) for r in pair), (0, 1) * 3)
    far = {0: 7, 1: 3, 2: 1000}
    together = batch([binary_group(4, 1), binary_group(4, 3), binary_group(4, 2)])
    order = sorted(range(12), key=lambda place: (place * 5) % 12)
    yield Case(
        tuple(together.rewards[place] for place in order), tuple(far[together.group_ids[place]] for place in order)
    )


def _single_precision(k: Fraction) -> Iterator[Case]:
    """Yield groups in float32, the gate's edge at sizes at which ``torch.quantile`` rounds among them."""
    del k
    for size, right in ((4, 1), (8, 5), (26, 10), (32, 19), (101, 45)):
        yield batch([binary_group(size, right)], dtype="float32")


def _equal(k: Fraction) -> Iterator[Case]:
    del k
    for dtype in ("float64", "float32"):
        for size, reward in ((2, "0.1"), (3, "0.1"), (6, "0.7"), (6, "1.2"), (8, "0.7"), (7, "-1.3")):
            yield batch([(Fraction(reward),) * size], dtype=dtype)


def _penalties(k: Fraction) -> Iterator[Case]:
    """Yield DAPO's rewards: 1 and -1 with an overlong penalty in [-1, 0]."""
    del k
    levels = ("1", "-1", "-2")
    yield batch([[Fraction(level) for level in levels]])
    yield batch([[Fraction(level) for level in ("1", "0.5", "-1")]])
    sixteen = ["1"] * 4 + ["-1"] * 10 + ["-1.5", "-2"]
    yield batch([[Fraction(level) for level in sixteen]])
