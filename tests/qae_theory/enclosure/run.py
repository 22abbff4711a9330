"""Bounds and enclosures of batches against exact values: who contains the truth, and how wide they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qae_theory import entropy_change_bounds, entropy_change_enclosure
from tests.qae_theory.enclosure import truth
from tests.qae_theory.enclosure.cases import Array, Batch

METHODS = ("best", "brackets", "ratio-box", "cross-entropy", "third-order")
Bounds = Callable[[Array, Array, Array], tuple[Any, Any]]


@dataclass
class Outcome:
    """Hold how many instances were looked at, and the violations of each kind of bounds."""

    instances: int = 0
    violations: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Return how many bounds did not contain the exact change."""
        return sum(map(len, self.violations.values()))


def shipped() -> dict[str, Bounds]:
    """Return all that the package guarantees to contain the exact change."""

    def of(method: str) -> Bounds:
        return lambda z, d, eta: entropy_change_bounds(z, d, eta, method=method)

    return {method: of(method) for method in METHODS} | {"enclosure": entropy_change_enclosure}


def hold(batches: Iterable[Batch], kinds: Mapping[str, Bounds]) -> Outcome:
    """Hold every kind of bounds against the exact change of every instance."""
    outcome = Outcome(violations={name: [] for name in kinds})
    for batch in batches:
        found = {name: bounds(*batch) for name, bounds in kinds.items()}
        for row in range(len(batch.step_size)):
            _hold_row(batch, row, {name: (side[0][row], side[1][row]) for name, side in found.items()}, outcome)
    return outcome


def _hold_row(batch: Batch, row: int, found: Mapping[str, tuple[Any, Any]], outcome: Outcome) -> None:
    z, d, eta = batch.logits[row].tolist(), batch.direction[row].tolist(), float(batch.step_size[row])
    outcome.instances += 1
    still = len(set(d)) == 1 or eta == 0
    settled = [truth.decides(float(low), float(high)) for low, high in found.values()]
    ball = None if still else truth.change(z, d, eta, lambda ball: all(enough(ball) for enough in settled))
    for name, (low, high) in found.items():
        if np.isnan(low) or np.isnan(high):
            inside = False
        elif still:  # nothing moves: the change is exactly 0
            inside = bool(low <= 0 <= high)
        else:
            inside = truth.within(ball, float(low), float(high))
        if not inside:
            outcome.violations[name].append((z[:8], d[:8], eta, float(low), float(high), str(ball)))


def units_wide(batches: Iterable[Batch], *, reach: float = 300.0, smallest: float = 1e-150) -> Array:
    """Return how wide the enclosure is, in units in the last place of its larger end.

    Only of steps that move some arm against another by at most ``reach`` nats and entropy by at least ``smallest``.
    """
    widths = []
    for batch in batches:
        with np.errstate(over="ignore", invalid="ignore"):
            moved = np.abs(batch.step_size) * (batch.direction.max(axis=1) - batch.direction.min(axis=1))
        lower, upper = entropy_change_enclosure(*batch)
        larger = np.maximum(np.abs(lower), np.abs(upper))
        kept = (moved <= reach) & (larger >= smallest)
        widths.append(((upper - lower) / np.spacing(larger))[kept])
    return np.concatenate(widths)
