"""Checks at the boundary: every public function passes its arguments through here before any arithmetic.

Each check returns the argument in the form that the kernels use, or raises a ``ValueError`` that names the argument,
the value it had and what is allowed. Nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np

from qae_theory.arrays import Array, exact_number, is_exact
from qae_theory.conversion import held_by_float64, is_infinite, number_array, plain_array
from qae_theory.conversion import refuse as refuse

# Above this the range of a group, or its square root times G, could leave float64.
LARGEST_REWARD = 2.0**1000
STD_KINDS = ("population", "bessel", "none")


def quantile_level(k: Fraction | str | float) -> Fraction:
    """The quantile level as an exact rational; a float is read as the decimal that it prints as."""
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


def decimal_fraction(value: Any) -> Fraction:
    """``value`` as an exact rational; a float counts as the decimal that it prints as."""
    return Fraction(value) if isinstance(value, (Fraction, str, Decimal, Integral)) else Fraction(str(value))


def std_kind(std: str) -> str:
    """What a group's advantages are divided by: its std over G (``population``) or G - 1 (``bessel``), or nothing."""
    if not isinstance(std, str) or std not in STD_KINDS:
        refuse("std", std, "'population', 'bessel' or 'none' ('batch' where a whole batch is given)")
    return std


def batch_std_kind(std: str) -> str:
    """As :func:`std_kind`, or the standard deviation of all rewards of a batch (``batch``)."""
    return std if isinstance(std, str) and std == "batch" else std_kind(std)


def choice(name: str, value: Any, allowed: Sequence[str]) -> str:
    """One of a few names."""
    if not isinstance(value, str) or value not in allowed:
        refuse(name, value, f"one of {', '.join(allowed)}")
    return value


def flag(name: str, value: Any) -> bool:
    """A yes or no."""
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, value, "True or False")
    return bool(value)


def text(name: str, value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        refuse(name, value, "a text that is not empty")
    return value


def function(name: str, value: Any) -> Any:
    """Something that can be called."""
    if not callable(value):
        refuse(name, value, "a function (rewards, counts, **options) -> advantages")
    return value


def regulariser(eps: Any) -> Any:
    """The non-negative number added to the standard deviation."""
    return _number("eps", eps, "a finite number >= 0", lambda value: value >= 0)


def interpolation(method: str) -> str:
    """How the quantile treats levels between order statistics."""
    if not isinstance(method, str) or method not in ("inverted_cdf", "linear"):
        refuse("method", method, "'inverted_cdf' (Eq. 3) or 'linear' (as released)")
    return method


def maybe_fraction(value: Any) -> Any:
    """A string such as ``"1/3"`` as a Fraction; anything else unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        return refuse("success_prob", value, "a number or a string that names a rational")


def clip_low(value: Any) -> Any:
    """PPO's lower clip range."""
    return _number("clip_low", value, "a number in [0, 1)", lambda x: 0 <= x < 1)


def clip_high(value: Any) -> Any:
    """PPO's upper clip range; infinity is no bound."""
    if isinstance(value, float) and value == np.inf:
        return value
    return _number("clip_high", value, "a number >= 0, or inf", lambda x: x >= 0)


def group_size(value: Any, *, least: int = 1) -> int:
    """The number of responses of a group."""
    return count("group_size", value, least=least)


def count(name: str, value: Any, *, least: int) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral) or value < least:
        refuse(name, value, f"an integer >= {least}")
    return int(value)


def success_prob(value: Any) -> Array:
    """Success probabilities strictly inside (0, 1); exact for a Fraction or a string that names one."""
    probs = numbers("success_prob", maybe_fraction(value))
    if not np.all((probs > 0) & (probs < 1)):
        refuse("success_prob", value, "strictly between 0 and 1")
    return probs


def rewards(value: Any, mask: Any = None) -> tuple[Array, Array | None]:
    """Group rewards ``[..., G]`` and, with a mask, how often each row counts (0 or 1).

    Rows whose mask is false may hold anything, NaN included; they are overwritten by a scorable reward of their group
    (by 0 where there is none), so that no later step can read them.
    """
    allowed = "an array [..., G], G >= 1, of finite rewards smaller than 2**1000 in size"
    array = number_array("rewards", value, allowed)
    if array.ndim < 1 or array.shape[-1] < 1:
        refuse("rewards", value, allowed)
    if mask is None:
        _finite("rewards", value, array, allowed)
        return array, None
    scorable = plain_array("mask", mask, allowed_mask := f"a boolean array of the shape of rewards, {array.shape}")
    if scorable.dtype != bool or scorable.shape != array.shape:
        refuse("mask", mask, allowed_mask)
    first = np.take_along_axis(array, scorable.argmax(axis=-1)[..., None], axis=-1)
    filled = np.where(scorable, array, np.where(scorable.any(axis=-1, keepdims=True), first, exact_zero(array)))
    _finite("rewards", value, filled, allowed)
    return filled, scorable.astype(np.int64)


def binary(name: str, value: Array) -> None:
    """Refuse rewards other than 0 and 1."""
    if not np.all((value == 0) | (value == 1)):
        refuse(name, value, "0 or 1 in every entry for this estimator")


def logits(value: Any) -> Array:
    """Logits ``[..., n]``."""
    return vector("logits", value)


def vector(name: str, value: Any, *, arms: int | None = None, looked_at: bool = True) -> Array:
    """A finite array ``[..., n]``, of ``arms`` entries on its last axis where that is given.

    A float array that is not ``looked_at`` may hold NaN and infinities: the caller finds them on the way, and asks
    again.
    """
    allowed = f"an array [..., {'n' if arms is None else arms}] of finite numbers"
    array = number_array(name, value, allowed)
    if array.ndim < 1 or array.shape[-1] < 1 or (arms is not None and array.shape[-1] != arms):
        refuse(name, value, allowed)
    if looked_at or is_exact(array):
        _finite(name, value, array, allowed)
    return array


def numbers(name: str, value: Any) -> Array:
    """A finite scalar or an array of finite numbers, of any rank."""
    allowed = "a finite number or an array of finite numbers"
    array = number_array(name, value, allowed)
    _finite(name, value, array, allowed)
    return array


def same_batch(name: str, value: Array, other: Array, shape_of: str, *, shown: Any = None) -> None:
    """Refuse a ``value`` that does not broadcast against ``other``; the message has it as it was given, ``shown``."""
    try:
        np.broadcast_shapes(value.shape, other.shape)
    except ValueError:
        refuse(name, value if shown is None else shown, f"of a shape that broadcasts with {shape_of}, {other.shape}")


def query(logits_value: Any, arm_rewards: Any) -> tuple[Array, Array]:
    """Logits ``[..., n]`` and the rewards of the responses, ``[..., n]``, in one arithmetic."""
    z = logits(logits_value)
    r = like(vector("arm_rewards", arm_rewards, arms=z.shape[-1]), z, name="arm_rewards")
    same_batch("arm_rewards", r, z, "logits")
    return z, r


def binary_query(logits_value: Any, arm_rewards: Any) -> tuple[Array, Array]:
    """As :func:`query`, with rewards 0 and 1 only."""
    z, r = query(logits_value, arm_rewards)
    if not np.all((r == 0) | (r == 1)):
        refuse("arm_rewards", arm_rewards, "0 or 1 in every entry")
    return z, r


def mixed_query(logits_value: Any, arm_rewards: Any) -> tuple[Array, Array]:
    """As :func:`binary_query`, with both rewards present."""
    z, r = binary_query(logits_value, arm_rewards)
    if not np.all((r == 1).any(axis=-1) & (r == 0).any(axis=-1)):
        refuse("arm_rewards", arm_rewards, "0 for some response and 1 for another")
    return z, r


def single_query(logits_value: Any, arm_rewards: Any, step_size: Any) -> tuple[Array, Array, Array]:
    """One query ``[n]`` with any finite rewards, and a scalar step size."""
    z, r = query(logits_value, arm_rewards)
    eta = like(numbers("step_size", step_size), z, name="step_size")
    for name, value, array, rank, allowed in (
        ("logits", logits_value, z, 1, "of rank 1, [n]: one query at a time"),
        ("arm_rewards", arm_rewards, r, 1, "of rank 1, [n]: one query at a time"),
        ("step_size", step_size, eta, 0, "a scalar"),
    ):
        if array.ndim != rank:
            refuse(name, value, allowed)
    return z, r, eta


def step(logits_value: Any, direction: Any, step_size: Any, *, looked_at: bool = True) -> tuple[Array, Array, Array]:
    """Logits and direction ``[..., n]`` and step size ``[...]``, in one arithmetic; ``looked_at`` as in `vector`."""
    z = vector("logits", logits_value, looked_at=looked_at)
    d = like(vector("direction", direction, arms=z.shape[-1], looked_at=looked_at), z, name="direction")
    same_batch("direction", d, z, "logits")
    eta = like(numbers("step_size", step_size), z, name="step_size")
    same_batch("step_size", eta[..., None], z, "logits", shown=step_size)
    return z, d, eta


def float_step(
    logits_value: Any, direction: Any, step_size: Any, *, looked_at: bool = True
) -> tuple[Array, Array, Array]:
    """As :func:`step`, for a guarantee about the numbers given: what float64 would round is refused."""
    z, d, eta = step(logits_value, direction, step_size, looked_at=looked_at)
    floating(logits=z, direction=d, step_size=eta)
    for name, value in (("logits", logits_value), ("direction", direction), ("step_size", step_size)):
        held_exactly(name, value)
    return z, d, eta


def held_exactly(name: str, value: Any) -> None:
    """Refuse rationals that float64 would round, where the result is a guarantee about the numbers given."""
    if getattr(value, "dtype", None) == np.float64:
        return
    array = plain_array(name, value, "numbers")
    if is_exact(array) and not all(held_by_float64(x) for x in array.flat):
        refuse(name, value, "held by float64 without rounding, as what is guaranteed is about the numbers given")


def floating(**arrays: Array) -> None:
    """Refuse exact arrays where the result is a rounding guarantee about floats."""
    for name, array in arrays.items():
        if is_exact(array):
            refuse(name, array, "a float array here, not exact numbers")


def response_baseline(value: Any, z: Array) -> Array:
    """A baseline, scalar or ``[...]``, for queries with logits ``z``."""
    b = like(numbers("baseline", value), z, name="baseline")
    same_batch("baseline", b[..., None], z, "logits", shown=value)
    return b


def baseline_pair(low: Any, high: Any, z: Array) -> tuple[Array, Array]:
    """Two baselines 0 <= low < high <= 1, each a scalar or ``[...]``, for queries with logits ``z``."""
    b1, b2 = like(numbers("low", low), z, name="low"), like(numbers("high", high), z, name="high")
    if np.any(b1 < 0):
        refuse("low", low, "a baseline in [0, 1)")
    same_batch("low", b1[..., None], z, "logits", shown=low)
    same_batch("high", b2[..., None], z, "logits", shown=high)
    if np.any(b2 > 1) or np.any(b2 <= b1):
        refuse("high", high, f"a baseline in (low, 1], where low = {low!r}")
    return b1, b2


def sampled_group(z: Array, responses: Any, advantages: Any) -> tuple[Array, Array]:
    """Responses and their advantages, ``[..., G]`` each, for queries with logits ``z``."""
    for name, value in (("responses", responses), ("advantages", advantages)):
        if value is None:
            refuse(name, value, "given for 'sampled_group'")
    y = response_indices(responses, z.shape[-1])
    a = like(vector("advantages", advantages, arms=y.shape[-1]), z, name="advantages")
    same_batch("advantages", a, y, "responses")
    same_batch("responses", y[..., :1], z, "logits", shown=responses)
    return y, a


def response_indices(value: Any, arms: int) -> Array:
    """Indices ``[..., G]`` of sampled responses."""
    allowed = f"an integer array [..., G], G >= 1, with entries in 0..{arms - 1}"
    array = plain_array("responses", value, allowed)
    if array.ndim < 1 or array.shape[-1] < 1 or array.dtype.kind not in "iu":
        refuse("responses", value, allowed)
    if array.size and (array.min() < 0 or array.max() >= arms):
        refuse("responses", value, allowed)
    return array


def exact_zero(array: Array) -> Any:
    """Zero in the arithmetic of ``array``."""
    return exact_number(0) if is_exact(array) else 0.0


def like(value: Array, array: Array, *, name: str = "value") -> Array:
    """``value`` in the arithmetic of ``array``: floats become the decimals that they print as where that is exact.

    Symbols and balls stay what they are beside floats. Beside floats a Fraction is rounded, but no integer is: an
    integer that float64 cannot hold is refused under ``name``.
    """
    if is_exact(array) == is_exact(value):
        return value
    if is_exact(value):
        return _rounded(name, value) if all(isinstance(x, Fraction) for x in value.flat) else value
    exact = np.empty(value.shape, dtype=object)
    exact[...] = np.frompyfunc(decimal_fraction, 1, 1)(value)
    return exact


def _rounded(name: str, fractions: Array) -> Array:
    for x in fractions.flat:
        if x.denominator == 1 and not held_by_float64(x):
            refuse(name, int(x), "exactly held by float64, as the numbers beside it are floats")
    return fractions.astype(np.float64)


def exact_count(count: int, array: Array) -> Any:
    """A count in the arithmetic of ``array``, so that dividing by it stays exact where the array is."""
    return exact_number(count) if is_exact(array) else count


def _finite(name: str, value: Any, array: Array, allowed: str) -> None:
    if is_exact(array):
        if any(is_infinite(x) for x in array.flat):
            refuse(name, value, allowed)
        return
    if not array.size:
        return
    if name != "rewards":
        # NaN and infinity survive any sum. A sum that only overflows is looked at again, entry by entry.
        with np.errstate(over="ignore", invalid="ignore"):
            total = array.sum()
        if not np.isfinite(total) and not np.isfinite(array).all():
            refuse(name, value, allowed)
    # A NaN is the least and the greatest entry of its array, and below no limit: two passes see all that is wrong.
    elif not (array.min() > -LARGEST_REWARD and array.max() < LARGEST_REWARD):
        refuse(name, value, allowed)


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
