"""Arguments that are arrays: read as float64 or as exact numbers and checked, or refused by name.

Nothing is rounded silently: an integer or a long double that float64 cannot hold is refused, and so is what only looks
like numbers (masked arrays, complex numbers, tensors that NumPy cannot read). Options and counts are in ``checks``.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from numbers import Complex, Integral, Real
from typing import Any, NoReturn

import numpy as np

from qae_theory.arrays import Array, decimal_fraction, exact_number, is_exact

# Every integer below this size is a float64; at it, integers begin to be rounded to it.
_CONSECUTIVE_INTEGERS = 2.0**53
_HELD = "all of them exactly held by float64, which has 53 bits"
# Above this the range of a group, or its square root times G, could leave float64.
LARGEST_REWARD = 2.0**1000


def refuse(name: str, value: object, allowed: str) -> NoReturn:
    """Raise the one kind of error that this package raises for bad input.

    Args:
        name: the argument.
        value: what it was; a large array is shown by its shape.
        allowed: what it must be.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{name} must be {allowed}; got {_shown(value)}")


def plain_array(name: str, value: Any, allowed: str) -> Array:
    """Return ``value`` as NumPy reads it; refuse masked arrays, ragged lists and what NumPy cannot read."""
    if _has_masked_rows(value):
        refuse(name, value, f"{allowed}, none of them masked (`advantages` takes a mask= of its own)")
    try:
        return np.asarray(value)
    except ValueError:  # ragged nesting
        refuse(name, value, allowed)
    except (TypeError, RuntimeError):  # a tensor in bfloat16, on another device, or with a gradient
        refuse(name, value, f"{allowed} that NumPy can read (of a tensor, `.detach().cpu().double()`)")


def number_array(name: str, value: Any, allowed: str) -> Array:
    """Return ``value`` as an array of float64, or of exact numbers where it holds objects and no float among them."""
    array = plain_array(name, value, allowed)
    if array.dtype.kind in "biuf":
        return _in_float64(name, value, array, allowed)
    if array.dtype.kind != "O" or not all(_is_number(x) for x in array.flat):
        refuse(name, value, allowed)
    if any(isinstance(x, (float, np.floating)) for x in array.flat):
        _refuse_lost_bits(name, value, array, allowed)
        return array.astype(np.float64)  # one float makes the rest inexact
    exact = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        exact[index] = exact_number(array[index])
    return exact


def is_infinite(x: Any) -> bool:
    """Return whether an exact number is infinite or not a number.

    SymPy has ``is_finite`` as a property (None for a symbol and for its NaN), flint and Decimal as a method.
    """
    finite = getattr(x, "is_finite", True)
    if callable(finite):
        return not finite()
    return finite is False or (finite is None and getattr(x, "is_Number", False))


def held_by_float64(x: Any) -> bool:
    """Return whether a rational number is a float64, without rounding."""
    try:
        return bool(float(x) == x)  # Python compares a float with an int or a Fraction exactly
    except OverflowError:
        return False


def rewards(value: Any, mask: Any = None) -> tuple[Array, Array | None]:
    """Return group rewards ``[..., G]`` and, with a mask, how often each row counts (0 or 1), else None.

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


def rewards_for(
    value: Any, mask: Any, *, estimator: str, least_group: int, binary_only: bool
) -> tuple[Array, Array | None]:
    """Return rewards and counts as :func:`rewards` does, refused where the estimator is not defined for them.

    Args:
        value: rewards ``[..., G]``.
        mask: boolean ``[..., G]`` or None.
        estimator: its name, for the message.
        least_group: the smallest group for which it is defined.
        binary_only: whether it is defined for rewards 0 and 1 only.

    Returns:
        The rewards, and how often each counts (None without a mask), ``[..., G]`` each.

    Raises:
        ValueError: naming ``rewards`` or ``mask``.
    """
    values, counts = rewards(value, mask)
    if values.shape[-1] < least_group:
        refuse("rewards", value, f"groups of at least {least_group} responses for {estimator!r}")
    if binary_only:
        binary("rewards", values)
    return values, counts


def binary(name: str, value: Array) -> None:
    """Refuse rewards other than 0 and 1.

    Args:
        name: the argument, for the message.
        value: ``[..., G]``, checked.
    """
    if not np.all((value == 0) | (value == 1)):
        refuse(name, value, "0 or 1 in every entry for this estimator")


def logits(value: Any) -> Array:
    """Return logits ``[..., n]``, or refuse what is no array of finite numbers."""
    return vector("logits", value)


def vector(name: str, value: Any, *, arms: int | None = None, looked_at: bool = True) -> Array:
    """Return a finite array ``[..., n]``, of ``arms`` entries on its last axis where that is given.

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
    """Return a finite scalar or an array of finite numbers, of any rank.

    Args:
        name: the argument, for the message.
        value: what the caller gave.

    Returns:
        float64, or exact objects where it holds some and no float among them.
    """
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
    """Return logits and the rewards of all responses, in one arithmetic.

    Args:
        logits_value: ``[..., n]``.
        arm_rewards: ``[..., n]``, which broadcasts with the logits.

    Returns:
        ``(logits, arm_rewards)``, checked.

    Raises:
        ValueError: naming ``logits`` or ``arm_rewards``.
    """
    z = logits(logits_value)
    r = like(vector("arm_rewards", arm_rewards, arms=z.shape[-1]), z, name="arm_rewards")
    same_batch("arm_rewards", r, z, "logits")
    return z, r


def binary_query(logits_value: Any, arm_rewards: Any) -> tuple[Array, Array]:
    """Return what :func:`query` does; refuse rewards other than 0 and 1."""
    z, r = query(logits_value, arm_rewards)
    if not np.all((r == 0) | (r == 1)):
        refuse("arm_rewards", arm_rewards, "0 or 1 in every entry")
    return z, r


def mixed_query(logits_value: Any, arm_rewards: Any) -> tuple[Array, Array]:
    """Return what :func:`binary_query` does; refuse a query without a right or without a wrong response."""
    z, r = binary_query(logits_value, arm_rewards)
    if not np.all((r == 1).any(axis=-1) & (r == 0).any(axis=-1)):
        refuse("arm_rewards", arm_rewards, "0 for some response and 1 for another")
    return z, r


def single_query(logits_value: Any, arm_rewards: Any, step_size: Any) -> tuple[Array, Array, Array]:
    """Return one query ``[n]`` with any finite rewards, and a scalar step size, in one arithmetic."""
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
    """Return logits, direction and step size, in one arithmetic.

    Args:
        logits_value: ``[..., n]``.
        direction: ``[..., n]``, logit change per unit step.
        step_size: a scalar or ``[...]``.
        looked_at: as in :func:`vector`.

    Returns:
        ``(logits, direction, step_size)``, which broadcast.

    Raises:
        ValueError: naming the argument.
    """
    z = vector("logits", logits_value, looked_at=looked_at)
    d = like(vector("direction", direction, arms=z.shape[-1], looked_at=looked_at), z, name="direction")
    same_batch("direction", d, z, "logits")
    eta = like(numbers("step_size", step_size), z, name="step_size")
    same_batch("step_size", eta[..., None], z, "logits", shown=step_size)
    return z, d, eta


def float_step(
    logits_value: Any, direction: Any, step_size: Any, *, looked_at: bool = True
) -> tuple[Array, Array, Array]:
    """Return what :func:`step` does, for a guarantee about the numbers given: refuse what float64 would round."""
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
    """Return a baseline, scalar or ``[...]``, for queries with logits ``z``."""
    b = like(numbers("baseline", value), z, name="baseline")
    same_batch("baseline", b[..., None], z, "logits", shown=value)
    return b


def baseline_pair(low: Any, high: Any, z: Array) -> tuple[Array, Array]:
    """Return two baselines 0 <= low < high <= 1, each a scalar or ``[...]``, for queries with logits ``z``."""
    b1, b2 = like(numbers("low", low), z, name="low"), like(numbers("high", high), z, name="high")
    if np.any(b1 < 0):
        refuse("low", low, "a baseline in [0, 1)")
    same_batch("low", b1[..., None], z, "logits", shown=low)
    same_batch("high", b2[..., None], z, "logits", shown=high)
    if np.any(b2 > 1) or np.any(b2 <= b1):
        refuse("high", high, f"a baseline in (low, 1], where low = {low!r}")
    return b1, b2


def sampled_group(z: Array, responses: Any, advantages: Any) -> tuple[Array, Array]:
    """Return the responses and their advantages, ``[..., G]`` each, for queries with logits ``z``."""
    for name, value in (("responses", responses), ("advantages", advantages)):
        if value is None:
            refuse(name, value, "given for 'sampled_group'")
    y = response_indices(responses, z.shape[-1])
    a = like(vector("advantages", advantages, arms=y.shape[-1]), z, name="advantages")
    same_batch("advantages", a, y, "responses")
    same_batch("responses", y[..., :1], z, "logits", shown=responses)
    return y, a


def response_indices(value: Any, arms: int) -> Array:
    """Return the indices ``[..., G]`` of sampled responses."""
    allowed = f"an integer array [..., G], G >= 1, with entries in 0..{arms - 1}"
    array = plain_array("responses", value, allowed)
    if array.ndim < 1 or array.shape[-1] < 1 or array.dtype.kind not in "iu":
        refuse("responses", value, allowed)
    if array.size and (array.min() < 0 or array.max() >= arms):
        refuse("responses", value, allowed)
    return array


def exact_zero(array: Array) -> Any:
    """Return zero in the arithmetic of ``array``."""
    return exact_number(0) if is_exact(array) else 0.0


def like(value: Array, array: Array, *, name: str = "value") -> Array:
    """Return ``value`` in the arithmetic of ``array``: where that is exact, floats become the decimals they print as.

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


def exact_count(count: int, array: Array) -> Any:
    """Return a count in the arithmetic of ``array``, so that dividing by it stays exact where the array is."""
    return exact_number(count) if is_exact(array) else count


def _in_float64(name: str, value: Any, array: Array, allowed: str) -> Array:
    """Return floats, integers and booleans as float64, where that holds them."""
    if array.dtype == np.float64:
        # NumPy has made one array of a list of integers and floats: the integers are gone, so look at the list again.
        if not hasattr(value, "dtype") and array.size and np.abs(array).max() >= _CONSECUTIVE_INTEGERS:
            _refuse_lost_bits(name, value, np.asarray(value, dtype=object), allowed)
        return array
    converted = array.astype(np.float64)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        if np.abs(converted).max() >= _CONSECUTIVE_INTEGERS:
            _refuse_lost_bits(name, value, array.astype(object), allowed)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        kept = (converted == array) | (array != array)  # a NaN is refused elsewhere, by its own name
        if not kept.all():
            refuse(name, value, f"{allowed}, {_HELD}")
    return converted


def _refuse_lost_bits(name: str, value: Any, array: Array, allowed: str) -> None:
    """Refuse integers and long doubles among objects that float64 would round."""
    for x in array.flat:
        rounded = isinstance(x, (Integral, np.longdouble)) and x == x and not held_by_float64(x)
        if rounded:
            refuse(name, value, f"{allowed}, {_HELD}")


def _has_masked_rows(value: Any) -> bool:
    if isinstance(value, np.ma.MaskedArray):
        return True
    if not isinstance(value, (list, tuple)) or not value:
        return False
    # Rows are of one kind: a list that starts with a number holds no arrays.
    nested = isinstance(value[0], (list, tuple, np.ndarray))
    return nested and any(_has_masked_rows(row) for row in value)


def _is_number(x: Any) -> bool:
    """Return whether an object is real as far as anyone can tell.

    Symbols and balls are real; containers and durations are not.
    """
    if isinstance(x, Real):
        return True
    if isinstance(x, (Complex, timedelta)) or hasattr(x, "__len__"):
        return False
    if getattr(x, "is_extended_real", None) is False:  # SymPy's imaginary unit; None stands for a symbol
        return False
    imaginary = getattr(x, "imag", 0)  # flint's complex balls have one
    return hasattr(x, "__sub__") and hasattr(x, "__mul__") and bool(imaginary == 0)


def _shown(value: object) -> str:
    if isinstance(value, np.ma.MaskedArray):
        return f"a masked array of shape {value.shape}"
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of shape {value.shape}"
    shape = getattr(value, "shape", None)
    if isinstance(value, np.ndarray) or not isinstance(shape, tuple):
        return repr(value)
    shown = " ".join(repr(value).split())  # a foreign array or tensor, on one line
    return shown if len(shown) <= 120 else f"a {type(value).__name__} of shape {tuple(shape)}"


def _rounded(name: str, fractions: Array) -> Array:
    for x in fractions.flat:
        if x.denominator == 1 and not held_by_float64(x):
            refuse(name, int(x), "exactly held by float64, as the numbers beside it are floats")
    return fractions.astype(np.float64)


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
