"""Make the small changes of bends to a result, or to an argument of a second call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tests.mutation.bends.call import Call

Again = Callable[..., Any]  # the original, called again with some arguments replaced


class Change(NamedTuple):
    """Hold a change in words, and what it makes of a call and its result; ``needs``: an argument that must be there."""

    says: str
    make: Callable[[Call, Any, Again], Any]
    needs: str | None = None


def each_part(alter: Callable[[np.ndarray], Any]) -> Callable[[Call, Any, Again], Any]:
    """Return a change that alters every array of a result, in its own type."""

    def make(call: Call, result: Any, again: Again) -> Any:
        return altered(result, alter)

    return make


def altered(result: Any, alter: Callable[[np.ndarray], Any]) -> Any:
    """Return a result with every array in it altered."""
    if isinstance(result, tuple):
        parts = [altered(part, alter) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    if not isinstance(result, np.ndarray):
        changed = alter(np.asarray(result))
        return type(result)(changed.item() if isinstance(changed, np.ndarray) else changed)
    changed = np.asarray(alter(result))
    return changed if result.dtype == object else changed.astype(result.dtype)


def _factor(x: np.ndarray) -> Any:
    if x.dtype == object:
        return x * Fraction(1_000_001, 1_000_000)
    return ~x if x.dtype == bool else x + 1 if x.dtype.kind == "i" else x * (1 + 1e-6)


def _neighbour(x: np.ndarray) -> Any:
    return np.roll(x, 1, axis=-1) if x.ndim and x.shape[-1] > 1 else _factor(x)


def _axis_lost(x: np.ndarray) -> Any:
    return np.broadcast_to(x[:1], x.shape).copy() if x.ndim and len(x) > 1 else _factor(x)


def _last_lost(x: np.ndarray) -> Any:
    if not x.ndim or not x.shape[-1]:
        return _factor(x)
    shortened = x.copy()
    shortened[..., -1] = shortened[..., 0]
    return shortened


def _off_by_one(x: np.ndarray) -> Any:
    return ~x if x.dtype == bool else x + 1


def _sign(x: np.ndarray) -> Any:
    return ~x if x.dtype == bool else -x


def _single(x: np.ndarray) -> Any:
    return x.astype(np.float32) if x.dtype.kind == "f" else _factor(x)


def ignored(argument: str, default: Any) -> Change:
    """Return the change that an argument is taken for its default, whatever it was."""
    return Change(f"{argument} is ignored", lambda call, result, again: again(**{argument: default}), needs=argument)


def _rank_off(call: Call, result: Any, again: Again) -> Any:
    """Return the result at a level one rank higher, or lower where there is none."""
    step = Fraction(1, max(call.size, 1))
    k = call.level + step if call.level + step < 1 else call.level - step
    return again(k=k) if 0 < k < 1 else result


def _binary(call: Call, result: Any, again: Again) -> Any:
    """Return the result for a float level as the binary number that it is."""
    k = call["k"]
    return again(k=Fraction(float(k))) if isinstance(k, float) else result


def _first_name_lost(call: Call, result: Any, again: Again) -> Any:
    return result[1:]


def _swapped(call: Call, result: Any, again: Again) -> Any:
    if not isinstance(result, tuple) or len(result) < 2:
        return result
    parts = (result[1], result[0], *result[2:])
    return type(result)(*parts) if hasattr(result, "_fields") else parts


FACTOR = Change("1e-6 too large", each_part(_factor))
OFF_BY_ONE = Change("off by one", each_part(_off_by_one))
SIGN = Change("the other sign", each_part(_sign))
SINGLE = Change("single precision", each_part(_single))
NEIGHBOUR = Change("its neighbour's value", each_part(_neighbour))
AXIS_LOST = Change("the first of its batch for all", each_part(_axis_lost))
LAST_LOST = Change("the last entry is the first", each_part(_last_lost))
RANK_OFF = Change("a rank off by one", _rank_off, needs="k")
BINARY = Change("K read as its binary value", _binary, needs="k")
SWAPPED = Change("its first two parts swapped", _swapped)

BRACKETS = ignored("method", "brackets")._replace(says="method is taken for 'brackets'")
K = [RANK_OFF, BINARY, ignored("k", "0.4")]
SCALE = [ignored("std", "population"), ignored("eps", 1e-6)]
CLIP = [ignored("clip_low", 0.2), ignored("clip_high", 0.28)]
SCALARS = [FACTOR, OFF_BY_ONE, SIGN, AXIS_LOST, NEIGHBOUR]
VECTORS = [*SCALARS, SINGLE, LAST_LOST]
NUMBERS = [FACTOR, OFF_BY_ONE, SIGN]

OF_FUNCTION: Mapping[str, list[Change]] = {
    "quantile_baseline": [*SCALARS, RANK_OFF, BINARY, ignored("method", "inverted_cdf")],
    "quantile_rank": [OFF_BY_ONE, SIGN],
    "is_hard_group": [SIGN],
    "advantages": [*VECTORS, *K, *SCALE, ignored("mask", None)],
    "estimator_names": [
        Change("the first name is lost", _first_name_lost),
        Change("in alphabetical order", lambda call, result, again: tuple(sorted(result))),
        Change("one name twice", lambda call, result, again: (*result, result[0])),
    ],
    "register_estimator": [],  # see `bend`: its change is an ignored argument
    "probabilities": VECTORS,
    "entropy": [*SCALARS, SINGLE],
    "self_covariance": [*SCALARS, SINGLE],
    "entropy_gradient": VECTORS,
    "response_curvatures": VECTORS,
    "update_direction": [*VECTORS, ignored("baseline", 0.0)],
    "entropy_change": [*SCALARS, SINGLE],
    "first_order_entropy_change": [*SCALARS, SINGLE],
    "second_order_entropy_change": [*SCALARS, SINGLE],
    "entropy_change_bounds": [*SCALARS, SWAPPED, ignored("method", "best"), BRACKETS],
    "entropy_change_enclosure": [*SCALARS, SWAPPED],
    "curvature_brackets": [*NUMBERS, SWAPPED],
    "safe_step_size": [*SCALARS, ignored("low", 0.0), ignored("high", 1.0)],
    "expected_gain": [*SCALARS, *K, *SCALE, ignored("mixed_only", False)],
    # Not the last entry: it is 0 as the first is, under all rules that divide by a standard deviation.
    "outcome_advantages": [*SCALARS, SINGLE, *K, *SCALE, SWAPPED],
    "advantage_moments": [*SCALARS, *K, *SCALE, SWAPPED],
    "expected_first_order_change": [*SCALARS, *K, *SCALE],
    "expected_second_order_change": [*SCALARS, *K, *SCALE],
    "expected_entropy_change": [*NUMBERS, *K, *SCALE],
    "clipped_surrogate": [*VECTORS, *CLIP],
    "group_objective": [*SCALARS, *CLIP],
    "query_weights": [*SCALARS, *K, SWAPPED],
    "masked_objective": [*SCALARS, *K, *CLIP],
}
