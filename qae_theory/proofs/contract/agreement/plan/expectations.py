"""Make the cells of expectations over the groups of a success probability: gains, moments, tables of advantages."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import (
    Answer,
    Cell,
    Exactly,
    Refused,
    Worth,
    around,
    read_only,
    refusal,
)
from qae_theory.proofs.contract.agreement.plan import forms, groups
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.agreement.plan.settings import (
    STDS,
    TOLERANCE,
    Options,
    Setting,
    at_the_gate,
    largest_advantage,
    setting_of,
    sizes_of,
)
from qae_theory.proofs.contract.agreement.references import reference

PROBS = (0.5, 0.3, 0.02, 0.95, 0.6, 1e-6, 0.999999, 0.75)


@kept
def gain_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_gain``."""
    return tuple(_gain_cells(quick))


@kept
def moment_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``advantage_moments``."""
    return tuple(_moment_cells(quick))


@kept
def table_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``outcome_advantages``; its reference writes every group out."""
    return tuple(_table_cells(quick))


def _gain_cells(quick: bool) -> Iterator[Cell]:
    for number, size in enumerate(sizes_of(quick)):
        few = 1 if quick and size > 1000 else 4 if quick else 9
        for i in range(few):
            setting, mixed = setting_of(number * 4 + i), bool((number + i) % 2) and size >= 2
            p: Any = PROBS[(number + i) % len(PROBS)]
            if i % 4 == 2:
                p = read_only(np.array(PROBS[:4]).reshape(2, 2) if number % 2 else np.array(PROBS[2:5]))
            yield _gain_cell(p, size, setting, mixed)
    for setting, p, size in at_the_gate():
        yield _gain_cell(p, size, setting, size % 3 == 0)
    yield _gain_cell(
        read_only(np.array(PROBS[:4]).reshape(2, 2)), 10, Setting("qae", forms.level(0.8), "bessel", 0.1), True
    )
    for estimator in groups.ESTIMATORS:
        for i, size in enumerate((2, 6, 16, 40, 100)):
            yield _gain_cell(PROBS[i], size, setting_of(i * 7, estimator), bool(i % 2))
    yield _gain_cell(np.zeros((0, 2)), 8, setting_of(3), False)
    for p in ("1/3", Fraction(2, 5)):
        for size in (3, 51):
            expect = partial(_exact_gain, Fraction(p), size, "rloo")
            yield Cell(f"exact, rloo, p = {p}, G = {size}", (p, size, "rloo"), expect)
            options = {"std": "none", "k": 0.8}
            expect = partial(_exact_gain, Fraction(p), size, "qae", options=(("k", Fraction(4, 5)), ("std", "none")))
            yield Cell(f"exact, qae, p = {p}, G = {size}", (p, size, "qae"), expect, options)
    yield refusal("success_prob", 0.0, 4, "qae")
    yield refusal("success_prob", 1, 400, "qae")
    yield refusal("group_size", 0.5, 0, "qae")
    yield refusal("group_size", 0.5, 1, "rloo")
    yield refusal("mixed_only", 0.5, 4, "qae", mixed_only=1)
    yield refusal("k", 0.5, 4, "grpo", k=0.4)
    yield refusal("estimator", 0.5, 4, "nope")


def _gain_cell(p: Any, size: int, setting: Setting, mixed: bool) -> Cell:
    if setting.estimator == "rloo" and size < 2:
        return Cell("rloo of one", (p, size, "rloo"), partial(Refused, "group_size"))
    options = {**setting.given, **({"mixed_only": True} if mixed else {})}
    label = f"{setting}, p = {np.ravel(p)[:2].tolist()}, G = {size}, mixed only {mixed}"
    return Cell(label, (p, size, setting.estimator), partial(_gains, np.asarray(p), size, setting, mixed), options)


def _gains(p: Array, size: int, setting: Setting, mixed: bool) -> Answer:
    """Return the gains at an array of success probabilities."""
    values = [_gain(float(x), size, setting.estimator, mixed, setting.exact) for x in p.ravel()]
    # Dynamic sampling divides by the probability of a mixed group, which may be small.
    scale = np.array([_one_over_mixed(float(x), size) if mixed else 1.0 for x in p.ravel()])
    middle = np.array(values, dtype=np.float64).reshape(p.shape)
    return around(middle, TOLERANCE * largest_advantage(size, setting) * scale.reshape(p.shape))


@remembered
def _gain(p: float, size: int, estimator: str, mixed: bool, options: Options) -> float:
    found = reference("expectations").expected_gain(p, size, estimator, mixed_only=mixed, options=options)
    return float(reference("numbers").nearest(found))


def _one_over_mixed(p: float, size: int) -> float:
    rare = min(p, 1 - p)
    return 1 / min(1.0, -np.expm1(size * np.log1p(-rare)) - rare**size) if size > 1 else 1.0


def _exact_gain(p: Fraction, size: int, estimator: str, options: Options = ()) -> Answer:
    """Return the gain as a rational, from the binomial sum."""
    right, wrong = reference("expectations").outcome_advantages(size, estimator, options)
    value, weight = Fraction(0), (1 - p) ** (size - 1)
    for j in range(size):
        value += weight * (right[j + 1] - wrong[j])
        weight *= p / (1 - p) * Fraction(size - 1 - j, j + 1)
    exact = np.empty((), dtype=object)
    exact[()] = value
    return Exactly(exact)


def _moment_cells(quick: bool) -> Iterator[Cell]:
    for number, size in enumerate(size for size in sizes_of(quick) if size >= 2):
        for i in range(1 if quick and size > 1000 else 3 if quick else 9):
            p = PROBS[(number + i) % len(PROBS)]
            given: Any = read_only(np.array(PROBS[:6]).reshape(2, 3)) if i == 2 else p
            yield _moment_cell(given, size, setting_of(number * 3 + i))
    for setting, p, size in at_the_gate():
        yield _moment_cell(p, size, setting)
    yield _moment_cell(np.zeros((2, 0)), 8, setting_of(3))
    yield refusal("success_prob", 0.0, 4, "qae")
    yield refusal("success_prob", 1.5, 400, "qae")
    yield refusal("group_size", 0.5, 1, "qae")
    yield refusal("estimator", 0.5, 4, "nope")


def _moment_cell(p: Any, size: int, setting: Setting) -> Cell:
    label = f"{setting}, p = {np.ravel(p)[:2].tolist()}, G = {size}"
    return Cell(label, (p, size, setting.estimator), partial(_moments, np.asarray(p), size, setting), setting.given)


def _moments(p: Array, size: int, setting: Setting) -> Answer:
    found = [_moment(float(x), size, setting.estimator, setting.exact) for x in p.ravel()]
    # In the third, correct and wrong answers' squares cancel; the sum of their sizes is four squares at most.
    room = 4 * TOLERANCE * largest_advantage(size, setting) ** 2
    columns = np.array(found, dtype=np.float64).reshape(-1, 3)
    return tuple(around(columns[:, i].reshape(p.shape), np.full(p.shape, room)) for i in range(3))


@remembered
def _moment(p: float, size: int, estimator: str, options: Options) -> tuple[float, ...]:
    found = reference("expectations").advantage_moments(p, size, estimator, options)
    return tuple(reference("numbers").nearest(x) for x in found)


def _table_cells(quick: bool) -> Iterator[Cell]:
    for number, size in enumerate(sizes_of(quick)):
        for i in range(1 if quick and size > 1000 else 4 if quick else 9):
            yield _table_cell(size, setting_of(number * 4 + i))
    for setting, _, size in at_the_gate():
        yield _table_cell(size, setting)
    for place, estimator in enumerate((*groups.STANDARDISED, *groups.UNDIVIDED)):
        level = forms.LEVELS[(place * 4 + 1) % len(forms.LEVELS)]
        size, eps = (4096, 4095, 1000, 2049, 33, 64, 401, 2, 1025)[place], groups.EPS[4 + place % 3]
        yield _table_cell(size, Setting(estimator, level, STDS[2 + place % 2] if eps is None else "bessel", eps))
    for size in range(1, 65):
        edges = forms.levels_at_edge(size) or [forms.LEVELS[0]]
        yield _table_cell(size, Setting(groups.GATED[size % 4], edges[-1 - size % len(edges)], None, None))
    for estimator in groups.ESTIMATORS:
        for size, std, eps in ((2, "none", None), (6, "none", None), (40, "none", None), (5, "bessel", 0.1)):
            setting = Setting(estimator, forms.level(0.8), std, eps)
            expect = partial(_exact_tables, size, setting)
            options = {**setting.given, "exact": True}
            yield Cell(f"exact, {setting}, G = {size}", (size, estimator), expect, options)
    yield refusal("group_size", 0, "qae")
    yield refusal("group_size", 1, "rloo")
    yield refusal("estimator", 4, "nope")
    yield refusal("exact", 4, "qae", exact=1)


def _table_cell(size: int, setting: Setting) -> Cell:
    if setting.estimator == "rloo" and size < 2:
        return Cell("rloo of one", (size, "rloo"), partial(Refused, "group_size"))
    return Cell(f"{setting}, G = {size}", (size, setting.estimator), partial(_tables, size, setting), setting.given)


def _tables(size: int, setting: Setting) -> Answer:
    sides = reference("expectations").outcome_advantages(size, setting.estimator, setting.exact)
    columns = [np.array([float(x) for x in side]) for side in sides]
    largest = np.maximum(np.abs(columns[0]), np.abs(columns[1]))
    return tuple(around(column, groups.TOLERANCE * largest) for column in columns)


def _exact_tables(size: int, setting: Setting) -> Answer:
    """Return exact tables; of a rule that divides, whose tables hold roots, what they are worth."""
    sides = reference("expectations").outcome_advantages(size, setting.estimator, setting.exact)
    tables: list[Exactly | Worth] = []
    for side in sides:
        table = np.empty(size + 1, dtype=object)
        table[:] = side
        tables.append(Worth(table.astype(np.float64)) if setting.divides else Exactly(table))
    return tuple(tables)
