"""Make the cells of ``safe_step_size``: policies, 0/1 rewards and pairs of baselines."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.proofs.contract.agreement.comparison import Answer, Cell, Within, read_only, refusal
from qae_theory.proofs.contract.agreement.plan import forms, policies
from qae_theory.proofs.contract.agreement.plan.kept import kept, remembered
from qae_theory.proofs.contract.agreement.references import reference

PAIRS = ((0.0, 1.0), (0.0, 0.5), (0.25, 0.75), (0.4, 1.0), (0.0, 1e-3), (0.999, 1.0))
SHARES = (0.5, 0.1, 0.9, 0.0, 1.0)  # of right responses
# The result is rounded down by at most this part: 8 (n + 800) units, of sums of n terms.
ROUNDED_DOWN = 2e-9
SEED = 8


@kept
def cells(quick: bool) -> tuple[Cell, ...]:
    """Return the plan of ``safe_step_size``."""
    return tuple(_cells(quick))


def _cells(quick: bool) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for number, arms in enumerate(forms.arms_of(quick)):
        for i in range(1 if quick and arms > 300 else 2 if quick else 5):
            kind = policies.KINDS[(number + i * 3) % len(policies.KINDS)]
            z = policies.logits(kind, (arms,), rng)
            r = rewards(z, SHARES[(number + i) % len(SHARES)], rng)
            low, high = PAIRS[(number + i) % len(PAIRS)]
            yield _cell(f"{kind} logits, n = {arms}", read_only(z), read_only(r), low, high)
    yield from _drawn(90 if quick else 800)
    many = policies.logits("gentle", (5, 20), rng)
    place, right = rng.integers(0, 5, 2500), rewards(many, 0.5, rng)
    for low, high in ((0.25, 0.75), (0.0, 1.0)):
        yield _cell("[2500, 20]", read_only(many[place]), read_only(right[place]), low, high)
    zeros = [0.0, 1.0]
    yield refusal("arm_rewards", zeros, [1, 2], 0.0, 1.0)
    yield refusal("low", zeros, [1, 0], -0.1, 1.0)
    yield refusal("high", zeros, [1, 0], 0.5, 0.5)
    yield refusal("high", zeros, [1, 0], 0.5, 1.1)


def _drawn(count: int) -> Iterator[Cell]:
    rng = np.random.default_rng(SEED)
    for point in forms.draws(7, count, SEED):
        kind, layout, z = policies.drawn_logits(point, [n for n in forms.ARMS if n <= 1050], rng)
        batch = z.shape[:-1]
        r = rewards(z, forms.pick(SHARES, point[4]), rng)
        r = r[0] if batch and batch[0] and point[5] < 0.3 else r
        types = ("float64", "int64", "bool", "float32")
        low: Any
        low, high = forms.pick(PAIRS, point[6])
        if batch and point[5] > 0.6:
            low = np.linspace(low, (low + high) / 2, int(np.prod(batch))).reshape(batch)
        label = f"{kind} logits [{', '.join(map(str, z.shape))}], {layout}"
        yield _cell(label, forms.laid_out(z, layout), read_only(r.astype(forms.pick(types, point[5]))), low, high)


def rewards(z: Array, share: float, rng: np.random.Generator) -> Array:
    """Return 0/1 rewards of responses ``[..., n]``, right for this share of the different logits."""
    return policies.by_logit(z, lambda count: (rng.random(count) < share).astype(np.float64))


def _cell(label: str, z: Any, r: Any, low: Any, high: Any) -> Cell:
    held = (forms.entries(z, np.shape(z)), forms.entries(r, np.shape(r)), np.asarray(low), np.asarray(high))
    shown = f", b1 {np.ravel(low)[:2].tolist()}, b2 {high}"
    return Cell(label + shown, (z, r, low, high), partial(_expected, *held))


def _expected(z: Array, r: Array, low: Array, high: Array) -> Answer:
    batch, rows = forms.in_rows((z, r), (low, high))
    table = [_step(tuple(a.tolist()), tuple(b.tolist()), float(c), float(d)) for a, b, c, d in rows]
    largest = np.array(table, dtype=np.float64).reshape(batch)
    with np.errstate(invalid="ignore"):
        least = np.where(np.isinf(largest), largest, largest * (1 - ROUNDED_DOWN))
    return Within(least, largest)


@remembered
def _step(z: tuple[float, ...], r: tuple[float, ...], low: float, high: float) -> float:
    found = reference("bounds").safe_step_size(z, r, low, high)
    return float("inf") if found is None else float(reference("numbers").nearest(found))
