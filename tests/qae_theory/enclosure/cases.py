"""Instances (logits, direction, step size), ordinary and adversarial, in batches of one length.

Every float64 may come up: subnormals, ties, gaps and offsets up to 1.8e308, spreads from 5e-324 to the largest, steps
of both signs. A batch is drawn kind by kind from one generator, so that a number of instances and a seed name them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
LARGEST, SMALLEST = np.finfo(np.float64).max, 5e-324


class Batch(NamedTuple):
    """Rows ``[m, n]`` of logits and directions, steps ``[m]``."""

    logits: Array
    direction: Array
    step_size: Array


def generator(suite: int, number: int) -> np.random.Generator:
    """Return draws that no other test shares, if each module of tests has a suite of its own."""
    return np.random.default_rng(np.random.SeedSequence(20260923, spawn_key=(suite, number)))


def ordinary(rng: np.random.Generator, count: int, *, most_arms: int = 12) -> Iterator[Batch]:
    """Policies from flat to peaked, dense and sampled directions, steps from 1e-6 to 10."""
    for size in _portions(count):
        n = int(rng.integers(1, most_arms + 1))
        z = _pick(rng, size, [_normal(0.0, 3.0), _normal(0.0, 0.1), _zipf, _peaked(40.0)], n)
        d = _pick(rng, size, [_normal(0.0, 1.0), _uniform, _sampled_group, _few], n)
        eta = rng.choice([-1.0, 1.0], size) * 10.0 ** rng.uniform(-6, 1, size)
        yield Batch(z, d, eta)


def adversarial(rng: np.random.Generator, count: int, *, most_arms: int = 6) -> Iterator[Batch]:
    """Numbers at the ends of float64 and where rounding bites, in every combination."""
    for size in _portions(count):
        n = int(rng.integers(1, most_arms + 1))
        z = _pick(rng, size, LOGITS, n)
        d = _pick(rng, size, DIRECTIONS, n)
        yield Batch(z, d, _steps(rng, d))


def vocabulary(rng: np.random.Generator, count: int, *, arms: int = 151_936) -> Iterator[Batch]:
    """One row at a time of a vocabulary's length: flat, Zipf and peaked, with dense, sampled and offset directions."""
    kinds = [_normal(0.0, 1.0), _normal(0.0, 4.0), _zipf, _peaked(40.0), _peaked(700.0), _nearly_equal]
    moves = [_normal(0.0, 1.0), _sampled_group, _few, _normal(1e6, 1.0), _scaled(_normal(0.0, 1.0), 1e-300)]
    for _ in range(count):
        z, d = _pick(rng, 1, kinds, arms), _pick(rng, 1, moves, arms)
        spread = max(float(np.ptp(d)), SMALLEST)
        reach = 10.0 ** rng.uniform(-9, 1.5)
        yield Batch(z, d, np.array([rng.choice([-1.0, 1.0]) * min(reach / spread, LARGEST)]))


Kind = Callable[[np.random.Generator, int], Array]


def _portions(count: int) -> Iterator[int]:
    """Batch sizes that add up to the count."""
    for start in range(0, count, 250):
        yield min(250, count - start)


def _pick(rng: np.random.Generator, size: int, kinds: list[Kind], n: int) -> Array:
    rows = [kinds[int(rng.integers(len(kinds)))](rng, n) for _ in range(size)]
    return np.array(rows, dtype=np.float64).reshape(size, n)


def _normal(mean: float, scale: float) -> Kind:
    return lambda rng, n: mean + scale * rng.normal(size=n)


def _uniform(rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-1, 1, n)


def _zipf(rng: np.random.Generator, n: int) -> Array:
    return -rng.uniform(0.5, 2.0) * np.log(rng.permutation(n) + 1.0)


def _peaked(most: float) -> Kind:
    def draw(rng: np.random.Generator, n: int) -> Array:
        z = rng.normal(size=n)
        z[rng.integers(n)] += rng.uniform(0, most)
        return z

    return draw


def _nearly_equal(rng: np.random.Generator, n: int) -> Array:
    return rng.choice([0.0, 1.0, -3.5, 1e6]) + 10.0 ** rng.uniform(-17, -3) * rng.normal(size=n)


def _scaled(kind: Kind, factor: float) -> Kind:
    return lambda rng, n: factor * kind(rng, n)


def _powers(lowest: float, highest: float) -> Kind:
    """Signed powers of ten between two exponents, each entry of its own size."""
    return lambda rng, n: rng.choice([-1.0, 0.0, 1.0], n, p=[0.4, 0.2, 0.4]) * 10.0 ** rng.uniform(lowest, highest, n)


def _one_power(lowest: float, highest: float) -> Kind:
    """Normal numbers in one unit, a power of ten."""
    return lambda rng, n: rng.normal(size=n) * 10.0 ** rng.uniform(lowest, highest)


def _equal(rng: np.random.Generator, n: int) -> Array:
    return np.full(n, rng.choice([0.0, 0.1, -3.5, 1e6, -LARGEST, SMALLEST]))


def _integers(rng: np.random.Generator, n: int) -> Array:
    return rng.integers(-3, 4, n).astype(np.float64) * rng.choice([1.0, 100.0, 2.0**53, 2.0**60])


def _ties(rng: np.random.Generator, n: int) -> Array:
    return rng.choice(rng.normal(size=2) * rng.choice([1.0, 30.0, 750.0]), n)


def _neighbours(rng: np.random.Generator, n: int) -> Array:
    """Numbers a few units in the last place apart."""
    start = float(rng.choice([0.1, 1.0, -7.3, 1e300, 2.0**53, 1e-300]))
    return start + np.spacing(start) * rng.integers(-3, 4, n)


def _subnormal(rng: np.random.Generator, n: int) -> Array:
    return SMALLEST * rng.integers(-5, 6, n).astype(np.float64)


def _ends(rng: np.random.Generator, n: int) -> Array:
    pool = [-LARGEST, -1e308, -1e300, -745.0, -708.0, -1.0, 0.0, 1.0, 700.0, 745.2, 800.0, 1e16, 1e300, 1e308, LARGEST]
    return rng.choice(pool, n)


def _sampled_group(rng: np.random.Generator, n: int) -> Array:
    """A group's step on a few responses, the rest pushed by the policy's share of a flat policy."""
    d = np.full(n, -rng.normal() / n)
    for y in rng.integers(0, n, 8):
        d[y] += rng.choice([-0.5, 0.25, 1.5]) / 8
    return d


def _few(rng: np.random.Generator, n: int) -> Array:
    d = np.zeros(n)
    d[rng.integers(0, n, 2)] = rng.normal(size=2)
    return d


LOGITS: list[Kind] = [
    _normal(0.0, 3.0), _nearly_equal, _peaked(800.0), _equal, _integers, _ties, _neighbours, _subnormal, _ends,
    _powers(-320, 3), _one_power(-320, 3), _one_power(290, 307), _zipf,
]  # fmt: skip
DIRECTIONS: list[Kind] = [
    _normal(0.0, 1.0), _sampled_group, _few, _equal, _integers, _ties, _neighbours, _subnormal, _ends,
    _powers(-320, 300), _powers(-3, 3), _one_power(-320, 307), _normal(1e6, 1.0), _normal(1e300, 1e285),
]  # fmt: skip


def _steps(rng: np.random.Generator, d: Array) -> Array:
    """Half of them made so that the step has a size of interest; the others of any size."""
    size = len(d)
    with np.errstate(over="ignore"):
        spread = np.clip(d.max(axis=1) / 2 - d.min(axis=1) / 2, SMALLEST, LARGEST)
        fitted = 10.0 ** rng.uniform(-9, 3.2, size) / spread / 2
    free = 10.0 ** rng.uniform(-323, 308, size)
    named = rng.choice([0.0, SMALLEST, 1e-310, 1e-3, 0.5, 1.0, 1e280, 1e300, LARGEST], size)
    eta = np.select([rng.random(size) < 0.6, rng.random(size) < 0.5], [fitted, free], named)
    return np.clip(eta, 0.0, LARGEST) * rng.choice([-1.0, 1.0], size)
