"""Make the cells of functions of a policy's logits: probabilities, entropy, self-covariance, gradient, curvatures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import Cell, Within, Worth, around, read_only, refusal
from qae_theory.proofs.contract.agreement.plan import forms
from qae_theory.proofs.contract.agreement.plan.kept import kept
from qae_theory.proofs.contract.agreement.references import reference

KINDS = (
    "gentle",
    "equal",
    "near uniform",
    "peaked",
    "Zipf",
    "two levels",
    "far",
    "large offset",
    "one-hot",
    "sorted",
    "log-probabilities",
)
TYPES = ("float64", "float32", "float16", "longdouble", ">f8", "mixed objects", "int64", "int8", "uint8", "bool")
TOLERANCE = 1e-12
# Probabilities below this have lost digits, or are 0.
UNDERFLOW = 1e-300
DIFFERENT = 24  # kinds of responses of a large policy
SEED = 6

# A reference of one policy: its values and the sizes that their errors are relative to.
Reference = Callable[[list[float]], tuple[Any, Any]]


def logits(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return logits of a kind, ``[..., n]``; a large policy has few different ones, so that the reference is quick."""
    arms = shape[-1]
    levels = rng.standard_normal((*shape[:-1], min(arms, DIFFERENT)))
    place = rng.integers(0, levels.shape[-1], arms)
    place[: levels.shape[-1]] = rng.permutation(levels.shape[-1])
    values = levels[..., place]
    if kind == "equal":
        return np.full(shape, 0.7)
    if kind == "two levels":
        return np.where(values > 0, 1.5, -0.25)
    if kind == "Zipf":
        ranks = 1.0 + np.arange(levels.shape[-1])
        return np.broadcast_to(-np.log(ranks)[place], shape).copy()
    if kind == "log-probabilities":
        return -1.0 - np.abs(values)
    if kind == "sorted":
        return np.sort(2 * values, axis=-1)
    peak = np.zeros(shape)
    peak[..., arms // 3] = 1.0
    return {
        "gentle": 1.5 * values,
        "near uniform": 1e-9 * values,
        "peaked": values + (12 + np.log(arms)) * peak,
        "far": 20 * values,
        "large offset": np.round(64 * values) / 64 + 1e6,
        "one-hot": values + 900 * peak,
    }[kind]


def drawn_logits(point: Array, arms: Sequence[int], rng: np.random.Generator) -> tuple[str, str, Array]:
    """Return a kind, a memory layout and logits of that kind, by the first four coordinates of a draw.

    Args:
        point: in the unit cube.
        arms: the sizes to choose from.
        rng: draws the logits.
    """
    size, kind = forms.pick(arms, point[0]), forms.pick(KINDS, point[1])
    batch, layout = forms.pick(forms.BATCHES, point[2]), forms.pick(forms.LAYOUTS, point[3])
    return kind, layout, logits(kind, (*batch, size), rng)


def by_logit(z: Array, draw: Callable[[int], Array]) -> Array:
    """Return one number for each response, the same for equal logits, so that the reference is quick.

    Args:
        z: logits, ``[..., n]``.
        draw: returns as many numbers as there are different logits.
    """
    levels, place = np.unique(z, return_inverse=True)
    values = draw(len(levels))
    return values[place.reshape(z.shape)] if z.size else np.zeros(z.shape)


@kept
def probability_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``probabilities``."""
    return _cells(_probabilities, quick, vector=True)


@kept
def entropy_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``entropy``."""
    return _cells(_entropy, quick)


@kept
def self_covariance_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``self_covariance``."""
    return _cells(_self_covariance, quick)


@kept
def gradient_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``entropy_gradient``."""
    return _cells(_gradient, quick, vector=True)


@kept
def curvature_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``response_curvatures``."""
    return _cells(_curvatures, quick, vector=True)


def _probabilities(z: list[float]) -> tuple[Any, Any]:
    values = nearest_floats(reference("policies").probabilities(z), z)
    return values, values


def _entropy(z: list[float]) -> tuple[Any, Any]:
    value = reference("numbers").nearest(reference("policies").entropy(z))
    return value, value


def _self_covariance(z: list[float]) -> tuple[Any, Any]:
    value = reference("numbers").nearest(reference("policies").self_covariance(z))
    return max(value, 0.0), max(value, 0.0)


def _gradient(z: list[float]) -> tuple[Any, Any]:
    """Errors are relative to a probability: log pi + H, a difference, has an error of its own terms' size."""
    probs = nearest_floats(reference("policies").probabilities(z), z)
    spread = min(max(z) - min(z), 700.0)
    return nearest_floats(reference("policies").entropy_gradient(z), z), probs * spread


def _curvatures(z: list[float]) -> tuple[Any, Any]:
    values = nearest_floats(reference("changes").response_curvatures(z), z)
    probs = nearest_floats(reference("policies").probabilities(z), z)
    spread = 1 + min(max(z) - min(z), 700.0)
    return values, spread * (probs + (probs**2).sum())


def nearest_floats(values: Sequence[Any], *columns: Sequence[float]) -> Array:
    """Return balls of responses as floats; responses that are alike in every column are converted once.

    Args:
        values: a ball for each response.
        columns: what tells responses apart, their logits first.
    """
    nearest, known, result = reference("numbers").nearest, {}, []
    for key, x in zip(zip(*columns, strict=True), values, strict=True):
        if key not in known:
            known[key] = nearest(x)
        result.append(known[key])
    return np.array(result)


def _cells(value: Reference, quick: bool, *, vector: bool = False) -> tuple[Cell, ...]:
    return (*_sizes(value, quick, vector), *_drawn(value, 110 if quick else 900, vector), *_others(value, vector))


def _cell(label: str, value: Reference, given: Any, held: Array, vector: bool) -> Cell:
    return Cell(label, (given,), partial(_expected, value, held, vector))


def _expected(value: Reference, held: Array, vector: bool) -> Within:
    """Return what the reference gives policies ``[..., n]``, row by row; equal rows are worked out once."""
    shape = held.shape if vector else held.shape[:-1]
    rows = held.reshape(-1, held.shape[-1])
    known: dict[bytes, tuple[Any, Any]] = {}
    found = []
    for row in rows:
        key = row.tobytes()
        if key not in known:
            known[key] = value(row.tolist())
        found.append(known[key])
    middle = np.array([x for x, _ in found], dtype=np.float64).reshape(shape)
    size = np.array([x for _, x in found], dtype=np.float64).reshape(shape)
    return around(middle, TOLERANCE * size + UNDERFLOW * (size > 0))


def _sizes(value: Reference, quick: bool, vector: bool) -> Iterator[Cell]:
    """Yield policies of every size, the largest first."""
    rng = np.random.default_rng(SEED)
    for number, arms in enumerate(forms.arms_of(quick)):
        for i in range(1 if quick and arms > 4096 else 2 if quick else 5):
            kind = KINDS[(number + i * 3) % len(KINDS)]
            z = logits(kind, (arms,), rng)
            yield _cell(f"{kind} logits, n = {arms}", value, read_only(z), z, vector)


def _drawn(value: Reference, count: int, vector: bool) -> Iterator[Cell]:
    """Yield draws over all the ways to write a call."""
    rng = np.random.default_rng(SEED)
    for point in forms.draws(5, count, SEED):
        kind, layout, z = drawn_logits(point, [n for n in forms.ARMS if n <= 2050], rng)
        type_name = forms.pick(TYPES, point[4])
        if type_name in TYPES[6:]:
            z = np.abs(np.round(z)) % 2 if type_name == "bool" else np.abs(np.round(z)) % 64
        if kind == "large offset" and type_name == "float16":
            z = z - 1e6
        given = forms.laid_out(forms.as_type(z, type_name), layout)
        label = f"{kind} {type_name} logits [{', '.join(map(str, z.shape))}], {layout}"
        yield _cell(label, value, given, forms.entries(given, z.shape), vector)


def _worth(value: Reference, held: list[float]) -> Worth:
    """Return what exact numbers must be worth that are these floats."""
    return Worth(np.asarray(value(held)[0], dtype=np.float64))


def _others(value: Reference, vector: bool) -> Iterator[Cell]:
    """Yield logits that are all different, many policies, and refusals."""
    rng = np.random.default_rng(SEED)
    different = rng.standard_normal(64 if vector else 2000) * 2
    yield _cell("all different logits", value, read_only(different), different, vector)
    many = logits("gentle", (5, 20), rng)[rng.integers(0, 5, 4000)]
    yield _cell("[4000, 20]", value, read_only(many), many, vector)
    squares = [0, 1, 4]  # the exponential of a Fraction's square is no rational, though its root is
    fractions = np.array([Fraction(x) for x in squares], dtype=object)
    yield Cell(f"Fractions {squares}", (fractions,), partial(_worth, value, [float(x) for x in squares]))
    bad: Any
    for bad in ([], 0.0, [0.0, float("nan")], [0.0, float("-inf")], [1j, 0], [2**53 + 1, 0], [[0.0], [0.0, 1]]):
        yield refusal("logits", bad)
