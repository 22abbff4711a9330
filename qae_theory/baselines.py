"""Response-level baselines of a group of rewards: mean, leave-one-out, constant and K-quantile.

A group is given by its rewards ``[..., G]`` and, optionally, by ``counts``: how often each reward occurs. A mask is a
count of 0 or 1; a binary group of any size is the two rewards (1, 0) with counts (m, G - m). Advantages are in
``advantages``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from qae_theory import array_arguments as arguments
from qae_theory import checks
from qae_theory.arrays import Array, is_exact

# The level K that the paper trains with unless it says otherwise (arXiv 2509.22611, Sec. 5.1), read as a decimal.
DEFAULT_K = "0.4"


def quantile_baseline(rewards: Any, k: Fraction | str | float, *, method: str = "inverted_cdf") -> Array:
    r"""Return the K-quantile of each group's rewards.

    ``inverted_cdf`` is Eq. 3 of the paper, :math:`b_K = \inf\{x : F(x) \ge K\}` with F the group's empirical CDF: the
    order statistic of rank :math:`\lceil K G\rceil`, found with integers. ``linear`` is the released code's
    interpolation between the order statistics around position :math:`(G-1)K`, evaluated at the exact position.

    Args:
        rewards: ``[..., G]``, finite; an object array of Fractions or SymPy numbers stays exact.
        k: quantile level in (0, 1); a float is read as the decimal that it prints as.
        method: ``"inverted_cdf"`` or ``"linear"``.

    Returns:
        ``[...]``, in the units of the rewards.

    Raises:
        ValueError: naming ``rewards``, ``k`` or ``method``.

    Source: arXiv 2509.22611, Eqs. 3 and 4; released code for ``linear``.

    >>> float(quantile_baseline([0, 0, 0, 1], "0.75")), float(quantile_baseline([0, 0, 0, 1], "0.76"))
    (0.0, 1.0)
    >>> float(quantile_baseline([0, 0, 0, 1, 1, 1, 1, 1], "0.4", method="linear"))
    0.8
    """
    values, _ = arguments.rewards(rewards)
    level, method = checks.quantile_level(k), checks.interpolation(method)
    return (quantile if method == "inverted_cdf" else interpolated_quantile)(values, None, level)


def quantile_rank(group_size: int, k: Fraction) -> int:
    r"""Return the 1-based rank :math:`\lceil K G\rceil` of the K-quantile among G ordered rewards.

    Source: arXiv 2509.22611, Eq. 3; computed in integers, because a float product K G can land on the wrong side.

    >>> quantile_rank(100, Fraction(55, 100))
    55
    """
    return -(-k.numerator * group_size // k.denominator)


def is_hard_group(num_correct: Any, group_size: int, k: Fraction) -> Any:
    r"""Return whether a binary group is hard, :math:`\hat p = m/G \le 1-K`, decided with integers.

    Args:
        num_correct: m, an integer or an array of integers.
        group_size: G.
        k: K, in (0, 1).

    Source: arXiv 2509.22611, Eq. 4 and claim `gate`.

    >>> is_hard_group(1, 10, Fraction(9, 10))
    True
    """
    return group_size - num_correct >= quantile_rank(group_size, k)


class Ordered(NamedTuple):
    """Groups in ascending order, for their order statistics.

    ``values``: ``[..., G]``; ``reached``: how many responses have a reward up to and including that entry, ``[..., G]``
    integers, or None where every response counts once; ``sizes``: as :func:`group_sizes`.
    """

    values: Array
    reached: Array | None
    sizes: Array


def in_order(rewards: Array, counts: Array | None) -> Ordered:
    """Sort each group once, for all of its order statistics.

    Args:
        rewards: ``[..., G]``, checked.
        counts: how often each reward occurs, ``[..., G]`` integers; None for once each.

    Returns:
        The groups in ascending order.
    """
    sizes = group_sizes(rewards, counts)
    if counts is None:
        return Ordered(np.sort(rewards, axis=-1), None, sizes)
    order = np.argsort(rewards, axis=-1)
    reached = np.cumsum(np.take_along_axis(counts, order, axis=-1), axis=-1)
    return Ordered(np.take_along_axis(rewards, order, axis=-1), reached, sizes)


def order_statistic(group: Ordered, ranks: Array) -> Array:
    """Return the reward of a given rank in each group.

    Args:
        group: groups in ascending order.
        ranks: 1-based, ``[...]`` integers, or one number where every response counts; at most the group's size.

    Returns:
        ``[...]``.
    """
    if group.reached is None:
        return np.asarray(group.values[..., int(ranks) - 1], dtype=group.values.dtype)
    place = (group.reached < ranks[..., None]).sum(axis=-1, keepdims=True)
    return np.take_along_axis(group.values, place, axis=-1)[..., 0]


def quantile(rewards: Array, counts: Array | None, k: Fraction) -> Array:
    r"""Return the K-quantile :math:`b_K = \inf\{x : F(x) \ge K\}` of each group, F the group's empirical CDF.

    Args:
        rewards: ``[..., G]``, checked.
        counts: how often each reward occurs, ``[..., G]`` integers; None for once each.
        k: K, in (0, 1).

    Returns:
        ``[...]``, a reward of the group.

    Source: arXiv 2509.22611, Eq. 3.
    """
    return ordered_quantile(in_order(rewards, counts), k)


def ordered_quantile(group: Ordered, k: Fraction) -> Array:
    """Return what :func:`quantile` does, for groups that are sorted already."""
    return order_statistic(group, _for_each_size(lambda size: quantile_rank(size, k), group.sizes))


def interpolated_quantile(rewards: Array, counts: Array | None, k: Fraction) -> Array:
    """Return the released code's quantile, linear between the order statistics around position :math:`(G - 1)K`.

    Args:
        rewards: ``[..., G]``, checked.
        counts: how often each reward occurs, ``[..., G]`` integers; None for once each.
        k: K, in (0, 1).

    Returns:
        ``[...]``, between two neighbouring rewards of the group.

    Source: ``torch.quantile`` as the released code of arXiv 2509.22611 calls it.
    """
    return ordered_interpolation(in_order(rewards, counts), k)


def ordered_interpolation(group: Ordered, k: Fraction) -> Array:
    """Return what :func:`interpolated_quantile` does, for groups that are sorted already."""
    below = _for_each_size(lambda size: _position(size, k)[0], group.sizes)
    above = np.minimum(below + 1, group.sizes)
    share = _for_each_size(lambda size: _position(size, k)[1], group.sizes)
    low, high = order_statistic(group, below), order_statistic(group, above)
    return np.asarray(low + (share if is_exact(group.values) else share.astype(np.float64)) * (high - low))


def group_mean(rewards: Array, counts: Array | None) -> Array:
    r"""Return the mean reward of each group, :math:`\frac1G\sum_jR_j`.

    Args:
        rewards: ``[..., G]``, checked.
        counts: how often each reward occurs, ``[..., G]`` integers; None for once each.

    Returns:
        ``[...]``; 0 for a group in which nothing counts.

    Source: arXiv 2402.03300 (GRPO).
    """
    return np.asarray(_total(rewards, counts) / _at_least_one(group_sizes(rewards, counts), rewards))


def leave_one_out_mean(rewards: Array, counts: Array | None) -> Array:
    r"""Return the mean of the other rewards of the group, :math:`\frac1{G-1}\sum_{j\ne i}R_j`.

    Args:
        rewards: ``[..., G]``, checked.
        counts: how often each reward occurs, ``[..., G]`` integers; None for once each.

    Returns:
        ``[..., G]``, one baseline for each response.

    Source: arXiv 2402.14740 (RLOO).
    """
    others = _at_least_one(group_sizes(rewards, counts) - 1, rewards)
    return (_total(rewards, counts)[..., None] - rewards) / others[..., None]


def constant_baseline(rewards: Array, value: Any) -> Array:
    """Return one baseline for every group, ``[..., G] -> [...]``.

    Source: arXiv 2506.01347, with 0 for PSR and 1 for NSR.
    """
    return np.full(rewards.shape[:-1], value, dtype=rewards.dtype)


def group_variance(rewards: Array, counts: Array | None, std: str) -> Array:
    """Return the variance of each group's rewards.

    Args:
        rewards: ``[..., G]``, checked.
        counts: how often each reward occurs, ``[..., G]`` integers; None for once each.
        std: ``population`` divides by G, ``bessel`` by G - 1.

    Returns:
        ``[...]``; 0 for a group of one.
    """
    deviations = rewards - group_mean(rewards, counts)[..., None]
    squares = np.square(deviations) if is_exact(deviations) else np.square(deviations, out=deviations)
    sizes = group_sizes(rewards, counts)
    return np.asarray(_total(squares, counts) / _at_least_one(sizes - 1 if std == "bessel" else sizes, rewards))


def group_sizes(rewards: Array, counts: Array | None) -> Array:
    """Return how many responses count in each group.

    That is integers ``[...]``, or one number for all groups where every response counts.
    """
    return np.asarray(rewards.shape[-1] if counts is None else counts.sum(axis=-1))


def _total(values: Array, counts: Array | None) -> Array:
    if is_exact(values):
        return np.asarray((values if counts is None else values * counts).sum(axis=-1), dtype=object)
    return np.einsum("...j->...", values) if counts is None else np.einsum("...j,...j->...", values, counts)


def _at_least_one(sizes: Array, like: Array) -> Array:
    """Return divisors in the arithmetic of ``like``: Fractions where it is exact, so that int / int makes no float."""
    sizes = np.maximum(sizes, 1)
    return _for_each_size(Fraction, sizes) if is_exact(like) else sizes


def _position(size: int, k: Fraction) -> tuple[int, Fraction]:
    """Return the rank of the order statistic at or below position (G - 1) K, and how far the position lies above it."""
    offset = (size - 1) * k
    below = offset.numerator // offset.denominator
    return below + 1, offset - below


def _for_each_size(function: Callable[[int], Any], sizes: Array) -> Array:
    """Return ``function`` of every size, evaluated once for each distinct size.

    It is given Python integers, which do not overflow.
    """
    if sizes.ndim == 0:
        return np.array(function(int(sizes)))
    distinct, place = np.unique(sizes, return_inverse=True)
    table = np.array([function(int(size)) for size in distinct])
    return np.asarray(table[place.reshape(sizes.shape)], dtype=table.dtype)
