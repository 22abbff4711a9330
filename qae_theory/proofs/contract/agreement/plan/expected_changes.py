"""Make the cells of expected entropy changes of one query: their first two orders, and the finite change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import (
    Answer,
    Cell,
    Refused,
    Within,
    Worth,
    around,
    read_only,
    refusal,
)
from qae_theory.proofs.contract.agreement.plan import forms, groups, policies
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.agreement.plan.settings import (
    SIZES_QUICK,
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

SEED = 11
# Arms and group sizes whose count vectors can all be gone through.
ENUMERATED = (
    *((2, 400), (2, 100), (2, 65), (2, 16), (2, 3), (2, 2), (2, 1), (3, 20), (3, 9), (3, 4), (4, 8), (4, 3), (5, 5)),
    *((1, 4), (8, 3), (16, 2), (51, 2), (64, 1), (600, 1)),
)
ENUMERATED_AT_LENGTH = ((2, 4096), (3, 64), (6, 6), (60, 2), (20, 3), (2, 1025), (3, 33), (5, 9))


@kept
def first_order_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_first_order_change``."""
    return tuple(_query_cells(quick, partial(_by_query, _first_order, 1), least=1))


@kept
def second_order_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_second_order_change``."""
    return tuple(_query_cells(quick, partial(_by_query, _second_order, 2), least=2))


@kept
def change_cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``expected_entropy_change``."""
    return tuple(_change_cells(quick))


def _query_cells(quick: bool, expect: Callable[..., Answer], *, least: int) -> Iterator[Cell]:
    """Yield policies of every size with both rewards present, groups at the gate, draws, and refusals."""
    rng = np.random.default_rng(SEED)
    arms_of = [n for n in forms.arms_of(quick) if n >= 2]
    sizes = [size for size in sizes_of(quick) if size >= least]
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
    for setting, p, size in at_the_gate():
        z = np.array([float(np.log(p / (1 - p))), 0.0])
        yield _query_cell(expect, "two", read_only(z), np.array([1.0, 0.0]), max(size, least), setting)
    for point in forms.draws(5, 50 if quick else 500, SEED):
        kind, layout, z = policies.drawn_logits(point, [n for n in forms.ARMS if 2 <= n <= 600], rng)
        setting = setting_of(int(point[4] * 1000))
        size = forms.pick([size for size in SIZES_QUICK if size >= least], point[4])
        yield _query_cell(expect, kind, forms.laid_out(z, layout), mixed_rewards(z, rng), size, setting)
    zeros = [0.0, 1.0]
    yield refusal("arm_rewards", zeros, [1, 1], 4, "qae")
    yield refusal("arm_rewards", zeros, [1, 2], 4, "qae")
    yield refusal("group_size", zeros, [1, 0], least - 1, "qae")
    yield refusal("logits", [0.0, float("nan")], [1, 0], 4, "qae")
    yield refusal("estimator", zeros, [1, 0], 4, "nope")


def mixed_rewards(z: Array, rng: np.random.Generator) -> Array:
    """Return 0/1 rewards, both present in each row; in large policies equal logits mostly share theirs."""
    r = policies.by_logit(z, lambda count: (rng.random(count) < 0.5).astype(np.float64))
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


def _by_query(
    value: Callable[..., tuple[float, float]], order: int, z: Array, r: Array, size: int, setting: Setting
) -> Answer:
    """Return the expectation of one order, query by query; it holds that power of the advantages."""
    rows = zip(z.reshape(-1, z.shape[-1]), r.reshape(-1, z.shape[-1]), strict=True)
    found = [value(tuple(x.tolist()), tuple(y.tolist()), size, setting.estimator, setting.exact) for x, y in rows]
    columns = np.array(found, dtype=np.float64).reshape(-1, 2)
    batch = z.shape[:-1]
    factor = largest_advantage(size, setting) ** order
    return around(columns[:, 0].reshape(batch), TOLERANCE * factor * columns[:, 1].reshape(batch) + 1e-300)


@remembered
def _first_order(
    z: tuple[float, ...], r: tuple[float, ...], size: int, estimator: str, options: Options
) -> tuple[float, float]:
    """Return the value, and the size of its terms per unit of the gain."""
    nearest = reference("numbers").nearest
    success, slope, surprise = _slope(z, r)
    gain = reference("expectations").expected_gain(success, size, estimator, options=options)
    # The direction pi (r - V) is rounded where V is near 0 or 1.
    return nearest(gain * slope.value), nearest(slope.size) + 1e-4 * nearest(surprise)


@remembered
def _slope(z: tuple[float, ...], r: tuple[float, ...]) -> tuple[Any, Any, Any]:
    success, pushes = reference("expectations").score(z, r)
    return success, reference("changes").first_order(z, pushes), reference("policies").mean_surprise(z)


@remembered
def _second_order(
    z: tuple[float, ...], r: tuple[float, ...], size: int, estimator: str, options: Options
) -> tuple[float, float]:
    """Return the value, and the size of the curvatures that it is a mean of."""
    nearest = reference("numbers").nearest
    found = reference("expectations").expected_second_order_change(z, r, size, estimator, options)
    return nearest(found), _curvature_size(z, r)


@remembered
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
    rng = np.random.default_rng(SEED)
    yield from _changes_at_the_gate()
    yield from _changes_of_every_estimator(rng)
    yield from _enumerated_changes(quick, rng)
    yield from _changes_of_every_divisor(np.random.default_rng(SEED + 1))
    yield from _changes_of_peaked_policies()
    for size, estimator in ((3, "rloo"), (2, "qae")):
        exact = (np.array([Fraction(0), Fraction(1)], dtype=object), [1, 0], size, estimator, Fraction(1, 4))
        yield Cell(f"exact, {estimator}, G = {size}", exact, partial(_exact_change, size, estimator))
    zeros = [0.0, 1.0]
    yield refusal("logits", [zeros], [1, 0], 4, "qae", 0.1)
    yield refusal("arm_rewards", zeros, [2, 0], 4, "psr", 0.1)
    yield refusal("step_size", zeros, [1, 0], 4, "qae", [0.1])
    yield refusal("step_size", [-1e308, 1e308], [1, 0], 4, "qae", 1.79e308)
    yield refusal("group_size", zeros, [1, 0], 1, "rloo", 0.1)
    yield refusal("group_size", np.zeros(12), [1, 0] * 6, 64, "qae", 0.1)


def _changes_at_the_gate() -> Iterator[Cell]:
    for setting, p, limit in at_the_gate():
        z, r, size = np.array([float(np.log(p / (1 - p))), 0.0]), np.array([1.0, 0.0]), min(limit, 401)
        yield _change_cell(f"success probability {p}", z, r, size, setting, (0.3, -0.3, 1e-6, 2.5)[size % 4])


def _changes_of_every_estimator(rng: np.random.Generator) -> Iterator[Cell]:
    for number, estimator in enumerate((*groups.ESTIMATORS, *groups.ESTIMATORS)):
        z, r = policies.logits("gentle", (3,), rng), np.array([1.0, 0.0, float(number % 2)])
        setting, size = setting_of(number * 7 + 1, estimator), (5, 7, 2, 12)[number % 4]
        yield _change_cell("n = 3", z, r, size, setting, (0.2, -1.0, 2.5)[number % 3])


def _changes_of_every_divisor(rng: np.random.Generator) -> Iterator[Cell]:
    """Yield each rule that divides only if it is told to, with each divisor."""
    for number, (estimator, std) in enumerate(product(groups.UNDIVIDED, STDS)):
        z, r = policies.logits("gentle", (3,), rng), np.array([1.0, 0.0, float(number % 2)])
        setting, size = Setting(estimator, None, std, groups.EPS[number % 8]), (3, 6, 2)[number % 3]
        yield _change_cell("n = 3", z, r, size, setting, (0.2, -1.0, 2.5)[number % 3])


def _changes_of_peaked_policies() -> Iterator[Cell]:
    """Yield policies of nearly one response, at levels where a group with one of the others has the gate's edge."""
    z = np.array([0.0, -8.0])
    for estimator, (level, r) in product(groups.GATED, ((0.8, [0.0, 1.0]), (0.2, [1.0, 0.0]))):
        setting = Setting(estimator, forms.level(level), None, None)
        yield _change_cell("peaked logits, n = 2", z, np.array(r), 5, setting, 1.0)


def _enumerated_changes(quick: bool, rng: np.random.Generator) -> Iterator[Cell]:
    """Yield few responses with large groups, and many with small ones."""
    kinds = ("gentle", "peaked", "Zipf", "equal", "two levels", "near uniform", "sorted")
    steps = (0.1, -0.1, 1.0, -1.0, 1e-3, 3.0, 1e-6)
    for number, (arms, size) in enumerate(ENUMERATED if quick else (*ENUMERATED, *ENUMERATED_AT_LENGTH)):
        for i in range(2 if quick and arms * size < 150 else 1 if quick else 3):
            kind = kinds[(number + i) % len(kinds)]
            z, setting = policies.logits(kind, (arms,), rng), setting_of(number * 3 + i)
            r = (rng.random(arms) < 0.5).astype(np.float64)
            if setting.estimator not in groups.BINARY and (number + i) % 2:
                r = rng.integers(-4, 5, arms) / 4
            if setting.estimator == "rloo" and size < 2:
                continue
            yield _change_cell(f"{kind} logits, n = {arms}", z, r, size, setting, steps[(number + i * 2) % len(steps)])


def _change_cell(label: str, z: Array, r: Array, size: int, setting: Setting, eta: float) -> Cell:
    arguments = (read_only(z), read_only(r), size, setting.estimator, eta)
    expect = partial(_expected_change, z, r, size, setting, eta)
    return Cell(f"{setting}, {label}, G = {size}, eta = {eta}", arguments, expect, setting.given)


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


def _exact_change(size: int, estimator: str) -> Answer:
    found = reference("expectations").expected_entropy_change([0.0, 1.0], [1.0, 0.0], size, estimator, 0.25, ())
    return Worth(np.asarray(reference("numbers").nearest(found)))


def _largest_of(r: Array, size: int, setting: Setting) -> float:
    """Return a bound on the advantages of any group of these rewards."""
    spread = float(np.ptp(r)) if len(r) else 0.0
    return float(np.sqrt(size) + 1) if setting.divides else spread + 1.0
