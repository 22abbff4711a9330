"""Checks at the boundary: every public function passes its arguments through here before any arithmetic.

Each check returns the argument in the form that the kernels use, or raises a ``ValueError`` that names the argument,
the value it had and what is allowed. Nothing is clipped. Options and counts are checked here; the checks of arrays are
in ``array_arguments``, and those that other packages need can be had from here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np

from qae_theory.array_arguments import LARGEST_REWARD as LARGEST_REWARD
from qae_theory.array_arguments import binary as binary
from qae_theory.array_arguments import numbers as numbers
from qae_theory.array_arguments import refuse as refuse
from qae_theory.array_arguments import rewards as rewards
from qae_theory.array_arguments import vector as vector
from qae_theory.arrays import Array
from qae_theory.arrays import decimal_fraction as decimal_fraction

STD_KINDS = ("population", "bessel", "none")


def quantile_level(k: Fraction | str | float) -> Fraction:
    """Return the quantile level as an exact rational; a float is read as the decimal that it prints as."""
    allowed = "a rational number strictly between 0 and 1 (Fraction, decimal string such as '0.4' or '2/5', or float)"
    if isinstance(k, (bool, np.bool_)) or not isinstance(k, (Fraction, str, Real, Decimal)):
        refuse("k", k, allowed)
    try:
        level = decimal_fraction(k)
    except (ValueError, ZeroDivisionError, OverflowError):
        refuse("k", k, allowed)
    if not 0 < level < 1:
        refuse("k", k, allowed)
    return level


def std_kind(std: str) -> str:
    """Return what a group's advantages are divided by, or refuse it.

    That is its standard deviation over G (``population``) or G - 1 (``bessel``), or nothing (``none``).
    """
    if not isinstance(std, str) or std not in STD_KINDS:
        refuse("std", std, "'population', 'bessel' or 'none' ('batch' where a whole batch is given)")
    return std


def batch_std_kind(std: str) -> str:
    """Return what :func:`std_kind` allows, or ``batch`` for the standard deviation of all rewards of a batch."""
    return std if isinstance(std, str) and std == "batch" else std_kind(std)


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """Return a value that is one of a few names, or refuse it."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, value, f"one of {', '.join(allowed)}")
    return value


def flag(name: str, value: Any) -> bool:
    """Return a truth value as Python's own, or refuse what is none."""
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, value, "True or False")
    return bool(value)


def text(name: str, value: Any) -> str:
    """Return a text that is not empty, or refuse it."""
    if not isinstance(value, str) or not value.strip():
        refuse(name, value, "a text that is not empty")
    return value


def function(name: str, value: Any) -> Any:
    """Return a kernel that can be called, or refuse what cannot."""
    if not callable(value):
        refuse(name, value, "a function (rewards, counts, **options) -> advantages")
    return value


def regulariser(eps: Any) -> Any:
    """Return the number that is added to the standard deviation; refuse a negative one."""
    return _number("eps", eps, "a finite number >= 0", lambda value: value >= 0)


def interpolation(method: str) -> str:
    """Return how the quantile treats levels between order statistics, or refuse an unknown way."""
    if not isinstance(method, str) or method not in ("inverted_cdf", "linear"):
        refuse("method", method, "'inverted_cdf' (Eq. 3) or 'linear' (as released)")
    return method


def maybe_fraction(value: Any) -> Any:
    """Return a string such as ``"1/3"`` as a Fraction; anything else unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        return refuse("success_prob", value, "a number or a string that names a rational")


def clip_low(value: Any) -> Any:
    """Return PPO's lower clip range; refuse one outside [0, 1)."""
    return _number("clip_low", value, "a number in [0, 1)", lambda x: 0 <= x < 1)


def clip_high(value: Any) -> Any:
    """Return PPO's upper clip range; refuse a negative one. Infinity stands for no bound."""
    if isinstance(value, float) and value == np.inf:
        return value
    return _number("clip_high", value, "a number >= 0, or inf", lambda x: x >= 0)


def group_size(value: Any, *, least: int = 1) -> int:
    """Return the number of responses of a group; refuse fewer than ``least``."""
    return count("group_size", value, least=least)


def count(name: str, value: Any, *, least: int) -> int:
    """Return a whole number of at least ``least``, or refuse it."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < least:
        refuse(name, value, f"an integer >= {least}")
    return int(value)


def success_prob(value: Any) -> Array:
    """Return success probabilities strictly inside (0, 1); exact for a Fraction or a string that names one."""
    probs = numbers("success_prob", maybe_fraction(value))
    if not np.all((probs > 0) & (probs < 1)):
        refuse("success_prob", value, "strictly between 0 and 1")
    return probs


def _number(name: str, value: Any, allowed: str, holds: Any) -> Any:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (Real, Decimal)):
        refuse(name, value, allowed)
    try:
        finite = bool(np.isfinite(float(value)))
    except (OverflowError, ValueError):  # an integer beyond float64, a signalling NaN
        finite = False
    if not finite or not holds(value):
        refuse(name, value, allowed)
    return value
