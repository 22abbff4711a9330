"""Write one input in many ways: sizes, quantile levels, types, leading axes, memory layouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import read_only

LARGEST_GROUP, MOST_ARMS = 4096, 151_936
# Leading axes: none to three, and empty ones.
BATCHES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 3), (2, 1, 2), (0,), (2, 0))
LAYOUTS = ("plain", "strided", "backwards", "transposed", "broadcast", "nested lists")
# Types that hold 0 and 1; the first eight hold -1 too, the first six any rewards, once these are rounded to them.
TYPES = ("float64", "float32", "float16", "longdouble", ">f8", "mixed objects", "int64", "int8", "uint8", "bool")
SIGNED_TYPES, REAL_TYPES = TYPES[:8], TYPES[:6]


def near_powers(limit: int) -> tuple[int, ...]:
    """Return every power of two up to a limit with its neighbours, and the limit."""
    found = {limit}
    power = 1
    while power <= 2 * limit:
        found.update(size for size in (power - 1, power, power + 1) if 1 <= size <= limit)
        power *= 2
    return tuple(sorted(found))


# Beside the powers of two, sizes at which K G is an integer for decimal levels: there binary floats go wrong.
GROUP_SIZES = tuple(sorted({*near_powers(LARGEST_GROUP), 6, 10, 20, 24, 50, 51, 100, 101, 400, 401, 1000, 2000, 4000}))
ARMS = tuple(sorted({*near_powers(MOST_ARMS), 6, 50, 300, 401, 1000, 3000, 50_000, MOST_ARMS - 1}))
# In a quick plan one of a large power of two and its neighbours, each kind of neighbour in turn.
FEWER_ARMS = tuple(n for n in ARMS if n <= 4096 or n in (8191, 16_384, 32_769, 65_535, 131_072, MOST_ARMS))


def arms_of(quick: bool) -> tuple[int, ...]:
    """Return sizes of policies, the largest first."""
    return tuple(reversed(FEWER_ARMS if quick else ARMS))


class Level(NamedTuple):
    """Hold a quantile level as it is given, and what it means."""

    given: Any
    means: Fraction


def level(given: Any) -> Level:
    """Return a level with its meaning; a float means the decimal that it prints as."""
    written = isinstance(given, (str, Fraction, Decimal))
    return Level(given, Fraction(given) if written else Fraction(str(given)))


LEVELS = tuple(
    level(given)
    for given in (
        *("0.4", 0.4, Fraction(2, 5), "2/5", 0.8, 0.55, "0.55", 0.9, 0.6, 0.3, 0.7, 0.1, 0.2, 1 / 3, Fraction(1, 3)),
        *(1 - 1 / 10**6, Fraction(999_999, 10**6), 1e-6, 0.6666666666666667, Decimal("0.8"), np.float64(0.55)),
        *(0.85, 0.95, 0.35, "1e-3", np.float32(0.4), 0.5, 0.25, 0.75),
    )
)


def levels_at_edge(size: int) -> list[Level]:
    """Return levels whose K G is an integer, as Fractions, texts and, where a float prints so, as floats."""
    places = {1, size // 3, size // 2, (2 * size) // 5, (4 * size) // 5, (9 * size) // 10, size - 1}
    found: list[Level] = []
    for place in sorted(places & set(range(1, size))):
        exact = Fraction(place, size)
        found += [level(exact), level(f"{place}/{size}")]
    decimals = (0.1, 0.2, 0.3, 0.35, 0.4, 0.55, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    return found + [level(x) for x in decimals if (Fraction(str(x)) * size).denominator == 1]


def as_type(values: Array, name: str) -> Any:
    """Return float64 values in another type; what it cannot hold is rounded to what it holds."""
    if name == "mixed objects" and values.size:  # integers and floats side by side, as a caller's list has them
        mixed = np.empty(values.shape, dtype=object)
        for place in np.ndindex(values.shape):
            x = float(values[place])
            mixed[place] = int(x) if x.is_integer() and place[-1] % 2 else x
        return mixed
    if name == "mixed objects":
        return values
    return values.astype(np.longdouble if name == "longdouble" else name)


def laid_out(values: Any, layout: str) -> Any:
    """Return an array with the same entries, laid out in memory in another way."""
    if layout == "nested lists" and values.size:
        return values.tolist() if values.dtype.kind not in "fO" or values.dtype == np.float64 else read_only(values)
    if layout == "strided":
        wide = np.empty((*values.shape[:-1], 2 * values.shape[-1]), dtype=values.dtype)
        wide[..., ::2], wide[..., 1::2] = values, values[..., :1]
        return read_only(wide[..., ::2])
    if layout == "backwards":
        return read_only(values[..., ::-1].copy()[..., ::-1])
    if layout == "transposed":
        return read_only(np.asfortranarray(values))
    if layout == "broadcast" and values.ndim >= 2:
        return read_only(np.broadcast_to(values[..., :1, :], values.shape))
    return read_only(values)


def entries(values: Any, shape: tuple[int, ...]) -> Array:
    """Return what a laid-out argument holds, in float64, for the reference."""
    return np.asarray(values, dtype=np.float64).reshape(shape)


def in_rows(vectors: Sequence[Array], numbers: Sequence[Array] = ()) -> tuple[tuple[int, ...], Iterator[Any]]:
    """Broadcast the leading axes of arguments to one batch.

    Args:
        vectors: arrays ``[..., n]``, each with a last axis of its own.
        numbers: arrays ``[...]``.

    Returns:
        The batch's shape, and its rows one after another: a vector, respectively a number, of each argument.
    """
    batch = np.broadcast_shapes(*(x.shape[:-1] for x in vectors), *(x.shape for x in numbers))
    columns: list[Array] = [np.broadcast_to(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1]) for x in vectors]
    columns += [np.broadcast_to(x, batch).ravel() for x in numbers]
    return batch, zip(*columns, strict=True)


def draws(dimensions: int, count: int, seed: int) -> Array:
    """Return points of a scrambled Halton sequence in the unit cube, ``[count, dimensions]``."""
    from scipy.stats import qmc  # half a second to import

    return np.asarray(qmc.Halton(d=dimensions, rng=np.random.default_rng(seed)).random(count))


def pick(choices: Sequence[Any], at: float) -> Any:
    """Return the choice at a place of [0, 1)."""
    return choices[min(int(at * len(choices)), len(choices) - 1)]
