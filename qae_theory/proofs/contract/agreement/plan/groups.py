"""Make the cells of functions of a group's rewards: the quantile and the advantages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import Answer, Cell, Exactly, Refused, around, read_only, refusal
from qae_theory.proofs.contract.agreement.plan import forms
from qae_theory.proofs.contract.agreement.plan.forms import Level
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.agreement.references import reference

GATED = ("qae", "qae_linear", "pos_mask", "neg_mask")
STANDARDISED = ("grpo", *GATED)  # divide by a standard deviation unless told not to
UNDIVIDED = ("dr_grpo", "rloo", "psr", "nsr")  # divide only if told to
BINARY = ("psr", "nsr", "pos_mask", "neg_mask")
ESTIMATORS = ("grpo", "dr_grpo", "rloo", "qae", "qae_linear", "psr", "nsr", "pos_mask", "neg_mask")
KINDS = ("binary", "equal", "signed", "overlong", "ties", "real", "far from 0", "negative", "peaked")
MASKS = ("none", "all", "half", "most", "two", "one", "nothing")
STDS = (None, "population", "bessel", "none", "batch")
EPS = (None, 0, 1e-8, 1e-6, 1e-4, 0.1, 1.0, 10)
# Rounding of sums of up to 4096 terms, in units of the largest advantage of the group.
TOLERANCE = 2e-12
SEED = 5


@kept
def advantage_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``advantages``."""
    return (
        *_large_batches(),
        *_every_count(quick),
        *_edges(quick),
        *_drawn_advantages(260 if quick else 2000),
        *_exact_advantages(),
        *_refused_advantages(),
    )


@kept
def quantile_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``quantile_baseline``."""
    return (*_quantile_edges(quick), *_drawn_quantiles(200 if quick else 1500), *_other_quantiles())


def rewards(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return rewards of a kind, ``[..., G]``; large groups hold few levels, so that the reference is quick."""
    size = shape[-1]
    right = rng.random(shape) < rng.random((*shape[:-1], 1))
    if kind == "binary":
        return right.astype(np.float64)
    if kind == "equal":
        return np.broadcast_to(rng.choice([0.0, 1.0, 0.7, -1.2, 1e-3], size=(*shape[:-1], 1)), shape).copy()
    if kind == "signed":
        return np.where(right, 1.0, -1.0)
    if kind == "overlong":
        return np.where(right, 1.0, -1.0) + rng.choice([0, 0, 0, -0.125, -0.5, -1], size=shape)
    if kind == "ties":
        return rng.integers(-6, 7, shape) / 4
    if kind == "negative":
        return -rng.integers(1, 9, shape) / 8
    if kind == "peaked":  # one reward far above the others
        values = np.zeros(shape)
        values[..., size // 2] = 1e4
        return values
    levels = rng.standard_normal(min(size, 24))
    values = rng.standard_normal(shape) if size <= 24 else rng.choice(levels, size=shape)
    return 1000 + 1e-6 * values if kind == "far from 0" else values


def mask(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array | None:
    """Return which responses could be scored, ``[..., G]``, or None."""
    if kind == "none":
        return None
    if kind in ("half", "most"):
        return rng.random(shape) < (0.5 if kind == "half" else 0.9)
    scorable = np.zeros(shape, dtype=bool)
    many = {"all": shape[-1], "two": 2, "one": 1, "nothing": 0}[kind]
    scorable[..., shape[-1] - min(many, shape[-1]) :] = True
    return scorable


def expected_advantages(
    values: Array, scorable: Array | None, estimator: str, k: Fraction, std: str | None, eps: Fraction
) -> Answer:
    """Return what the reference gives a batch, one group after another."""
    if estimator == "rloo" and values.shape[-1] < 2:
        return Refused("rewards")
    kept = np.ones(values.shape, dtype=bool) if scorable is None else scorable
    kind: Any = std
    if std == "batch":
        kind = _deviation(tuple(sorted(Counter(values[kept].tolist()).items()))) if kept.any() else Fraction(0)
    table, size = np.zeros(values.shape), values.shape[-1]
    for out, group, counts in zip(
        table.reshape(-1, size), values.reshape(-1, size), kept.reshape(-1, size), strict=True
    ):
        scored = group[counts]
        if len(scored):
            levels, place, often = np.unique(scored, return_inverse=True, return_counts=True)
            out[counts] = np.array(_advantages(tuple(levels), tuple(often), estimator, k, kind, eps))[place.ravel()]
    return around(table, TOLERANCE * np.abs(table).max(axis=-1, keepdims=True, initial=0.0))


@remembered
def _advantages(
    levels: tuple[float, ...], often: tuple[int, ...], estimator: str, k: Fraction, std: Any, eps: Fraction
) -> list[float]:
    """Return the advantage of each level of one group."""
    exact = [Fraction(float(x)) for x in levels]
    tally = {x: int(count) for x, count in zip(exact, often, strict=True)}
    found = reference("groups").advantages(tally, estimator, k=k, std=std, eps=eps)
    return [float(found[x]) for x in exact]


def _deviation(tally: tuple[tuple[float, int], ...]) -> Fraction:
    exact = {Fraction(x): count for x, count in tally}
    return Fraction(reference("groups").deviation(exact, "bessel"))


def _advantage_cell(
    label: str,
    estimator: str,
    values: Any,
    *,
    scorable: Array | None = None,
    level: Level | None = None,
    std: str | None = None,
    eps: Any = None,
    held: Array | None = None,
) -> Cell:
    """Return a cell; an option that is None is left out. ``held``: what the argument holds, in float64."""
    options: dict[str, Any] = {}
    if level is not None and estimator in GATED:
        options["k"] = level.given
    options.update({name: x for name, x in (("std", std), ("eps", eps)) if x is not None})
    k = level.means if "k" in options and level is not None else Fraction(2, 5)
    added = Fraction(1, 10**6) if options.get("eps") is None else Fraction(str(eps))
    shown = ", ".join(f"{name} = {x!r}" for name, x in options.items())
    if scorable is not None:
        options["mask"] = read_only(scorable)
    entries = values if held is None else held
    kind = options.get("std")
    return Cell(
        f"{estimator}, {label}{', ' * bool(shown)}{shown}",
        (values, estimator),
        partial(expected_advantages, entries, scorable, estimator, k, kind, added),
        options,
    )


def every_binary_group(size: int) -> Array:
    """Return a group of each number of correct responses, ``[G + 1, G]``, its correct ones in different places."""
    rows = (np.arange(size) < np.arange(size + 1)[:, None]).astype(np.float64)
    for m, row in enumerate(rows):
        row[:] = np.roll(row, 7 * m)
    return rows


def _every_count(quick: bool) -> Iterator[Cell]:
    """Yield every number of correct responses for G up to 64, at levels on and off the edges of the gate."""
    for size in range(1, 65):
        rows = read_only(every_binary_group(size))
        edges, others = forms.levels_at_edge(size), forms.LEVELS
        for place, estimator in enumerate(ESTIMATORS):
            if estimator == "rloo" and size == 1:
                continue
            levels: Sequence[Level | None] = [None]
            if estimator in GATED:
                few = 2 if estimator == "qae" else 1
                chosen = [others[(size * 5 + place + i * 7) % len(others)] for i in range(few)]
                if edges and (few == 2 or size % 2):  # the other half of the sizes has only what is off the edges
                    chosen = chosen[: few - 1] + [edges[(size * 3 + place + i * 5) % len(edges)] for i in range(few)]
                levels = chosen if quick else [*others, *edges]
            for level in levels:
                yield _advantage_cell(f"every m of G = {size}", estimator, rows, level=level)


def edge_rows(size: int, levels: Sequence[Level], rng: np.random.Generator) -> Array:
    """Return groups around the edge of each level, and with 0, 1, G - 1 and G correct responses, ``[r, G]``."""
    counts = {0, 1, size - 1, size, size // 2}
    for level in levels:
        edge = int(size * (1 - level.means))
        counts.update((edge - 1, edge, edge + 1))
    rows = [np.arange(size) < m for m in sorted(counts) if 0 <= m <= size]
    return np.array([rng.permutation(row) for row in rows]).astype(np.float64)


def _edges(quick: bool) -> Iterator[Cell]:
    """Yield groups around the gate's edges beyond G = 64."""
    rng = np.random.default_rng(SEED)
    for number, size in enumerate(size for size in forms.GROUP_SIZES if size > 64):
        edges = forms.levels_at_edge(size)
        for place, estimator in enumerate(ESTIMATORS):
            few = (3 if estimator == "qae" else 1) if quick else 12
            levels = [forms.LEVELS[(number * 4 + place + i * 5) % len(forms.LEVELS)] for i in range(few)]
            levels += [edges[-1 - (number + place + i * 2) % len(edges)] for i in range(few)]
            for level in levels if estimator in GATED else [None]:
                rows = edge_rows(size, [level] if level else [], rng)
                yield _advantage_cell(f"edges at G = {size}", estimator, read_only(rows), level=level)


def _drawn_advantages(count: int) -> Iterator[Cell]:
    """Yield draws over all the ways to write a call."""
    rng = np.random.default_rng(SEED)
    for point in forms.draws(10, count, SEED):
        size, estimator = forms.pick(forms.GROUP_SIZES, point[0]), forms.pick(ESTIMATORS, point[1])
        kind = "binary" if estimator in BINARY else forms.pick(KINDS, point[2])
        batch, layout = forms.pick(forms.BATCHES, point[3]), forms.pick(forms.LAYOUTS, point[4])
        types = {"binary": forms.TYPES, "signed": forms.SIGNED_TYPES}.get(kind, forms.REAL_TYPES)
        type_name = forms.pick(types, point[5])
        std = forms.pick(STDS, point[6])
        std = None if std == "batch" and not batch else std
        shape = (*batch, size)
        given = forms.laid_out(forms.as_type(rewards(kind, shape, rng), type_name), layout)
        scorable = mask(forms.pick(MASKS, point[7]), shape, rng)
        held = forms.entries(given, shape)
        if scorable is not None and type_name == "float64" and layout == "plain":
            junk = np.where(scorable, held, np.nan)
            given = read_only(junk)
        yield _advantage_cell(
            f"{kind} {type_name} [{', '.join(map(str, shape))}], {layout}, mask {forms.pick(MASKS, point[7])}",
            estimator,
            given,
            scorable=scorable,
            level=forms.pick(forms.LEVELS, point[8]),
            std=std,
            eps=forms.pick(EPS, point[9]),
            held=held,
        )


def _large_batches() -> Iterator[Cell]:
    """Yield batches of more than one block of memory, made of few different groups."""
    rng = np.random.default_rng(SEED)
    scales = read_only(np.array([[1000.0, 1000.0 + 2.0**-30, 1000.0], [1e-20, 3e-20, 2e-20]]))
    yield _advantage_cell("far from 0 beside tiny", "grpo", scales, eps=0)
    for estimator in ESTIMATORS:
        for size, many in ((16, 2100), (50, 700), (4096, 9)):
            kind = "binary" if estimator in BINARY else "overlong" if size == 16 else "ties"
            few = rewards(kind, (7, size), rng)
            values = few[rng.integers(0, 7, many)]
            level = forms.LEVELS[size % len(forms.LEVELS)]
            yield _advantage_cell(f"{kind} [{many}, {size}]", estimator, read_only(values), level=level)
            scorable = (rng.random((7, size)) < 0.8)[rng.integers(0, 7, many)]
            std = "batch" if size == 50 else "bessel" if size == 16 else None
            label = f"{kind} [{many}, {size}], mask"
            yield _advantage_cell(label, estimator, read_only(values), scorable=scorable, level=level, std=std, eps=0)


def _exact_advantages() -> Iterator[Cell]:
    """Yield groups of Fractions with an exact result: of rules that take no root, or of a std that is a rational."""
    groups = [[1, 0, 0, 0, 0], [1, 1, 1, 0], [1], [1, 1], [0] * 40 + [1] * 10, [1] * 32 + [0] * 32]
    for group in groups:
        for estimator in ESTIMATORS:
            if estimator == "rloo" and len(group) < 2:
                continue
            for place, level in enumerate((forms.level(0.8), forms.level("1/3"))):
                options: dict[str, Any] = {"k": level.given} if estimator in GATED else {}
                if estimator in STANDARDISED or place:  # a rule without a divisor of its own once as it is
                    options["std"] = "none" if len(group) in (4, 5) else "population"
                given = np.array([Fraction(x) for x in group], dtype=object)
                yield Cell(
                    f"{estimator}, Fractions {group[:5]}, G = {len(group)}, K = {level.means}, {options}",
                    (given, estimator),
                    partial(_exact_table, group, estimator, level.means, options.get("std")),
                    options,
                )

    halves = [Fraction(1, 2), Fraction(1, 4), Fraction(1), Fraction(1, 4)]
    decimals = np.array([Decimal(str(float(x))) for x in halves])
    yield Cell(
        "dr_grpo, decimals", (decimals, "dr_grpo"), partial(_exact_table, halves, "dr_grpo", Fraction(2, 5), None)
    )


def _exact_table(group: Sequence[int | Fraction], estimator: str, k: Fraction, std: str | None) -> Answer:
    tally = {Fraction(x): count for x, count in Counter(group).items()}
    found = reference("groups").advantages(tally, estimator, k=k, std=std)
    values = np.empty(len(group), dtype=object)
    values[:] = [found[Fraction(x)] for x in group]
    return Exactly(values)


def _refused_advantages() -> Iterator[Cell]:
    mixed = [1.0, 0.0, 0.0, 1.0]
    yield refusal("k", mixed, k=0)
    yield refusal("k", mixed, k=1)
    yield refusal("k", mixed * 30, "qae_linear", k="1.0")
    yield refusal("eps", mixed, eps=-1e-9)
    yield refusal("eps", mixed * 30, "grpo", eps=float("inf"))
    yield refusal("std", mixed, std="batch")
    yield refusal("std", mixed, std="sample")
    yield refusal("k", mixed, "grpo", k="0.4")
    yield refusal("rewards", [], "qae")
    yield refusal("rewards", [1.0], "rloo")
    yield refusal("rewards", [2.0, 0.0], "psr")
    yield refusal("rewards", [float("nan"), 0.0], "qae")
    yield refusal("mask", mixed, "qae", mask=[True, False])
    yield refusal("estimator", mixed, "nope")


def _quantile_cell(label: str, values: Any, level: Level, method: str, *, held: Array | None = None) -> Cell:
    options = {} if method == "inverted_cdf" and level.means.denominator % 2 else {"method": method}
    return Cell(
        f"{label}, K = {level.given!r}, {method}",
        (values, level.given),
        partial(_expected_quantiles, values if held is None else held, level.means, method),
        options,
    )


def _expected_quantiles(values: Array, k: Fraction, method: str) -> Answer:
    size = values.shape[-1]
    table = []
    for group in values.reshape(-1, size):
        levels, often = np.unique(group, return_counts=True)
        table.append(_quantile(tuple(levels), tuple(often), k, method))
    middle = np.array(table, dtype=np.float64).reshape(values.shape[:-1])
    # Order statistics are rewards; interpolation rounds three times.
    room = 0.0 if method == "inverted_cdf" else 1e-15 * np.abs(values).max(axis=-1, initial=0.0)
    return around(middle, room)


@remembered
def _quantile(levels: tuple[float, ...], often: tuple[int, ...], k: Fraction, method: str) -> float:
    tally = {Fraction(float(x)): int(count) for x, count in zip(levels, often, strict=True)}
    return float(reference("groups").quantile_of(tally, k, method))


def _quantile_edges(quick: bool) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    sizes = (*range(1, 65), *(size for size in forms.GROUP_SIZES if size > 64))
    for number, size in enumerate(reversed(sizes)):
        edges = forms.levels_at_edge(size)
        few = 2 if quick else 10
        levels = [forms.LEVELS[(number * 3 + i * 7) % len(forms.LEVELS)] for i in range(few)]
        levels += [edges[-1 - (number + i * 2) % len(edges)] for i in range(2 * few) if edges]
        for place, level in enumerate(levels):
            rows = every_binary_group(size) if size <= 64 else edge_rows(size, [level], rng)
            method = "linear" if place % 3 == 2 else "inverted_cdf"
            yield _quantile_cell(f"binary rewards, G = {size}", read_only(rows), level, method)


def _drawn_quantiles(count: int) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED + 1)
    for point in forms.draws(7, count, SEED + 1):
        size, kind = forms.pick(forms.GROUP_SIZES, point[0]), forms.pick(KINDS, point[1])
        types = forms.TYPES if kind == "binary" else forms.REAL_TYPES
        shape, layout = (*forms.pick(forms.BATCHES, point[2]), size), forms.pick(forms.LAYOUTS, point[3])
        type_name, method = forms.pick(types, point[4]), forms.pick(("inverted_cdf", "linear"), point[5])
        given = forms.laid_out(forms.as_type(rewards(kind, shape, rng), type_name), layout)
        label = f"{kind} {type_name} [{', '.join(map(str, shape))}], {layout}"
        level = forms.pick(forms.LEVELS, point[6])
        yield _quantile_cell(label, given, level, method, held=forms.entries(given, shape))


def _other_quantiles() -> Iterator[Cell]:
    """Yield a large batch, rewards that are all different, exact ones, and refusals."""
    rng = np.random.default_rng(SEED)
    values = rewards("ties", (7, 20), rng)[rng.integers(0, 7, 2000)]
    different = rng.standard_normal((2, 401))
    for method in ("inverted_cdf", "linear"):
        for given in (0.55, "0.4", Fraction(1, 3)):
            yield _quantile_cell("[2000, 20]", read_only(values), forms.level(given), method)
            yield _quantile_cell("[2, 401], all different", read_only(different), forms.level(given), method)
    for size in (5, 60):
        group = [Fraction(i * i % 7, 3) for i in range(size)]
        given_exact = np.array(group, dtype=object)
        for method in ("inverted_cdf", "linear"):
            for level in (forms.level(0.8), forms.level("1/3")):
                expected = partial(_exact_quantile, group, level.means, method)
                yield Cell(f"Fractions, G = {size}, {method}", (given_exact, level.given), expected, {"method": method})
    yield refusal("k", [1, 0], 0)
    yield refusal("k", [1, 0] * 40, 1.0)
    yield refusal("method", [1, 0], "0.4", method="nearest")
    yield refusal("rewards", [], "0.4")


def _exact_quantile(group: Sequence[Fraction], k: Fraction, method: str) -> Answer:
    value = np.empty((), dtype=object)
    value[()] = reference("groups").quantile_baseline(group, k, method)
    return Exactly(value)
