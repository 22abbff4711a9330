r"""Predict for which gains a loop that steers K by entropy is stable.

Near a balance the entropy's distance h from its target follows :math:`h_{t+1} = \phi h_t + g\kappa_t`: ``persistence``
phi says how much of it is left after an update, ``response`` g how far one update moves it per unit of K, and kappa is
K's distance from the level that holds the balance. :math:`\phi = 1` is an entropy that sums up what K does to it,
:math:`\phi = 0` one that forgets at once. The loop of ``k_loop``, without its bounds and dead band and with the error
itself rather than its sign, is

.. math:: \kappa_t = \iota_t - \rho h_{t-d},\quad \iota_t = \iota_{t-1} - \gamma h_{t-d}.

Everything here is linear theory. A dead band opens the loop inside it, and a sign alone has an unbounded gain near the
target, so that both settle into a small oscillation and not into a point.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from qae_theory import checks
from qae_theory.arrays import Array
from simulators.methods.model.registry import finite_number


class Plant(NamedTuple):
    """Hold how entropy answers: persistence phi, response g per unit of K and update, and a constant drift in nats."""

    persistence: float
    response: float
    drift: float


def characteristic(*, persistence: float, integral: float, proportional: float, delay: int) -> Array:
    r"""Return the coefficients of the loop's characteristic polynomial, the highest power first.

    :math:`(z - \phi)(z - 1)z^d + g\gamma z + g\rho(z - 1)`, divided by :math:`z - 1` where :math:`g\gamma = 0`, because
    nothing is summed up then. The loop is stable iff all roots lie inside the unit circle.

    Args:
        persistence: phi.
        integral: :math:`g\gamma`, response times integral gain.
        proportional: :math:`g\rho`, response times proportional gain.
        delay: d, in updates.

    Returns:
        ``[d + 3]``, or ``[d + 2]`` without an integral part.

    Raises:
        ValueError: an argument is not finite, or the delay is no integer >= 0.

    >>> characteristic(persistence=1.0, integral=0.0, proportional=0.5, delay=1).tolist()
    [1.0, -1.0, 0.5]
    """
    phi, summed = finite_number("persistence", persistence), finite_number("integral", integral)
    direct, steps = finite_number("proportional", proportional), checks.count("delay", delay, least=0)
    decay = np.array([1.0, -phi])
    waits = np.zeros(steps + 1)
    waits[0] = 1.0  # z^d
    if summed == 0:
        return np.polyadd(np.polymul(decay, waits), [direct])
    free = np.polymul(np.polymul(decay, [1.0, -1.0]), waits)
    return np.polyadd(free, [summed + direct, -direct])


def spectral_radius(*, persistence: float, integral: float, proportional: float, delay: int) -> float:
    """Return the factor by which the slowest mode of the loop grows per update; the loop is stable iff it is below 1.

    The arguments are those of :func:`characteristic`.

    >>> spectral_radius(persistence=0.5, integral=0.0, proportional=0.25, delay=0)
    0.25
    """
    polynomial = characteristic(persistence=persistence, integral=integral, proportional=proportional, delay=delay)
    return float(np.abs(np.roots(polynomial)).max())


def largest_stable_gain(*, persistence: float, delay: int) -> float:
    r"""Return how large response times gain may be in a loop with one gain, be it proportional or integral.

    A proportional loop has :math:`z^d(z - \phi) + g\rho = 0`. Its roots meet the unit circle first at the angle theta
    with :math:`d\theta + \arg(e^{i\theta} - \phi) = \pi`, where :math:`g\rho = |e^{i\theta} - \phi|`. At phi = 1 that
    is :math:`2\sin\frac{\pi}{2(2d + 1)}`. An integral loop on an entropy that forgets at once (phi = 0) has the same
    polynomial as a proportional one at phi = 1.

    Args:
        persistence: phi in [0, 1]; for an integral loop see :func:`largest_stable_integral`.
        delay: d, in updates.

    Returns:
        The bound of :math:`g\rho`, itself unstable.

    Raises:
        ValueError: an argument is out of its range.

    >>> largest_stable_gain(persistence=1.0, delay=0), round(largest_stable_gain(persistence=1.0, delay=1), 12)
    (2.0, 1.0)
    """
    phi = finite_number("persistence", persistence, least=0.0, most=1.0)
    steps = checks.count("delay", delay, least=0)
    return _first_crossing(phi, others=(), turns=steps)


def largest_stable_integral(*, persistence: float, delay: int) -> float:
    r"""Return how large response times integral gain may be in a loop without a proportional part.

    The polynomial is :math:`(z - \phi)(z - 1)z^{d-1} + g\gamma`, the root at 0 left out. At phi = 1 there is no stable
    gain: a loop that sums up what entropy has summed up already oscillates for ever at d = 0 and grows at d >= 1.

    Args:
        persistence: phi in [0, 1].
        delay: d, in updates.

    Returns:
        The bound of :math:`g\gamma`, itself unstable; 0 where no gain is stable.

    Raises:
        ValueError: an argument is out of its range.

    >>> largest_stable_integral(persistence=0.0, delay=0), largest_stable_integral(persistence=1.0, delay=2)
    (2.0, 0.0)
    """
    phi = finite_number("persistence", persistence, least=0.0, most=1.0)
    steps = checks.count("delay", delay, least=0)
    return 0.0 if phi == 1 else _first_crossing(phi, others=(1.0,), turns=steps - 1)


def _first_crossing(phi: float, *, others: tuple[float, ...], turns: int) -> float:
    r"""Return the smallest c > 0 at which :math:`z^n\prod_j(z - \phi_j) + c` has a root on the unit circle.

    On the circle the angles of all factors have to add up to pi; c is then the product of their lengths.
    """
    poles = (phi, *others)

    def factors(angle: float) -> Array:
        return np.exp(1j * angle) - np.array(poles)

    def surplus(angle: float) -> float:
        return float(turns * angle + np.angle(factors(angle)).sum() - np.pi)

    # The sum of angles rises from below pi at z = 1 to (n + poles) pi at z = -1. Where that is pi itself, the crossing
    # is at z = -1. A factor z - 1 has no angle at z = 1, so that the search begins beside it.
    at_end = surplus(np.pi) <= 1e-12
    angle = np.pi if at_end else float(brentq(surplus, 1e-9, np.pi, xtol=1e-15, rtol=1e-14))
    return float(np.abs(factors(angle)).prod())


def resting_error(*, drift: float, pull: float, band: float, integral: bool) -> float:
    r"""Return how far from its target a stable loop leaves an entropy that sums up what K does to it (phi = 1).

    A proportional loop rests where its pull cancels the drift, :math:`|e| = |c|/(g\rho)`; an integral part moves K
    until no error is left. A dead band lets the entropy drift to its edge and pushes it back there. So it is the larger
    of the band and, without an integral part, :math:`|c|/(g\rho)`, up to what one update moves and what the delay adds.

    Args:
        drift: c, what an update moves the entropy by at the level without correction, in nats.
        pull: response times proportional gain, > 0.
        band: half the width of the dead band, >= 0, in nats.
        integral: whether the loop has an integral part.

    Returns:
        The error in nats.

    Raises:
        ValueError: an argument is out of its range.

    >>> resting_error(drift=-0.02, pull=0.5, band=0.01, integral=False)
    0.04
    """
    push = abs(finite_number("drift", drift))
    strength = finite_number("pull", pull, least=0.0, strict=True)
    width = finite_number("band", band, least=0.0)
    return width if integral else max(width, push / strength)


def fitted_plant(entropies: Array, levels: Array) -> Plant:
    r"""Return the plant that fits a run in which K was moved.

    It is the least-squares fit of :math:`H_{t+1} = \phi H_t + gK_t + c`.

    Args:
        entropies: H of each update, ``[T + 1]`` in nats, T >= 3.
        levels: K of each update, ``[T]``.

    Returns:
        phi, g and c.

    Raises:
        ValueError: the lengths do not fit, or K and H do not vary enough to tell the three apart.
    """
    h, k = np.asarray(entropies, dtype=np.float64), np.asarray(levels, dtype=np.float64)
    if h.ndim != 1 or k.shape != (len(h) - 1,) or len(k) < 3:
        checks.refuse("levels", levels, "one level for each update, and entropies one more, at least four")
    known = np.stack([h[:-1], k, np.ones(len(k))], axis=-1)
    solution, _, rank, _ = np.linalg.lstsq(known, h[1:], rcond=None)
    if rank < 3:
        checks.refuse("levels", levels, "levels that vary, beside entropies that do")
    return Plant(*(float(x) for x in solution))
