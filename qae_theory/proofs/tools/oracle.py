"""Quantiles and advantages written from their definitions: scalar loops over Fractions, no NumPy.

The shipped arrays are compared with these. Shares no code with them; not fast, batched or for users.
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
    """The options of an estimator; ``exact`` keeps irrational square roots as SymPy numbers."""

    k: Fraction = Fraction(2, 5)
    std: str = "population"
    eps: Fraction = Fraction(1, 1_000_000)
    exact: bool = False


def distribution(rewards: Group, x: Fraction) -> Fraction:
    """F(x): the share of the group's rewards that are at most x."""
    return Fraction(sum(1 for reward in rewards if reward <= x), len(rewards))


@cache
def quantile(rewards: Group, k: Fraction) -> Fraction:
    """Inf {x : F(x) >= k}; F is right-continuous and rises at rewards only: the least such reward."""
    return min(x for x in rewards if distribution(rewards, x) >= k)


@cache
def linear_quantile(rewards: Group, k: Fraction) -> Fraction:
    """Height at (G - 1) k of the broken line through the points (i, i-th smallest reward), i from 0."""
    heights = sorted(rewards)
    at = (len(heights) - 1) * k
    for left in range(len(heights) - 1):
        if left <= at <= left + 1:
            return heights[left] * (left + 1 - at) + heights[left + 1] * (at - left)
    return heights[0]


@cache
def mean(rewards: Group) -> Fraction:
    """The arithmetic mean."""
    return sum(rewards, Fraction(0)) / len(rewards)


@cache
def variance(rewards: Group, std: str) -> Fraction:
    """Half the mean squared difference over ordered pairs; ``bessel`` leaves out the pairs (i, i)."""
    size = len(rewards)
    pairs = size * (size - 1) if std == "bessel" else size * size
    return sum((x - y) ** 2 for x in rewards for y in rewards) / Fraction(2 * pairs)


def root(x: Fraction, *, exact: bool) -> Any:
    """The square root: a Fraction where that is rational, else a SymPy number or a float."""
    top, bottom = isqrt(x.numerator), isqrt(x.denominator)
    if top * top == x.numerator and bottom * bottom == x.denominator:
        return Fraction(top, bottom)
    return sympy.sqrt(sympy.Rational(x.numerator, x.denominator)) if exact else sqrt(x)


def _over_std(numerators: Sequence[Fraction], rewards: Group, options: Options) -> list[Any]:
    """Numerators over std + eps; zeros for a group whose rewards are all equal."""
    if len(set(rewards)) == 1:
        return [Fraction(0) for _ in rewards]
    scale = root(variance(rewards, options.std), exact=options.exact) + options.eps
    return [numerator / scale for numerator in numerators]


def _grpo(rewards: Group, options: Options) -> list[Any]:
    return _over_std([r - mean(rewards) for r in rewards], rewards, options)


def _dr_grpo(rewards: Group, options: Options) -> list[Any]:
    return [r - mean(rewards) for r in rewards]


def _rloo(rewards: Group, options: Options) -> list[Any]:
    return [r - mean(rewards[:i] + rewards[i + 1 :]) for i, r in enumerate(rewards)]


def _qae(rewards: Group, options: Options) -> list[Any]:
    return _over_std([r - quantile(rewards, options.k) for r in rewards], rewards, options)


def _qae_linear(rewards: Group, options: Options) -> list[Any]:
    return _over_std([r - linear_quantile(rewards, options.k) for r in rewards], rewards, options)


def _psr(rewards: Group, options: Options) -> list[Any]:
    return [Fraction(1 if r == 1 else 0) for r in rewards]


def _nsr(rewards: Group, options: Options) -> list[Any]:
    return [Fraction(-1 if r == 0 else 0) for r in rewards]


def _pos_mask(rewards: Group, options: Options) -> list[Any]:
    hard = mean(rewards) <= 1 - options.k
    return _over_std([Fraction(-1 if r == 0 else int(hard)) for r in rewards], rewards, options)


def _neg_mask(rewards: Group, options: Options) -> list[Any]:
    easy = mean(rewards) > 1 - options.k
    return _over_std([Fraction(1 if r == 1 else -int(easy)) for r in rewards], rewards, options)


# In the order of registration.
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
OPTION_NAMES: Mapping[str, tuple[str, ...]] = {
    "grpo": ("std", "eps"),
    **dict.fromkeys(("dr_grpo", "rloo", "psr", "nsr"), ()),
    **dict.fromkeys(("qae", "qae_linear", "pos_mask", "neg_mask"), ("k", "std", "eps")),
}


@cache
def advantages(rewards: Group, rule: str, options: Options) -> tuple[Any, ...]:
    """Advantages of one group; a lone response has 0 under every rule."""
    return tuple(RULES[rule](rewards, options)) if len(rewards) > 1 else tuple(Fraction(0) for _ in rewards)


def masked_advantages(rewards: Group, mask: Sequence[bool], rule: str, options: Options) -> list[Any]:
    """Advantages of the scorable rows as a group of their own; 0 in the other rows."""
    kept = [i for i, scorable in enumerate(mask) if scorable]
    values = iter(advantages(tuple(rewards[i] for i in kept), rule, options))
    return [next(values) if scorable else Fraction(0) for scorable in mask]
