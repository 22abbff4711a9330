"""Compute Shapley values and pairwise interactions over a lattice of switches.

A lattice of m switches is an array with ``2^m`` entries along axis 0: at index b, switch i is on where bit i of b is
set. The values add up to the whole by construction, whatever the numbers are.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array


def subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the names that are on, for every index of the lattice.

    >>> subsets(("a", "b"))
    [(), ('a',), ('b',), ('a', 'b')]
    """
    listed = []
    for index in range(1 << len(names)):
        listed.append(tuple(name for i, name in enumerate(names) if index >> i & 1))
    return listed


def shapley_values(values: Array) -> Array:
    r"""Return each switch's Shapley value, ``[2^m, ...] -> [m, ...]``.

    :math:`\phi_i = \sum_{T \not\ni i} \frac{|T|!\,(m-|T|-1)!}{m!} [v(T \cup i) - v(T)]`.

    Args:
        values: v of every subset, ``[2^m, ...]``.

    Raises:
        ValueError: axis 0 has no power of two above 1 as its length; the message names ``values``.

    Source: Shapley (1953).

    >>> shapley_values(np.array([0.0, 1.0, 2.0, 7.0])).tolist()
    [3.0, 4.0]
    """
    lattice, m = _lattice(values)
    return np.stack([_weighted_sum(_marginal(lattice, (i,)), m, m - 1) for i in range(m)])


def shapley_interactions(values: Array) -> Array:
    r"""Return pairwise Shapley interaction indices, ``[2^m, ...] -> [m, m, ...]``, symmetric and 0 on the diagonal.

    :math:`I_{ij} = \sum_{T \not\ni i,j} \frac{|T|!\,(m-|T|-2)!}{(m-1)!} [v(T ij) - v(T i) - v(T j) + v(T)]`: how much
    more two switches do together than apart.

    Args:
        values: v of every subset, ``[2^m, ...]``.

    Raises:
        ValueError: as :func:`shapley_values`.

    Source: Grabisch and Roubens (1999).

    >>> shapley_interactions(np.array([0.0, 1.0, 2.0, 7.0])).tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    lattice, m = _lattice(values)
    interactions = np.zeros((m, m, *lattice.shape[m:]))
    for i in range(m):
        for j in range(i):
            together = _weighted_sum(_marginal(lattice, (i, j)), m - 1, m - 2)
            interactions[i, j] = interactions[j, i] = together
    return interactions


def _lattice(values: Array) -> tuple[Array, int]:
    """Return the values as ``[2] * m + [...]`` with switch i on axis i, and m."""
    array = np.asarray(values, dtype=np.float64)
    count = len(array) if array.ndim else 0
    m = count.bit_length() - 1
    if m < 1 or count != 1 << m:
        checks.refuse("values", f"{count} rows", "2^m rows, one a subset, m >= 1")
    # Bit 0 varies fastest, so that a reshape puts it on the last of the m axes.
    two_each = (2,) * m
    cube = array.reshape(*two_each, *array.shape[1:])
    return np.moveaxis(cube, range(m), range(m - 1, -1, -1)), m


def _marginal(lattice: Array, switches: tuple[int, ...]) -> Array:
    """Return the difference along each of the switches' axes, which are dropped."""
    for axis in sorted(switches, reverse=True):
        lattice = np.take(lattice, 1, axis=axis) - np.take(lattice, 0, axis=axis)
    return lattice


def _weighted_sum(marginals: Array, players: int, others: int) -> Array:
    """Return the sum over the subsets T of the other switches, weighed with |T|! (players - |T| - 1)! / players!.

    Args:
        marginals: one difference for each subset, ``[2] * others + [...]``.
        players: how many switches the weights are those of.
        others: number of switches that T is drawn from.
    """
    sizes = np.indices((2,) * others).sum(axis=0) if others else np.zeros((), dtype=np.int64)
    by_size = np.array([factorial(t) * factorial(players - t - 1) / factorial(players) for t in range(players)])
    flat = marginals.reshape(1 << others, *marginals.shape[others:])
    return np.asarray(np.tensordot(by_size[sizes].ravel(), flat, axes=1))
