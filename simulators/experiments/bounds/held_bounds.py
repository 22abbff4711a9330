"""Entropy changes held against the guaranteed bounds, against bounds that must fail, and Prop. 4.2's interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory import entropy_change, entropy_change_bounds, first_order_entropy_change
from qae_theory.arrays import Array
from qae_theory.entropy_change import curvature_brackets
from simulators.experiments.base import Record
from simulators.experiments.common.shares import rounding

QUANTILES = (0.5, 0.9, 0.99)


class Checked(NamedTuple):
    """Rows ``[...]``: the change, whether it is outside the bounds and the planted ones, and (upper - lower) / |dH|.

    The width is NaN where the entropy does not move at all.
    """

    change: Array
    outside: Array
    outside_planted: Array
    width: Array


def checked(log_probs: Array, direction: Array, step_size: float, *, planted_scale: float) -> Checked:
    """Hold a step's actual entropy change against its guaranteed bounds, and against scaled ones.

    Args:
        log_probs: ``[..., n]``.
        direction: ``[..., n]``.
        step_size: eta.
        planted_scale: what the curvature brackets are multiplied with in bounds that must fail.
    """
    change = entropy_change(log_probs, direction, step_size)
    lower, upper = entropy_change_bounds(log_probs, direction, step_size)
    low, high = scaled_bounds(log_probs, direction, step_size, planted_scale)
    size = np.abs(change)
    width = np.divide(upper - lower, size, out=np.full(np.shape(size), np.nan), where=size > 0)
    return Checked(change, (change < lower) | (change > upper), (change < low) | (change > high), width)


def scaled_bounds(log_probs: Array, direction: Array, step_size: float, scale: float) -> tuple[Array, Array]:
    r"""Bounds :math:`ηh_1 - s\tfrac{η^2}{2}ρ^2L_-` and :math:`ηh_1 + s\tfrac{η^2}{2}ρ^2L_+`, widened by rounding.

    Guaranteed at s = 1 (claim `remainder`), at no smaller s.

    Args:
        log_probs: ``[..., n]``.
        direction: ``[..., n]``.
        step_size: eta.
        scale: s.

    Returns:
        ``(lower, upper)``, each ``[...]``.
    """
    below, above = curvature_brackets(log_probs.shape[-1])
    line = step_size * first_order_entropy_change(log_probs, direction)
    quadratic = scale * 0.5 * (step_size * np.ptp(direction, axis=-1)) ** 2
    slack = rounding(log_probs, direction, step_size)
    return line - quadratic * below - slack, line + quadratic * above + slack


def by_seed(checks: Checked, covered: dict[str, tuple[Array, Array]]) -> list[Record]:
    """Counts and quantiles of the width of each seed; ``[..., S, Q]``, as are the ``covered``.

    Each coverage is counted over all its rows, and again over those in which the entropy moved at all.
    """
    outside, planted, width = (_seed_rows(values) for values in checks[1:])
    inside = {name: (_seed_rows(rows), _seed_rows(moved)) for name, (rows, moved) in covered.items()}
    return [
        {
            "seed": seed,
            "rows": outside.shape[1],
            "violations": int(outside[seed].sum()),
            "planted_violations": int(planted[seed].sum()),
            **{key: count for name, rows in inside.items() for key, count in _coverage(name, *rows, seed).items()},
            **_width_quantiles(width[seed]),
        }
        for seed in range(len(outside))
    ]


def coverage(change: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Whether changes are inside an interval, and whether they are changes at all."""
    return np.asarray((low <= change) & (change <= high)), change != 0


def _coverage(name: str, inside: Array, moved: Array, seed: int) -> Record:
    return {
        name: int(inside[seed].sum()),
        f"{name}_rows": inside.shape[1],
        f"{name}_moved": int((inside & moved)[seed].sum()),
        f"{name}_moved_rows": int(moved[seed].sum()),
    }


def _width_quantiles(width: Array) -> dict[str, float | None]:
    moved = width[np.isfinite(width)]
    return {f"width_{q:g}": float(np.quantile(moved, q)) if len(moved) else None for q in QUANTILES}


def _seed_rows(values: Array) -> Array:
    """``[..., S, Q] -> [S, rows]``."""
    return np.moveaxis(values, -2, 0).reshape(values.shape[-2], -1)
