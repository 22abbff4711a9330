"""Hold a function to its reference, one cell of a plan after another.

A cell is one call and what must come of it: floats within limits, exact numbers, or a refusal that names an argument.
The arguments are read-only arrays, so that a function that writes into them is found out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import numpy as np

from qae_theory.arrays import Array
from qae_theory.claims.model import Finding

CRITERION = "agreement with the reference"
# What a planted fault multiplies its results with.
FAULT = 1 + 1e-6


@dataclass(frozen=True)
class Within:
    """Expect a float64 array of this shape with each entry between two limits."""

    low: Array
    high: Array

    def fault_of(self, result: Any) -> str | None:
        """Return what is wrong with a result, None where nothing is."""
        if not isinstance(result, (np.ndarray, np.floating)) or result.dtype != np.float64:
            return f"{type(result).__name__} of {getattr(result, 'dtype', 'no')} type, not float64"
        if result.shape != self.low.shape:
            return f"shape {result.shape}, not {self.low.shape}"
        right = (self.low <= result) & (result <= self.high)
        if right.all():
            return None
        place = tuple(int(i) for i in np.argwhere(~np.atleast_1d(right))[0])[: result.ndim]
        low, high = float(self.low[place]), float(self.high[place])
        return f"{float(np.asarray(result)[place])!r} at {list(place)}, not in [{low!r}, {high!r}]"


@dataclass(frozen=True)
class Exactly:
    """Expect an object that is equal to this one; an array must be so in type, shape and every entry."""

    value: Any

    def fault_of(self, result: Any) -> str | None:
        """Return what is wrong with a result, None where nothing is."""
        if isinstance(self.value, np.ndarray):
            same = isinstance(result, np.ndarray) and result.dtype == self.value.dtype
            same = same and result.shape == self.value.shape and bool(np.all(result == self.value))
            # A Fraction is equal to SymPy's rational number, which is another thing to have.
            plain = (int, Fraction)
            pairs = zip(result.flat, self.value.flat, strict=False)
            same = same and all(isinstance(a, plain) for a, b in pairs if isinstance(b, plain))
        else:
            same = bool(result == self.value)
        return None if same else f"{result!r}, not {self.value!r}"[:300]


@dataclass(frozen=True)
class Worth:
    """Expect an array of exact numbers, roots among them, that are worth these floats."""

    values: Array

    def fault_of(self, result: Any) -> str | None:
        """Return what is wrong with a result, None where nothing is."""
        if not self.values.ndim and not isinstance(result, np.ndarray):  # NumPy unboxes a single exact number
            result = np.array(result, dtype=object)
        exact = isinstance(result, np.ndarray) and result.dtype == object and result.shape == self.values.shape
        if not exact or any(isinstance(x, (float, np.floating)) for x in result.flat):
            return f"no array of exact numbers of shape {self.values.shape}: {result!r}"[:300]
        worth = np.array([float(x) for x in result.flat]).reshape(result.shape)
        right = np.abs(worth - self.values) <= 1e-14 * np.abs(self.values)
        return None if right.all() else f"{worth.tolist()}, not {self.values.tolist()}"[:300]


@dataclass(frozen=True)
class Near:
    """Expect a Python float between two limits."""

    low: float
    high: float

    def fault_of(self, result: Any) -> str | None:
        """Return what is wrong with a result, None where nothing is."""
        right = type(result) is float and self.low <= result <= self.high
        return None if right else f"{result!r}, not a float in [{self.low!r}, {self.high!r}]"


@dataclass(frozen=True)
class Refused:
    """Expect a ``ValueError`` that names this argument first, then what is allowed, then the value that was given."""

    argument: str
    left_out: bool = False  # whether the fault is that the argument was not given

    def fault_of(self, message: str, arguments: Iterable[Any], options: Mapping[str, Any] | None = None) -> str | None:
        """Return what is wrong with a message about a call with these arguments, None where nothing is."""
        options = options or {}
        allowed, found, value = message.partition("; got ")
        named = found and allowed.startswith(f"{self.argument} must be ") and not allowed.endswith(" must be None")
        # A value that was lost on the way to the message reads None; a word is shown as it was given.
        lost = value == "None" and not self.left_out and all(x is not None for x in (*arguments, *options.values()))
        word = options.get(self.argument)
        other = isinstance(word, str) and value != repr(word)
        return None if named and not lost and not other else f"refused: {message}"[:300]


Answer = Within | Exactly | Worth | Near | Refused | tuple[Within | Exactly | Worth | Near, ...]


@dataclass(frozen=True)
class Cell:
    """Hold one call of a function, with what must come of it, worked out once and when it is first asked for."""

    label: str
    arguments: tuple[Any, ...]
    expect: Callable[[], Answer]
    options: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def expected(self) -> Answer:
        """Return what the reference says."""
        return self.expect()

    def fault_of(self, function: Callable[..., Any]) -> str | None:
        """Return what is wrong with the function's answer, None where nothing is."""
        expected = self.expected
        try:
            result = function(*self.arguments, **self.options)
        except ValueError as refusal:
            if isinstance(expected, Refused):
                return expected.fault_of(str(refusal), self.arguments, self.options)
            return f"refused: {refusal}"[:300]
        except Exception as error:
            return f"raised {type(error).__name__}: {error}"[:300]
        if isinstance(expected, Refused):
            return f"{result!r}, where {expected.argument} is to be refused"[:300]
        if not isinstance(expected, tuple):
            return expected.fault_of(result)
        if not isinstance(result, tuple) or len(result) != len(expected):
            return f"no {len(expected)} results"
        faults = (part.fault_of(given) for part, given in zip(expected, result, strict=True))
        return next((fault for fault in faults if fault), None)


def refusal(argument: str, /, *arguments: Any, **options: Any) -> Cell:
    """Return the cell of a call that must be refused by a message that names this argument first."""
    shown = ", ".join([*map(repr, arguments), *(f"{name} = {x!r}" for name, x in options.items())])
    return Cell(f"refusal of {argument}: {shown}", arguments, partial(Refused, argument), options)


def agreement(function: Callable[..., Any], cells: Iterable[Cell]) -> Finding:
    """Find whether a function gives what the reference says, in every cell; none at all is a failure."""
    count = 0
    for cell in cells:
        fault = cell.fault_of(function)
        if fault:
            return Finding(False, CRITERION, f"{cell.label}: {fault}")
        count += 1
    return Finding(count > 0, CRITERION, f"{count} cells")


def planted(function: Callable[..., Any], *, beyond: int) -> Callable[..., Any]:
    """Return a function that is 1e-6 too large where an argument has more entries on its last axis than ``beyond``.

    A size that is given as a number counts too.
    """

    def faulty(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        large = any(_last_axis(x) > beyond for x in (*arguments, *options.values()))
        return scaled(result, FAULT) if large else result

    return faulty


def scaled(result: Any, factor: float) -> Any:
    """Return a result, or each of several, times a number."""
    if isinstance(result, tuple):
        parts = [scaled(part, factor) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return result * factor


def around(values: Any, tolerance: Any) -> Within:
    """Return the limits around values, each wider by its tolerance; of 0 and no tolerance, exactly 0."""
    middle, room = np.asarray(values, dtype=np.float64), np.asarray(tolerance, dtype=np.float64)
    low, high = middle - room, middle + room
    return Within(np.asarray(low), np.asarray(high))


def read_only(array: Array) -> Array:
    """Return a view of an array that cannot be written into."""
    view = array.view()
    view.flags.writeable = False
    return view


def _last_axis(argument: Any) -> int:
    if isinstance(argument, (bool, float, str)):
        return 0
    if isinstance(argument, int):
        return argument
    if isinstance(argument, np.ndarray):
        return argument.shape[-1] if argument.ndim else 0
    return len(argument) if isinstance(argument, Sequence) else 0
