"""Both sides of Prop. 4.1 for one group, in Fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .numbers import root

RULES = ("grpo", "qae", "pos_mask", "neg_mask")


def clipped_surrogate(ratio: Fraction, advantage: Fraction, low: Fraction, high: Fraction | None) -> Fraction:
    """Return min(x A, clip(x, 1 - low, 1 + high) A); ``high`` None is no bound."""
    clipped = max(ratio, 1 - low)
    clipped = clipped if high is None else min(clipped, 1 + high)
    return min(ratio * advantage, clipped * advantage)


def group_objective(
    ratios: Sequence[Fraction], advantages: Sequence[Fraction], low: Fraction, high: Fraction | None
) -> Fraction:
    """Return the mean of the clipped terms."""
    terms = [clipped_surrogate(x, a, low, high) for x, a in zip(ratios, advantages, strict=True)]
    return sum(terms, Fraction(0)) / len(terms)


def query_weights(correct: int, size: int, rule: str, k: Fraction) -> tuple[Fraction, Fraction]:
    """Return the weights of the right and of the wrong side of a group with so many correct responses."""
    if correct in (0, size):
        return Fraction(0), Fraction(0)
    p = Fraction(correct, size)
    u, v, both = root(p / (1 - p)), root((1 - p) / p), root(p * (1 - p))
    hard, none = p <= 1 - k, Fraction(0)
    return {
        "grpo": (both, both),
        "qae": (u, none) if hard else (none, v),
        "pos_mask": (u if hard else none, v),
        "neg_mask": (u, none if hard else v),
    }[rule]


def masked_objective(
    ratios: Sequence[Fraction],
    rewards: Sequence[int],
    rule: str,
    k: Fraction,
    low: Fraction,
    high: Fraction | None,
) -> Fraction:
    """Return w_+ E_+[min(x, 1 + high)] - w_- E_-[max(x, 1 - low)]."""
    right = [x if high is None else min(x, 1 + high) for x, r in zip(ratios, rewards, strict=True) if r == 1]
    wrong = [max(x, 1 - low) for x, r in zip(ratios, rewards, strict=True) if r == 0]
    positive, negative = query_weights(len(right), len(ratios), rule, k)
    mean_right = sum(right, Fraction(0)) / len(right) if right else Fraction(0)
    mean_wrong = sum(wrong, Fraction(0)) / len(wrong) if wrong else Fraction(0)
    return positive * mean_right - negative * mean_wrong
