"""Shapley values and pairwise interactions over a lattice of switches.

A lattice of m switches is an array with ``2^m`` rows: in row b, switch i is on where bit i of b is set. That values add
up to the whole is so by construction, whatever the numbers are.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from qae_theory import checks
from qae_theory.arrays import Array


def subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The names that are on, for every row of the lattice.

    >>> subsets(("a", "b"))
    [(), ('a',), ('b',), ('a', 'b')]
    """
    return [tuple(name for i, name in enumerate(names) if row >> i & 1) for row in range(1 << len(names))]


def shapley_values(values: Array) -> Array:
    r"""Each switch's Shapley value, ``[2^m, ...] -> [m, ...]``.

    :math:`\phi_i = \sum_{T \not\ni i} \frac{|T|!\,(m-|T|-1)!}{m!} [v(T \cup i) - v(T)]`.

    Raises:
        ValueError: naming ``values`` where the number of rows is no power of two above 1.

    Source: Shapley (1953).

    >>> shapley_values(np.array([0.0, 1.0, 2.0, 7.0])).tolist()
    [3.0, 4.0]
    """
    lattice, m = _lattice(values)
    return np.stack([_weighted_sum(_marginal(lattice, (i,)), m, m - 1) for i in range(m)])


def shapley_interactions(values: Array) -> Array:
    r"""Pairwise Shapley interaction indices, ``[2^m, ...] -> [m, m, ...]``, symmetric, 0 on the diagonal.

    :math:`I_{ij} = \sum_{T \not\ni i,j} \frac{|T|!\,(m-|T|-2)!}{(m-1)!} [v(T ij) - v(T i) - v(T j) + v(T)]`: how
    far two switches do more together than apart.

    Raises:
        ValueError: as :func:`shapley_values`.

    Source: Grabisch and Roubens (1999).

    >>> shapley_interactions(np.array([0.0, 1.0, 2.0, 7.0])).tolist()
    [[0.0, 4.0], [4.0, 0.0]]
    """
    lattice, m = _lattice(values)
    found = np.zeros((m, m, *lattice.shape[m:]))
    for i in range(m):
        for j in range(i):
            found[i, j] = found[j, i] = _weighted_sum(_marginal(lattice, (i, j)), m - 1, m - 2)
    return found


def _lattice(values: Array) -> tuple[Array, int]:
    """As ``[2] * m + [...]`` with switch i on axis i."""
    rows = np.asarray(values, dtype=np.float64)
    m = len(rows).bit_length() - 1 if rows.ndim else 0
    if m < 1 or len(rows) != 1 << m:
        checks.refuse("values", f"{len(rows) if rows.ndim else 0} rows", "2^m rows, one a subset, m >= 1")
    # Bit 0 varies fastest, so a reshape puts it on the last of the m axes.
    cube = rows.reshape(*(2,) * m, *rows.shape[1:])
    return np.moveaxis(cube, range(m), range(m - 1, -1, -1)), m


def _marginal(lattice: Array, switches: tuple[int, ...]) -> Array:
    """Difference along each of the switches' axes, which are dropped."""
    for axis in sorted(switches, reverse=True):
        lattice = np.take(lattice, 1, axis=axis) - np.take(lattice, 0, axis=axis)
    return lattice


def _weighted_sum(marginals: Array, players: int, others: int) -> Array:
    """Sum over the subsets T of the other switches, weighed with :math:`|T|! (players - |T| - 1)! / players!`."""
    sizes = np.indices((2,) * others).sum(axis=0) if others else np.zeros((), dtype=np.int64)
    by_size = np.array([factorial(t) * factorial(players - t - 1) / factorial(players) for t in range(players)])
    flat = marginals.reshape(1 << others, *marginals.shape[others:])
    return np.asarray(np.tensordot(by_size[sizes].ravel(), flat, axes=1))
