"""Define the kinds of values that a setting may have, each with the words in which a refusal says what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

# Bytes of a number of each type, by the names that verl has for it.
BYTES = {"fp32": 4, "float32": 4, "bf16": 2, "bfloat16": 2, "fp16": 2, "float16": 2}


@dataclass(frozen=True)
class Kind(Generic[T]):
    """A kind of value.

    Attributes:
        allowed: what is allowed, in words.
        holds: whether a value is allowed.
        converted: returns an allowed value in its Python type.
    """

    allowed: str
    holds: Callable[[Any], bool]
    converted: Callable[[Any], T]


def whole(least: int) -> Kind[int]:
    """Return the kind of integers >= ``least``; True and False are none, though Python takes them for 1 and 0."""

    def holds(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return Kind(f"an integer >= {least}", holds, int)


def one_of(names: Iterable[str]) -> Kind[str]:
    """Return the kind that is one of a few names."""
    allowed = tuple(names)
    return Kind(f"one of {', '.join(allowed)}", lambda value: isinstance(value, str) and value in allowed, str)


def _is_share(value: Any) -> bool:
    """Return whether a value is a number strictly between 0 and 1; True is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1


def _is_names(value: Any) -> bool:
    """Return whether a value is a list of texts."""
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


def _same(value: Any) -> Any:
    """Return the value itself."""
    return value


COUNT = whole(1)
COUNT_OR_ZERO = whole(0)
# verl writes -1 for "never", "all" and "as many as there are".
COUNT_OR_MINUS_ONE = whole(-1)
SHARE: Kind[float] = Kind("a number strictly between 0 and 1", _is_share, float)
FLAG: Kind[bool] = Kind("true or false", lambda value: isinstance(value, bool), bool)
NUMBER_TYPE = one_of(BYTES)
NAMES: Kind[tuple[str, ...]] = Kind("a list of names", _is_names, tuple)
MODEL: Kind[str] = Kind("a model's name or folder", lambda value: isinstance(value, str) and bool(value), str)
# The reader only finds settings of this kind; the module that uses one checks it, with a message of its own.
ANY: Kind[Any] = Kind("anything", lambda value: True, _same)
