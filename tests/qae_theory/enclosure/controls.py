"""Planted faults: versions of the bounds that are wrong, which the comparison with ball arithmetic must find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

from qae_theory.numerics import bounds, enclosure, row_moments

Fault = Callable[[], AbstractContextManager[None]]


@contextmanager
def replaced(name: str, value: Any) -> Iterator[None]:
    """Replace a constant wherever the kernels have it, for as long as the context lasts."""
    places: list[tuple[ModuleType, Any]] = [
        (place, getattr(place, name)) for place in (row_moments, bounds, enclosure) if hasattr(place, name)
    ]
    assert places, f"no kernel has a {name}"
    try:
        for place, _ in places:
            setattr(place, name, value)
        yield
    finally:
        for place, old in places:
            setattr(place, name, old)


FAULTS: dict[str, Fault] = {
    "no rescaling of the direction": lambda: replaced("PLAIN_SIZE", 10**6),
    "no room for rounding": lambda: replaced("UNIT", 0.0),
    "no room for underflow": lambda: replaced("FLOOR", 0.0),
    "no room for the rounding of double-double": lambda: replaced("_HANDFUL", 0.0),
}
