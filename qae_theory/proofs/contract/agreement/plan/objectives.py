"""Make the cells of the two sides of Prop. 4.1 and of the weights: ratios and clip ranges on and off each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import Answer, Cell, around, read_only, refusal
from qae_theory.proofs.contract.agreement.plan import forms, groups
from qae_theory.proofs.contract.agreement.plan.forms import Level
from qae_theory.proofs.contract.agreement.plan.kept import kept
from qae_theory.proofs.contract.agreement.references import reference

RULES = ("grpo", "qae", "pos_mask", "neg_mask")
LOWS = (None, 0.0, 0.2, 0.5, 0.999)
HIGHS = (None, 0.0, 0.28, 1.0, 5.0, float("inf"))
# On and off the edges of the clip ranges above; as many levels as a quick reference can have.
RATIOS = np.array([0.001, 0.25, 0.5, 0.75, 0.8, 0.9, 1.0, 1.0625, 1.28, 1.5, 2.0, 3.5, 6.0, 40.0])
TOLERANCE = 2e-12
SEED = 10


@kept
def surrogate_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``clipped_surrogate``."""
    return tuple(_clipped_cells(quick, _surrogates))


@kept
def group_objective_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``group_objective``."""
    return tuple(_clipped_cells(quick, _objectives))


@kept
def weight_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``query_weights``."""
    return tuple(_weight_cells(quick))


@kept
def masked_objective_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``masked_objective``."""
    return tuple(_masked_cells(quick))


def _clip_options(low: float | None, high: float | None) -> dict[str, Any]:
    return {name: x for name, x in (("clip_low", low), ("clip_high", high)) if x is not None}


def _clips(low: float | None, high: float | None) -> tuple[Fraction, Fraction | None]:
    """Return the clip ranges in Fractions; an infinite one is None."""
    exact_low = Fraction(0.2 if low is None else low)
    high = 0.28 if high is None else high
    return exact_low, None if high == float("inf") else Fraction(high)


def _clipped_cells(quick: bool, expect: Callable[..., Answer]) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for number, size in enumerate(reversed(forms.GROUP_SIZES)):
        shape = (2, size) if number % 2 else (size,)
        low, high = LOWS[number % len(LOWS)], HIGHS[number % len(HIGHS)]
        yield _clipped_cell(expect, rng.choice(RATIOS, shape), _pushes(shape, rng), low, high, "plain", "float64")
    for point in forms.draws(6, 120 if quick else 900, SEED):
        shape = (*forms.pick(forms.BATCHES, point[0]), forms.pick(forms.GROUP_SIZES[:45], point[1]))
        layout, low, high = forms.pick(forms.LAYOUTS, point[2]), forms.pick(LOWS, point[3]), forms.pick(HIGHS, point[4])
        type_name = forms.pick(("float64", "float32", "longdouble", "float16"), point[5])
        yield _clipped_cell(expect, rng.choice(RATIOS, shape), _pushes(shape, rng), low, high, layout, type_name)
    largest = np.random.default_rng(SEED + 1)
    one = (forms.LARGEST_GROUP,)
    yield _clipped_cell(expect, largest.choice(RATIOS, one), _pushes(one, largest), 0.5, 1.0, "plain", "float64")
    many = rng.choice(RATIOS, (2200, 16))
    for low, high in ((None, None), (0.5, 1.0)):
        yield _clipped_cell(expect, many, _pushes(many.shape, rng), low, high, "plain", "float64")
    ones, pushes = [1.0, 1.0], [1.0, -1.0]
    yield refusal("ratios", [1.0, 0.0], pushes)
    yield refusal("advantages", ones, [1.0, float("nan")])
    yield refusal("clip_low", ones, pushes, clip_low=1)
    yield refusal("clip_low", ones, pushes, clip_low=-0.1)
    yield refusal("clip_high", ones, pushes, clip_high=-0.1)


def _pushes(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return np.round(16 * rng.standard_normal(shape)) / 8


def _clipped_cell(
    expect: Callable[..., Answer],
    ratios: Array,
    pushes: Array,
    low: float | None,
    high: float | None,
    layout: str,
    type_name: str,
) -> Cell:
    given = forms.laid_out(forms.as_type(ratios, type_name), layout)
    shape = ", ".join(map(str, ratios.shape))
    return Cell(
        f"{type_name} ratios [{shape}], {layout}, clip {low}, {high}",
        (given, read_only(pushes)),
        partial(expect, forms.entries(given, ratios.shape), pushes, low, high),
        _clip_options(low, high),
    )


def _surrogates(ratios: Array, pushes: Array, low: float | None, high: float | None) -> Answer:
    values = _terms(ratios, pushes, low, high)
    return around(values, 1e-15 * np.abs(values))


def _objectives(ratios: Array, pushes: Array, low: float | None, high: float | None) -> Answer:
    """Return the mean of the exact terms, each rounded once, which Fractions then add without rounding."""
    terms = _terms(ratios, pushes, low, high)
    size, flat = terms.shape[-1], terms.reshape(-1, terms.shape[-1])
    means = [float(sum(map(Fraction, row.tolist()), Fraction(0)) / size) for row in flat]
    middle = np.array(means).reshape(terms.shape[:-1])
    return around(middle, TOLERANCE * np.abs(terms).mean(axis=-1))


def _terms(ratios: Array, pushes: Array, low: float | None, high: float | None) -> Array:
    """Return the reference's clipped terms; equal pairs are worked out once."""
    clips, surrogate = _clips(low, high), reference("objective").clipped_surrogate
    known: dict[tuple[float, float], float] = {}
    values = np.empty(ratios.shape)
    flat = values.reshape(-1)
    for place, pair in enumerate(zip(ratios.ravel().tolist(), pushes.ravel().tolist(), strict=True)):
        if pair not in known:
            known[pair] = float(surrogate(Fraction(pair[0]), Fraction(pair[1]), *clips))
        flat[place] = known[pair]
    return values


def _weight_cells(quick: bool) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    sizes = (*range(1, 65), *(size for size in forms.GROUP_SIZES if size > 64))
    for number, size in enumerate(reversed(sizes)):
        for place, rule in enumerate(RULES):
            edges = forms.levels_at_edge(size)
            levels: list[Level | None] = [forms.LEVELS[(number * 3 + place * 5) % len(forms.LEVELS)]]
            if rule != "grpo" and edges:
                levels.append(edges[-1 - (number + place) % len(edges)])
            if not quick and rule != "grpo":
                levels += [None, *forms.LEVELS, *edges]
            for level in levels:
                known = [level] if level else []
                rows = groups.every_binary_group(size) if size <= 64 else groups.edge_rows(size, known, rng)
                yield _weight_cell(f"binary rewards, G = {size}", rule, rows, level, "plain", "float64")
    for point in forms.draws(6, 100 if quick else 800, SEED):
        shape = (*forms.pick(forms.BATCHES, point[0]), forms.pick(forms.GROUP_SIZES, point[1]))
        layout, type_name = forms.pick(forms.LAYOUTS, point[2]), forms.pick(forms.TYPES, point[3])
        level, rule = forms.pick(forms.LEVELS, point[4]), forms.pick(RULES, point[5])
        rows = groups.rewards("binary", shape, rng)
        yield _weight_cell(f"[{', '.join(map(str, shape))}]", rule, rows, level, layout, type_name)
    for rule in RULES:
        rows = groups.every_binary_group(16)[rng.integers(0, 17, 2200)]
        yield _weight_cell("[2200, 16]", rule, rows, forms.level("5/16"), "plain", "float64")
    yield refusal("rewards", [1, 2], "qae")
    yield refusal("rule", [1, 0], "rloo")
    yield refusal("k", [1, 0] * 40, "qae", k=1)


def _weight_cell(label: str, rule: str, rows: Array, level: Level | None, layout: str, type_name: str) -> Cell:
    given = forms.laid_out(forms.as_type(rows, type_name), layout)
    k = Fraction(2, 5) if level is None else level.means
    options = {} if level is None else {"k": level.given}
    shown = f"{rule}, {label}, {type_name}, {layout}, K = {None if level is None else level.given!r}"
    return Cell(shown, (given, rule), partial(_weights, forms.entries(given, rows.shape), rule, k), options)


def _weights(rows: Array, rule: str, k: Fraction) -> Answer:
    size, batch = rows.shape[-1], rows.shape[:-1]
    right = rows.sum(axis=-1).astype(int).ravel().tolist()
    known = {m: reference("objective").query_weights(m, size, rule, k) for m in set(right)}
    sides = []
    for side in range(2):
        values = np.array([float(known[m][side]) for m in right], dtype=np.float64).reshape(batch)
        sides.append(around(values, TOLERANCE * np.abs(values)))  # 1 - p loses digits near p = 1
    return tuple(sides)


def _masked_cells(quick: bool) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for number, size in enumerate(reversed(forms.GROUP_SIZES)):
        rule, level = RULES[number % 4], forms.LEVELS[number % len(forms.LEVELS)]
        rows = groups.edge_rows(size, [level], rng)[: 9 if size <= 512 else 3]
        low, high = LOWS[number % len(LOWS)], HIGHS[(number // 2) % len(HIGHS)]
        yield _masked_cell(
            f"edges at G = {size}", rule, rng.choice(RATIOS, rows.shape), rows, level, low, high, "plain"
        )
    # Both ends of the clip range off their defaults in the largest groups, under every rule.
    largest = np.random.default_rng(SEED + 1)
    for rule in RULES:
        rows = groups.rewards("binary", (2, forms.LARGEST_GROUP), largest)
        ratios = largest.choice(RATIOS, rows.shape)
        yield _masked_cell("the largest groups", rule, ratios, rows, forms.level("0.4"), 0.5, 1.0, "plain")
    for point in forms.draws(7, 120 if quick else 900, SEED):
        shape = (*forms.pick(forms.BATCHES, point[0]), forms.pick(forms.GROUP_SIZES[:45], point[1]))
        layout, low, high = forms.pick(forms.LAYOUTS, point[2]), forms.pick(LOWS, point[3]), forms.pick(HIGHS, point[4])
        level, rule = forms.pick(forms.LEVELS, point[5]), forms.pick(RULES, point[6])
        ratios = rng.choice(RATIOS, shape)
        if len(shape) > 1 and shape[0] and point[5] < 0.3:
            ratios = ratios[0]  # rewards with an axis more than the ratios
        label = f"[{', '.join(map(str, shape))}]"
        yield _masked_cell(label, rule, ratios, groups.rewards("binary", shape, rng), level, low, high, layout)
    place = rng.integers(0, 7, 2200)
    few, rows = rng.choice(RATIOS, (7, 16)), groups.rewards("binary", (7, 16), rng)
    for rule in RULES:
        level = forms.level(Fraction(5, 16))
        rows[:3] = groups.edge_rows(16, [level], rng)[2:5]
        for low, high in ((None, None), (0.5, 1.0)):
            yield _masked_cell("[2200, 16]", rule, few[place], rows[place], level, low, high, "plain")
    for number, size in enumerate((10, 20, 33, 50, 64, 100, 200, 400)):
        levels = [level for level in forms.levels_at_edge(size) if isinstance(level.given, float)] or [forms.LEVELS[4]]
        for i, layout in enumerate(("nested lists", "plain", "strided")):
            level, rule = levels[(number + i * 5) % len(levels)], RULES[1 + (number + i) % 3]
            rows = groups.edge_rows(size, [level], rng)
            low, high = LOWS[(number + i) % len(LOWS)], HIGHS[(number + 2 * i) % len(HIGHS)]
            yield _masked_cell(
                f"edges at G = {size}", rule, rng.choice(RATIOS, rows.shape), rows, level, low, high, layout
            )
    ones = [1.0, 1.0]
    yield refusal("ratios", [1.0, -1.0], [1, 0], "qae")
    yield refusal("rewards", ones, [1, 0, 0], "qae")
    yield refusal("rule", ones, [1, 0], "rloo")
    yield refusal("clip_low", ones, [1, 0], "qae", clip_low=1)
    yield refusal("clip_high", ones, [1, 0], "qae", clip_high=None)


def _masked_cell(
    label: str,
    rule: str,
    ratios: Array,
    rows: Array,
    level: Level,
    low: float | None,
    high: float | None,
    layout: str,
) -> Cell:
    given = forms.laid_out(ratios, layout)
    held = forms.entries(given, ratios.shape)
    shown = f"{rule}, {label}, {layout}, K = {level.given!r}, clip {low}, {high}"
    options = {"k": level.given, **_clip_options(low, high)}
    expect = partial(_masked, held, rows, rule, level.means, low, high)
    return Cell(shown, (given, read_only(rows), rule), expect, options)


def _masked(ratios: Array, rows: Array, rule: str, k: Fraction, low: float | None, high: float | None) -> Answer:
    batch, pairs = forms.in_rows((ratios, rows))
    clips, values, sizes = _clips(low, high), [], []
    known: dict[bytes, tuple[float, float]] = {}
    for x, r in pairs:
        key = x.tobytes() + r.tobytes()
        if key not in known:
            exact = [Fraction(value) for value in x.tolist()]
            value = float(reference("objective").masked_objective(exact, r.tolist(), rule, k, *clips))
            weights = reference("objective").query_weights(int(r.sum()), len(r), rule, k)
            known[key] = value, float(sum(weights)) * float(np.abs(x).max() + 2)
        values.append(known[key][0])
        sizes.append(known[key][1])
    middle = np.array(values, dtype=np.float64).reshape(batch)
    return around(middle, TOLERANCE * np.array(sizes, dtype=np.float64).reshape(batch))
