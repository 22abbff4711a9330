"""The bounds on the entropy change, theory's formulas and the room that rounding is given, in balls.

A room is a formula too, that of ``docs/numerics.md``. Were it smaller than the page argues, the bounds would not be
guaranteed, were it larger, they would be wider than they have to be, and hardly any instance would show either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from math import frexp, log10
from typing import Any, NamedTuple

import flint

from .bounds import curvature_brackets
from .changes import centred, entropy_change, far_digits
from .numbers import DIGITS, ball, power
from .policies import mean

UNIT = flint.arb(2) ** -53
COLUMNS = 8192
FLOOR, SHIFTED_FLOOR = flint.arb(10) ** -287, flint.arb(10) ** -152
FAR = 300  # in nats: a step that moves a log-probability by more has no weights e^(tau x)
SHORTEST, LONGEST = -900, 60  # powers of two of a step, in units of the direction's size
PLAIN = 8  # directions within so many powers of two of 1 are taken as they are
GENEROUS = flint.arb(102) / 100
WITHOUT, EXACTLY, ROUNDED = 0, 1, 2  # rooms: none; those of means that are centred exactly; of such that are not


class Range(NamedTuple):
    """Hold a lower and an upper bound."""

    low: flint.arb
    high: flint.arb


class Blurred(NamedTuple):
    """Hold a number that rounding may move: what it lies between."""

    least: flint.arb
    most: flint.arb


def outward_bounds(
    logits: Sequence[Any], direction: Sequence[Any], step: Any, *, method: str
) -> tuple[Blurred, Blurred]:
    """Return the lower and the upper bound of a method, or of all as ``best``, of a step that moves something.

    Float64 knows the sums in the formulas up to a small part of the room that is left for them, and up to what centring
    leaves of a mean. But no bound may lie beyond the exact change.
    """
    with flint.ctx.workdps(working_digits(logits, direction, step)):
        sums = {rooms: _Sums(logits, direction, step, rooms=rooms) for rooms in (WITHOUT, EXACTLY, ROUNDED)}
        sides = []
        for name in ("ends", *(METHODS if method == "best" else (method,))):
            found = [KINDS[name](each) for each in sums.values()]
            if all(found):
                sides.append(_blurred(*found, sums[EXACTLY].blur))
        return intersection(sides, entropy_change(logits, direction, step).value)


def intersection(sides: Sequence[tuple[Blurred, Blurred]], change: flint.arb) -> tuple[Blurred, Blurred]:
    """Return the largest of lower and the least of upper bounds, which may not lie beyond the exact change."""
    lows, highs = zip(*sides, strict=True)
    low = Blurred(largest([x.least for x in lows]), largest([x.most for x in lows]).min(change))
    return low, Blurred(_least([x.least for x in highs]).max(change), _least([x.most for x in highs]))


def working_digits(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> int:
    """Return at how many digits to work.

    A response e^-gap as likely as another shows in their entropy behind as many digits as that, and a step of 1e-n in
    the square of its change behind 2 n. A far step has digits before the point.
    """
    gap, short = max(logits) - min(logits), -log10(abs(step)) - log10(max(direction) / 2 - min(direction) / 2)
    return DIGITS + int(min(gap, 800)) + max(0, int(2 * short)) + far_digits(direction, step)


def bare_bounds(logits: Sequence[Any], direction: Sequence[Any], step: Any, *, method: str) -> Range | None:
    """Return the bounds of a method by its formula alone; None for a step that is too far for it."""
    with flint.ctx.workdps(working_digits(logits, direction, step)):
        return KINDS[method](_Sums(logits, direction, step, rooms=WITHOUT))


def _blurred(bare: Range, narrow: Range, wide: Range, blur: flint.arb) -> tuple[Blurred, Blurred]:
    """Return where the bounds may lie; never inside of what the formula gives, but for the last places."""
    few = 8 * UNIT * (abs(bare.low) + abs(bare.high))
    low, high = blur * abs(bare.low - narrow.low) + few, blur * abs(narrow.high - bare.high) + few
    least, most = (narrow.low + low).min(bare.low + few), (narrow.high - high).max(bare.high - few)
    return Blurred(wide.low - low, least), Blurred(most, wide.high + high)


class _Sums:
    """Sums that rooms are made of; x is the direction at a size near 1, with the step's sign, less its mean.

    ``rooms`` is WITHOUT for the formulas alone, and where it is ROUNDED, as much is left of the means of S and x as
    rounding can leave.
    """

    def __init__(self, logits: Sequence[Any], direction: Sequence[Any], step: Any, *, rooms: int) -> None:
        # The unit of all rooms, and what floors and factors are taken to the power of: with 0 there are none.
        self.on = int(rooms != WITHOUT)
        self.arms = len(logits)
        self.policy, self.surprise, delta = centred(logits, direction)
        size = frexp(max(abs(float(d)) for d in direction))[1]
        size = size if abs(size) > PLAIN else 0
        eta, unit = ball(step), flint.arb(2) ** size
        self.x = [(d if eta >= 0 else -d) / unit for d in delta]
        self.step = abs(eta) * unit
        exponent = frexp(float(step))[1] + size
        self.reached = exponent <= LONGEST
        self.tau = self.step * flint.arb(2) ** (max(SHORTEST, min(LONGEST, exponent)) - exponent)
        self.near = self.reached and bool(self.tau * largest([abs(x) for x in self.x]) <= FAR)
        top = largest([atom.log_prob for atom in self.policy])
        self.gaps = [atom.log_prob - top for atom in self.policy]
        self.mean_gap = self.mean(self.gaps)
        self.of_s = int(len(set(logits)) > 1)  # equal logits: S is exactly 0 in float64 too
        self.rest_s = self.rest_x = flint.arb(0)
        roundings = (16 + ball(self.arms).sqrt() + self.deepest) * UNIT
        if rooms == ROUNDED:
            raw = self.mean([abs(d) for d in _less_its_offset([ball(atom.rest[0]) / unit for atom in self.policy])])
            self.rest_s, self.rest_x = roundings * abs(self.mean_gap), roundings * raw

    def mean(self, values: Sequence[Any]) -> flint.arb:
        """Return E of one value a kind of response."""
        return mean(self.policy, values)

    @cached_property
    def weights(self) -> list[flint.arb]:
        """Return P = max(1, e^(tau x)), or 1 where there is no e^(tau x)."""
        return [(self.tau * x).exp() if self.near and x > 0 else flint.arb(1) for x in self.x]

    def sized(self, of_s: int, of_x: int, *, plain: bool = False) -> flint.arb:
        """Return E P |S|^of_s |x|^of_x, or without P."""
        weights = [flint.arb(1)] * len(self.x) if plain else self.weights
        rows = zip(weights, self.surprise, self.x, strict=True)
        return self.mean(
            [w * power(abs(s) + self.rest_s, of_s) * power(abs(x) + self.rest_x, of_x) for w, s, x in rows]
        )

    @cached_property
    def relative(self) -> flint.arb:
        """Return r, what an expectation is off by in units of its terms' sizes."""
        summation = min(self.arms, COLUMNS) + -(-self.arms // COLUMNS) + 2
        return self.on * GENEROUS * 2 * (792 + summation) * UNIT

    @cached_property
    def shifted(self) -> flint.arb:
        """Return R, the same for weights e^(tau x)."""
        return self.relative + self.on * GENEROUS * 2 * (2 * FAR + 16) * UNIT

    @cached_property
    def deepest(self) -> flint.arb:
        """Return how deep below the top what sums are made of lies: the rounding of a gap shows in its weight."""
        rows = list(zip(self.gaps, self.surprise, self.x, strict=True))
        depth = flint.arb(0)
        for of_s, of_x in ((1, 0), (0, 1), (1, 1), (0, 2), (1, 2)):
            size = self.sized(of_s, of_x, plain=True)
            deep = self.mean([abs(g) * power(abs(s), of_s) * power(abs(x), of_x) for g, s, x in rows])
            if size > 0:
                depth = depth.max(deep / size)
        return depth

    @cached_property
    def blur(self) -> flint.arb:
        """Return which part of a room what is computed may differ by."""
        return flint.arb(0.02) + 4 * UNIT * self.deepest / self.relative

    @property
    def gap_error(self) -> flint.arb:
        return self.on * 4 * UNIT * abs(self.mean_gap)

    @cached_property
    def sizes(self) -> tuple[flint.arb, ...]:
        """Return bounds on E|S|, E|x|, E|S x| and E|S| x^2, with what float64 loses at its lower end."""
        reach = GENEROUS * largest([abs(x) for x in self.x])
        s = self.sized(1, 0).min(2 * GENEROUS * abs(self.mean_gap))
        sx, sxx = self.sized(1, 1).min(reach * s), self.sized(1, 2).min(reach**2 * s)
        lost = FLOOR * self.of_s
        return s + lost, self.sized(0, 1).min(reach) + FLOOR, sx + lost, sxx + lost


def _less_its_offset(d: Sequence[flint.arb]) -> list[flint.arb]:
    """Return a direction without what its entries have in common, where that is most of them."""
    spread = largest(d) - _least(d)
    return [x - d[0] for x in d] if largest([abs(x) for x in d]) > 16 * spread else list(d)


class _Slope(NamedTuple):
    first: flint.arb
    first_room: flint.arb
    second: flint.arb
    second_room: flint.arb
    off_mean: flint.arb
    off_centre: flint.arb


def _slope(sums: _Sums) -> _Slope:
    r, g = sums.relative, sums.gap_error
    abs_s, abs_x, abs_sx, abs_sxx = sums.sizes
    xx = sums.sized(0, 2, plain=True)
    off_mean, off_centre = sums.rest_s + r * abs_s + g, sums.rest_x + r * abs_x
    first_room = r * abs_sx + g * abs_x + off_mean * off_centre
    second_room = (r + off_mean) * xx + r * abs_sxx + 2 * off_centre * (off_centre + abs_sx)
    rows = list(zip(sums.surprise, sums.x, strict=True))
    first, second = sums.mean([s * x for s, x in rows]), sums.mean([(1 + s) * x * x for s, x in rows])
    return _Slope(-first, GENEROUS * first_room, -second, GENEROUS * second_room, off_mean, off_centre)


class _Path(NamedTuple):
    a: list[flint.arb]
    s: list[flint.arb]
    drift: flint.arb
    surprise: flint.arb


def _path(sums: _Sums, slope: _Slope) -> _Path:
    wider = (1 + 4 * sums.shifted) * (sums.tau * slope.off_centre).min(flint.arb(FAR)).exp()
    floor = sums.on * SHIFTED_FLOOR
    a = [wider * (sums.sized(0, k) + floor) for k in range(5)]
    s = [wider * (sums.sized(1, k) + floor * sums.of_s) + sums.gap_error * a[k] for k in range(4)]
    drift = (sums.tau * a[2]).min(a[1]) + slope.off_centre
    return _Path(a, s, drift, s[0].min(slope.off_mean + sums.tau * (s[1] + drift * s[0])))


def _entropy(sums: _Sums) -> Range:
    h = -sums.mean([atom.log_prob for atom in sums.policy])
    room = sums.relative * (h + FLOOR)
    return Range((h - room).max(flint.arb(0)), h + room)


def _ends(sums: _Sums) -> Range:
    h = _entropy(sums)
    return Range(-h.high, ball(sums.arms).log() * (1 + sums.on * 16 * UNIT) - h.low)


def _brackets(sums: _Sums) -> Range | None:
    slope = _slope(sums)
    below, above = curvature_brackets(sums.arms)
    quadratic = sums.tau * power(largest(sums.x) - _least(sums.x), 2) / 2 * (1 + sums.on * 2 * flint.arb(10) ** -14)
    low, high = slope.first - quadratic * below, slope.first + quadratic * above
    return _stepped(sums, Range(low - slope.first_room, high + slope.first_room))


def _third_order(sums: _Sums) -> Range | None:
    slope = _slope(sums)
    path, tau = _path(sums, slope), sums.tau
    (_, a1, a2, a3, a4), (s0, s1, s2, s3), m = path.a, path.s, path.drift
    third = a3 + 3 * m * a2 + 3 * power(m, 2) * a1 + power(m, 3)
    fourth = a4 + 4 * m * a3 + 6 * power(m, 2) * a2 + 4 * power(m, 3) * a1 + power(m, 4)
    tied = s3 + 3 * m * s2 + 3 * power(m, 2) * s1 + power(m, 3) * s0
    b3 = 2 * third + tied + path.surprise * third + tau * fourth + 3 * a2 * (s1 + m * s0 + tau * a2)
    room = slope.first_room + tau * slope.second_room / 2 + tau * tau * b3 * (1 + sums.on * flint.arb(10) ** -12) / 6
    middle = slope.first + tau * slope.second / 2
    return _stepped(sums, Range(middle - room, middle + room)) if sums.near else None


def _stepped(sums: _Sums, per_step: Range) -> Range | None:
    return Range(sums.step * per_step.low, sums.step * per_step.high) if sums.reached else None


def _cross_entropy(sums: _Sums) -> Range | None:
    if not sums.near:
        return None
    tau, r, shifted, path = sums.tau, sums.relative, 2 * sums.shifted, _path(sums, _slope(sums))
    abs_s, abs_x, _, _ = sums.sizes
    grown = [(tau * x).exp() for x in sums.x]
    moved = sums.mean(grown)
    cross = -sums.mean([w * s for w, s in zip(grown, sums.surprise, strict=True)]) / moved
    both = tau * sums.mean([w * x for w, x in zip(grown, sums.x, strict=True)]) / moved
    of_cross = GENEROUS * (shifted * path.s[0] / moved + r * abs_s + 2 * sums.gap_error)
    of_both = GENEROUS * tau * (shifted * path.a[1] / moved + r * abs_x)
    return Range(cross - both - of_cross - of_both, cross + of_cross)


def _ratio_box(sums: _Sums) -> Range | None:
    if not sums.reached:
        return None
    slope, tau = _slope(sums), sums.tau
    spread = tau * (largest(sums.x) - _least(sums.x))
    least, most = -spread, spread
    if sums.near:
        log_mean, error = sums.mean([(tau * x).exp() for x in sums.x]).log(), 4 * sums.shifted
        variance = _path(sums, slope).a[2]
        low_mean = (log_mean - error).max(-tau * slope.off_centre)
        high_mean = (log_mean + error).min(tau * slope.off_centre + power(tau, 2) * variance / 2)
        least, most = tau * _least(sums.x) - high_mean, tau * largest(sums.x) - low_mean
    slack, h, zero = sums.on * 16 * UNIT * spread, _entropy(sums).high, flint.arb(0)
    return Range(h * (least - slack).min(zero).expm1(), h * (most + slack).max(zero).expm1())


KINDS: dict[str, Callable[[_Sums], Range | None]] = {
    "ends": _ends,
    "brackets": _brackets,
    "ratio-box": _ratio_box,
    "cross-entropy": _cross_entropy,
    "third-order": _third_order,
}
METHODS = tuple(KINDS)[1:]


def largest(values: Sequence[flint.arb]) -> flint.arb:
    result = values[0]
    for x in values[1:]:
        result = result.max(x)
    return result


def _least(values: Sequence[flint.arb]) -> flint.arb:
    return -largest([-x for x in values])
