"""Refute claim ``clip-entropy-sign``, that low clips always raise entropy and high clips always lower it.

The formula's signs hold iff the clipped responses have a smaller Q = pi (log pi + H) than the average response. A heavy
response that is clipped turns either sign round. How often that happens is counted in float64: over all pairs of small
policies, and along clipped steps on random rewards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import sympy
import z3

from qae_theory.arrays import Array
from qae_theory.claims.ledger import Ledger
from qae_theory.claims.model import Effort, Evidence, Finding, Generality, Kind, Role, Step
from qae_theory.entropy_change import first_order_entropy_change
from qae_theory.proofs.remedies.clip_entropy_first_order import HIGH, LOW, clip_events
from qae_theory.proofs.tools.checking import (
    all_zero,
    both,
    certainly_positive,
    for_all,
    rational,
    valid,
    with_witness,
)
from qae_theory.proofs.tools.rational_policies import HALVES, Probs, logs, number
from qae_theory.softmax import entropy_gradient

SEVEN_TENTHS: Probs = (Fraction(7, 10), Fraction(3, 10))
NINE_TENTHS: Probs = (Fraction(9, 10), Fraction(1, 10))
# Below this a sign counts as open: a thousand roundings of numbers of at most 1 are below 1e-12.
CLOSE = 1e-12
INNER_STEPS = 4


class Counts(NamedTuple):
    """Hold how many events of each side there were and at how many the stated sign was turned round."""

    low: int
    low_wrong: int
    high: int
    high_wrong: int


def register(ledger: Ledger) -> None:
    """Add the evidence of this module."""
    claim = "clip-entropy-sign"
    for name, low in (("low-clip-lowers", True), ("high-clip-raises", False)):
        ledger.add(Evidence(claim, name, Kind.WITNESS, Role.AGAINST, (_witness(low=low),)))
    counted = (_two_responses(), _off_paths(), _on_paths())
    ledger.add(Evidence(claim, "how-often", Kind.CERTIFICATE, Role.AGAINST, counted))


def _witness(*, low: bool) -> Step:
    old, new = (NINE_TENTHS, SEVEN_TENTHS) if low else (HALVES, SEVEN_TENTHS)
    ratio = r"\frac79 < \frac45" if low else r"\frac75 > \frac{32}{25}"
    outcome = "lowers" if low else "raises"
    return Step(
        says=rf"$\pi_{{old}} = ({old[0]}, {old[1]})$, $\pi = ({new[0]}, {new[1]})$, ranges .2 and .28: the first "
        rf"response has ratio ${ratio}$ and is the only one clipped on that side. Its term of the formula, the shipped "
        rf"first-order change along $\pm\pi(x - E_\pi x)$, {outcome} entropy (ball arithmetic).",
        check=partial(_turned_round, old=old, new=new, low=low, arm=0),
        planted="the second response clipped in place of the first",
        control=partial(_turned_round, old=old, new=new, low=low, arm=1),
        generality=Generality.GENERAL,
    )


def _two_responses() -> Step:
    return Step(
        says=r"Two responses $x$ and $y = 1-x$: $Q_1 = xy\,\ell$ with $\ell = \log\frac xy$, $E\,Q = xy(x-y)\,\ell$ "
        r"and so $E\,Q - Q_1 = -2xy^2\ell$. If the first response is the only one clipped on a side, that side's "
        r"sign fails exactly if it is still the likelier one, $x > \frac12$.",
        check=partial(_likelier_fails, factor=2),
        planted="-x y^2 l",
        control=partial(_likelier_fails, factor=1),
        generality=Generality.GENERAL,
    )


def _off_paths() -> Step:
    return Step(
        says=r"Off optimisation paths: over all ordered pairs of policies on three responses with probabilities in "
        r"tenths (eighths on a quick run), the sign of low clips fails at some pairs with such an event and at fewer "
        r"than a fifth of them, that of high clips at more than a quarter.",
        check=partial(_count_pairs, exchanged=False),
        planted="the two sides exchanged",
        control=partial(_count_pairs, exchanged=True),
    )


def _on_paths() -> Step:
    return Step(
        says=r"Along optimisation: from every such policy, four inner steps of size 1 on every group of two different "
        r"responses with advantages $+1$ and $-1$, with clipped ratios; the policy after each step is set against the "
        r"one that sampled. Again the sign of low clips fails at fewer than a fifth, that of high clips at more than a "
        r"quarter.",
        check=partial(_count_paths, exchanged=False),
        planted="the two sides exchanged",
        control=partial(_count_paths, exchanged=True),
    )


def _likelier_fails(*, factor: int) -> Finding:
    """Find whether E Q - Q_1 = -factor x y^2 l for two responses, and is negative exactly for x > 1/2."""
    x = sympy.Symbol("x", positive=True)
    log_x, log_y = sympy.symbols("a b", real=True)
    y = 1 - x
    surprise = -x * log_x - y * log_y
    first, second = x * (log_x + surprise), y * (log_y + surprise)
    ratio = log_x - log_y
    gap = x * first + y * second - first
    identity = all_zero([gap + factor * x * y**2 * ratio, first - x * y * ratio], sympy.expand)
    p, size = z3.Reals("x l")
    # log(x/y) has the sign of x - y.
    known = (p > 0, p < 1, (size > 0) == (p > 1 - p), (size < 0) == (p < 1 - p))
    return both(identity, valid((-2 * p * (1 - p) * (1 - p) * size < 0) == (p > z3.Q(1, 2)), *known))


def _turned_round(*, old: Probs, new: Probs, low: bool, arm: int) -> Finding:
    """Find whether the term of one clipped response moves entropy against the stated sign; show it."""
    indicator = [int(i == arm) for i in range(len(new))]
    mass = new[arm]
    sign = 1 if low else -1
    direction = [sign * rational(p * (x - mass)) for p, x in zip(new, indicator, strict=True)]
    term = number(first_order_entropy_change(logs(new), np.array(direction, dtype=object)))
    # A low clip is said to raise entropy, a high one to lower it.
    against = certainly_positive(-term if low else term, "against the stated sign")
    low_events, high_events = clip_events(old, new)
    clipped = for_all([("clipped", (low_events if low else high_events)[0])], "the first response")
    shown = {
        "pi_old": f"({', '.join(map(str, old))})",
        "pi": f"({', '.join(map(str, new))})",
        "event": "low clip of the first response" if low else "high clip of the first response",
        "first-order change, in units of mu nu": str(sympy.N(term, 8)),
    }
    return with_witness(both(against, clipped), shown)


def _wrong_sign(probs: Array, event: Array) -> bool:
    """Return whether clipped responses have a larger mean Q than all: then the event moves entropy the other way."""
    # Q = pi (log pi + H) is minus the gradient of entropy.
    q = -entropy_gradient(np.log(probs))
    mass = (probs * event).sum()
    gap = (probs * q).sum() - (probs * q * event).sum() / mass
    return bool(gap < -CLOSE)


def _counted(pairs: Iterable[tuple[Array, Array]]) -> Counts:
    """Return the events among pairs of an old and a new policy, and how many of them turn the sign round."""
    counts = [0, 0, 0, 0]
    for old, new in pairs:
        ratio = new / old
        # 1e-9 keeps a ratio at a bound from counting by rounding.
        for place, event in ((0, ratio < 1 - float(LOW) - 1e-9), (2, ratio > 1 + float(HIGH) + 1e-9)):
            if event.any():
                counts[place] += 1
                counts[place + 1] += _wrong_sign(new, event)
    return Counts(*counts)


def _policies(effort: Effort) -> list[Array]:
    """Return all policies on three responses with a common denominator."""
    size = effort.pick(10, 8)
    parts = [(a, b, size - a - b) for a, b in product(range(1, size), repeat=2) if a + b < size]
    return [np.array(part) / size for part in parts]


def _count_pairs(effort: Effort, *, exchanged: bool) -> Finding:
    """Find whether low clips mostly keep their sign and high clips often lose it, over all pairs of policies."""
    return _judged(_counted(product(_policies(effort), _policies(effort))), exchanged=exchanged)


def _count_paths(effort: Effort, *, exchanged: bool) -> Finding:
    """Find whether low clips mostly keep their sign and high clips often lose it, along clipped steps."""
    return _judged(_counted(_on_path(effort)), exchanged=exchanged)


def _on_path(effort: Effort) -> Iterator[tuple[Array, Array]]:
    """Yield the sampling policy with the policy after each of four clipped steps on one group of two responses."""
    for old in _policies(effort):
        for pair in combinations(range(3), 2):
            # Random rewards: either response of the group may have the positive advantage.
            for up, down in (pair, pair[::-1]):
                new = old
                for _ in range(INNER_STEPS):
                    new = _clipped_step(old, new, up=up, down=down)
                    yield old, new


def _clipped_step(old: Array, new: Array, *, up: int, down: int) -> Array:
    """Return the policy after one step of size 1 on PPO's clipped objective of a group of two."""
    ratio = new / old
    push = np.zeros(3)
    for arm, advantage, free in (
        (up, 1.0, ratio[up] <= 1 + float(HIGH)),
        (down, -1.0, ratio[down] >= 1 - float(LOW)),
    ):
        push += advantage * ratio[arm] * free * (np.eye(3)[arm] - new) / 2
    weights = new * np.exp(push)
    return np.asarray(weights / weights.sum())


def _judged(counts: Counts, *, exchanged: bool) -> Finding:
    """Find whether the low sign fails at some events but fewer than 1/5, and the high one at more than 1/4."""
    low, high = (counts.low, counts.low_wrong), (counts.high, counts.high_wrong)
    if exchanged:
        low, high = high, low
    seen = f"low clips: {counts.low}, of which {counts.low_wrong} lower entropy; " + (
        f"high clips: {counts.high}, of which {counts.high_wrong} raise it"
    )
    # In integers, so that a share at a bound is decided exactly.
    seldom, often = 0 < 5 * low[1] < low[0], 4 * high[1] > high[0] > 0
    return for_all([(seen, seldom and often)], seen)
