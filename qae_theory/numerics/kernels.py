r"""The array type and the softmax in float64, on which everything else in the package builds.

The functions take checked float64 arrays and validate nothing. They import NumPy only: ``qae_theory.softmax`` chooses
between them and exact arithmetic, and says what each is for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def expectation(probs: Array, x: Array) -> Array:
    r"""Return :math:`E_\pi[x] = \sum_i\pi_ix_i` over the last axis; both may hold exact objects.

    Args:
        probs: :math:`\pi`, ``[..., n]``.
        x: a value for each arm, ``[..., n]``, in any unit.

    Returns:
        ``[...]``, in the unit of ``x``.
    """
    return np.asarray((probs * x).sum(axis=-1))


def centred(probs: Array, x: Array) -> Array:
    r"""Return :math:`x - E_\pi[x]`, ``[..., n]``, for the arguments of :func:`expectation`."""
    return x - expectation(probs, x)[..., None]


def gaps_below_top(logits: Array) -> Array:
    """Return the logits less the largest of them, ``[..., n]``.

    Each is right to its own last place and at least -1e308.
    """
    top = logits.argmax(axis=-1)[..., None]
    # A gap beyond float64 means probability zero; -1e308 is far enough for that and keeps 0 * log 0 at 0.
    with np.errstate(over="ignore"):
        return np.maximum(logits - np.take_along_axis(logits, top, axis=-1), -1e308)


def mass_of_others(gaps: Array) -> Array:
    r"""Return the mass of all arms but one at the top, :math:`\sum_{i\ne top}e^{g_i}`, in units of that one's.

    Args:
        gaps: ``[..., n]``, as :func:`gaps_below_top` returns them.

    Returns:
        ``[...]``, in [0, n - 1].
    """
    weights = np.exp(gaps)
    np.put_along_axis(weights, gaps.argmax(axis=-1)[..., None], 0.0, axis=-1)
    return np.asarray(weights.sum(axis=-1))


def log_softmax(logits: Array) -> Array:
    r"""Return log-probabilities :math:`g_i - \log(1 + \sum_{j\ne top}e^{g_j})` of the gaps g, ``[..., n]``, in nats."""
    gaps = gaps_below_top(logits)
    # log1p keeps the top arm's own log-probability, -(sum of the others), when that sum is far below 1e-16.
    result: Array = gaps - np.log1p(mass_of_others(gaps))[..., None]
    return result


def surprise(probs: Array, logits: Array) -> Array:
    r"""Return :math:`\log\pi - E_\pi\log\pi`, ``[..., n]``, in nats, from the gaps between logits.

    Of nearly equal arms the gaps keep the digits that log-probabilities lose. An arm whose probability is zero in
    float64 has a finite value all the same.
    """
    return centred(probs, gaps_below_top(logits))
