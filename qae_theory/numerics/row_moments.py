r"""Moments of policies and directions, a few thousand columns at a time, and what rounding can have done to them.

Rows are ``[r, n]``. A policy is used as :math:`w_i = e^{z_i - \max z}`; a direction is scaled by an exact power of two
and centred, so that nothing overflows and little underflows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qae_theory.numerics.arithmetic import Array

# The unit roundoff of float64: one rounding is off by at most this, relative to the result.
UNIT = 2.0**-53
# At most this many terms are added up in one go. The error of a sum is then at most (COLUMNS + n / COLUMNS) half-units,
# whatever the order in which NumPy or BLAS add. (OpenBLAS shares vectors of 10,000 and more among threads.)
COLUMNS = 8192
# Elementary functions of NumPy are taken to be right to 4 units in the last place, 8 half-units; a test looks.
FUNCTION_ERROR = 8
# Below a gap of -745 an exponential is less than half the smallest float. Where gaps must be cut they are cut here.
DEEPEST_GAP = -800.0
# A direction may move a log-probability by this much before sums weighted with e^(tau x) are given up.
LARGEST_SHIFT = 300.0
# Arms of probability 0 in float64, and products below float64, can add to a sum of at most 1e9 terms of size 1e4 less
# than e^-745 * 1e13 < 1e-300, or 1e-165 where weights are up to e^300 larger. Sizes of terms are taken to be larger by
# what covers that: the error bounds made of them are parts of 1e-13 and more.
FLOOR, SHIFTED_FLOOR = 1e-287, 1e-152
# Error bounds are larger by this: by their second-order parts, and by the last roundings of the formulas that they
# enter, 16 half-units of sizes of which they are themselves at least 1,600.
GENEROUS = 1.02
# Directions whose largest entry lies within this many powers of two of 1 are taken as they are.
PLAIN_SIZE = 8


class Policy(NamedTuple):
    """Policies of some rows, ``[r]`` each."""

    top: Array
    others: Array  # mass of all arms but the top one, whose weight is 1
    mean_gap: Array  # E[z - top], at most 0
    uniform: Array  # whether all logits are equal
    finite: Array  # whether the row's logits and direction are
    cut: bool  # whether gaps have to be cut at DEEPEST_GAP, as some are beyond float64

    @property
    def mass(self) -> Array:
        """Return the sum of the weights."""
        return 1 + self.others


class Scaling(NamedTuple):
    """What turns directions into x before it is centred, ``[r]`` each; None where it does nothing."""

    first: Array | None
    second: Array | None
    offset: Array | None
    ends: tuple[Array, Array]
    exponent: Array

    @classmethod
    def of(cls, high: Array, low: Array, sign: Array, at_top: Array) -> Scaling:
        """Return the scaling for directions of this range."""
        _, size = np.frexp(np.maximum(np.abs(high), np.abs(low)))
        size = np.where(np.abs(size) <= PLAIN_SIZE, 0, size)
        half = size // 2
        # In two factors, as 2**1074 is no float. Powers of two round nothing, except below 2**-1022 of the largest
        # entry.
        first, second = np.ldexp(sign, -half), np.ldexp(1.0, half - size)
        scaled = [x * first * second for x in (high, low, at_top)]
        ends = np.minimum(*scaled[:2]), np.maximum(*scaled[:2])
        # Entries that share their leading bits lie within a factor of two of each other, and their difference from one
        # of them is exact (Sterbenz).
        far = np.maximum(np.abs(ends[0]), np.abs(ends[1])) > 16 * (ends[1] - ends[0])
        offset = np.where(far, scaled[2], 0.0)
        if np.all(np.abs(size) <= 500):
            first, second = first * second, None
        return cls(
            first=None if second is None and np.all(first == 1.0) else first,
            second=second,
            offset=offset if far.any() else None,
            ends=(ends[0] - offset, ends[1] - offset),
            exponent=size,
        )

    @property
    def plain(self) -> bool:
        """Return whether x is d itself."""
        return self.first is None and self.second is None and self.offset is None

    def applied(self, d: Array, out: Array) -> Array:
        """Return the rows' d, scaled and less its offset: d itself where nothing is to be done."""
        x = d
        if self.first is not None:
            x = np.multiply(d, self.first[:, None], out=out)
        if self.second is not None:
            x = np.multiply(x, self.second[:, None], out=out)
        if self.offset is not None:
            x = np.subtract(x, self.offset[:, None], out=out)
        return x

    def direction(self, centre: Array, eta: Array, constant: Array) -> Direction:
        """Return the direction with its centre, for steps eta."""
        mantissa, exponent = np.frexp(eta)
        return Direction(
            scaling=self,
            centre=centre,
            lowest=self.ends[0] - centre,
            highest=self.ends[1] - centre,
            mantissa=np.abs(mantissa),
            exponent=exponent.astype(np.int64) + self.exponent,
            still=constant | (eta == 0),
        )


class Direction(NamedTuple):
    r"""Directions of a size near 1, with the sign of the step: :math:`\eta d = \tau\,x + \mathrm{const}`.

    x is d, scaled and less its offset and then a centre that is near its mean under the policy;
    ``tau = mantissa * 2**exponent > 0``; ``[r]`` each.
    """

    scaling: Scaling
    centre: Array
    lowest: Array
    highest: Array
    mantissa: Array
    exponent: Array
    still: Array  # whether nothing moves: a constant direction, or no step

    @property
    def spread(self) -> Array:
        """Return max - min of x."""
        return self.highest - self.lowest


class Moments(NamedTuple):
    """Expectations under the policy, ``[r]`` each, with S = z - top - mean gap and x.

    ``abs_``: upper bounds on those of the terms' sizes, what float64 loses at its lower end included.
    """

    s: Array
    x: Array
    sx: Array
    xx: Array
    sxx: Array
    abs_s: Array
    abs_x: Array
    abs_sx: Array
    abs_sxx: Array


class Shifted(NamedTuple):
    """Expectations weighted with e^(tau x), of 1, S and x, ``[r]`` each.

    ``a``, ``s``: upper bounds on those of |x|^k and |S| |x|^k with P = max(1, e^(tau x)), as ``abs_`` in Moments.
    """

    moved: Array
    moved_s: Array
    moved_x: Array
    a: tuple[Array, ...]  # k = 0..4
    s: tuple[Array, ...]  # k = 0..3


class Room:
    """Memory for a few blocks of columns, used again and again: fresh pages for each would cost as much as the sums."""

    def __init__(self, height: int, arms: int) -> None:
        self._size = height * min(COLUMNS, arms)
        self._floats = np.empty(4 * self._size)
        self.ones = np.ones(min(COLUMNS, arms))

    def blocks(self, shape: tuple[int, ...]) -> Array:
        """Return four blocks of this shape, ``[4, r, columns]``, that hold anything."""
        size = shape[0] * shape[1]
        return self._floats[: 4 * size].reshape(4, *shape)


def summation_error(arms: int) -> float:
    """Return how many roundings a sum over ``arms`` entries may go through, in half-units of its terms' sizes."""
    return min(arms, COLUMNS) + -(-arms // COLUMNS) + 2


def read(z: Array, d: Array, eta: Array, room: Room) -> tuple[Policy, Direction]:
    """Return the first sums of the rows' policies, and scale, range and centre of their directions."""
    sums = _first_sums(z, d, room, cut=False)
    cut = not bool(np.isfinite(sums.gaps).all())  # a gap beyond float64
    if cut:
        sums = _first_sums(z, d, room, cut=True)
    top = sums.tops.max(axis=0)
    first = sums.tops.argmax(axis=0)
    # Each block has the weights of its own largest logit; this brings them together. One arm of weight 1 in each block
    # is not among its others, but counts for all blocks except the first that holds the top.
    behind = np.maximum(sums.tops - top, DEEPEST_GAP)
    factor = np.exp(behind)
    own = factor * (1 + sums.others)
    own[first, np.arange(len(z))] = np.take_along_axis(sums.others, first[None], axis=0)[0]
    others = own.sum(axis=0)
    mass = 1 + others
    gap_sum = (factor * (sums.gaps + behind * (1 + sums.others))).sum(axis=0)
    # A gap that rounds to a weight of 1 still shows in the sum of the gaps.
    uniform = (others == z.shape[1] - 1) & (gap_sum == 0)
    finite = np.isfinite(top) & np.isfinite(sums.lowest) & np.isfinite(sums.highest)
    if cut:  # minus infinity would pass for a gap
        finite &= np.isfinite(z).all(axis=1)
    policy = Policy(top, others, gap_sum / mass, uniform, finite, cut)
    at_top = d[np.arange(len(z)), sums.arms[first, np.arange(len(z))]]
    scaling = Scaling.of(sums.highest, sums.lowest, np.where(eta < 0, -1.0, 1.0), at_top)
    centre = (factor * sums.x).sum(axis=0) / mass if scaling.plain else _mean(z, d, policy, scaling, room)
    return policy, scaling.direction(centre, eta, sums.highest == sums.lowest)


class _FirstSums(NamedTuple):
    """What one reading of the rows gives, by block of columns, ``[blocks, r]``; the range of d, ``[r]``."""

    tops: Array
    arms: Array  # where they are
    others: Array
    gaps: Array
    x: Array
    lowest: Array
    highest: Array


def _first_sums(z: Array, d: Array, room: Room, *, cut: bool) -> _FirstSums:
    row, blocks = np.arange(len(z)), _blocks(z.shape[1])
    tops, others, gap_sums, x_sums, low, high = np.empty((6, len(blocks), len(z)))
    arms = np.empty((len(blocks), len(z)), dtype=np.int64)
    for number, columns in enumerate(blocks):
        part, moved = z[:, columns], d[:, columns]
        gaps, weights = room.blocks(part.shape)[:2]
        place = part.argmax(axis=1)
        tops[number], arms[number] = part[row, place], place + columns.start
        _gaps(part, tops[number], gaps, cut=cut)
        np.exp(gaps, out=weights)
        np.vecdot(weights, gaps, out=gap_sums[number])
        np.vecdot(weights, moved, out=x_sums[number])
        np.min(moved, axis=1, out=low[number])
        np.max(moved, axis=1, out=high[number])
        # The largest one counts 1 exactly. Left out of this sum, it does not swallow the others of a peaked policy.
        weights[row, place] = 0.0
        np.vecdot(weights, room.ones[: part.shape[1]], out=others[number])
    return _FirstSums(tops, arms, others, gap_sums, x_sums, low.min(axis=0), high.max(axis=0))


def _mean(z: Array, d: Array, policy: Policy, scaling: Scaling, room: Room) -> Array:
    """Return E[x] before centring, where the directions have to be scaled."""
    blocks = _blocks(z.shape[1])
    sums = np.empty((len(blocks), len(z)))
    for number, columns in enumerate(blocks):
        part = z[:, columns]
        gaps, weights = room.blocks(part.shape)[:2]
        _gaps(part, policy.top, gaps, cut=policy.cut)
        np.exp(gaps, out=weights)
        np.vecdot(weights, scaling.applied(d[:, columns], gaps), out=sums[number])
    return np.asarray(sums.sum(axis=0) / policy.mass)


def moments(
    z: Array, d: Array, policy: Policy, direction: Direction, tau: Array, room: Room
) -> tuple[Moments, Shifted]:
    r"""Return the moments under the policy, up to the second in the direction, and those that the step weights.

    ``tau * x`` must be at most LARGEST_SHIFT in size. The moments of sizes are upper bounds: the P-weighted ones, or
    those that follow from :math:`E|S| \le 2|E[z - \max z]|` and the largest :math:`|x|`, whichever is less.
    """
    blocks = _blocks(z.shape[1])
    signed, moved, sized = (np.empty((count, len(blocks), len(z))) for count in (5, 3, 8))
    for number, columns in enumerate(blocks):
        pair, w, product = _centred(z, d, policy, direction, room, columns)
        _signed(pair, w, product, signed[:, number])
        np.multiply(pair[1], tau[:, None], out=product)
        np.exp(product, out=product)
        product *= w
        np.vecdot(product, room.ones[: w.shape[1]], out=moved[0, number])
        np.vecdot(product, pair, out=moved[1:, number])
        np.maximum(product, w, out=product)
        np.abs(pair, out=pair)
        for power in range(4):
            np.vecdot(product, pair, out=sized[2 * power : 2 * power + 2, number])
            if power < 3:
                product *= pair[1]
    mass = policy.mass
    of_step, of_sizes = moved.sum(axis=1) / mass, sized.sum(axis=1) / mass
    of_x, of_s = of_sizes[1::2], of_sizes[::2]
    # After a long step that leaves most of the probability where it was, P is e^(tau x) nearly everywhere, and large.
    reach = GENEROUS * np.maximum(direction.highest, -direction.lowest)
    abs_s, abs_x = np.minimum(of_s[0], -2 * GENEROUS * policy.mean_gap), np.minimum(of_x[0], reach)
    abs_sx, abs_sxx = np.minimum(of_s[1], reach * abs_s), np.minimum(of_s[2], reach**2 * abs_s)
    # Equal logits: S is exactly 0, and so is all that it multiplies.
    lost, shifted_lost = (np.where(policy.uniform, 0.0, floor) for floor in (FLOOR, SHIFTED_FLOOR))
    sizes = abs_s + lost, abs_x + FLOOR, abs_sx + lost, abs_sxx + lost
    a = (1 + of_step[0], *(of_x + SHIFTED_FLOOR))  # P <= 1 + e^(tau x)
    plain = Moments._make([*(signed.sum(axis=1) / mass), *sizes])
    return plain, Shifted(moved=of_step[0], moved_s=of_step[1], moved_x=of_step[2], a=a, s=tuple(of_s + shifted_lost))


def _signed(pair: Array, w: Array, product: Array, sums: Array) -> None:
    """Add a block's part to the first five moments, ``[5, r]``; leave w x^2 in ``product``."""
    np.vecdot(w, pair, out=sums[:2])
    np.multiply(w, pair[1], out=product)
    np.vecdot(product, pair, out=sums[2:4])
    product *= pair[1]
    np.vecdot(product, pair[0], out=sums[4])


def _centred(
    z: Array, d: Array, policy: Policy, direction: Direction, room: Room, columns: slice
) -> tuple[Array, Array, Array]:
    """Return S and x of some columns, ``[2, r, columns]``, their weights, and a free block; all may be overwritten.

    The weights are computed again, which costs no more than to read them back from memory.
    """
    part = z[:, columns]
    blocks = room.blocks(part.shape)
    s, x, w, free = blocks
    _gaps(part, policy.top, s, cut=policy.cut)
    np.exp(s, out=w)
    s -= policy.mean_gap[:, None]
    np.subtract(direction.scaling.applied(d[:, columns], x), direction.centre[:, None], out=x)
    return blocks[:2], w, free


def _gaps(z: Array, top: Array, out: Array, *, cut: bool) -> None:
    np.subtract(z, top[:, None], out=out)
    if cut:
        np.maximum(out, DEEPEST_GAP, out=out)


def _blocks(arms: int) -> list[slice]:
    return [slice(start, start + COLUMNS) for start in range(0, arms, COLUMNS)]
