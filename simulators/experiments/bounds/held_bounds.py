"""Hold entropy changes against guaranteed bounds, against bounds that must fail, and against Prop. 4.2's interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory import entropy_change, entropy_change_bounds, first_order_entropy_change
from qae_theory.arrays import Array
from qae_theory.entropy_change import curvature_brackets
from simulators.experiments.base import Record
from simulators.experiments.common.shares import rounding

# The median width says how tight the bounds usually are, the others how loose they get.
QUANTILES = (0.5, 0.9, 0.99)


class Checked(NamedTuple):
    """Hold what comparing changes with bounds gives, ``[...]`` each.

    ``change`` is the entropy change in nats; ``outside`` and ``outside_planted`` say whether it is outside the
    guaranteed and the planted bounds. ``width`` is (upper - lower) / |dH|, and NaN where the entropy does not move at
    all.
    """

    change: Array
    outside: Array
    outside_planted: Array
    width: Array


def checked(log_probs: Array, direction: Array, step_size: float, *, planted_scale: float) -> Checked:
    """Hold a step's actual entropy change against its guaranteed bounds, and against scaled ones.

    Args:
        log_probs: ``[..., n]`` in nats.
        direction: ``[..., n]``.
        step_size: eta.
        planted_scale: what the curvature brackets are multiplied with in the bounds that must fail.

    Returns:
        ``[...]`` each.
    """
    change = entropy_change(log_probs, direction, step_size)
    lower, upper = entropy_change_bounds(log_probs, direction, step_size)
    low, high = scaled_bounds(log_probs, direction, step_size, scale=planted_scale)
    size = np.abs(change)
    width = np.divide(upper - lower, size, out=np.full(np.shape(size), np.nan), where=size > 0)
    return Checked(
        change=change,
        outside=(change < lower) | (change > upper),
        outside_planted=(change < low) | (change > high),
        width=width,
    )


def scaled_bounds(log_probs: Array, direction: Array, step_size: float, scale: float) -> tuple[Array, Array]:
    r"""Return bounds of an entropy change whose curvature brackets are scaled.

    They are :math:`ηh_1 - s\tfrac{η^2}{2}ρ^2L_-` and :math:`ηh_1 + s\tfrac{η^2}{2}ρ^2L_+`, widened by rounding:
    guaranteed at s = 1 (claim `remainder`) and at no smaller s.

    Args:
        log_probs: ``[..., n]`` in nats.
        direction: ``[..., n]``; its spread over the arms is rho.
        step_size: eta.
        scale: s.

    Returns:
        ``(lower, upper)``, each ``[...]`` in nats.
    """
    below, above = curvature_brackets(log_probs.shape[-1])
    linear = step_size * first_order_entropy_change(log_probs, direction)
    quadratic = scale * 0.5 * (step_size * np.ptp(direction, axis=-1)) ** 2
    # Without it a bound that is met exactly would fail by the last digit.
    slack = rounding(log_probs, direction, step_size)
    return linear - quadratic * below - slack, linear + quadratic * above + slack


def by_seed(checks: Checked, covered: dict[str, tuple[Array, Array]]) -> list[Record]:
    """Return a record for each seed: counts, and quantiles of the width.

    Each coverage is counted over all its queries, and again over those in which the entropy moved at all.

    Args:
        checks: ``[..., S, Q]`` each.
        covered: by name, whether changes are inside an interval and whether they are changes at all, ``[..., S, Q]``
            each.
    """
    outside, planted = _seed_first(checks.outside), _seed_first(checks.outside_planted)
    width = _seed_first(checks.width)
    records = []
    for seed in range(len(outside)):
        record: Record = {
            "seed": seed,
            "rows": outside.shape[1],
            "violations": int(outside[seed].sum()),
            "planted_violations": int(planted[seed].sum()),
        }
        for name, (inside, moved) in covered.items():
            record |= _coverage(name, _seed_first(inside)[seed], _seed_first(moved)[seed])
        records.append(record | _width_quantiles(width[seed]))
    return records


def coverage(change: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return whether changes are inside an interval, and whether they are changes at all.

    Args:
        change: ``[...]`` in nats.
        low: lower end of the interval, ``[...]``.
        high: upper end.

    Returns:
        Two boolean arrays ``[...]``.
    """
    return np.asarray((low <= change) & (change <= high)), change != 0


def _coverage(name: str, inside: Array, moved: Array) -> Record:
    """Return the counts of one seed's queries inside an interval, of all and of those that moved."""
    return {
        name: int(inside.sum()),
        f"{name}_rows": len(inside),
        f"{name}_moved": int((inside & moved).sum()),
        f"{name}_moved_rows": int(moved.sum()),
    }


def _width_quantiles(width: Array) -> dict[str, float | None]:
    """Return the quantiles of the widths that are defined; None where there are none."""
    moved = width[np.isfinite(width)]
    return {f"width_{q:g}": float(np.quantile(moved, q)) if len(moved) else None for q in QUANTILES}


def _seed_first(values: Array) -> Array:
    """Return values ``[..., S, Q]`` as ``[S, all others]``."""
    return np.moveaxis(values, -2, 0).reshape(values.shape[-2], -1)
