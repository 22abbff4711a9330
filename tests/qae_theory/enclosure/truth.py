"""The exact entropy change of float64 numbers in ball arithmetic, to whatever precision the question needs.

Written from the definition, one arm at a time; nothing is imported from the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flint

# 4,400 bits hold the sum of a float64 and a product of two without rounding. Twice that settles what is left.
PRECISIONS = (192, 448, 1200, 4500, 9000)


def change(z: Sequence[float], d: Sequence[float], eta: float, enough: Callable[[Any], bool]) -> Any:
    """A ball around H(softmax(z + eta d)) - H(softmax(z)), at the first precision that is ``enough``, or the last.

    A change of 10**(-10**300), say, is told from 0 at no precision: the caller sees a ball that is not inside.
    """
    ball = flint.arb("nan")
    for bits in PRECISIONS:
        with flint.ctx.workprec(bits):
            ball = change_at_this_precision(z, d, eta)
            if enough(ball):
                break
    return ball


def change_at_this_precision(z: Sequence[float], d: Sequence[float], eta: float) -> Any:
    """Return a ball around the exact change, in the precision that flint has at the call."""
    logits = [flint.arb(x) for x in z]
    step = flint.arb(eta)
    return entropy([x + step * flint.arb(y) for x, y in zip(logits, d, strict=True)]) - entropy(logits)


def entropy(z: Sequence[Any]) -> Any:
    """log(1 + others) - E[gap], around the largest logit: terms of one sign."""
    top = max(range(len(z)), key=lambda i: z[i].mid())
    gaps = [x - z[top] for x in z]
    weights = [gap.exp() for gap in gaps]
    others = total(w for i, w in enumerate(weights) if i != top)
    return others.log1p() - total(w * gap for w, gap in zip(weights, gaps, strict=True)) / (1 + others)


def total(terms: Iterable[Any]) -> Any:
    """The sum of balls."""
    return sum(terms, flint.arb(0))


def decides(lower: float, upper: float) -> Callable[[Any], bool]:
    """Whether a ball lies inside the bounds, or outside, beyond doubt."""
    low, high = flint.arb(lower), flint.arb(upper)
    return lambda ball: bool(low <= ball and ball <= high) or bool(ball < low) or bool(ball > high)


def within(ball: Any, lower: float, upper: float) -> bool:
    """Whether a ball lies inside the bounds."""
    return bool(flint.arb(lower) <= ball) and bool(ball <= flint.arb(upper))
