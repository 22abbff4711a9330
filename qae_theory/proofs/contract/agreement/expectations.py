"""Cells of expectations over sampled groups: gains, moments, tables of advantages, expected entropy changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement import forms, groups, policies
from qae_theory.proofs.contract.agreement.comparison import (
    Answer,
    Cell,
    Exactly,
    Refused,
    Within,
    Worth,
    around,
    read_only,
)
from qae_theory.proofs.contract.agreement.forms import Level
from qae_theory.proofs.contract.agreement.references import reference

PROBS = (0.5, 0.3, 0.02, 0.95, 0.6, 1e-6, 0.999999, 0.75)
STDS = (None, "population", "bessel", "none")
SIZES_QUICK = (1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 20, 31, 32, 33, 50, 51, 63, 64, 65, 100, 127, 128, 129)
LARGE_QUICK = (1025, 511, 401, 257)
# Binomial weights of SciPy and sums of up to 4097 terms, relative to the largest advantage.
TOLERANCE = 1e-11
SEED = 11

Options = tuple[tuple[str, Any], ...]


@cache
def gain_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_gain``."""
    return tuple(_gain_cells(quick))


@cache
def moment_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``advantage_moments``."""
    return tuple(_moment_cells(quick))


@cache
def table_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``outcome_advantages``; its reference writes every group out."""
    return tuple(_table_cells(quick))


@cache
def first_order_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_first_order_change``."""
    return tuple(_query_cells(quick, _expected_first_order, least=1))


@cache
def second_order_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_second_order_change``."""
    return tuple(_query_cells(quick, _expected_second_order, least=2))


@cache
def change_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_entropy_change``."""
    return tuple(_change_cells(quick))


class Setting:
    """An estimator with its options, as they are given and as the reference takes them."""

    def __init__(self, estimator: str, level: Level | None, std: str | None, eps: Any) -> None:
        """Leave out what is None and what the estimator does not have."""
        self.estimator, self.given = estimator, dict[str, Any]()
        exact = dict[str, Any]()
        if estimator in groups.GATED and level is not None:
            self.given["k"], exact["k"] = level
        if estimator in groups.STANDARDISED:
            if std is not None:
                self.given["std"] = exact["std"] = std
            if eps is not None:
                self.given["eps"], exact["eps"] = eps, Fraction(str(eps))
        self.exact: Options = tuple(sorted(exact.items()))

    def __str__(self) -> str:
        """Return the estimator and its options as they are given."""
        return ", ".join([self.estimator, *(f"{name} = {x!r}" for name, x in self.given.items())])


def setting_of(number: int, estimator: str | None = None) -> Setting:
    """Return one setting after another, all estimators and options in turn."""
    return Setting(
        estimator or groups.ESTIMATORS[number % len(groups.ESTIMATORS)],
        forms.LEVELS[(number * 5 + number // 9) % len(forms.LEVELS)] if number % 4 else None,
        STDS[(number // 2) % len(STDS)],
        groups.EPS[(number * 3) % len(groups.EPS)],
    )


def _at_the_gate() -> Iterator[tuple[Setting, float, int]]:
    """Yield every level with a success probability near 1 - K, where most groups lie at the gate's edge."""
    yield Setting("qae", forms.level(0.8), "bessel", 0.1), 0.2, forms.LARGEST_GROUP
    for number, level in enumerate(forms.LEVELS):
        size = (10, 24, 51, 100, 20, 401, 7, 1000)[number % 8]
        setting = Setting(groups.GATED[number % 4], level, STDS[(number // 4) % len(STDS)], groups.EPS[number % 8])
        yield setting, min(max(float(1 - level.means), 0.02), 0.98), size


def _sizes(quick: bool) -> tuple[int, ...]:
    return (*LARGE_QUICK[:1], *SIZES_QUICK, *LARGE_QUICK[1:]) if quick else tuple(reversed(forms.GROUP_SIZES))


def _largest(size: int, setting: Setting) -> float:
    right, wrong = reference("expectations").outcome_advantages(size, setting.estimator, setting.exact)
    return float(max(map(abs, (*right, *wrong))))


def _gain_cells(quick: bool) -> Iterator[Cell]:
    for number, size in enumerate(_sizes(quick)):
        few = 1 if quick and size > 1000 else 4 if quick else 9
        for i in range(few):
            setting, mixed = setting_of(number * 4 + i), bool((number + i) % 2) and size >= 2
            p: Any = PROBS[(number + i) % len(PROBS)]
            if i % 4 == 2:
                p = read_only(np.array(PROBS[:4]).reshape(2, 2) if number % 2 else np.array(PROBS[2:5]))
            yield _gain_cell(p, size, setting, mixed)
    for setting, p, size in _at_the_gate():
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
    refused: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
        ("success_prob", (0.0, 4, "qae"), {}),
        ("success_prob", (1, 400, "qae"), {}),
        ("group_size", (0.5, 0, "qae"), {}),
        ("group_size", (0.5, 1, "rloo"), {}),
        ("mixed_only", (0.5, 4, "qae"), {"mixed_only": 1}),
        ("k", (0.5, 4, "grpo"), {"k": 0.4}),
        ("estimator", (0.5, 4, "nope"), {}),
    )
    for argument, arguments, options in refused:
        yield Cell(f"refusal of {argument}: {arguments}, {options}", arguments, partial(Refused, argument), options)


def _gain_cell(p: Any, size: int, setting: Setting, mixed: bool) -> Cell:
    if setting.estimator == "rloo" and size < 2:
        return Cell("rloo of one", (p, size, "rloo"), partial(Refused, "group_size"))
    options = {**setting.given, **({"mixed_only": True} if mixed else {})}
    label = f"{setting}, p = {np.ravel(p)[:2].tolist()}, G = {size}, mixed only {mixed}"
    return Cell(label, (p, size, setting.estimator), partial(_gains, np.asarray(p), size, setting, mixed), options)


def _gains(p: Array, size: int, setting: Setting, mixed: bool) -> Answer:
    values = [_gain(float(x), size, setting.estimator, mixed, setting.exact) for x in p.ravel()]
    # Dynamic sampling divides by the probability of a mixed group, which may be small.
    scale = np.array([_one_over_mixed(float(x), size) if mixed else 1.0 for x in p.ravel()])
    middle = np.array(values, dtype=np.float64).reshape(p.shape)
    return around(middle, TOLERANCE * _largest(size, setting) * scale.reshape(p.shape))


@lru_cache(maxsize=5000)
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
    for number, size in enumerate(size for size in _sizes(quick) if size >= 2):
        for i in range(1 if quick and size > 1000 else 3 if quick else 9):
            p = PROBS[(number + i) % len(PROBS)]
            given: Any = read_only(np.array(PROBS[:6]).reshape(2, 3)) if i == 2 else p
            yield _moment_cell(given, size, setting_of(number * 3 + i))
    for setting, p, size in _at_the_gate():
        yield _moment_cell(p, size, setting)
    yield _moment_cell(np.zeros((2, 0)), 8, setting_of(3))
    for argument, arguments in (
        ("success_prob", (0.0, 4, "qae")),
        ("success_prob", (1.5, 400, "qae")),
        ("group_size", (0.5, 1, "qae")),
        ("estimator", (0.5, 4, "nope")),
    ):
        yield Cell(f"refusal of {argument}: {arguments}", arguments, partial(Refused, argument))


def _moment_cell(p: Any, size: int, setting: Setting) -> Cell:
    label = f"{setting}, p = {np.ravel(p)[:2].tolist()}, G = {size}"
    return Cell(label, (p, size, setting.estimator), partial(_moments, np.asarray(p), size, setting), setting.given)


def _moments(p: Array, size: int, setting: Setting) -> Answer:
    found = [_moment(float(x), size, setting.estimator, setting.exact) for x in p.ravel()]
    # In the third, correct and wrong answers' squares cancel; the sum of their sizes is four squares at most.
    room = 4 * TOLERANCE * _largest(size, setting) ** 2
    columns = np.array(found, dtype=np.float64).reshape(-1, 3)
    return tuple(around(columns[:, i].reshape(p.shape), np.full(p.shape, room)) for i in range(3))


@lru_cache(maxsize=5000)
def _moment(p: float, size: int, estimator: str, options: Options) -> tuple[float, ...]:
    found = reference("expectations").advantage_moments(p, size, estimator, options)
    return tuple(reference("numbers").nearest(x) for x in found)


def _table_cells(quick: bool) -> Iterator[Cell]:
    for number, size in enumerate(_sizes(quick)):
        for i in range(1 if quick and size > 1000 else 4 if quick else 9):
            yield _table_cell(size, setting_of(number * 4 + i))
    for setting, _, size in _at_the_gate():
        yield _table_cell(size, setting)
    for place, estimator in enumerate(groups.STANDARDISED):
        level = forms.LEVELS[place * 4 + 1]
        size, eps = (4096, 4095, 1000, 2049, 33)[place], groups.EPS[4 + place % 3]
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
    for argument, arguments in (("group_size", (0, "qae")), ("group_size", (1, "rloo")), ("estimator", (4, "nope"))):
        yield Cell(f"refusal of {argument}: {arguments}", arguments, partial(Refused, argument))


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
    """Return exact tables; of a standardised rule, whose tables hold roots, what they are worth."""
    sides = reference("expectations").outcome_advantages(size, setting.estimator, setting.exact)
    tables: list[Exactly | Worth] = []
    for side in sides:
        table = np.empty(size + 1, dtype=object)
        table[:] = side
        rooted = setting.estimator in groups.STANDARDISED and dict(setting.exact).get("std") != "none"
        tables.append(Worth(table.astype(np.float64)) if rooted else Exactly(table))
    return tuple(tables)


def _query_cells(quick: bool, expect: Callable[..., Answer], *, least: int) -> Iterator[Cell]:
    """Policies of every size with both rewards present."""
    rng = np.random.default_rng(SEED)
    arms_of = [n for n in forms.arms_of(quick) if n >= 2]
    sizes = [size for size in _sizes(quick) if size >= least]
    for number, arms in enumerate(arms_of):
        for i in range(1 if quick and arms > 64 else 2 if quick else 5):
            kind = policies.KINDS[(number + i * 3) % len(policies.KINDS)]
            z = policies.logits(kind, (arms,), rng)
            # A large group takes the reference time, so that in a quick plan it goes with few policies only.
            some = sizes if not quick or number % 6 == 0 else [size for size in sizes if size <= 512]
            r, size = mixed_rewards(z, rng), some[(number * 5 + i * 3) % len(some)]
            yield _query_cell(expect, kind, read_only(z), r, size, setting_of(number * 2 + i))
            # The policy's part of the reference is at hand: more settings cost little.
            for more in range(4 if arms <= 4096 or arms == forms.MOST_ARMS or not quick else 0):
                setting = setting_of(number * 7 + more * 3 + 1, (*groups.GATED, "grpo")[(number + more) % 5])
                yield _query_cell(expect, kind, read_only(z), r, (5, 16, 2, 10)[(number + more) % 4], setting)
    for setting, p, size in _at_the_gate():
        z = np.array([float(np.log(p / (1 - p))), 0.0])
        yield _query_cell(expect, "two", read_only(z), np.array([1.0, 0.0]), max(size, least), setting)
    for point in forms.draws(5, 50 if quick else 500, SEED):
        arms, kind = (
            forms.pick([n for n in forms.ARMS if 2 <= n <= 600], point[0]),
            forms.pick(policies.KINDS, point[1]),
        )
        batch, layout = forms.pick(forms.BATCHES, point[2]), forms.pick(forms.LAYOUTS, point[3])
        z = policies.logits(kind, (*batch, arms), rng)
        setting = setting_of(int(point[4] * 1000))
        size = forms.pick([size for size in SIZES_QUICK if size >= least], point[4])
        yield _query_cell(expect, kind, forms.laid_out(z, layout), mixed_rewards(z, rng), size, setting)
    zeros = [0.0, 1.0]
    for argument, arguments in (
        ("arm_rewards", (zeros, [1, 1], 4, "qae")),
        ("arm_rewards", (zeros, [1, 2], 4, "qae")),
        ("group_size", (zeros, [1, 0], least - 1, "qae")),
        ("logits", ([0.0, float("nan")], [1, 0], 4, "qae")),
        ("estimator", (zeros, [1, 0], 4, "nope")),
    ):
        yield Cell(f"refusal of {argument}: {arguments}", arguments, partial(Refused, argument))


def mixed_rewards(z: Array, rng: np.random.Generator) -> Array:
    """Return 0/1 rewards, both present in each row; in large policies equal logits mostly share theirs."""
    levels, place = np.unique(z, return_inverse=True)
    r = (rng.random(len(levels)) < 0.5).astype(np.float64)[place.reshape(z.shape)] if z.size else np.zeros(z.shape)
    if z.size:
        r[..., 0], r[..., -1] = 1.0, 0.0
    return r


def _query_cell(expect: Callable[..., Answer], kind: str, z: Any, r: Array, size: int, setting: Setting) -> Cell:
    if setting.estimator == "rloo" and size < 2:
        return Cell("rloo of one", (z, r, size, "rloo"), partial(Refused, "group_size"))
    held = forms.entries(z, r.shape)
    label = f"{setting}, {kind} logits [{', '.join(map(str, r.shape))}], G = {size}"
    arguments = (z, read_only(r), size, setting.estimator)
    return Cell(label, arguments, partial(expect, held, r, size, setting), setting.given)


def _expected_first_order(z: Array, r: Array, size: int, setting: Setting) -> Answer:
    return _by_row(_first_order, z, r, size, setting)


def _expected_second_order(z: Array, r: Array, size: int, setting: Setting) -> Answer:
    return _by_row(_second_order, z, r, size, setting)


def _by_row(value: Callable[..., tuple[float, float]], z: Array, r: Array, size: int, setting: Setting) -> Answer:
    rows = zip(z.reshape(-1, z.shape[-1]), r.reshape(-1, z.shape[-1]), strict=True)
    found = [value(tuple(x.tolist()), tuple(y.tolist()), size, setting.estimator, setting.exact) for x, y in rows]
    largest = _largest(size, setting)
    columns = np.array(found, dtype=np.float64).reshape(-1, 2)
    batch = z.shape[:-1]
    factor = largest if value is _first_order else largest**2
    return around(columns[:, 0].reshape(batch), TOLERANCE * factor * columns[:, 1].reshape(batch) + 1e-300)


@lru_cache(maxsize=3000)
def _first_order(
    z: tuple[float, ...], r: tuple[float, ...], size: int, estimator: str, options: Options
) -> tuple[float, float]:
    """Return the value, and the size of its terms per unit of the gain."""
    nearest = reference("numbers").nearest
    success, slope, surprise = _slope(z, r)
    gain = reference("expectations").expected_gain(success, size, estimator, options=options)
    # The direction pi (r - V) is rounded where V is near 0 or 1.
    return nearest(gain * slope.value), nearest(slope.size) + 1e-4 * nearest(surprise)


@lru_cache(maxsize=3000)
def _slope(z: tuple[float, ...], r: tuple[float, ...]) -> tuple[Any, Any, Any]:
    success, pushes = reference("expectations").score(z, r)
    return success, reference("changes").first_order(z, pushes), reference("policies").mean_surprise(z)


@lru_cache(maxsize=3000)
def _second_order(
    z: tuple[float, ...], r: tuple[float, ...], size: int, estimator: str, options: Options
) -> tuple[float, float]:
    """Return the value, and the size of the curvatures that it is a mean of."""
    nearest = reference("numbers").nearest
    found = reference("expectations").expected_second_order_change(z, r, size, estimator, options)
    return nearest(found), _curvature_size(z, r)


@lru_cache(maxsize=3000)
def _curvature_size(z: tuple[float, ...], r: tuple[float, ...]) -> float:
    """Return E |Q_y| and the size of the second order's terms along pi (r - V), with what rounding adds to both."""
    nearest = reference("numbers").nearest
    _, pushes = reference("expectations").score(z, r)
    probs, curvatures = reference("policies").probabilities(z), reference("changes").response_curvatures(z)
    kinds = {
        logit: (nearest(p), nearest(q))
        for logit, (p, q) in dict(zip(z, zip(probs, curvatures, strict=True), strict=True)).items()
    }
    often = Counter(z)
    curved = sum(p * abs(q) * often[logit] for logit, (p, q) in kinds.items())
    squares = sum(p**2 * often[logit] for logit, (p, _) in kinds.items())
    gaps = 1 + min(max(z) - min(z), 700.0)
    return float(curved + 4 * nearest(reference("changes").second_order(z, pushes).size) + 1e-4 * gaps * squares)


def _change_cells(quick: bool) -> Iterator[Cell]:
    """Few responses with large groups, many with small ones: what can be enumerated."""
    rng = np.random.default_rng(SEED)
    sizes = [
        (2, 400),
        (2, 100),
        (2, 65),
        (2, 16),
        (2, 3),
        (2, 2),
        (2, 1),
        (3, 20),
        (3, 9),
        (3, 4),
        (4, 8),
        (4, 3),
        (5, 5),
    ]
    sizes += [(1, 4), (8, 3), (16, 2), (51, 2), (64, 1), (600, 1)]
    if not quick:
        sizes += [(2, 4096), (3, 64), (6, 6), (60, 2), (20, 3), (2, 1025), (3, 33), (5, 9)]
    for setting, p, limit in _at_the_gate():
        z, r, size = np.array([float(np.log(p / (1 - p))), 0.0]), np.array([1.0, 0.0]), min(limit, 401)
        eta = (0.3, -0.3, 1e-6, 2.5)[size % 4]
        arguments = (read_only(z), read_only(r), size, setting.estimator, eta)
        label = f"{setting}, success probability {p}, G = {size}, eta = {eta}"
        yield Cell(label, arguments, partial(_expected_change, z, r, size, setting, eta), setting.given)
    for number, estimator in enumerate((*groups.ESTIMATORS, *groups.ESTIMATORS)):
        z, r = policies.logits("gentle", (3,), rng), np.array([1.0, 0.0, float(number % 2)])
        setting, size, eta = (
            setting_of(number * 7 + 1, estimator),
            (5, 7, 2, 12)[number % 4],
            (0.2, -1.0, 2.5)[number % 3],
        )
        arguments = (read_only(z), read_only(r), size, estimator, eta)
        label = f"{setting}, n = 3, G = {size}, eta = {eta}"
        yield Cell(label, arguments, partial(_expected_change, z, r, size, setting, eta), setting.given)
    kinds = ("gentle", "peaked", "Zipf", "equal", "two levels", "near uniform", "sorted")
    steps = (0.1, -0.1, 1.0, -1.0, 1e-3, 3.0, 1e-6)
    for number, (arms, size) in enumerate(sizes):
        for i in range(2 if quick and arms * size < 150 else 1 if quick else 3):
            kind = kinds[(number + i) % len(kinds)]
            z, setting = policies.logits(kind, (arms,), rng), setting_of(number * 3 + i)
            r = (rng.random(arms) < 0.5).astype(np.float64)
            if setting.estimator not in groups.BINARY and (number + i) % 2:
                r = rng.integers(-4, 5, arms) / 4
            if setting.estimator == "rloo" and size < 2:
                continue
            eta = steps[(number + i * 2) % len(steps)]
            label = f"{setting}, {kind} logits, n = {arms}, G = {size}, eta = {eta}"
            arguments = (read_only(z), read_only(r), size, setting.estimator, eta)
            yield Cell(label, arguments, partial(_expected_change, z, r, size, setting, eta), setting.given)
    zeros = [0.0, 1.0]
    refused: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("logits", ([zeros], [1, 0], 4, "qae", 0.1)),
        ("step_size", (zeros, [1, 0], 4, "qae", [0.1])),
        ("group_size", (zeros, [1, 0], 1, "rloo", 0.1)),
        ("group_size", (np.zeros(12), [1, 0] * 6, 64, "qae", 0.1)),
    )
    for argument, arguments in refused:
        yield Cell(f"refusal of {argument}", arguments, partial(Refused, argument))


def _expected_change(z: Array, r: Array, size: int, setting: Setting, eta: float) -> Answer:
    nearest, logits, rewards = reference("numbers").nearest, z.tolist(), r.tolist()
    found = reference("expectations").expected_entropy_change(
        logits, rewards, size, setting.estimator, eta, setting.exact
    )
    # The changes that are averaged have either sign; none is larger than the step's push on the largest surprise.
    push = min(abs(eta) * 2 * _largest_of(r, size, setting), 4.0)
    room = 1e-11 * push * (1 + min(max(logits) - min(logits), 40.0))
    value = nearest(found)
    return Within(np.asarray(value - room), np.asarray(value + room))


def _largest_of(r: Array, size: int, setting: Setting) -> float:
    """Return a bound on the advantages of any group of these rewards."""
    spread = float(np.ptp(r)) if len(r) else 0.0
    standardised = setting.estimator in groups.STANDARDISED and dict(setting.exact).get("std") != "none"
    return float(np.sqrt(size) + 1) if standardised else spread + 1.0
