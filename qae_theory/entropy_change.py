"""How entropy moves when the logits take a step: exactly, to first and second order, and between guaranteed bounds.

The step is z' = z + eta d for any direction d of ``updates``. Expectations over sampled groups are in
``group_expectation``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from qae_theory import array_arguments as arguments
from qae_theory import checks
from qae_theory.arrays import Array, exp, is_exact
from qae_theory.numerics import bounds, enclosure
from qae_theory.numerics.change import STEP_SIZES, change_of_step, deviations, unit_direction
from qae_theory.softmax import centred, covariance, expectation, log_softmax, surprise
from qae_theory.updates import uncentred

# The largest |Cov(x, (d - E d)^2)| over x, d in [0, 1] (proofs, `remainder`).
THIRD_MOMENT_CONSTANT = 1 / (6 * math.sqrt(3))
# So few arms have one gap between logits at most, and the entropy change is a function of that.
_FEW_ARMS = 2
# Twice the error that `entropy_change` may have, relative to the sizes of its terms.
_MEASURED = 4e-13
_UNIT_ROUNDOFF = 2.0**-53
_LARGEST = float(np.finfo(np.float64).max)
# Numbers below this may be made of some that have lost digits below 2**-1022.
_FEW_DIGITS = 1e-290


def entropy_change(logits: Any, direction: Any, step_size: Any) -> Array:
    r"""Return the exact entropy change :math:`H(\mathrm{softmax}(z + \eta d)) - H(\mathrm{softmax}(z))`, in nats.

    Computed as :math:`-\sum_i(\pi'_i - \pi_i)\log\pi_i - KL(\pi'\|\pi)`, a sum of terms of two signs and one of terms
    that are not negative, or as the difference of the entropies where those are smaller. The error is at most 2e-13 of
    :math:`\sum_i|\pi'_i-\pi_i||\log\pi_i+H| + KL` plus 1e-300, at tiny and huge steps, near uniform and near one-hot,
    for n up to 151,936; a change that cancels to less than its terms has no more than that.
    :func:`entropy_change_enclosure` has the last digits.

    Args:
        logits: ``[..., n]``, finite.
        direction: ``[..., n]``, logit change per unit step.
        step_size: eta, a scalar or ``[...]``.

    Returns:
        ``[...]``.

    Raises:
        ValueError: naming the argument; ``step_size`` if float64 cannot tell the new logits apart.

    >>> round(float(entropy_change([0.0, 2.0], [1.0, 0.0], 0.5)), 6)
    0.109718
    """
    z, d, eta = arguments.step(logits, direction, step_size)
    change, known = change_of_step(z, d, eta)
    if not known.all():
        checks.refuse("step_size", step_size, STEP_SIZES)
    return change


def first_order_entropy_change(logits: Any, direction: Any) -> Array:
    r"""Return the first-order entropy change per unit step, :math:`-\mathrm{Cov}_\pi(\log\pi, d)`.

    In float64 the error is at most 2e-13 of :math:`\sum_i\pi_i|\log\pi_i + H||d_i - E_\pi d|`, for n up to 151,936,
    plus 1e-300 of the range of d, plus the smallest float64.

    Args:
        logits: ``[..., n]``, finite.
        direction: ``[..., n]``.

    Returns:
        ``[...]``, nats per unit step.

    Raises:
        ValueError: naming the argument.

    Source: arXiv 2509.22611, Sec. 4.3 (there with d = pi (r - b)); 2505.22617.

    >>> round(float(first_order_entropy_change([0.0, 2.0], [1.0, 0.0])), 6)
    0.209987
    """
    z, d, _ = arguments.step(logits, direction, 1)
    log_probs = log_softmax(z)
    if is_exact(z) or is_exact(d):
        return -covariance(exp(log_probs), log_probs, d)
    probs = exp(log_probs)
    unit, exponent = unit_direction(d)
    change = -expectation(probs, _counted_surprise(probs, z) * deviations(probs, z, unit))
    return _at_scale(change, exponent, direction)


def second_order_entropy_change(logits: Any, direction: Any) -> Array:
    r"""Return the second derivative of entropy along a direction, :math:`d^\top \nabla^2 H\, d`.

    :math:`\varphi''(0) = -\mathrm{Var}_\pi(d) - E_\pi[(\log\pi - E\log\pi)(d - E d)^2]` for
    :math:`\varphi(t) = H(\mathrm{softmax}(z + t d))`; the entropy change is
    :math:`\eta h_1 + \eta^2\varphi''(0)/2 + O(\eta^3)`. In float64 the error is at most 2e-13 of
    :math:`\sum_i\pi_i(1 + |\log\pi_i + H|)(d_i - E_\pi d)^2`, for n up to 151,936, plus 1e-300 of
    the square of d's range, plus the smallest float64.

    Args:
        logits: ``[..., n]``, finite.
        direction: ``[..., n]``.

    Returns:
        ``[...]``, nats per squared unit step.

    Raises:
        ValueError: naming the argument.

    >>> round(float(second_order_entropy_change([0.0, 0.0], [1.0, 0.0])), 6)
    -0.25
    """
    z, d, _ = arguments.step(logits, direction, 1)
    log_probs = log_softmax(z)
    probs = exp(log_probs)
    if is_exact(z) or is_exact(d):
        return -expectation(probs, (1 + centred(probs, log_probs)) * centred(probs, d) ** 2)
    unit, exponent = unit_direction(d)
    curvature = -expectation(probs, (1 + _counted_surprise(probs, z)) * deviations(probs, z, unit) ** 2)
    return _at_scale(curvature, 2 * exponent, direction)


def response_curvatures(logits: Any) -> Array:
    r"""Return entropy's curvature along each response's score, :math:`Q_y = (e_y - \pi)^\top \nabla^2 H (e_y - \pi)`.

    Args:
        logits: ``[..., n]``, finite.

    Returns:
        ``[..., n]``, one number a response, in O(n) operations.

    Raises:
        ValueError: naming ``logits``.

    >>> response_curvatures([0.0, 0.0]).tolist()
    [-0.25, -0.25]
    """
    log_probs = log_softmax(arguments.logits(logits))
    probs = exp(log_probs)
    weight = 1 + centred(probs, log_probs)
    excess = centred(probs, probs)
    # e_y - pi differs from its mean by f - a, with f = 1{y} - pi_y and a = `excess`; summed here are the terms of
    # (f - a)^2.
    own = probs * (weight * (1 - 2 * probs) + probs)
    cross = probs * (weight * excess - expectation(probs, weight * excess)[..., None])
    return -(own - 2 * cross + expectation(probs, weight * excess**2)[..., None])


def entropy_change_bounds(logits: Any, direction: Any, step_size: Any, *, method: str = "best") -> tuple[Array, Array]:
    r"""Return guaranteed two-sided bounds on the entropy change of a finite step, in nats.

    With :math:`h_1` the first-order change, :math:`\rho = \max d - \min d`, :math:`\pi'` the policy after the step,
    :math:`A = -\sum_i(\pi'_i-\pi_i)\log\pi_i`:

    =================  ============================================================================================
    ``brackets``       :math:`\eta h_1 - \tfrac{\eta^2}{2}\rho^2 L_- \le \Delta H \le \eta h_1 +
                       \tfrac{\eta^2}{2}\rho^2 L_+`, :math:`L_\pm` from :func:`curvature_brackets`
    ``ratio-box``      :math:`\min_i\pi'_i/\pi_i \le H'/H \le \max_i\pi'_i/\pi_i`
    ``cross-entropy``  :math:`-\sum_i(\pi'_i-\pi_i)\log\pi'_i \le \Delta H \le A`
    ``third-order``    :math:`|\Delta H - \eta h_1 - \tfrac{\eta^2}{2}\varphi''(0)| \le \tfrac{|\eta|^3}{6}B_3`
    ``best``           the intersection of them all, and for two arms of :func:`entropy_change_enclosure` with room for
                       the rounding of a change that is measured in float64
    =================  ============================================================================================

    Each is intersected with :math:`[-H, \log n - H]` and rounded outward, so that it contains the exact change of the
    numbers given, whatever they are. All are predictions, of O(n): :math:`\pi'` is computed from the arguments. A step
    that moves some log-probability by more than 300 nats is left to ``brackets`` and ``ratio-box``. Of two arms the
    change is a function of one gap between logits, and its certified value costs milliseconds.

    Args:
        logits: ``[..., n]``, finite floats, or integers that float64 holds.
        direction: ``[..., n]``, logit change per unit step.
        step_size: eta, a scalar or ``[...]``.
        method: which bounds.

    Returns:
        ``(lower, upper)``, each ``[...]``.

    Raises:
        ValueError: naming the argument; also for a number that float64 would have to round.

    Source: this suite, claims `remainder`, `ratio-box`, `cross-entropy-upper` and `third-order`; ``docs/numerics.md``.

    >>> lower, upper = entropy_change_bounds([0.0, 2.0], [1.0, 0.0], 0.5)
    >>> bool(lower < entropy_change([0.0, 2.0], [1.0, 0.0], 0.5) < upper)
    True
    """
    checks.choice("method", method, bounds.METHODS)
    return _enclosed(partial(_bounds, method=method), logits, direction, step_size)


def entropy_change_enclosure(logits: Any, direction: Any, step_size: Any) -> tuple[Array, Array]:
    r"""Return a certified narrow enclosure of the exact entropy change, in nats.

    :math:`\Delta H = -\sum_i(\pi'_i-\pi_i)\log\pi_i - KL(\pi'\|\pi)` in double-double arithmetic (about 106 bits) with
    a bound on its rounding, intersected with :func:`entropy_change_bounds`. It is a few units in the last place of
    the change wide, unless the terms cancel to less than 1e-10 of their sizes, the change is below 1e-150, or a step
    above 1e12 leaves new logits that double-double cannot tell apart.

    Args:
        logits: ``[..., n]``, finite floats, or integers that float64 holds.
        direction: ``[..., n]``, logit change per unit step.
        step_size: eta, a scalar or ``[...]``.

    Returns:
        ``(lower, upper)``, each ``[...]``.

    Raises:
        ValueError: naming the argument; also for a number that float64 would have to round.

    Source: this suite; ``docs/numerics.md``.

    >>> lower, upper = entropy_change_enclosure([0.0, 2.0], [1.0, 0.0], 0.5)
    >>> bool(lower <= 0.10971770860507931 <= upper), bool(upper - lower < 1e-16)
    (True, True)
    """
    return _enclosed(enclosure.enclosure, logits, direction, step_size)


def curvature_brackets(arms: int) -> tuple[float, float]:
    r"""Return :math:`(L_-, L_+)` with :math:`-\rho^2 L_- \le \varphi'' \le \rho^2 L_+` for n arms.

    :math:`L_- = G(1 + 1/e, \log n)`, :math:`L_+ = G(-1, \log(n/c) - 1) + c` with :math:`c = 1/(6\sqrt3)` and
    :math:`G(a, T) = \max_{0 \le s \le 1} (1 - s^2)(a + Ts)/4`.

    >>> tuple(round(x, 4) for x in curvature_brackets(2))
    (0.3617, 0.1539)
    """
    c = THIRD_MOMENT_CONSTANT
    return _joint_bound(1 + math.exp(-1), math.log(arms)), _joint_bound(-1, math.log(arms) - math.log(c) - 1) + c


def safe_step_size(logits: Any, arm_rewards: Any, low: Any, high: Any) -> Array:
    r"""Return a step size below which Prop. 4.2's order is certified for the ``uncentred`` update.

    For baselines :math:`b_1 < b_2` and every :math:`\eta` up to the result, :math:`\Delta H(b_1) \le \Delta H(b_2)`.
    The larger of :math:`2(b_2-b_1)C/(\rho_2^2L_- + \rho_1^2L_+)` and
    :math:`\min(2/b_2, \min_{i,j}\log(\pi_i/\pi_j)/(b_2\pi_i + (1-b_2)\pi_j))`, over wrong i and right j with
    :math:`\pi_i > \pi_j`; rounded downward.

    Args:
        logits: ``[..., n]``, finite.
        arm_rewards: ``[..., n]``, 0 or 1.
        low: b1, a scalar or ``[...]``, 0 <= b1 < b2.
        high: b2, a scalar or ``[...]``, b2 <= 1.

    Returns:
        ``[...]``, positive unless rounding hides every margin; infinite where no step can break the order.

    Raises:
        ValueError: naming the argument.

    Source: this suite, claim `safe-step`.

    >>> round(float(safe_step_size([0.0, 1.0], [1, 0], 0.0, 1.0)), 4)
    1.3679
    """
    z, r = arguments.binary_query(logits, arm_rewards)
    b1, b2 = arguments.baseline_pair(low, high, z)
    arguments.floating(logits=z, arm_rewards=r, low=b1, high=b2)
    batch = np.broadcast_shapes(z.shape[:-1], r.shape[:-1], b1.shape, b2.shape)
    z, r = _rows(z, (*batch, z.shape[-1])), _rows(r, (*batch, z.shape[-1]))
    b1, b2 = np.broadcast_to(b1, batch).ravel(), np.broadcast_to(b2, batch).ravel()
    with np.errstate(over="ignore", under="ignore"):  # a step beyond float64 is cut off at the largest number
        steps = [_safe_step(*row) for row in zip(z, r, b1, b2, strict=True)]
    return np.array(steps, dtype=np.float64).reshape(batch)


def _counted_surprise(probs: Array, z: Array) -> Array:
    """Return log pi - E log pi, and 0 for an arm without probability: its gap may be too large for a product."""
    return np.where(probs > 0, surprise(probs, z), 0.0)


def _at_scale(value: Array, exponent: Array, direction: Any) -> Array:
    """Return a derivative along a direction from that along the direction divided by a power of two."""
    with np.errstate(over="ignore"):
        scaled = np.ldexp(value, exponent)
    if not np.isfinite(scaled).all():
        checks.refuse("direction", direction, "small enough for the change per unit step to be a float64")
    return np.asarray(scaled)


def _enclosed(kernel: Callable[..., Any], logits: Any, direction: Any, step_size: Any) -> tuple[Array, Array]:
    """Return both sides of a kernel on rows, in the shape of the batch."""
    # To read 150,000 logits once more, for NaN, would take a third of a softmax: the kernel answers NaN for them.
    z, d, eta = arguments.float_step(logits, direction, step_size, looked_at=False)
    batch, arms = np.broadcast_shapes(z.shape[:-1], d.shape[:-1], eta.shape), z.shape[-1]
    z, d, eta = _rows(z, (*batch, arms)), _rows(d, (*batch, arms)), np.broadcast_to(eta, batch).ravel()
    lower, upper = kernel(z, d, eta, curvature=curvature_brackets(arms))
    if np.isnan(lower).any():
        arguments.step(logits, direction, step_size)  # which refuses what it finds
    return lower.reshape(batch), upper.reshape(batch)


def _bounds(z: Array, d: Array, eta: Array, *, curvature: tuple[float, float], method: str) -> tuple[Array, Array]:
    """Return the bounds of a method on rows ``[r, n]``, the best ones of few arms narrowed by the enclosure.

    For many arms the enclosure would cost some fifty times what the bounds do.
    """
    low, high = bounds.bounds(z, d, eta, method=method, curvature=curvature)
    if method != "best" or z.shape[1] > _FEW_ARMS:
        return low, high
    least, most = enclosure.enclosure(z, d, eta, curvature=curvature)
    # Cross-entropies of two arms bound the sizes of the change's two terms, by which its rounding in float64 goes: what
    # is measured in float64 is to lie inside too.
    below, above = bounds.bounds(z, d, eta, method="cross-entropy", curvature=curvature)
    room = _MEASURED * (np.abs(above) + (above - below)) + 1e-300
    return np.maximum(low, least - room), np.minimum(high, most + room)


def _safe_step(z: Array, r: Array, b1: float, b2: float) -> float:
    if z.min() == z.max() and r.min() == r.max():
        return float(np.inf)  # both directions are constant: no step moves the policy
    by_remainder = _remainder_step(z, r, b1, b2)
    by_order = _order_step(z, np.exp(log_softmax(z)), r, b2)
    # Each is computed to (gap + n) units in the last place, gaps beyond 745 having probability 0; round down by more.
    step = max(by_remainder, by_order) * (1 - 8 * (len(z) + 800) * _UNIT_ROUNDOFF)
    # Infinite stands for any step at all, and below 2**-1022 both the quotient and the product have been rounded.
    return float(np.nextafter(min(step, _LARGEST), 0.0))


def _remainder_step(z: Array, r: Array, b1: float, b2: float) -> float:
    below, above = curvature_brackets(len(z))
    # Gaps (of halves, which cannot overflow) and e^gap - 1 keep the differences of nearly equal arms; probabilities
    # round them away.
    gaps = np.maximum(z / 2 - z.max() / 2, -400.0) * 2
    weights, excess = np.exp(gaps), np.expm1(gaps)
    mass = weights.sum()
    low, high = (float(_push_spread(weights, excess, r - b) / mass) for b in (b1, b2))
    # Products of two tiny gaps, squares and quotients are taken apart into mantissa and exponent: they may leave
    # float64 where the step does not.
    _, size = np.frexp(gaps.min())
    size = min(int(size), 0)
    slope = float(covariance(weights / mass, np.ldexp(gaps, -size), np.ldexp(excess, -size)) / mass)
    spread = max(low, high)
    if min(slope, spread) < _FEW_DIGITS:
        return 0.0
    curvature = (high / spread) ** 2 * below + (low / spread) ** 2 * above
    (gain, gain_exponent), (width, width_exponent) = math.frexp(slope), math.frexp(spread)
    between, exponent = math.frexp(b2 - b1)
    exponent += gain_exponent + 2 * size - 2 * width_exponent
    return float(np.ldexp(2 * between * gain / (width * width * curvature), exponent))


def _push_spread(weights: Array, excess: Array, advantage: Array) -> float:
    """Return max - min of ``weights * advantage``.

    Pushes of one size are told apart by ``excess``, the weights less 1.
    """
    if advantage.min() == advantage.max():
        return float(np.ptp(excess) * np.abs(advantage[0]))
    return float(np.ptp(uncentred(weights, advantage)))


def _order_step(z: Array, probs: Array, r: Array, b2: float) -> float:
    """Return a step up to which pi' keeps pi's order for every baseline up to b2.

    The worst right arm for a wrong one is the likeliest below it. Logits are compared, not probabilities, so that
    rounding makes no ties.
    """
    right, wrong = np.flatnonzero(r == 1), np.flatnonzero(r == 0)
    right = right[np.argsort(z[right])]
    place = np.searchsorted(z[right], z[wrong], side="left")
    wrong, nearest = wrong[place > 0], right[place[place > 0] - 1]
    # Products below 2**-1022, and the probabilities in them, are off by half of the smallest float each.
    pushes = b2 * probs[wrong] + (1 - b2) * probs[nearest] + 2.0**-1072
    ratio_steps = (z[wrong] - z[nearest]) / pushes
    return float(min(2 / b2, ratio_steps.min(initial=np.inf)))


def _joint_bound(a: float, t: float) -> float:
    """Return G(a, t): the most that a Var(d) + t |Cov(x, (d - E d)^2)| can be for x and d in [0, 1]; needs a >= -t."""
    s = t / (a + math.sqrt(a * a + 3 * t * t))
    return (1 - s * s) * (a + t * s) / 4


def _rows(x: Array, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(x, shape).reshape(-1, shape[-1])
