"""Hypothesis strategies for levels, groups, masks, logits, directions and batches. Their own tests are in ``meta``.

Rewards are dyadic Fractions, so that the float64 image of a group is the group itself.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np

MAX_GROUP = 20
PEAKED_GAP = 1e4
LARGEST_GAP = 1e308


class Case(NamedTuple):
    """A group with a quantile level."""

    group: list[Fraction]
    k: Fraction


class MaskedGroup(NamedTuple):
    """Rewards as floats, anything where the mask is false."""

    rewards: list[float]
    mask: list[bool]


class Query(NamedTuple):
    """Logits and 0/1 rewards with both outcomes present."""

    logits: list[float]
    arm_rewards: list[int]


def as_floats(group: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The float64 array of a group."""
    return np.array([float(x) for x in group])


def as_exact(group: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """The object array of a group's Fractions."""
    array = np.empty(len(group), dtype=object)
    array[:] = [Fraction(x) for x in group]
    return array


def levels() -> st.SearchStrategy[Fraction]:
    """Rational K in (0, 1)."""
    return st.integers(2, 40).flatmap(lambda q: st.integers(1, q - 1).map(lambda p: Fraction(p, q)))


def level_forms(k: Fraction) -> list[Any]:
    """The ways in which one may write a level: Fraction, string, and the float if it prints as that decimal."""
    forms: list[Any] = [k, f"{k.numerator}/{k.denominator}"]
    return [*forms, float(k)] if Fraction(str(float(k))) == k else forms


def binary_groups(min_size: int = 1, max_size: int = MAX_GROUP) -> st.SearchStrategy[list[Fraction]]:
    """0/1 rewards in any order, degenerate groups included; the number of correct ones is uniform."""
    return st.integers(min_size, max_size).flatmap(
        lambda size: st.integers(0, size).flatmap(
            lambda m: st.permutations([Fraction(1)] * m + [Fraction(0)] * (size - m))
        )
    )


def mixed_binary_groups(min_size: int = 2, max_size: int = MAX_GROUP) -> st.SearchStrategy[list[Fraction]]:
    """0/1 rewards with both outcomes present."""
    return binary_groups(max(2, min_size), max_size).filter(lambda group: 0 < sum(group) < len(group))


def tied_groups(min_size: int = 1, max_size: int = MAX_GROUP) -> st.SearchStrategy[list[Fraction]]:
    """Rewards from a handful of quarters, so that ties are common."""
    pool = st.lists(st.integers(-12, 12).map(lambda i: Fraction(i, 4)), min_size=1, max_size=4)
    return pool.flatmap(lambda values: st.lists(st.sampled_from(values), min_size=min_size, max_size=max_size))


def dapo_groups(min_size: int = 1, max_size: int = MAX_GROUP) -> st.SearchStrategy[list[Fraction]]:
    """DAPO's rewards: +1 or -1, plus an overlong penalty in [-1, 0], mostly none."""
    penalty = st.one_of(st.just(Fraction(0)), st.integers(-8, 0).map(lambda i: Fraction(i, 8)))
    reward = st.tuples(st.sampled_from([Fraction(1), Fraction(-1)]), penalty).map(sum)
    return st.lists(reward, min_size=min_size, max_size=max_size)


def groups(min_size: int = 1, max_size: int = MAX_GROUP) -> st.SearchStrategy[list[Fraction]]:
    """Any of the above."""
    return st.one_of(
        binary_groups(min_size, max_size), tied_groups(min_size, max_size), dapo_groups(min_size, max_size)
    )


def threshold_cases() -> st.SearchStrategy[Case]:
    """Mixed binary groups exactly on the gate's threshold, m/G = 1 - K."""
    return mixed_binary_groups().map(lambda group: Case(group, 1 - sum(group, Fraction(0)) / len(group)))


def gate_cases() -> st.SearchStrategy[Case]:
    """Mixed binary groups with a level: hard, easy, and on the threshold."""
    return st.one_of(st.builds(Case, mixed_binary_groups(), levels()), threshold_cases())


@st.composite
def masked_groups(draw: st.DrawFn, values: st.SearchStrategy[list[Fraction]] | None = None) -> MaskedGroup:
    """A group in which some rows could not be scored and hold NaN, an infinity or any number."""
    rewards = [float(x) for x in draw(groups() if values is None else values)]
    mask = draw(st.lists(st.booleans(), min_size=len(rewards), max_size=len(rewards)))
    junk = st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0, 7.5, -1e300])
    return MaskedGroup([x if keep else draw(junk) for x, keep in zip(rewards, mask, strict=True)], mask)


def gentle_logits(min_arms: int = 1, max_arms: int = 6) -> st.SearchStrategy[list[float]]:
    """Logits within 4 of 0, ties included."""
    one = st.one_of(st.integers(-4, 4).map(float), st.floats(-4, 4))
    return st.lists(one, min_size=min_arms, max_size=max_arms)


def uniform_logits(min_arms: int = 1, max_arms: int = 6) -> st.SearchStrategy[list[float]]:
    """The same logit for every arm, large or small."""
    return st.tuples(st.sampled_from([0.0, -3.5, 1e6]), st.integers(min_arms, max_arms)).map(lambda x: [x[0]] * x[1])


@st.composite
def peaked_logits(draw: st.DrawFn, min_arms: int = 2, max_arms: int = 6, gap: float = PEAKED_GAP) -> list[float]:
    """One arm ahead of the others by a gap between 1 and ``gap``, spread over all magnitudes."""
    logits = draw(gentle_logits(max(2, min_arms), max_arms))
    ahead = draw(st.integers(0, len(logits) - 1))
    logits[ahead] = max(logits) + draw(st.floats(0, float(np.log10(gap))).map(lambda x: 10.0**x))
    return logits


def huge_logits(min_arms: int = 2, max_arms: int = 6) -> st.SearchStrategy[list[float]]:
    """Logits whose gaps reach the end of float64: differences may overflow."""
    one = st.sampled_from([-LARGEST_GAP, -1e300, -700.0, 0.0, 1.0, 700.0, 1e300, LARGEST_GAP])
    return st.lists(one, min_size=min_arms, max_size=max_arms)


def logits(min_arms: int = 1, max_arms: int = 6) -> st.SearchStrategy[list[float]]:
    """Gentle, uniform or peaked logits, gaps up to 1e4."""
    return st.one_of(
        gentle_logits(min_arms, max_arms), uniform_logits(min_arms, max_arms), peaked_logits(min_arms, max_arms)
    )


def directions(arms: int) -> st.SearchStrategy[list[float]]:
    """Logit changes per unit step, of all magnitudes between 1e-6 and 1e3, zeros and constants included."""
    magnitude = st.floats(-6, 3).map(lambda x: 10.0**x)
    signed = st.tuples(st.sampled_from([-1.0, 1.0]), magnitude).map(lambda x: x[0] * x[1])
    entry = st.one_of(st.just(0.0), st.integers(-3, 3).map(float), signed)
    return st.one_of(st.lists(entry, min_size=arms, max_size=arms), entry.map(lambda x: [x] * arms))


def step_sizes() -> st.SearchStrategy[float]:
    """Steps of both signs between 1e-9 and 10, and 0."""
    magnitude = st.floats(-9, 1).map(lambda x: 10.0**x)
    return st.one_of(st.just(0.0), magnitude, magnitude.map(lambda x: -x))


@st.composite
def steps(
    draw: st.DrawFn, of_logits: st.SearchStrategy[list[float]] | None = None
) -> tuple[list[float], list[float], float]:
    """Logits, a direction for them, and a step size."""
    z = draw(logits() if of_logits is None else of_logits)
    return z, draw(directions(len(z))), draw(step_sizes())


@st.composite
def queries(draw: st.DrawFn, min_arms: int = 2, max_arms: int = 5, *, gap: float = 30.0) -> Query:
    """A query that has a right and a wrong response."""
    chosen = draw(st.one_of(gentle_logits(min_arms, max_arms), peaked_logits(min_arms, max_arms, gap)))
    right = draw(st.integers(1, 2 ** len(chosen) - 2))
    return Query(chosen, [right >> arm & 1 for arm in range(len(chosen))])


def success_probs() -> st.SearchStrategy[Fraction]:
    """Rational success probabilities in (0, 1), some close to an end."""
    near = st.integers(1, 12).map(lambda e: Fraction(1, 10**e))
    return st.one_of(levels(), near, near.map(lambda p: 1 - p))


def batch_shapes() -> st.SearchStrategy[tuple[int, ...]]:
    """Leading shapes of a batch, the empty batch included."""
    return st.lists(st.integers(0, 3), max_size=3).map(tuple)
