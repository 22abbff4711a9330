r"""Find the changepoint of several series at once: a break in level and slope against a smooth course.

The null course of each series is a cubic in :math:`t` with :math:`\log(1+t)` (a straight line with it where there are
few steps), which drifts and saturating curves follow. At every candidate step :math:`\tau` a jump and a change of slope
are added. The statistic sums over the series what they explain of the residual variance,
:math:`\sum_j\|Q_\tau^Te_j\|^2/(\|e_j\|^2-\|Q_\tau^Te_j\|^2)`, at its largest over :math:`\tau`.

Its error rate is by permutation of the residuals under the null (Freedman and Lane, J. Business & Economic Statistics 1
(1983)). Neighbouring steps are alike, so it is not the residuals that are permuted but the innovations of a first-order
autoregression, of all series together, as they move together; each surrogate is coloured again with the same
coefficient. The coefficient is estimated behind the best break, so that a break is not taken for long-lived noise, and
is the one whose expected lag-one autocorrelation, after so many columns are fitted, is what is seen. The rate is
approximate where the noise lives longer than that; what it is on simulated runs stands in ``docs/audit.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from qae_theory.arrays import Array

LEAST_STEPS = 12
MOST_POINTS = 240  # longer series are averaged over neighbouring steps
EDGE = 3  # points at either end at which no change is looked for
PERMUTATIONS = 999
CUBIC = 40  # steps from which on the course may bend
_COEFFICIENTS = np.linspace(0, 0.95, 39)  # of the autoregression, among which the estimate interpolates
_TINY = 1e-12


class Change(NamedTuple):
    """Hold where the series break, the p-value, and what was expected of each series and what came.

    ``onset`` is where a ramp that goes on to a new level begins to fit best; ``step`` is where the break fits best, in
    the midst of a change that takes a while. ``before`` is the level before it, ``expected`` where the course before it
    led to and ``seen`` what came, means over the steps behind it.
    """

    onset: int
    step: int
    p_value: float
    before: Mapping[str, float]
    expected: Mapping[str, float]
    seen: Mapping[str, float]


def changepoint(step: Array, series: Mapping[str, Array], *, seed: int = 0) -> Change | None:
    """Return the likeliest break of the series together; None where there are too few steps.

    Args:
        step: ``[T]``, ascending.
        series: ``[T]`` each; steps at which one of them is missing are left out.
        seed: of the permutations.
    """
    whole = np.all([np.isfinite(values) for values in series.values()], axis=0) if series else np.zeros(0, dtype=bool)
    if whole.sum() < LEAST_STEPS:
        return None
    steps, points = _binned(step[whole], np.stack([values[whole] for values in series.values()]))
    # A series that stays where it is has no variance to explain a part of.
    moving = points.std(axis=1) > _TINY * np.abs(points).max(axis=1)
    if not moving.any():
        return None
    count = points.shape[1]
    null = _orthonormal(_smooth(count))
    residuals = points[moving] - points[moving] @ null @ null.T
    bases = _breaks(count, null)
    explained = _explained(residuals[None], bases)[0]
    best = int(explained.argmax())
    rng = np.random.default_rng(seed)
    shuffled = _permuted(residuals, null, _autoregression(residuals, null, best + EDGE), rng)
    larger = int((_explained(shuffled, bases).max(axis=1) >= explained[best]).sum())
    at = best + EDGE
    return Change(
        int(steps[_onset(residuals, null, at)]),
        int(steps[at]),
        # The order that was seen counts as one of the permutations, so that no p-value is 0.
        (1 + larger) / (1 + PERMUTATIONS),
        *(dict(zip(series, values.tolist(), strict=True)) for values in _around(points, at)),
    )


def _binned(step: Array, points: Array) -> tuple[Array, Array]:
    """Average neighbours so that at most ``MOST_POINTS`` are left; a bin stands at its first step."""
    width = -(-len(step) // MOST_POINTS)
    if width == 1:
        return step, points
    starts = np.arange(0, len(step), width)
    sizes = np.diff(np.r_[starts, len(step)])
    return step[starts], np.add.reduceat(points, starts, axis=1) / sizes


def _smooth(count: int) -> Array:
    """Return the null course's columns, ``[T, 5]``, or three of them for few steps."""
    time = np.linspace(-1, 1, count)
    powers = [time**power for power in range(4 if count >= CUBIC else 2)]
    return np.stack([*powers, np.log1p(np.arange(count))], axis=1)


def _orthonormal(columns: Array) -> Array:
    return np.linalg.qr(columns)[0]


def _breaks(count: int, null: Array) -> Array:
    """Return for every candidate an orthonormal basis of jump and change of slope beside the null, ``[C, T, 2]``."""
    time = np.arange(count, dtype=np.float64)
    found = []
    for at in range(EDGE, count - EDGE):
        after = (time >= at).astype(np.float64)
        columns = np.stack([after, after * (time - at)], axis=1)
        found.append(_orthonormal(columns - null @ (null.T @ columns)))
    return np.stack(found)


def _explained(residuals: Array, bases: Array) -> Array:
    """Return the statistic of every candidate, ``[B, J, T] -> [B, C]``."""
    total = (residuals**2).sum(axis=-1)[..., None]
    candidates, count, _ = bases.shape
    flat = bases.transpose(1, 0, 2).reshape(count, candidates * 2)
    parts = (residuals @ flat).reshape(*residuals.shape[:-1], candidates, 2)
    part = (parts**2).sum(axis=-1)
    return np.asarray((part / (total - part + _TINY * total + np.finfo(float).tiny)).sum(axis=1))


def _autoregression(residuals: Array, null: Array, at: int) -> Array:
    """Return each series' autoregressive coefficient, ``[J]``, when a break at ``at`` may end in any parabola."""
    count = residuals.shape[1]
    since = np.clip(np.arange(count, dtype=np.float64) - at, 0, None)
    after = np.arange(count) >= at
    columns = np.stack([after * (since / count) ** power for power in range(3)], axis=1)
    columns = columns - null @ (null.T @ columns)
    # Three points behind the break hold no parabola that the null course does not hold already.
    left, sizes, _ = np.linalg.svd(columns / np.sqrt((columns**2).sum(axis=0)), full_matrices=False)
    kept = left[:, sizes > 1e-6]
    rest = residuals - residuals @ kept @ kept.T
    seen = (rest[:, 1:] * rest[:, :-1]).sum(axis=1) / ((rest**2).sum(axis=1) + np.finfo(float).tiny)
    return np.interp(seen, _expected_autocorrelation(np.eye(count) - null @ null.T - kept @ kept.T), _COEFFICIENTS)


def _expected_autocorrelation(residual_maker: Array) -> Array:
    """Return tr(M L M S)/tr(M S) for the covariance S of each coefficient, with L that shifts by one step."""
    lags = np.abs(np.subtract.outer(np.arange(len(residual_maker)), np.arange(len(residual_maker))))
    found = []
    for coefficient in _COEFFICIENTS:
        covariance = residual_maker @ coefficient**lags @ residual_maker
        found.append(np.trace(covariance, offset=1) / np.trace(covariance))
    return np.array(found)


def _permuted(residuals: Array, null: Array, coefficients: Array, rng: np.random.Generator) -> Array:
    """Return residuals of permuted series, ``[B, J, T]``: innovations in another order, the same one for all series."""
    count = residuals.shape[1]
    start = np.sqrt(1 - coefficients**2)  # the first value's deviation is that of an innovation, divided by this
    innovations = residuals.copy()
    innovations[:, 1:] -= coefficients[:, None] * residuals[:, :-1]
    innovations[:, 0] *= start
    orders = rng.permuted(np.tile(np.arange(count), (PERMUTATIONS, 1)), axis=1)
    found = innovations[:, orders].transpose(1, 0, 2)
    found[..., 0] /= start
    for time in range(1, count):
        found[..., time] += coefficients * found[..., time - 1]
    return found - found @ null @ null.T


def _onset(residuals: Array, null: Array, at: int) -> int:
    """Return the point at which the ramp begins that explains most of the residuals, at or before the break."""
    count = residuals.shape[1]
    time = np.arange(count)
    widths = [width for width in (1, 2, 3, 5, 8, 12, 18, 27, 40, 60) if width <= max(1, count // 4)]
    ramps = [(first, width) for width in widths for first in range(max(EDGE - 1, at - width), at + 1)]
    columns = np.stack([np.clip((time - first + 1) / width, 0, 1) for first, width in ramps], axis=1)
    columns = columns - null @ (null.T @ columns)
    columns /= np.maximum(np.sqrt((columns**2).sum(axis=0)), _TINY)
    total = (residuals**2).sum(axis=1, keepdims=True)
    part = (residuals @ columns) ** 2
    gain = (part / (total - part + _TINY * total + np.finfo(float).tiny)).sum(axis=0)
    return ramps[int(gain.argmax())][0]


def _around(points: Array, at: int) -> tuple[Array, Array, Array]:
    """Return each series' level before the break, what its course led to afterwards, and what came, ``[J]`` each."""
    count = points.shape[1]
    reach = min(max(EDGE, count // 10), at)
    before = points[:, at - reach : at].mean(axis=1)
    line = np.stack([np.ones(at), np.arange(at)], axis=1)
    after = np.arange(at, count)
    fitted = np.linalg.lstsq(line, points[:, :at].T, rcond=None)[0]
    expected = (np.stack([np.ones(len(after)), after], axis=1) @ fitted).mean(axis=0)
    return before, expected, points[:, at:].mean(axis=1)
