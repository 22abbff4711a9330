"""Compute what a step z + eta d does to entropy: exactly, and in its first two orders.

Each comes with its size, the sum of the sizes of its terms: what cancels to less than that has no relative accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import flint

from .numbers import DIGITS, ball, power, precise, total
from .policies import Atom, atoms, mean, surprises


class Sized(NamedTuple):
    """Hold a value with the sum of the sizes of its terms."""

    value: flint.arb
    size: flint.arb


@precise
def first_order(logits: Sequence[Any], direction: Sequence[Any]) -> Sized:
    """Return -Cov(log pi, d)."""
    policy, s, delta = centred(logits, direction)
    terms = [x * y for x, y in zip(s, delta, strict=True)]
    return Sized(-mean(policy, terms), mean(policy, [abs(x) for x in terms]))


@precise
def second_order(logits: Sequence[Any], direction: Sequence[Any]) -> Sized:
    """Return phi''(0) = -Var(d) - E[(log pi + H)(d - E d)^2]."""
    policy, s, delta = centred(logits, direction)
    value = -mean(policy, [(1 + x) * y * y for x, y in zip(s, delta, strict=True)])
    return Sized(value, mean(policy, [(1 + abs(x)) * y * y for x, y in zip(s, delta, strict=True)]))


def entropy_change(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> Sized:
    """Return H(softmax(z + eta d)) - H(softmax(z)), and sum |pi' - pi| |log pi + H| + KL(pi' || pi)."""
    with flint.ctx.workdps(max(DIGITS + far_digits(direction, step), flint.ctx.dps)):
        return _entropy_change(logits, direction, step)


def far_digits(direction: Sequence[Any], step: Any) -> int:
    """Return how many digits more tell the new logits apart as well as the old ones, however far the step leads."""
    farthest = Fraction(max(max(direction), -min(direction)))
    return len(str(int(farthest * abs(Fraction(step)))))


def _entropy_change(logits: Sequence[Any], direction: Sequence[Any], step: Any) -> Sized:
    policy = atoms(logits, direction)
    new = stepped(policy, step)
    s = surprises(policy)
    before = -mean(policy, [atom.log_prob for atom in policy])
    after = -total(p * log_p * atom.count for (p, log_p), atom in zip(new, policy, strict=True))
    moved, divergence = flint.arb(0), flint.arb(0)
    for (p, log_p), atom, x in zip(new, policy, s, strict=True):
        moved += abs(p - atom.prob) * abs(x) * atom.count
        divergence += p * (log_p - atom.log_prob) * atom.count
    return Sized(after - before, moved + divergence)


@precise
def response_curvatures(logits: Sequence[Any]) -> list[flint.arb]:
    """Return Q_y, the second order along e_y - pi, for each response y."""
    policy = atoms(logits)
    s, values = surprises(policy), {}
    for place, (logit, atom) in enumerate(zip(dict.fromkeys(logits), policy, strict=True)):
        # One response of this kind has been drawn; the others of its kind move with the rest.
        shifts = [(-other.prob, other.count - (other is atom)) for other in policy]
        centre = atom.prob * (1 - atom.prob)
        centre += total(other.prob * shift * count for other, (shift, count) in zip(policy, shifts, strict=True))
        own = atom.prob * (1 + s[place]) * power(1 - atom.prob - centre, 2)
        rest = total(
            other.prob * count * (1 + x) * power(shift - centre, 2)
            for other, (shift, count), x in zip(policy, shifts, s, strict=True)
        )
        values[logit] = -(own + rest)
    return [values[z] for z in logits]


def centred(logits: Sequence[Any], direction: Sequence[Any]) -> tuple[list[Atom], list[flint.arb], list[flint.arb]]:
    """Return the kinds of responses, their log pi + H and their d - E d."""
    policy = atoms(logits, direction)
    d = [ball(atom.rest[0]) for atom in policy]
    centre = mean(policy, d)
    return policy, surprises(policy), [x - centre for x in d]


def stepped(policy: Sequence[Atom], step: Any) -> list[tuple[flint.arb, flint.arb]]:
    """Return the new probability of each kind, with its log; ``rest`` starts with the direction."""
    eta = ball(step)
    logits = [atom.log_prob + eta * ball(atom.rest[0]) for atom in policy]
    top = logits[0]
    for x in logits[1:]:
        top = top.max(x)
    log_mass = total((x - top).exp() * atom.count for x, atom in zip(logits, policy, strict=True)).log()
    return [((x - top - log_mass).exp(), x - top - log_mass) for x in logits]
