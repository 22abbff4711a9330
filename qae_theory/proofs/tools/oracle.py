"""Compute quantiles and advantages from their definitions: scalar loops over Fractions, no NumPy.

The shipped estimators, which sort arrays, are compared with these (docs/theory.md, "What the paper defines" and
"Quantile and gate"). No code is shared with them; nothing here is fast, batched or meant for users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import isqrt, sqrt
from typing import Any

import sympy

Group = tuple[Fraction, ...]


@dataclass(frozen=True)
class Options:
    """Hold the options of an estimator.

    Attributes:
        k: quantile level K.
        std: ``population`` (divide by G), ``bessel`` (by G - 1), or ``none`` for advantages that are not divided.
        eps: what is added to the standard deviation.
        exact: whether irrational square roots stay SymPy numbers; they become floats otherwise.
    """

    k: Fraction = Fraction(2, 5)
    std: str = "population"
    eps: Fraction = Fraction(1, 1_000_000)
    exact: bool = False


def distribution(rewards: Group, x: Fraction) -> Fraction:
    """Return F(x), the share of the group's rewards that are at most x.

    Args:
        rewards: one Fraction per response.
        x: any number.
    """
    return Fraction(sum(1 for reward in rewards if reward <= x), len(rewards))


@cache
def quantile(rewards: Group, k: Fraction) -> Fraction:
    """Return inf {x : F(x) >= k}, the K-quantile as the paper defines it.

    F is right-continuous and rises at rewards only, so the infimum is the least such reward.

    Args:
        rewards: one Fraction per response.
        k: quantile level K.
    """
    return min(x for x in rewards if distribution(rewards, x) >= k)


@cache
def linear_quantile(rewards: Group, k: Fraction) -> Fraction:
    """Return NumPy's default quantile, by linear interpolation.

    It is the height at (G - 1) k of the broken line through the points (i, i-th smallest reward), i from 0.
    """
    heights = sorted(rewards)
    at = (len(heights) - 1) * k
    for left in range(len(heights) - 1):
        if left <= at <= left + 1:
            return heights[left] * (left + 1 - at) + heights[left + 1] * (at - left)
    # A lone reward makes a line without a segment.
    return heights[0]


@cache
def mean(rewards: Group) -> Fraction:
    """Return the arithmetic mean of a group's rewards."""
    return sum(rewards, Fraction(0)) / len(rewards)


@cache
def variance(rewards: Group, std: str) -> Fraction:
    """Return half the mean squared difference over ordered pairs (i, j), which is the variance.

    Args:
        rewards: one Fraction per response.
        std: ``population`` for all G^2 pairs; ``bessel`` leaves out the G pairs (i, i).
    """
    size = len(rewards)
    pairs = size * (size - 1) if std == "bessel" else size * size
    return sum((x - y) ** 2 for x in rewards for y in rewards) / Fraction(2 * pairs)


def root(x: Fraction, *, exact: bool) -> Any:
    """Return the square root of a Fraction.

    A rational root is a Fraction; another one is a SymPy number if ``exact``, else a float.
    """
    # A Fraction is in lowest terms, so it is a square exactly if both its parts are.
    top, bottom = isqrt(x.numerator), isqrt(x.denominator)
    if top * top == x.numerator and bottom * bottom == x.denominator:
        return Fraction(top, bottom)
    return sympy.sqrt(sympy.Rational(x.numerator, x.denominator)) if exact else sqrt(x)


def _over_std(numerators: Sequence[Fraction], rewards: Group, options: Options) -> list[Any]:
    """Return numerators over std + eps, or zeros for a group whose rewards are all equal."""
    # At eps = 0 an equal group would divide 0 by 0.
    if len(set(rewards)) == 1:
        return [Fraction(0) for _ in rewards]
    if options.std == "none":
        return list(numerators)
    scale = root(variance(rewards, options.std), exact=options.exact) + options.eps
    return [numerator / scale for numerator in numerators]


def _over_std_if_asked(numerators: Sequence[Fraction], rewards: Group, options: Options) -> list[Any]:
    """Return numerators over std + eps; as they are, equal rewards or not, where nothing divides."""
    return list(numerators) if options.std == "none" else _over_std(numerators, rewards, options)


def _grpo(rewards: Group, options: Options) -> list[Any]:
    """Return GRPO's advantages, (r - mean) over std + eps."""
    return _over_std([r - mean(rewards) for r in rewards], rewards, options)


def _dr_grpo(rewards: Group, options: Options) -> list[Any]:
    """Return Dr. GRPO's advantages, r - mean, over a divisor if one is asked for."""
    return _over_std_if_asked([r - mean(rewards) for r in rewards], rewards, options)


def _rloo(rewards: Group, options: Options) -> list[Any]:
    """Return RLOO's advantages, r less the mean of the others, over a divisor if one is asked for."""
    return _over_std_if_asked(
        [r - mean(rewards[:i] + rewards[i + 1 :]) for i, r in enumerate(rewards)], rewards, options
    )


def _qae(rewards: Group, options: Options) -> list[Any]:
    """Return QAE's advantages, (r - b_K) over std + eps."""
    return _over_std([r - quantile(rewards, options.k) for r in rewards], rewards, options)


def _qae_linear(rewards: Group, options: Options) -> list[Any]:
    """Return the advantages of the released code, (r - interpolated quantile) over std + eps."""
    return _over_std([r - linear_quantile(rewards, options.k) for r in rewards], rewards, options)


def _psr(rewards: Group, options: Options) -> list[Any]:
    """Return 1 for a right response, 0 for a wrong one, over a divisor if one is asked for."""
    return _over_std_if_asked([Fraction(1 if r == 1 else 0) for r in rewards], rewards, options)


def _nsr(rewards: Group, options: Options) -> list[Any]:
    """Return -1 for a wrong response, 0 for a right one, over a divisor if one is asked for."""
    return _over_std_if_asked([Fraction(-1 if r == 0 else 0) for r in rewards], rewards, options)


def _pos_mask(rewards: Group, options: Options) -> list[Any]:
    """Return Eq. 7: wrong responses get -1, right ones 1 in a hard group only, over std + eps."""
    # A group at the threshold is hard.
    hard = mean(rewards) <= 1 - options.k
    return _over_std([Fraction(-1 if r == 0 else int(hard)) for r in rewards], rewards, options)


def _neg_mask(rewards: Group, options: Options) -> list[Any]:
    """Return Eq. 8: right responses get 1, wrong ones -1 in an easy group only, over std + eps."""
    easy = mean(rewards) > 1 - options.k
    return _over_std([Fraction(1 if r == 1 else -int(easy)) for r in rewards], rewards, options)


# The order is that of the shipped registry, so that a rule that is missing on one side is seen.
RULES: Mapping[str, Callable[[Group, Options], list[Any]]] = {
    "grpo": _grpo,
    "dr_grpo": _dr_grpo,
    "rloo": _rloo,
    "qae": _qae,
    "qae_linear": _qae_linear,
    "psr": _psr,
    "nsr": _nsr,
    "pos_mask": _pos_mask,
    "neg_mask": _neg_mask,
}
BINARY_ONLY = frozenset({"psr", "nsr", "pos_mask", "neg_mask"})
OWN_STDS: Mapping[str, str] = {
    **dict.fromkeys(("grpo", "qae", "pos_mask", "neg_mask"), "population"),
    **dict.fromkeys(("dr_grpo", "rloo", "psr", "nsr"), "none"),
    "qae_linear": "bessel",
}
OPTION_NAMES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("grpo", "dr_grpo", "rloo", "psr", "nsr"), ("std", "eps")),
    **dict.fromkeys(("qae", "qae_linear", "pos_mask", "neg_mask"), ("k", "std", "eps")),
}


@cache
def advantages(rewards: Group, rule: str, options: Options) -> tuple[Any, ...]:
    """Return the advantages of one group; a lone response has 0 under every rule.

    Args:
        rewards: one Fraction per response.
        rule: a name of ``RULES``.
        options: K, std, eps and whether square roots stay exact.
    """
    return tuple(RULES[rule](rewards, options)) if len(rewards) > 1 else tuple(Fraction(0) for _ in rewards)


def masked_advantages(rewards: Group, mask: Sequence[bool], rule: str, options: Options) -> list[Any]:
    """Return one advantage per response: those that the mask keeps are a group of their own, the others have 0.

    Args:
        rewards: one Fraction per response.
        mask: whether each response can be scored.
        rule: a name of ``RULES``.
        options: K, std, eps and whether square roots stay exact.
    """
    kept = [i for i, scorable in enumerate(mask) if scorable]
    values = iter(advantages(tuple(rewards[i] for i in kept), rule, options))
    return [next(values) if scorable else Fraction(0) for scorable in mask]
