"""The ends of the certified enclosure: the exact change and the room that double-double is given, in balls."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import frexp
from typing import Any

import flint

from .changes import centred, entropy_change, stepped
from .numbers import ball
from .policies import Atom, entropy, mean
from .rooms import Blurred, intersection, largest, outward_bounds, working_digits

PRECISION, LOST = flint.arb(2) ** -90, flint.arb(2) ** -1000
HANDFUL = 16
UNIT = flint.arb(2) ** -53
FAR = 300  # in nats
SHORTEST, LONGEST = -120, 100  # powers of two of a step, in units of the direction's size
SERIES = flint.arb(2) ** -20  # below this, y stands in a series for e^y (y - 1) + 1
DEEPEST = -1000  # gaps are cut here
MUCH_LOST = flint.arb(10) ** -290
LARGEST_ERROR = flint.arb(2) ** -60  # of a gap; above it, double-double says nothing


def enclosure_ends(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> tuple[Blurred, Blurred]:
    """Return the lower and the upper end, of a step that moves something and that double-double can follow.

    An end lies a float or two outside of what the room alone gives.
    """
    with flint.ctx.workdps(working_digits(logits, direction, step)):
        change = entropy_change(logits, direction, step).value
        room = _room(logits, direction, step)
        (low, lowest), (high, highest) = _above(-change, room), _above(change, room)
        ends = Blurred(-lowest, -low), Blurred(high, highest)
        h, log_n = entropy(logits), ball(len(logits)).log()
        if room > MUCH_LOST and room < (change + h).min(log_n - h - change) / 1000:
            return ends
        # Where double-double cannot tell, or loses more below float64 than by rounding, the bounds may be narrower.
        return intersection([ends, outward_bounds(logits, direction, step, method="best")], change)


def _above(value: flint.arb, room: flint.arb) -> tuple[flint.arb, flint.arb]:
    """Return what an upper end lies between; it is the next float, or that after it, and not below the value."""
    room = flint.arb(1.01) * HANDFUL * room
    return value + room * 19 / 20, value + room * 21 / 20 + 5 * UNIT * abs(value) + flint.arb(2) ** -1072


def _room(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> flint.arb:
    policy, s, delta = centred(logits, direction)
    size = frexp(max(abs(float(d)) for d in direction))[1]
    exponent = frexp(float(step))[1] + size
    unit = flint.arb(2) ** size
    x, tau = [d / unit for d in delta], abs(ball(step)) * unit
    top = max(policy, key=lambda atom: float(atom.log_prob.mid()))
    offset = abs(x[policy.index(top)])
    gap = abs(mean(policy, [atom.log_prob - top.log_prob for atom in policy]))
    if exponent < SHORTEST:
        rows = [(abs(y) + gap, abs(z) + offset) for y, z in zip(s, x, strict=True)]
        return tau * (PRECISION * mean(policy, [moved * (deep + tau * moved) for deep, moved in rows]) + LOST)
    if exponent < LONGEST and tau * largest([abs(z) for z in x]) <= FAR:
        return _moderate(policy, s, [(z if step >= 0 else -z) * tau for z in x], gap, offset * tau)
    return _long(policy, step)


def _moderate(
    policy: list[Atom], s: Sequence[flint.arb], shift: Sequence[flint.arb], gap: flint.arb, offset: flint.arb
) -> flint.arb:
    grown = [x.expm1() for x in shift]
    partition = 1 + mean(policy, grown)
    log_mean = partition.log()
    off_grown = [(abs(g) + (1 + g) * (abs(x) + 2 * offset)) / partition for g, x in zip(grown, shift, strict=True)]
    off_mean = mean(policy, off_grown)
    terms = []
    for surprise, x, off in zip(s, shift, off_grown, strict=True):
        y = x - log_mean
        t, ratio = y.expm1(), y.exp()
        off_t, off_y = off + ratio * off_mean + abs(t), abs(x) + 2 * offset + off_mean
        direct = off_t * (1 + abs(y)) + ratio * (off_y + abs(y))
        by_divergence = direct if abs(y) >= SERIES else abs(y) * off_y
        terms.append(off_t * abs(surprise) + abs(t) * (abs(surprise) + 2 * gap) + by_divergence)
    lost = LOST * (1 + largest(shift).exp())
    return PRECISION * mean(policy, terms) + lost


def _long(policy: list[Atom], step: Any) -> flint.arb:
    new = stepped(policy, step)
    before = -mean(policy, [atom.log_prob for atom in policy])
    after, off = flint.arb(0), flint.arb(0)
    top = max(range(len(new)), key=lambda i: float(new[i][1].mid()))
    for (p, log_p), atom in zip(new, policy, strict=True):
        after -= p * log_p * atom.count
        if (gap := log_p - new[top][1]) > DEEPEST:
            # What the direction moves an arm by is rounded too, unless it is the product of two floats.
            apart = Fraction(atom.rest[0]) - Fraction(policy[top].rest[0])
            moved = ball(step) * ball(apart) if apart != Fraction(float(apart)) else flint.arb(0)
            off = off.max(abs(gap) + abs(moved))
    off *= flint.arb(2) ** -100
    return PRECISION * (before + after) + off * after + LOST if off <= LARGEST_ERROR else flint.arb(10) ** 10
