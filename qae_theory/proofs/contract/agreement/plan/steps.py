"""Make the cells of functions of a step: the entropy change, its first two orders, bounds, and enclosure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import (
    Answer,
    Cell,
    Near,
    Within,
    Worth,
    around,
    read_only,
    refusal,
)
from qae_theory.proofs.contract.agreement.plan import forms, policies
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.agreement.references import reference

DIRECTIONS = ("dense", "group", "probabilities", "one arm", "constant", "large", "tiny")
STEPS = (0.1, -0.1, 1e-3, -1e-3, 1.0, -1.0, 1e-8, 0.0, 2.5, -2.5, 30.0, 1e-12)
TYPES = ("float64", "float32", "float16", "longdouble", ">f8", "mixed objects", "int64", "int8", "bool")
METHODS = ("best", "brackets", "ratio-box", "cross-entropy", "third-order")
# Of the sizes of the terms, as the docstrings promise, and a little for the reference's own rounding to float64.
TOLERANCE = 2.1e-13
SEED = 7
# Steps that leave an arm with hardly anything, or next to nothing moved; directions that have to be scaled.
ENDS = (
    ("a far step", [0.0, 2.0, -1.0], [400.0, 0.0, -3.0], 1.0),
    ("a far step back", [0.5, -900.0, 0.25], [-1.0, 880.0, 1.0], 1.0),
    ("a far step in a direction as it is", [0.0, 5.0, 2.0], [200.0, -200.0, 1.0], 1.0),
    ("a far step in a batch", [[0.0, 1.0, 0.0], [0.0, -30.0, 5.0]], [1.0, 0.5, -2.0], [1e4, -700.0]),
    ("no more than one arm left", [0.0, 1.0, 2.0], [0.0, 1.0, -1.0], 1e15),
    ("the shortest step", [0.0, 1.0, -2.0], [1.0, -1.0, 0.5], 1e-40),
    ("the shortest step back", [0.0, 1.0, -2.0], [3.0, -1.0, 0.5], -1e-60),
    ("a direction of 1e120", [0.0, 1.0, -2.0], [1e120, -3e120, 2e119], 1e-121),
    ("a direction of 1e-120", [0.0, 1.0, -2.0], [1e-120, -3e-120, 2e-121], 1e119),
    ("a direction of 1e-320", [0.0, 1.0, -2.0], [1e-320, -3e-320, 0.0], 1e300),
    ("equal entries of 1e9 but for one", [0.0, 1.0, -2.0], [1e9, 1e9, 1e9 + 1.0], 0.25),
    ("entries of 1e9 that differ in all bits", [0.0, 1.0, -2.0], [1e9 + 2.0**-22, 1e9 - 2.0**-23, 1e9 + 1 / 3], 0.25),
    ("entries of 1e9 beside tiny ones", [0.0, 1.0, -2.0], [[1e9, 1e9, 1e9 + 1.0], [1e-20, -3e-20, 2e-20]], 0.25),
    ("a difference beyond float64", [-0.78, 0.0, 1e-3], [1e308, -1.7e308, -9e307], -2.5e-313),
    ("a step beyond float64", [0.0, 1.0, -2.0], [1e308, -1e308, 1e308], 1e10),
    ("a step back beyond float64", [0.0, 1.0, -2.0], [1e308, -1e308, -1e308], -1e10),
    ("levels beyond float64", [1.0, 0.5, 0.0, -2.0, -1.0], [0.0, 10.0, 20.0, 30.0, 40.0], 1e308),
    ("levels beyond float64, back", [0.0, 1.0, -2.0, 0.5], [20.0, 10.0, 0.0, 30.0], -1e308),
    ("a batch beyond float64", [[0.0, 1.0, -2.0, 0.5]] * 2, [[0.0, 10.0, 20.0, 30.0], [20.0, 0.0, 40.0, 10.0]], 1e308),
    ("one policy and several steps", [0.0, 1.0, -2.0], [1.0, -0.5, 0.25], [0.1, -30.0, 1e-12]),
    ("gaps beyond float64", [1e308, -1e308, 1e308], [1.0, 0.5, -1.0], 0.75),
)
# Where the room for rounding shows: steps of no length to speak of, directions at both ends of the sizes that are taken
# as they are, arms that hardly have probability and are moved far.
ROOMS = (
    ("the least step", [0.0, 0.05, -0.1, 0.02], [0.01, -0.02, 0.015, 0.0], 1e-290),
    ("the least step back", [0.0, -2.0, 3.0], [200.0, -180.0, 10.0], -1e-288),
    ("a step that moves less than float64 can say", [0.25, 0.25, 0.25], [1.0, -1.0, 0.5], 1e-200),
    ("a short step", [0.0, 0.05, -0.1, 0.02], [0.01, -0.02, 0.015, 0.0], 1e-9),
    ("a short step back", [0.0, -2.0, 3.0], [200.0, -180.0, 10.0], -1e-13),
    ("a short step of equal arms", [0.25, 0.25, 0.25], [200.0, -180.0, 10.0], 1e-10),
    ("a middling step", [0.0, -2.0, 3.0], [200.0, -180.0, 10.0], 1e-4),
    ("a middling step of rare arms", [0.0, -20.0, -30.0], [-3.0, 1.0, 2.0], 1e-3),
    ("a short step of rare arms", [0.0, -20.0, -30.0], [-3.0, 1.0, 2.0], -1e-8),
    ("a far step of rare arms", [0.0, -20.0, -30.0], [-3.0, 1.0, 2.0], 5.0),
    ("all but one arm without probability", [0.0, -900.0, -950.0], [1.0, -1.0, 0.5], 0.1),
    ("a far step of a rare arm", [0.0, -200.0, -300.0], [-1.0, 0.9, -1.0], 100.0),
)
# Where the room of double-double shows: the terms of the change cancel, as the step exchanges arms, or equal ones move
# apart by as much.
CANCELLED = (
    ("two arms exchanged", [0.0, -2.0], [0.0, 1.0], 4.0),
    ("two arms exchanged by a far step", [0.0, -80.0], [0.0, 1.0], 160.0),
    ("three arms exchanged", [0.0, -1.0, -3.0], [-1.0, 1.0, 0.0], 1.0),
    ("three nearly equal arms exchanged", [0.0, -(2.0**-22), -3 * 2.0**-22], [-3.0, 1.0, 2.0], 2.0**-22),
    ("the first and last exchanged", [0.0, -5.0, -9.0], [9.0, 0.0, -9.0], -1.0),
    ("arms exchanged by a long step", [0.0, -400.0], [0.0, 1.0], 800.0),
    ("arms exchanged by a long step along a huge direction", [0.0, -400.0], [-5e307, 5e307], 8e-306),
    ("arms nearly exchanged by a long step", [0.0, -400.0], [-(2.0**-60), 1.0], 800.0),
    ("equal arms moved apart", [0.0, 0.0, -1.0, -1.0], [1.0, -1.0, 0.0, 0.0], 2.0**-95),
    (
        "equal arms moved apart, back",
        [0.0, 0.0, -3.0, -3.0, -7.0, -7.0],
        [0.25, -0.25, 1.0, -1.0, 3.0, -3.0],
        -(2.0**-40),
    ),
    ("equal arms moved apart by a short step", [0.0, 0.0, -1.0, -1.0], [1.0, -1.0, 3.0, -3.0], 2.0**-130),
    ("equal logits and a step not quite as short", [0.25, 0.25, 0.25], [1.0, -1.0, 0.5], 2.0**-90),
    ("equal logits and a short step", [0.25, 0.25, 0.25], [1.0, -1.0, 0.5], 2.0**-130),
    ("a step that double-double cannot follow", [0.0, 1.1 * 2.0**60], [1.1, 1e-20], 2.0**60),
    ("one row of two moves", [[0.0, 1.0, 2.0], [0.5, 1.5, 0.0]], [[0.5, 0.5, 0.5], [1.0, 0.0, -1.0]], 0.5),
    ("a little move beside a long one", [[0.0, 0.05, -0.1], [0.0, -400.0, -1.0]], [0.01, -0.02, 0.015], [1e-6, -1e5]),
    ("a step that can be followed beside one that cannot", [[0.0, 400.0], [0.0, 1.1 * 2.0**60]], [1.1, 1e-20], 2.0**60),
    ("rare equal arms moved apart by a short step", [0.0, -9.0, -9.0], [0.0, 1.0, -1.0], -(2.0**-150)),
)

Step = tuple[tuple[float, ...], tuple[float, ...], float]
# A label, logits, a direction and a step size, as a call has them.
Input = tuple[str, Any, Any, Any]


@kept
def change_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``entropy_change``."""
    untold = refusal("step_size", [-1e308, 1e308], [98523875613.6512, -158517841834.25653], 1.7976931348623157e308)
    return (*_cells(_change, quick, with_step=True), untold)


@kept
def first_order_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``first_order_entropy_change``."""
    half = [float(np.log(59)), *[0.0] * 59]  # as likely as all others together
    too_large = refusal("direction", half, [1.7e308, *[-1.7e308] * 59])
    return (*_cells(_first_order, quick, with_step=False), *_of_roots(_first_order), too_large)


@kept
def second_order_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``second_order_entropy_change``."""
    too_large = refusal("direction", [0.0, 1.0, 0.5], [1e200, -1e200, 0.0])
    return (*_cells(_second_order, quick, with_step=False), *_of_roots(_second_order), too_large)


@kept
def bounds_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``entropy_change_bounds``, its methods in turn."""
    cells = []
    for number, (label, z, d, eta) in enumerate(_inputs(quick)):
        method = METHODS[number % len(METHODS)]
        cell = _cell(partial(_bounds, method=method), f"{method}, {label}", z, d, eta, with_step=True)
        cells.append(cell if method == "best" else replace(cell, options={"method": method}))
    of_gaps = product([_one_above_many()], ("brackets", "cross-entropy"))
    for (label, z, d, eta), method in (*product((*ENDS, *ROOMS), METHODS), *of_gaps):
        cell = _cell(partial(_bounds, method=method), f"{method}, {label}", z, d, eta, with_step=True)
        cells.append(replace(cell, options={"method": method}))
    for z, eta in (([0.3, -1.1], 0.1), ([0.0, 40.0], -2.5), ([[0.0, 0.0], [-7.0, 1.0]], 1e-3)):
        d = np.broadcast_to([0.5, -0.25], np.shape(z))
        cells.append(_cell(partial(_bounds, method="best"), f"best, two arms {z}", z, d, eta, with_step=True))
    zeros = [0.0, 1.0]
    return (*cells, *_refused(with_step=True), refusal("method", zeros, zeros, 0.1, method="all"))


@kept
def enclosure_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``entropy_change_enclosure``."""
    cells = [_cell(_enclosure, label, z, d, eta, with_step=True) for label, z, d, eta in (*ROOMS, *CANCELLED)]
    return (*_cells(_enclosure, quick, with_step=True), *cells)


@kept
def bracket_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``curvature_brackets``."""
    del quick
    return tuple(Cell(f"n = {arms}", (arms,), partial(_expected_brackets, arms)) for arms in reversed(forms.ARMS))


@remembered
def _change(step: Step) -> tuple[Within, ...]:
    return (_sized(_exact(step)),)


@remembered
def _first_order(step: Step) -> tuple[Within, ...]:
    return (_sized(reference("changes").first_order(*step[:2])),)


@remembered
def _second_order(step: Step) -> tuple[Within, ...]:
    return (_sized(reference("changes").second_order(*step[:2])),)


def _sized(found: Any) -> Within:
    nearest = reference("numbers").nearest
    size = nearest(found.size)
    return around(nearest(found.value), TOLERANCE * size + (1e-300 if size else 0.0))


def _of_roots(value: Any) -> Iterator[Cell]:
    """Yield a direction of exact numbers beside logits that are floats: they stay what they are."""
    import sympy  # a third of a second to import, and only this cell needs it

    z, d = [0.0, 0.5, -1.0], [sympy.sqrt(2), sympy.Integer(0), sympy.Rational(1, 4)]
    yield Cell("roots beside floats", (z, np.array(d)), partial(_worth, value, z, [float(x) for x in d]))


def _worth(value: Any, z: list[float], d: list[float]) -> Answer:
    (found,) = value((tuple(z), tuple(d), 0.0))
    return Worth((found.low + found.high) / 2)


def _bounds(step: Step, *, method: str) -> tuple[Within, ...]:
    """Return where both bounds may lie: where the formula's own are with the room for rounding that is argued.

    The best of two arms are as near to the change as float64 measures it.
    """
    if method == "best" and len(step[0]) == 2:
        return _around_two_arms(step)
    return _limits(step, method)


def _enclosure(step: Step) -> tuple[Within, ...]:
    """Return where both ends may lie: as far from the exact change as the room that is argued, and no farther."""
    return _limits(step, "enclosure")


@remembered
def _limits(step: Step, method: str) -> tuple[Within, ...]:
    """Return where both sides may lie; where nothing moves, both are 0."""
    _, d, eta = step
    if eta == 0 or min(d) == max(d):
        return around(0.0, 0.0), around(0.0, 0.0)
    nearest = reference("numbers").nearest
    if method == "enclosure":
        sides = reference("enclosure_room").enclosure_ends(*step)
    else:
        sides = reference("rooms").outward_bounds(*step, method=method)
    # Below 2**-1022 the next float outward, to which each side is rounded, may be a large part of it.
    (low, least), (most, high) = ((nearest(side.least), nearest(side.most)) for side in sides)
    return Within(np.asarray(low - 3e-323), np.asarray(least)), Within(np.asarray(most), np.asarray(high + 3e-323))


def _one_above_many() -> Input:
    """Return a policy of which only one response has a surprise to speak of, and the others a gap."""
    z, d = np.full(151_936, -2.0), np.ones(151_936)
    z[7], d[::2] = 0.0, -1.0
    return "one above many", read_only(z), read_only(d), 1e-9


def _around_two_arms(step: Step) -> tuple[Within, ...]:
    """Return where both bounds may lie: on their sides of the exact change, apart by twice the promised rounding."""
    nearest = reference("numbers").nearest
    exact = _exact(step)
    value, room = nearest(exact.value), 5 * TOLERANCE * nearest(exact.size) + 1e-150
    below, above = reference("numbers").neighbours(exact.value)
    return Within(np.asarray(value - room), np.asarray(below)), Within(np.asarray(above), np.asarray(value + room))


@remembered
def _exact(step: Step) -> Any:
    return reference("changes").entropy_change(*step)


def _expected_brackets(arms: int) -> Answer:
    nearest = reference("numbers").nearest
    low, high = (nearest(x) for x in reference("bounds").curvature_brackets(arms))
    return Near(low * (1 - 1e-14), low * (1 + 1e-14)), Near(high * (1 - 1e-14), high * (1 + 1e-14))


def direction(kind: str, z: Array, rng: np.random.Generator) -> Array:
    """Return a direction of a kind for logits ``[..., n]``, in which equal logits have few different entries."""
    _, kinds = np.unique(z, return_inverse=True)
    levels = rng.standard_normal(kinds.max(initial=0) + 1)
    dense = levels[kinds.reshape(z.shape)] if z.size else np.zeros(z.shape)
    one = np.zeros(z.shape)
    one[..., z.shape[-1] // 2] = 1.0
    gaps = np.exp(z - z.max(axis=-1, keepdims=True, initial=-np.inf)) if z.size else dense
    return {
        "dense": dense,
        "group": one - 0.25 * np.roll(one, 1, axis=-1),
        "probabilities": gaps / gaps.sum(axis=-1, keepdims=True) * np.where(dense > 0, 1.0, 0.0) if z.size else dense,
        "one arm": one,
        "constant": np.full(z.shape, 0.3),
        "large": 1e6 * dense,
        "tiny": 1e-30 * dense,
    }[kind]


def _expected(value: Any, z: Array, d: Array, eta: Array) -> Answer:
    """Return what the reference gives, row by row: one part for each result of the function."""
    batch, rows = forms.in_rows((z, d), (eta,))
    found = [value((tuple(a.tolist()), tuple(b.tolist()), float(c))) for a, b, c in rows]
    count = len(found[0]) if found else len(value(((0.0,), (0.0,), 0.0)))
    parts = []
    for i in range(count):
        low = np.array([row[i].low for row in found], dtype=np.float64).reshape(batch)
        high = np.array([row[i].high for row in found], dtype=np.float64).reshape(batch)
        parts.append(Within(low, high))
    return parts[0] if count == 1 else tuple(parts)


def _cell(value: Any, label: str, z: Any, d: Any, eta: Any, *, with_step: bool) -> Cell:
    entries = (forms.entries(z, np.shape(z)), forms.entries(d, np.shape(d)))
    if not with_step:
        return Cell(label, (z, d), partial(_expected, value, *entries, np.zeros(())))
    expect = partial(_expected, value, *entries, np.asarray(eta, dtype=np.float64))
    return Cell(f"{label}, eta {np.ravel(eta)[:2].tolist()}", (z, d, eta), expect)


def _cells(value: Any, quick: bool, *, with_step: bool) -> tuple[Cell, ...]:
    cells = [_cell(value, label, z, d, eta, with_step=with_step) for label, z, d, eta in _inputs(quick)]
    for label, z, d, eta in ENDS:
        if with_step or np.abs(d).max() < 1e150:  # the square of a larger one is beyond float64
            cells.append(_cell(value, label, z, d, eta, with_step=with_step))
    return (*cells, *_refused(with_step))


def _inputs(quick: bool) -> Iterator[Input]:
    """Yield policies of every size, draws over the ways to write a call, and many policies at once."""
    rng = np.random.default_rng(SEED)
    for number, arms in enumerate(forms.arms_of(quick)):
        for i in range(1 if quick and arms > 300 else 2 if quick else 5):
            kind = policies.KINDS[(number + i * 3) % len(policies.KINDS)]
            z = policies.logits(kind, (arms,), rng)
            way, eta = DIRECTIONS[(number + i) % 5], STEPS[(number * 5 + i) % len(STEPS)]
            label = f"{kind} logits, {way} direction, n = {arms}"
            yield label, read_only(z), read_only(direction(way, z, rng)), eta
    yield from _drawn(90 if quick else 800)
    many = policies.logits("gentle", (5, 20), rng)
    place, pushes = rng.integers(0, 5, 2500), direction("dense", many, rng)
    steps = np.array([0.1, -0.3, 1.0, 0.02, -1e-3])[place]
    yield "[2500, 20]", read_only(many[place]), read_only(pushes[place]), steps


def _drawn(count: int) -> Iterator[Input]:
    """Yield draws over the ways to write a call; direction and step may have fewer leading axes than the logits."""
    rng = np.random.default_rng(SEED)
    for point in forms.draws(8, count, SEED):
        kind, layout, z = policies.drawn_logits(point, [n for n in forms.ARMS if n <= 1050], rng)
        batch = z.shape[:-1]
        type_name, way = forms.pick(TYPES, point[4]), forms.pick(DIRECTIONS, point[5])
        if type_name in TYPES[6:]:
            z = np.round(z) % (2 if type_name == "bool" else 64)
        if kind == "large offset":
            z = z - 1e6 + 512
        z_given = forms.laid_out(forms.as_type(z, type_name), layout)
        z = forms.entries(z_given, z.shape)
        d = direction(way, z, rng)
        d = d[0] if batch and batch[0] and point[6] < 0.3 else d
        d_type = "float32" if type_name == "float32" and way not in ("large", "tiny") else "float64"
        d_given = forms.laid_out(forms.as_type(d, d_type), forms.pick(forms.LAYOUTS, point[6]))
        eta: Any = forms.pick(STEPS, point[7])
        if way == "large":
            eta = eta * 1e-6
        if batch and point[6] > 0.5:
            eta = np.resize(np.array(STEPS)[rng.permutation(10)] * (1e-6 if way == "large" else 1.0), batch)
        label = f"{kind} {type_name} logits [{', '.join(map(str, z.shape))}], {layout}, {way} direction"
        yield label, z_given, d_given, eta


def _refused(with_step: bool) -> Iterator[Cell]:
    zeros = [0.0, 1.0]
    bad: list[tuple[str, tuple[Any, ...]]] = [
        ("logits", ([], [], 1.0)),
        ("logits", ([0.0, float("nan")], zeros, 1.0)),
        ("logits", ([0.0, float("-inf")], zeros, 1.0)),
        ("direction", (zeros, [1.0, 0.0, 0.0], 1.0)),
        ("direction", (zeros, [1.0, float("inf")], 1.0)),
        ("direction", ([zeros, zeros], [zeros] * 3, 1.0)),
    ]
    if with_step:
        bad += [("step_size", (zeros, zeros, float("nan"))), ("step_size", ([zeros, zeros], zeros, [1.0, 2.0, 3.0]))]
    for argument, arguments in bad:
        yield refusal(argument, *(arguments if with_step else arguments[:2]))
